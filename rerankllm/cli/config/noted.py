"""Whether the options that a journal notes were noted by this user on this machine: a stranger's may name anything."""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

SEAL = "sealed"


def sealed(folder: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with a seal, by which `is_own` knows them; without one where this user's key cannot be written."""
    key = _key(make=True)
    return {**options, SEAL: _seal(key, folder, options)} if key else dict(options)


def is_own(folder: str, options: Mapping[str, Any]) -> bool:
    """Whether options that were read from a journal, to be run in `folder`, have the seal of this user."""
    seal, key = options.get(SEAL), _key(make=False)
    plain = {name: value for name, value in options.items() if name != SEAL}
    return key is not None and isinstance(seal, str) and hmac.compare_digest(seal, _seal(key, folder, plain))


def _seal(key: bytes, folder: str, options: Mapping[str, Any]) -> str:
    return hmac.new(key, json.dumps([folder, options], sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _key(*, make: bool) -> bytes | None:
    """The secret of this user, which never leaves the machine."""
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    path = (Path(state) if state else Path.home() / ".local" / "state") / "rerankllm" / "seal"
    with suppress(OSError):
        if make and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
        return path.read_bytes() or None
    return None
