"""Draws nDCG@10 against slots and rounds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from rerankllm.evaluation.pareto import front

AXES = {"slots": "passage copies sent (slots) a query", "rounds": "calls that wait for one another (rounds)"}
ALONE, FUSED = "#1f4e79", ("#c55a11", "#2e7d32")


class Point(Protocol):
    """What is drawn of a row: see `run.Row`."""

    name: str
    alone: Mapping[str, float]
    fused: Mapping[float, Mapping[str, float]]
    rounds: float
    slots: float


def short(name: str) -> str:
    """A stage's name as it fits a plot."""
    strategy, _, rest = name.partition("(")
    if strategy == "cascade":
        return "cascade of " + rest[1:].partition("(")[0]
    values = [part.partition("=")[2].rstrip(")") for part in rest.split(", ") if not part.startswith("top_k")]
    return " ".join([strategy, *filter(None, values)])


def panel(axes: Axes, rows: Sequence[Point], cost: str, first: str, limit: str) -> None:
    """One plot: stages alone and fused, with the front of each."""
    by_name = {row.name: row for row in rows}
    for name, style, colour in ((first, ":", "grey"), (limit, "--", "black")):
        axes.axhline(fmean(by_name[name].alone.values()), color=colour, linestyle=style, linewidth=1)
    asked = [row for row in rows if row.slots]
    series = [(None, ALONE, "o"), *((weight, FUSED[i], "^v"[i]) for i, weight in enumerate(asked[0].fused))]
    for weight, colour, marker in series:
        points = [
            (getattr(row, cost), fmean((row.alone if weight is None else row.fused[weight]).values()), row.name)
            for row in asked
        ]
        axes.scatter([p[0] for p in points], [p[1] for p in points], s=12, c=colour, marker=marker, alpha=0.6)
        best = [points[i] for i in front([(p[0], p[1]) for p in points])]
        right = max(p[0] for p in points)
        axes.step([*(p[0] for p in best), right], [*(p[1] for p in best), best[-1][1]], where="post",
                  color=colour, linewidth=0.8)  # fmt: skip
        offset = (3, 4 if weight is None else -9)
        for x, y, name in best:
            axes.annotate(short(name), (x, y), xytext=offset, textcoords="offset points", fontsize=6, color=colour)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=7)
    axes.grid(visible=True, linewidth=0.3)


def plot(worlds: Mapping[str, Sequence[Any]], title: str, path: Path, *, first: str, limit: str) -> None:
    """Writes one figure: a row a world, a column a cost.

    Args:
        worlds: Rows by world, those called `first` and `limit` among them.
        title: Of the figure.
        path: A PNG.
        first: Name of the first stage's row.
        limit: Name of the row of the judge's own order.
    """
    figure, grid = plt.subplots(len(worlds), 2, figsize=(11, 3.9 * len(worlds)), squeeze=False, sharey="row")
    for (world, rows), line in zip(worlds.items(), grid, strict=True):
        for axes, (cost, label) in zip(line, AXES.items(), strict=True):
            panel(axes, rows, cost, first, limit)
            axes.set_xlabel(label, fontsize=8)
            axes.set_title(f"{world}", fontsize=9)
        line[0].set_ylabel("nDCG@10", fontsize=8)
    handles = [
        plt.Line2D([], [], color=ALONE, marker="o", label="alone"),
        *(
            plt.Line2D([], [], color=FUSED[i], marker="^v"[i], label=f"fused with the first stage, weight {weight:g}")
            for i, weight in enumerate(next(iter(worlds.values()))[0].fused)
        ),
        plt.Line2D([], [], color="black", linestyle="--", label=limit),
        plt.Line2D([], [], color="grey", linestyle=":", label=first),
    ]
    figure.legend(handles=handles, loc="upper center", ncols=5, fontsize=7, bbox_to_anchor=(0.5, 0.98))
    figure.suptitle(title, fontsize=10, y=0.995)
    figure.tight_layout(rect=(0, 0, 1, 0.965))
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)
