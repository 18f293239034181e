"""The plots of a diagnosis."""

import importlib.util
from pathlib import Path
from typing import Any

from rerankllm.analysis.diagnose.probe import Compared, Findings, Lists
from rerankllm.errors import InputError, MissingExtra
from rerankllm.evaluation import figures

SIZE = (6.4, 4.0)


def check(folder: Path) -> None:
    """Checks, before anything is asked, that plots can be drawn and written.

    Raises:
        MissingExtra: matplotlib is not installed.
        InputError: The folder is a file, or cannot be made.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("--plot needs matplotlib: pip install 'rerankllm[plots]'")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write into {folder}: {error.strerror}") from None


def draw(findings: Findings, folder: Path, title: str) -> None:
    """Writes `margins` for comparisons and `places` for lists, as far as there are any, as PNG, SVG and PDF."""
    with figures.style():
        if findings.compared is not None and findings.compared.margins:
            figures.save(_margins(findings.compared, title), folder, "margins")
        if findings.lists is not None and findings.lists.places:
            figures.save(_places(findings.lists, title), folder, "places")


def _margins(compared: Compared, title: str) -> Any:
    figure, axes = _axes(title)
    axes.hist(compared.margins, bins=40, color=figures.BLUE)
    axes.axvline(0, color="black", linewidth=1)
    axes.axvline(compared.margin, color=figures.ORANGE, linewidth=2, label=f"mean {compared.margin:+.2f}")
    axes.set_xlabel("log-odds of the passage shown first, in nats (ℓ_A − ℓ_B)")
    axes.set_ylabel("comparisons")
    axes.legend()
    return figure


def _places(lists: Lists, title: str) -> Any:
    figure, axes = _axes(title)
    fair = (len(lists.places) + 1) / 2
    axes.plot([p.place for p in lists.places], [p.rank for p in lists.places], marker="o", color=figures.BLUE)
    axes.axhline(fair, color="black", linewidth=1, linestyle="--", label="no bias")
    axes.invert_yaxis()
    axes.set_xlabel("place in the prompt")
    axes.set_ylabel("mean rank in the answers (1 is best)")
    axes.legend()
    return figure


def _axes(title: str) -> Any:
    """A figure and its axes."""
    figure = figures.new_figure(*SIZE)
    axes = figure.subplots()
    axes.set_title(figures.plain(title))
    return figure, axes
