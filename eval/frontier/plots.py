"""Draws the tables of this folder's results: nDCG@10 against slots and rounds, a row a judge.

    python eval/frontier/plots.py       # COLLECTION.png, .svg and .pdf of every COLLECTION.md, as eval/pictures.py does

Filled marks and the lines through them are the stages that nothing beats which costs no more, alone and fused with the
first stage. Those of the stages alone are named.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm.evaluation import figures
from rerankllm.evaluation.extras import matplotlib_module
from rerankllm.evaluation.pareto import front

sys.path.insert(0, str(Path(__file__).parents[1]))
from tables import Table, read_tables

RESULTS = Path(__file__).parent / "results"
COLLECTIONS = {"dl19-bm25": "TREC DL 2019, BM25, 100 documents", "noveleval": "NovelEval, 20 documents"}
FIRST, BELIEF, IDEAL = "first stage", "the judge's own belief", "the ideal order of these documents"
AXES = {"slots": "passages in prompts a query (slots)", "rounds": "calls that wait for one another (rounds)"}
SERIES = {
    "nDCG@10": ("alone", figures.BLUE, "o"),
    "fused 0.5": ("half of it, half of the first stage", figures.ORANGE, "s"),
    "fused 0.8": ("0.8 of it", figures.GREEN, "D"),
}
JUDGES = {
    "mild": "a good judge (mild)",
    "harsh": "a poor judge (harsh)",
    "fitted": "a judge fitted to RankVicuna (fitted)",
    "small": "a judge fitted to Qwen2.5-Coder-1.5B (small)",
}
AROUND = ((0, 1), (1, 1), (-1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0))
PLACES = [(dx * far, dy * far) for far in (7, 16, 26, 38, 52, 68) for dx, dy in AROUND]
"""Where a name may stand beside its mark, in points, the best first."""


@dataclass(frozen=True)
class Mark:
    """A stage in one panel: its cost and its quality, and what it is called."""

    x: float
    y: float
    name: str


def short(name: str) -> str:
    """A stage's name as it fits a plot."""
    strategy, _, rest = name.partition("(")
    if strategy == "cascade":
        return "cascade of " + rest[1:].partition("(")[0]
    values = [part.partition("=")[2].rstrip(")") for part in rest.split(", ") if not part.startswith("top_k")]
    return " ".join([strategy, *filter(None, values)])


def marks(table: Table, cost: str, column: str) -> list[Mark]:
    """The stages of a table; those at the same place are one mark with both names."""
    found: dict[tuple[float, float], list[str]] = {}
    for cells in table.rows:
        name = cells[table.columns.index("stage")]
        if name not in {FIRST, BELIEF, IDEAL}:
            at = table.number(name, cost), table.number(name, column)
            found.setdefault(at, []).append(short(name))
    return [Mark(*at, " = ".join(dict.fromkeys(names))) for at, names in found.items()]


def panel(axes: Any, table: Table, cost: str) -> list[Mark]:
    """One plot; returns the marks that are to be named."""
    named: list[Mark] = []
    for column, (_, colour, shape) in SERIES.items():
        found = marks(table, cost, column)
        best = [found[i] for i in front([(mark.x, mark.y) for mark in found])]
        rest = [mark for mark in found if mark not in best]
        axes.plot(
            [m.x for m in rest], [m.y for m in rest], shape, color=colour, markersize=3, fillstyle="none", alpha=0.6
        )
        axes.plot([m.x for m in best], [m.y for m in best], shape, color=colour, markersize=4.5)
        right = max(mark.x for mark in found)
        axes.step([*(m.x for m in best), right], [*(m.y for m in best), best[-1].y], where="post", color=colour,
                  linewidth=0.9)  # fmt: skip
        named = named or best
    axes.axhline(table.number(FIRST, "nDCG@10"), color="black", linestyle=":", linewidth=1)
    axes.axhline(table.number(BELIEF, "nDCG@10"), color="dimgrey", linestyle="--", linewidth=1)
    axes.axhline(table.number(IDEAL, "nDCG@10"), color="black", linewidth=1)
    axes.set_xscale("log")
    ticker = matplotlib_module("ticker")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(visible=True)
    return named


def name_marks(figure: Any, axes: Any, named: Sequence[Mark]) -> None:
    """Writes names beside their marks where they cover neither one another nor a mark, with a line to the mark."""
    renderer = matplotlib_module("backends.backend_agg").FigureCanvasAgg(figure).get_renderer()
    frame = axes.get_window_extent(renderer)
    halo = [matplotlib_module("patheffects").withStroke(linewidth=2, foreground="white")]
    taken = [axes.transData.transform(line.get_xydata()) for line in axes.lines if line.get_marker() != "None"]
    dots = [tuple(point) for points in taken for point in points]
    boxes: list[Any] = []
    for mark in sorted(named, key=lambda mark: mark.x):
        options = []
        for rank, (dx, dy) in enumerate(PLACES):
            text = axes.annotate(
                mark.name, (mark.x, mark.y), xytext=(dx, dy), textcoords="offset points", fontsize=6.5,
                color=figures.BLUE, ha="left" if dx > 0 else "right" if dx < 0 else "center", va="center",
                arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": figures.BLUE, "shrinkA": 0, "shrinkB": 2},
                path_effects=halo,
            )  # fmt: skip
            text.update_positions(renderer)
            box = matplotlib_module("text").Text.get_window_extent(text, renderer)  # without its line
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            over = sum(box.overlaps(other) for other in boxes)
            covered = sum(box.x0 - 2 < x < box.x1 + 2 and box.y0 - 2 < y < box.y1 + 2 for x, y in dots)
            options.append((not inside, over, covered, rank, text, box))
        *_, text, box = best = min(options, key=lambda option: option[:4])
        for other in options:
            if other is not best:
                other[4].remove()
        boxes.append(box)


def drawn(worlds: Mapping[str, Table], title: str) -> Any:
    """The figure of one collection: a row a judge, a column a cost."""
    figure = figures.new_figure(10, 3.1 * len(worlds) + 0.8)
    grid = figure.subplots(len(worlds), len(AXES), squeeze=False, sharey="row")
    named = {}
    for (world, table), line in zip(worlds.items(), grid, strict=True):
        for axes, (cost, label) in zip(line, AXES.items(), strict=True):
            named[axes] = panel(axes, table, cost)
            axes.set_xlabel(label)
        line[0].set_title(f"{JUDGES.get(world, world)}, simulated", loc="left")
        line[0].set_ylabel("nDCG@10")
    lines = matplotlib_module("lines").Line2D
    handles = [
        *(lines([], [], color=colour, marker=shape, label=said) for said, colour, shape in SERIES.values()),
        lines([], [], color="black", label=f"limit: {IDEAL}"),
        lines([], [], color="dimgrey", linestyle="--", label=f"{BELIEF}, its errors included"),
        lines([], [], color="black", linestyle=":", label=FIRST),
    ]  # fmt: skip
    figure.suptitle(title, fontsize=10)
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    figure.draw_without_rendering()  # the layout, which the places of names depend on
    figure.set_layout_engine("none")
    for axes, found in named.items():
        name_marks(figure, axes, found)
    return figure


def worlds_of(path: Path) -> dict[str, Table]:
    """The tables of a results file by judge."""
    return {table.heading.partition(":")[0]: table for table in read_tables(path)}


def draw(folder: Path, name: str) -> list[Path]:
    """Draws the results of one collection beside them; returns the files."""
    with figures.style():
        return figures.save(drawn(worlds_of(folder / f"{name}.md"), COLLECTIONS[name]), folder, name)


def main() -> None:
    """Draws all results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=RESULTS, help="where the tables are, and the figures are written"
    )
    options = parser.parse_args()
    for name in COLLECTIONS:
        if (options.folder / f"{name}.md").is_file():
            print("wrote", ", ".join(map(str, draw(options.folder, name))))


if __name__ == "__main__":
    main()
