"""A recommendation: what to use and why, as a table with text for people, and as JSON."""

import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rerankllm.analysis.recommend.choice import JUDGES, NOUNS, Choice, difference
from rerankllm.analysis.recommend.measurements import Measured
from rerankllm.analysis.recommend.options import AXES, UNSCORED, Axis, Lists, Offer
from rerankllm.analysis.recommend.speed import Speed
from rerankllm.display import folded
from rerankllm.evaluation.tables import WIDEST, Table, as_text
from rerankllm.files import plain
from rerankllm.judgements import Score
from rerankllm.spec.stage import Stage

SHOWN = 12
"""Rows of the table besides the Pareto front, the best of those within the budget."""
COLUMNS = {"fitted": "RankVicuna-like", "cost": "US $", "slots": "passages"}
CAUTION = (
    "No language model was run for these numbers: simulated judges answered instead. Differences within the interval "
    "are ties, and intervals are not corrected for the number of strategies. With your model, first stage and queries "
    "the order may be another one: `rerankllm judge-profile` and `rerankllm compare` on judged queries of your own say "
    "more."
)
FLATTERED = (
    "The simulated judges are better at scoring single passages than language models are, so `pointwise` looks better "
    "here than it may turn out. Look at the next best in the table, too."
)
FIRST = "the first stage as it is"
WIDTH = 120
"""Columns of the text at most."""
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Advice:
    """A recommendation, with all that it was chosen from. Printed, it is what `rerankllm recommend` prints.

    Attributes:
        measured: Where the quality is from.
        weights: How much each judge counts.
        assumed: The judge who is assumed, in words.
        lists: What is to be ranked.
        offers: What there is.
        left_out: What the model cannot be asked, and why.
        limits: The budget.
        choice: What to use.
        speed: How fast the model is, where that is known.
        command: The command line that runs the chosen strategy; empty for the first stage as it is.
    """

    measured: Measured
    weights: Mapping[str, float]
    assumed: str
    lists: Lists
    offers: Sequence[Offer]
    left_out: Mapping[str, str]
    limits: Mapping[Axis, float]
    choice: Choice
    speed: Speed | None
    command: str

    @property
    def strategy(self) -> str | None:
        """The spec of the chosen strategy; None for the first stage as it is."""
        return self.choice.chosen.stage or None

    def text(self, *, every: bool = False, width: int | None = None) -> str:
        """What to use, the table, and what to keep in mind.

        Args:
            every: Every strategy, not only the best and the Pareto front.
            width: Columns of the terminal; None for as wide as the table is.
        """
        paragraphs = [reason(self), *_better(self), *caveats(self)]
        wrapped = [textwrap.fill(each, min(width or WIDTH, WIDTH), break_long_words=False, break_on_hyphens=False)
                   for each in paragraphs]  # fmt: skip
        fits = WIDEST if width is None else width - len(_INDENT)
        run = [textwrap.indent(folded(self.command, fits), _INDENT)] if self.command else []
        shown = as_text([_table(self, every=every)], [], width)
        return "\n".join([wrapped[0], *run, "", shown, *wrapped[1:]])

    def to_dict(self) -> dict[str, Any]:
        """The same for programs, as `rerankllm recommend --format json` writes it: every strategy, the best first."""
        choice, measured = self.choice, self.measured
        rows = sorted(range(len(self.offers)), key=lambda i: -self.offers[i].mean)
        found: dict[str, Any] = plain({
            "recommended": self.strategy,
            "command": self.command or None,
            "reason": reason(self),
            "best_within_budget": choice.best.stage or None,
            "next_better": None if choice.better is None else choice.better.stage,
            "budget": self.limits,
            "cheap_by": choice.axis,
            "queries": self.lists.queries,
            "mean_candidates": self.lists.middle,
            "assumed_judge": {own: self.weights.get(name, 0.0) for own, name in JUDGES.items()},
            "measured_on": {
                "collection": measured.title, "candidates": measured.candidates, "queries": len(measured.queries),
                "measure": measured.measure, "seeds": measured.seeds, "versions": measured.versions,
            },
            "speed": None if self.speed is None else asdict(self.speed),
            "strategies": [_row(self, i) for i in rows],
            "left_out": self.left_out,
            "caveats": caveats(self),
        })  # fmt: skip
        return found

    def __str__(self) -> str:
        return self.text()


def _row(advice: Advice, i: int) -> dict[str, Any]:
    offer, choice = advice.offers[i], advice.choice
    mean, half = advice.measured.interval(offer.values)
    return {
        "stage": offer.stage or None,
        "quality": {own: offer.quality.get(name) for own, name in JUDGES.items()},
        "expected": mean,
        "interval": half,
        **{axis: offer.takes[axis]._asdict() if axis in offer.takes else None for axis in AXES},
        "within_budget": choice.fits[i],
        "on_pareto_front": i in choice.front,
    }


def _table(advice: Advice, *, every: bool) -> Table:
    choice = advice.choice
    best = sorted(range(len(advice.offers)), key=lambda i: -advice.offers[i].mean)
    within = [i for i in best if choice.fits[i] != "no"][:SHOWN]
    around = [i for i in best if advice.offers[i] in (choice.chosen, choice.best, choice.better)]
    rows = best if every else [i for i in best if i in {*within, *choice.front, *around}]
    axes = [axis for axis in AXES if all(axis in offer.takes for offer in advice.offers)]
    judges = {own: name for own, name in JUDGES.items() if name in advice.measured.judges}
    named = (COLUMNS.get(name, name) for name in (*judges, "expected", *axes, "fits", "front"))
    head = ("strategy", *named)
    lines = []
    for i in rows:
        offer = advice.offers[i]
        mean, half = advice.measured.interval(offer.values)
        mark = "→ " if offer is choice.chosen else ""
        lines.append((
            f"{mark}{offer.stage or FIRST}", *(f"{offer.quality[name]:.3f}" for name in judges.values()),
            f"{mean:.3f} ± {half:.3f}", *(str(offer.takes[axis]) for axis in axes), choice.fits[i],
            "*" if i in choice.front else "",
        ))  # fmt: skip
    count = advice.lists.queries
    whole = "one query" if count == 1 else f"{count} queries together (rounds: of one)"
    return Table(f"{advice.measured.measure} by judge, expected with {advice.assumed}; what it takes: {whole}", head,
                 tuple(lines))  # fmt: skip


def reason(advice: Advice) -> str:
    """What to use and why, in a sentence."""
    choice = advice.choice
    chosen, best = choice.chosen, choice.best
    budget = ", ".join(f"{limit:,g} {NOUNS[axis]}" for axis, limit in advice.limits.items())
    where = f"within {budget}" if budget else "without a limit"
    name, mean, measure = chosen.stage or FIRST, f"{chosen.mean:.3f}", advice.measured.measure
    if chosen is best:
        said = (
            f"{where}, nothing that was measured ranks better ({measure} {mean} expected), and nothing about as good "
            f"{_cheaper(choice.axis)}"
        )
    else:
        gap, half = difference(advice.measured, best, chosen)
        said = (
            f"{where}, {best.stage} did best ({measure} {best.mean:.3f} expected). This one did about as well ({mean}; "
            f"the difference, {gap:.3f} ± {half:.3f}, may be chance), and of the {choice.ties + 1} strategies that did "
            f"about as well it {_cheapest(choice.axis)}"
        )
    fit = choice.fits[advice.offers.index(chosen)]
    likely = ". It is expected to stay within the budget, and may not" if fit == "likely" else ""
    return f"Use {name}. {said[0].upper()}{said[1:]}{likely}."


def _cheapest(axis: Axis) -> str:
    return {"cost": "costs least", "seconds": "is fastest"}.get(axis, f"takes the fewest {NOUNS[axis]}")


def _cheaper(axis: Axis) -> str:
    return {"cost": "costs less", "seconds": "is faster"}.get(axis, f"takes fewer {NOUNS[axis]}")


def _better(advice: Advice) -> list[str]:
    better, choice = advice.choice.better, advice.choice
    if better is None:
        return ["Nothing that was measured is better than it by more than chance."]
    gap, half = difference(advice.measured, better, choice.chosen)
    fit = choice.fits[advice.offers.index(better)]
    within = {"yes": "within the budget too", "likely": "likely within the budget", "no": "beyond the budget"}[fit]
    takes = ", ".join(f"{better.takes[axis]} {NOUNS[axis]}" for axis in AXES if axis in better.takes)
    gain = f"by {gap:.3f} ± {half:.3f}"
    return [f"The cheapest that is clearly better is {better.stage}: {gain}. It takes {takes} ({within})."]


def caveats(advice: Advice) -> list[str]:
    """What to keep in mind."""
    measured, middle = advice.measured, advice.lists.middle
    found = [
        f"Measured on {measured.title} ({len(measured.queries)} queries, {measured.seeds} seeds). {CAUTION}",
    ]
    if middle != measured.candidates:
        found.append(
            f"Your lists have {middle:.4g} candidates in the mean, those measured {measured.candidates}: what is taken "
            "is planned for yours, what is given is extrapolated"
            + (
                "; nothing is known of lists so long: think of --depth 100."
                if middle > 2 * measured.candidates
                else "."
            )
        )
    if any(axis in advice.limits for axis in ("cost", "tokens", "seconds")):
        found.append("Tokens, money and seconds are for passages of median length and answers as long as they may be.")
    chosen = advice.choice.chosen.stage
    if chosen and Score in Stage.parse(chosen).strategy.asks:
        found.append(FLATTERED)
    by_reason = defaultdict(list)
    for stage, why in advice.left_out.items():
        if not stage.startswith("interpolate("):
            by_reason[why].append(stage)
    found += [f"Left out: {', '.join(stages)}: {why}." for why, stages in by_reason.items()]
    if any(why == UNSCORED for why in advice.left_out.values()):
        found.append("Left out: interpolate(…), as the candidates have no scores to fuse.")
    return found
