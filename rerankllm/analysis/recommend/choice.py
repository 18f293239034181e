"""Which stage to use: the cheapest of those that cannot be told from the best within the budget."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rerankllm.analysis.recommend.measurements import Measured
from rerankllm.analysis.recommend.options import AXES, Axis, Offer
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.errors import InputError
from rerankllm.evaluation.pareto import front

GOOD, POOR, FITTED, SMALL = "good", "poor", "fitted", "small"
JUDGES = {GOOD: "mild", POOR: "harsh", FITTED: "fitted", SMALL: "small"}
"""What users call the judges that were measured."""
USUAL = (JUDGES[GOOD], JUDGES[POOR], JUDGES[FITTED])
"""Those that count where none is named: `small` is for those who say that their model is."""
Fit: TypeAlias = Literal["yes", "likely", "no"]


def weights(measured: Measured, judge: str | None) -> dict[str, float]:
    """How much each judge counts: the one that is named, or the usual ones alike.

    Alike, since the worst case would leave the poorest judge to decide alone, whoever the user's is.
    """
    if judge is None:
        return {name: (name in USUAL) / len(USUAL) for name in measured.judges}
    return {name: float(name == JUDGES[judge]) for name in measured.judges}


def weights_like(measured: Measured, profile: JudgeProfile) -> dict[str, float]:
    """How much each judge counts for a judge with a known profile: the nearer in trust and scale, the more.

    By the inverse of the squared distance, in trust and in the logarithm of scale, each by the span of the judges'.
    """
    known = {name: (each.trust, math.log(each.scale)) for name, each in measured.judges.items()}
    own = (profile.trust.value, math.log(profile.scale.value))
    spans = [max(values) - min(values) or 1.0 for values in zip(*known.values(), strict=True)]
    distances = {
        name: sum(((a - b) / span) ** 2 for a, b, span in zip(own, each, spans, strict=True))
        for name, each in known.items()
    }
    near = {name: 1 / max(distance, 1e-6) for name, distance in distances.items()}
    return {name: value / sum(near.values()) for name, value in near.items()}


@dataclass(frozen=True, slots=True)
class Choice:
    """What to use, and what it was chosen from.

    Attributes:
        axis: What cheap means.
        fits: Whether each offer stays within the budget: for certain, by what is expected, or not.
        front: Places of the offers on the Pareto front, the cheapest first.
        chosen: The one to use.
        best: The best within the budget.
        ties: How many others within the budget cannot be told from that.
        better: The cheapest that is better than the chosen by more than chance; None for none.
    """

    axis: Axis
    fits: tuple[Fit, ...]
    front: tuple[int, ...]
    chosen: Offer
    best: Offer
    ties: int
    better: Offer | None


def choose(measured: Measured, offers: Sequence[Offer], limits: Mapping[Axis, float]) -> Choice:
    """Chooses the cheapest offer that cannot be told from the best within the budget.

    Args:
        measured: The measurements.
        offers: What there is, the first stage as it is among them.
        limits: What may be spent.

    Raises:
        InputError: Nothing that asks a model fits.
    """
    axis = _axis(offers, limits)
    fits = tuple(_fit(offer, limits) for offer in offers)
    certain = [offer for offer, fit in zip(offers, fits, strict=True) if fit == "yes"]
    within = certain if any(offer.stage for offer in certain) else [
        offer for offer, fit in zip(offers, fits, strict=True) if fit != "no"
    ]  # fmt: skip
    if not any(offer.stage for offer in within):
        raise InputError(_nothing(offers, limits, axis))

    def price(offer: Offer) -> tuple[float, ...]:
        found = (offer.takes[axis].usual, offer.takes["slots"].usual, offer.takes["rounds"].usual)
        return (*found, -offer.mean)

    best = max(within, key=lambda offer: (offer.mean, [-value for value in price(offer)]))
    tied = [offer for offer in within if not _differs(measured, best, offer)]
    chosen = min(tied, key=price)
    better = [o for o in offers if o.mean > chosen.mean and price(o) > price(chosen) and _differs(measured, o, chosen)]
    points = [(offer.takes[axis].usual, offer.mean) for offer in offers]
    return Choice(
        axis, fits, tuple(front(points)), chosen, best, len(tied) - 1, min(better, key=price) if better else None
    )


def difference(measured: Measured, one: Offer, other: Offer) -> tuple[float, float]:
    """The mean paired difference of the first to the second over queries, and half of its 95 % interval."""
    return measured.interval(tuple(a - b for a, b in zip(one.values, other.values, strict=True)))


def _differs(measured: Measured, one: Offer, other: Offer) -> bool:
    mean, half = difference(measured, one, other)
    return abs(mean) > half


def _axis(offers: Sequence[Offer], limits: Mapping[Axis, float]) -> Axis:
    """The axis that cheap is measured on: that of the budget, else money, seconds or passages, whichever is known."""
    known = [axis for axis in AXES if all(axis in offer.takes for offer in offers)]
    told = [axis for axis in known if any(offer.takes[axis].usual for offer in offers)]
    wanted: Sequence[Axis] = ("cost", "seconds", "slots")
    return next((axis for axis in (*(a for a in AXES if a in limits), *wanted) if axis in told), "slots")


def _fit(offer: Offer, limits: Mapping[Axis, float]) -> Fit:
    if all(offer.takes[axis].most <= limit for axis, limit in limits.items()):
        return "yes"
    return "likely" if all(offer.takes[axis].usual <= limit for axis, limit in limits.items()) else "no"


def _nothing(offers: Sequence[Offer], limits: Mapping[Axis, float], axis: Axis) -> str:
    asking = [offer for offer in offers if offer.stage]
    if not asking:
        return "the model can be asked nothing that was measured: see `rerankllm strategies` for others"
    cheapest = min(asking, key=lambda offer: [offer.takes[a].usual for a in (axis, "slots", "rounds")])
    needs = ", ".join(f"{cheapest.takes[a]} {NOUNS[a]}" for a in limits)
    budget = ", ".join(f"{limit:,g} {NOUNS[a]}" for a, limit in limits.items())
    return f"nothing fits {budget}: the cheapest is {cheapest.stage}, which takes {needs}"


NOUNS: Mapping[Axis, str] = {
    "cost": "US dollars",
    "seconds": "seconds",
    "tokens": "tokens",
    "slots": "passages",
    "calls": "calls",
    "rounds": "rounds",
}
"""What is counted, in words."""
