"""Packages that only some of this room needs, loaded when it does."""

import importlib
from typing import Any

from rerankllm.errors import MissingExtra


def scipy_module(name: str) -> Any:
    """A module of scipy, such as `stats`.

    Raises:
        MissingExtra: scipy is not installed.
    """
    return _loaded(f"scipy.{name}", "stats")


def matplotlib_module(name: str) -> Any:
    """A module of matplotlib, such as `figure`.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    return _loaded(f"matplotlib.{name}", "plots")


def _loaded(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{module} is not installed: pip install 'rerankllm[{extra}]'") from error
