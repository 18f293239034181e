"""Where a model is, and a fingerprint of it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from rerankllm.errors import InputError
from rerankllm.files import digest

FINGERPRINTED = (".safetensors", ".bin", ".pt", ".json", ".jinja", ".model")
"""Files that answers depend on: weights, and the configuration of model, tokenizer and chat format."""


def find(name: str, revision: str | None) -> tuple[str, str | None]:
    """A model, before anything of it is loaded.

    Args:
        name: A folder, or a model of the Hugging Face hub.
        revision: Branch, tag or commit, on the hub.

    Returns:
        What the engine is to load; and the commit, None for a folder.

    Raises:
        InputError: There is no such model, or it cannot be fetched.
    """
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(f"vllm:{name}: the folder has no config.json, so it holds no model vLLM can load")
        if revision is not None:
            raise InputError(f"vllm:{name}: a folder has no revisions; leave it out")
        return str(folder), None
    if folder.is_file():
        raise InputError(f"vllm:{name}: is a file; name a model's folder, or llamacpp:{name} for a GGUF file")
    if not name or name.startswith((".", "/", "~")):
        raise InputError(f"vllm:{name}: no such folder; name a model's folder, or a model of the Hugging Face hub")
    return name, _commit(name, revision)


def _commit(name: str, revision: str | None) -> str | None:
    from transformers.utils.hub import extract_commit_hash  # noqa: PLC0415 - comes with vLLM

    try:
        path = _file(name, "config.json", revision)
    except (OSError, ValueError) as error:
        raise InputError(
            f"vllm:{name}: neither a folder here nor a model that can be fetched from the Hugging Face hub "
            f"({' '.join(str(error).split())})"
        ) from error
    commit: str | None = extract_commit_hash(path, None)
    return commit


def architecture(name: str) -> str:
    """What a model's configuration says it is; empty where it cannot be read."""
    try:
        folder = Path(name).expanduser()
        path = folder / "config.json" if folder.is_dir() else Path(str(_file(name, "config.json", None)))
        return str((json.loads(path.read_text(encoding="utf-8")).get("architectures") or [""])[0])
    except (ImportError, OSError, ValueError, AttributeError):
        return ""


def find_adapter(name: str) -> str:
    """The folder of a LoRA adapter, fetched where it is on the hub.

    Raises:
        InputError: There is no such adapter, or it cannot be fetched.
    """
    try:
        paths = [_file(name, file, None) for file in ("adapter_config.json", "adapter_model.safetensors")]
    except (OSError, ValueError) as error:
        raise InputError(f"vllm: adapter {name}: no such adapter ({' '.join(str(error).split())})") from error
    return str(Path(paths[0]).parent)


def _file(name: str, file: str, revision: str | None) -> Any:
    """The path of a file of a model, fetched where it is on the hub."""
    from transformers.utils.hub import cached_file  # noqa: PLC0415 - comes with vLLM

    return cached_file(name, file, revision=revision)


def fingerprint(folder: Path) -> str:
    """SHA-256 over the files that answers depend on, in hexadecimal."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in FINGERPRINTED:
            total.update(f"{path.name} {digest(path)}\n".encode())
    return total.hexdigest()
