"""The plots of a diagnosis."""

import importlib.util
from pathlib import Path
from typing import Any

from rerankllm.analysis.diagnose.probe import Compared, Findings, Lists
from rerankllm.errors import InputError, MissingExtra

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
    """Writes `margins.png` for comparisons and `places.png` for lists, as far as there are any."""
    if findings.compared is not None and findings.compared.margins:
        _margins(findings.compared, folder / "margins.png", title)
    if findings.lists is not None and findings.lists.places:
        _places(findings.lists, folder / "places.png", title)


def _margins(compared: Compared, path: Path, title: str) -> None:
    figure, axes = _axes(title)
    axes.hist(compared.margins, bins=40, color="#1f4e79")
    axes.axvline(0, color="black", linewidth=1)
    axes.axvline(compared.margin, color="#c55a11", linewidth=2, label=f"mean {compared.margin:+.2f}")
    axes.set_xlabel("log-odds of the passage shown first, in nats (ℓ_A − ℓ_B)")
    axes.set_ylabel("comparisons")
    axes.legend()
    figure.savefig(path, dpi=120)


def _places(lists: Lists, path: Path, title: str) -> None:
    figure, axes = _axes(title)
    fair = (len(lists.places) + 1) / 2
    axes.plot([p.place for p in lists.places], [p.rank for p in lists.places], marker="o", color="#1f4e79")
    axes.axhline(fair, color="black", linewidth=1, linestyle="--", label="no bias")
    axes.invert_yaxis()
    axes.set_xlabel("place in the prompt")
    axes.set_ylabel("mean rank in the answers (1 is best)")
    axes.legend()
    figure.savefig(path, dpi=120)


def _axes(title: str) -> Any:
    """A figure that needs no screen, and its axes."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=9)
    return figure, axes
