"""Draws what strategies gain with recorded judges, from a table that `report.py` wrote.

`python eval/judges/picture.py` writes eval/judges/results/noveleval.png, .svg and .pdf; `report.py` does so, too.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rerankllm.evaluation import figures

sys.path.insert(0, str(Path(__file__).parents[1]))
from tables import read_tables

RESULTS = Path(__file__).parent / "results"
SHOWN = {
    ("yes-no", "pointwise"): "pointwise, yes or no",
    ("yes-no", "interpolate(pointwise)"): "interpolate(pointwise), yes or no",
    ("likelihood", "pointwise"): "pointwise / likelihood",
    ("likelihood", "interpolate(pointwise)"): "interpolate(pointwise / likelihood)",
    ("letters", "sliding(window=20, stride=10)"): "one list of 20",
    ("letters", "sliding(window=10, stride=5)"): "sliding(window=10, stride=5)",
    ("letters", "blitzrank(window=10)"): "blitzrank(window=10)",
    ("letters", "psc(full, shuffles=5)"): "psc(full, shuffles=5)",
    ("choices", "setwise(c=4)"): "setwise(c=4)",
    ("pairs", "prp(sort=allpair)"): "prp(sort=allpair), of 7",
    ("pairs", "prp(sort=allpair, calibrate=agree)"): "prp(sort=allpair, calibrate=agree), of 7",
    ("pairs", "prp(sort=heap, top_k=10)"): "prp(sort=heap), of 7",
    ("pairs", "elimination"): "elimination, of 7",
}
"""Sets and strategies, with what the figure calls them."""
MARKS = {
    "qwen2.5-coder-1.5b": (figures.BLUE, "o"),
    "qwen2.5-coder-0.5b": (figures.ORANGE, "s"),
    "gemma3-270m": (figures.GREEN, "D"),
    "smollm2-135m": (figures.RED, "^"),
}
SIMULATED = {"small": "|", "fitted": "x"}


def gains(path: Path) -> dict[str, dict[str, float]]:
    """By strategy, what it takes a query, and what it gains on the first stage with each judge, real or simulated."""
    table = next(t for t in read_tables(path) if t.heading.startswith("What strategies"))
    rows = [dict(zip(table.columns, cells, strict=True)) for cells in table.rows]
    found = {}
    for (kind, strategy), name in SHOWN.items():
        asked = [row for row in rows if (row["set"], row["strategy"].strip("`")) == (kind, strategy)]
        if not asked:
            continue
        gained = {row["judge"]: float(row["− first stage"].partition(" ")[0]) for row in asked}
        most = max(asked, key=lambda row: int(row["queries"]))
        gained |= {world: float(most[world]) - float(most["first stage"]) for world in SIMULATED}
        found[f"{name}\n{most['slots']} passages, {most['calls'].removesuffix('.0')} calls"] = gained
    return found


def drawn(gained: Mapping[str, Mapping[str, float]]) -> Any:
    """The figure: a line a strategy, a mark a judge."""
    figure = figures.new_figure(8, 0.4 * len(gained) + 1.2)
    axes = figure.subplots()
    places = range(len(gained))
    for judge, (colour, mark) in MARKS.items():
        axes.plot([by.get(judge) for by in gained.values()], places, mark, color=colour, markersize=5, label=judge)
    for world, mark in SIMULATED.items():
        axes.plot([by[world] for by in gained.values()], places, mark, color="black", label=f"simulated: {world}")
    axes.axvline(0, color="black", linestyle=":", linewidth=1, label="the first stage")
    axes.set_yticks(places, [figures.plain(label) for label in gained])
    axes.invert_yaxis()
    axes.set_xlabel("nDCG@10 above the first stage; NovelEval, 20 candidates, real judges")
    axes.grid(axis="y")
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def draw(name: str) -> list[Path]:
    """Writes the figure of one collection beside its table."""
    with figures.style():
        return figures.save(drawn(gains(RESULTS / f"{name}.md")), RESULTS, name)


if __name__ == "__main__":
    print(*draw("noveleval"), sep="\n")
