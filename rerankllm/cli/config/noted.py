"""What this user noted, or agreed to, on this machine: a stranger's journal or configuration may name anything."""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

SEAL, AGREED = "sealed", "agreed"


def sealed(folder: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with a seal, by which `is_own` knows them; without one where this user's key cannot be written."""
    key = _key(make=True)
    return {**options, SEAL: _seal(key, folder, options)} if key else dict(options)


def is_own(folder: str, options: Mapping[str, Any]) -> bool:
    """Whether options that were read from a journal, to be run in `folder`, have the seal of this user."""
    seal, key = options.get(SEAL), _key(make=False)
    plain = {name: value for name, value in options.items() if name != SEAL}
    return key is not None and isinstance(seal, str) and hmac.compare_digest(seal, _seal(key, folder, plain))


def not_agreed(lines: Sequence[str]) -> list[str]:
    """Those of some sentences that this user has not agreed to."""
    path = _state() / AGREED
    known = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [line for line in lines if _digest(line) not in known]


def agree(lines: Sequence[str]) -> None:
    """Remembers that this user agreed; nothing is remembered where that cannot be written."""
    with suppress(OSError):
        _state().mkdir(parents=True, exist_ok=True)
        with (_state() / AGREED).open("a", encoding="utf-8") as file:
            file.writelines(f"{_digest(line)}\n" for line in not_agreed(lines))


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()


def _state() -> Path:
    """Where this user's programs keep what is to last."""
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(state) if state else Path.home() / ".local" / "state") / "rerankllm"


def _seal(key: bytes, folder: str, options: Mapping[str, Any]) -> str:
    return hmac.new(key, json.dumps([folder, options], sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _key(*, make: bool) -> bytes | None:
    """The secret of this user, which never leaves the machine."""
    path = _state() / "seal"
    with suppress(OSError):
        if make and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
        return path.read_bytes() or None
    return None
