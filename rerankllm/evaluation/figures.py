"""How figures look and are written: one style for the command line, notebooks, docs and `eval/`."""

from pathlib import Path
from typing import Any

from rerankllm.evaluation.extras import matplotlib_module

BLUE, ORANGE, GREEN, RED = "#0f4c81", "#d55e00", "#5fa777", "#a83279"
"""Told apart by people who are colour-blind, and in grey print: their lightness differs (31, 54, 63 and 41 of 100)."""
PRINT = 300
"""Dots an inch of the PNG: what journals ask of a figure."""
FORMATS = ("png", "svg", "pdf")
_STYLE = {"svg.hashsalt": "rerankllm", "svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 9, "axes.labelsize": 9,
          "axes.titlesize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8,
          "axes.spines.top": False, "axes.spines.right": False, "grid.linewidth": 0.4, "grid.color": "#cccccc",
          "axes.axisbelow": True}  # fmt: skip
_NO_DATE = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}}
"""Neither date nor version in a file: the same numbers give the same figure."""


def style() -> Any:
    """A context in which figures are drawn and written in this style.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    return matplotlib_module("style").context(["default", _STYLE])


def new_figure(width: float, height: float) -> Any:
    """A figure of so many inches that needs no screen; its parts make room for one another.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    return matplotlib_module("figure").Figure(figsize=(width, height), layout="constrained")


def plain(text: str) -> str:
    """The text, with nothing that matplotlib would set as a formula."""
    return text.replace("$", r"\$")


def save(figure: Any, folder: Path, name: str) -> list[Path]:
    """Writes a figure as PNG for the screen and for print, and as SVG and PDF, which any size suits.

    Returns:
        The files, in the order of `FORMATS`.
    """
    written = [folder / f"{name}.{form}" for form in FORMATS]
    for path, form in zip(written, FORMATS, strict=True):
        figure.savefig(path, dpi=PRINT, metadata=_NO_DATE[form])
    return written
