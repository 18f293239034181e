"""The bearer keys that clients need."""

import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from rerankllm.errors import InputError

VARIABLE = "RERANKLLM_API_KEYS"
"""The environment variable with keys, separated by commas or white space."""


class Keys:
    """The keys, of which only hashes are kept. If there are none, clients need none.

    Args:
        keys: The keys.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    @classmethod
    def read(cls, file: Path | None) -> "Keys":
        """Reads keys from a file, one a line (`#` begins a comment), and from the environment.

        Raises:
            InputError: The file cannot be read, or holds no key.
        """
        found = os.environ.get(VARIABLE, "").replace(",", " ").split()
        if file is not None:
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"keys cannot be read from {file}: {type(error).__name__}") from None
            listed = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
            if not listed:
                raise InputError(f"{file} holds no key: it should have one a line")
            found += listed
        return cls(found)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def admit(self, authorization: bytes) -> bool:
        """Whether an `Authorization` header holds one of the keys. It takes the same time whether or not it does."""
        scheme, _, key = authorization.partition(b" ")
        digest = _digest(key.strip())
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return not self._digests or (any(matches) and scheme.lower() == b"bearer")


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
