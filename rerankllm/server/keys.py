"""Who may ask: bearer keys."""

import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from rerankllm.errors import InputError

VARIABLE = "RERANKLLM_API_KEYS"
"""Holds keys, separated by commas or white space."""


class Keys:
    """Keys, of which only hashes are kept. Without any, everybody may ask.

    Args:
        keys: The keys.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    @classmethod
    def read(cls, file: Path | None) -> "Keys":
        """Those in a file, one a line (`#` begins a comment), and those in the environment.

        Raises:
            InputError: The file cannot be read, or has none.
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
        """Whether this `Authorization` header holds one of them. Takes as long whichever it is, and whether or not."""
        scheme, _, key = authorization.partition(b" ")
        digest = _digest(key.strip())
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return not self._digests or (any(matches) and scheme.lower() == b"bearer")


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
