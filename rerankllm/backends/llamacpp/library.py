"""The llama.cpp library: loaded, quiet, and asked to open files."""

import contextlib
import functools
import importlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rerankllm.errors import InputError, MissingExtra

log = logging.getLogger(__name__)

NEEDED = (
    "llamacpp: models need a C++ compiler (`apt-get install g++ cmake`, or Xcode's command line tools) and "
    "`pip install 'rerankllm[llamacpp]'`; `--model openai:NAME --base-url URL` works without"
)

SPIN = "1000"
"""How often threads look whether the others are done before they give up their CPU. With libgomp's own 300,000, two
processes that share the CPUs, or any other load, wait for one another's time slices: thirty times slower."""

_WARN, _ERROR = 3, 4  # ggml's log levels
_complaints: list[str] = []
_keep: list[Any] = []  # C holds on to the callback, so Python must


@functools.cache
def library() -> Any:
    """The `llama_cpp` module, loaded, its log turned into ours.

    Raises:
        MissingExtra: It is not installed, or does not load.
    """
    try:
        with _patient_threads():
            lib = importlib.import_module("llama_cpp")
    except ImportError as error:
        raise MissingExtra(NEEDED) from error
    except (OSError, RuntimeError) as error:
        raise MissingExtra(
            f"llama-cpp-python is installed but does not load ({error}); "
            "`pip install --force-reinstall --no-cache-dir llama-cpp-python` builds it for this machine"
        ) from error
    callback = lib.llama_log_callback(_hear)
    _keep.append(callback)
    lib.llama_log_set(callback, None)
    lib.llama_backend_init()
    return lib


@contextlib.contextmanager
def _patient_threads() -> Iterator[None]:
    """Sets what libgomp reads while it is loaded, unless the user did."""
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = SPIN
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]


def _hear(level: int, text: bytes, _: Any) -> None:
    """Passes on what llama.cpp complains of; its warnings are mostly about its own defaults."""
    if level in (_WARN, _ERROR):
        line = text.decode("utf-8", "replace").strip()
        log.log(logging.ERROR if level == _ERROR else logging.INFO, "%s", line)
        if level == _ERROR:
            _complaints.append(line)


def complaint() -> str:
    """The first error llama.cpp reported since this was last asked, in brackets, or nothing."""
    first = _complaints[0] if _complaints else ""
    _complaints.clear()
    return f" ({first})" if first else ""


def load_model(path: Path, **options: Any) -> Any:
    """Opens a GGUF file; the caller frees the model.

    Args:
        path: The file.
        options: Fields of `llama_model_params`.

    Raises:
        InputError: llama.cpp cannot read it.
    """
    lib = library()
    params = lib.llama_model_default_params()
    for name, value in options.items():
        getattr(params, name)  # ctypes would take a field that is none, and nobody would hear of it
        setattr(params, name, value)
    complaint()
    model = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise InputError(f"{path}: llama.cpp cannot load it{complaint()}; it takes GGUF files")
    return model
