"""Pictures of a comparison: what the intervals are, and which queries make the difference."""

from pathlib import Path
from typing import Any

import numpy as np

from rerankllm.evaluation import figures
from rerankllm.evaluation.comparison import Comparison
from rerankllm.evaluation.figures import new_figure, plain

MOST_NAMED = 100
"""Queries whose ids can be read below a picture."""


def plot(comparison: Comparison, folder: Path) -> list[Path]:
    """Writes `intervals` and `queries` to a folder that exists, each as PNG, SVG and PDF, and returns the files.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with figures.style():
        drawn = {"intervals": _intervals(comparison), "queries": _queries(comparison)}
        return [path for name, figure in drawn.items() for path in figures.save(figure, folder, name)]


def _intervals(comparison: Comparison) -> Any:
    """A forest plot: for each measure, every difference to the baseline with its interval."""
    names = comparison.pool.names
    systems = list(dict.fromkeys(each.system for each in comparison.differences))
    figure = new_figure(1.5 + 3.2 * len(names), 1.2 + 0.35 * max(1, len(systems)))
    for axes, measure in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
        mine = [each for each in comparison.differences if each.measure == measure]
        means = np.array([each.estimate.mean for each in mine])
        low = means - np.array([each.estimate.low for each in mine])
        high = np.array([each.estimate.high for each in mine]) - means
        axes.errorbar(means, range(len(mine)), xerr=np.maximum([low, high], 0), fmt="o", color=figures.BLUE, capsize=3)
        axes.axvline(0, color="black", linewidth=0.8)
        if comparison.design.margin is not None:
            axes.axvspan(-comparison.design.margin, comparison.design.margin, color="grey", alpha=0.2)
        axes.set_yticks(range(len(systems)), list(map(plain, systems)))
        axes.set_ylim(len(systems) - 0.5, -0.5)
        axes.set_xlabel(plain(f"difference in {measure} to {comparison.design.baseline}"))
        axes.grid(visible=True, axis="x")
    return figure


def _queries(comparison: Comparison) -> Any:
    """For each system the first measure's difference on every query, the largest gain first."""
    measure = comparison.pool.names[0]
    mine = [each for each in comparison.differences if each.measure == measure]
    figure = new_figure(max(5.0, 0.14 * len(comparison.pool.keys)), 0.6 + 2.0 * max(1, len(mine)))
    for axes, each in zip(figure.subplots(max(1, len(mine)), 1, squeeze=False)[:, 0], mine, strict=False):
        order = np.argsort(-each.by_query, kind="stable")
        gaps = each.by_query[order]
        axes.bar(range(len(gaps)), gaps, color=np.where(gaps < 0, figures.ORANGE, figures.BLUE), width=0.8)
        axes.axhline(0, color="black", linewidth=0.8)
        wins, ties, losses = each.record
        axes.set_title(f"{plain(each.system)}: {wins} up, {ties} same, {losses} down")
        axes.set_ylabel(plain(f"{measure} − {comparison.design.baseline}"), fontsize=7)
        shown = order if len(order) <= MOST_NAMED else order[:0]
        names = [plain(comparison.pool.keys[i][1]) for i in shown]
        axes.set_xticks(range(len(shown)), names, rotation=90, fontsize=5)
    return figure
