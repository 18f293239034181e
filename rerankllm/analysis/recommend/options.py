"""What each measured stage would give and take on the user's own lists."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, NamedTuple, TypeAlias

from rerankllm.analysis.recommend.measurements import Entry, Measured
from rerankllm.analysis.recommend.speed import Speed
from rerankllm.backends.token_estimate import EstimatedTokenizer
from rerankllm.data import Usage
from rerankllm.drivers.estimate import Sizes, planned
from rerankllm.errors import CapabilityError, InputError
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage

Axis: TypeAlias = Literal["cost", "seconds", "tokens", "slots", "calls", "rounds"]
AXES: tuple[Axis, ...] = ("cost", "seconds", "tokens", "slots", "calls", "rounds")
"""What a budget may be of; where several are, the first given is what cheap means."""
PROMPT_TOKENS, PASSAGE_TOKENS = 120, 136
"""A prompt without passages where no model says, and a passage where no text does: those of eval/frontier."""
UNSCORED = "the candidates have no scores to fuse"
Planned: TypeAlias = Literal["calls", "rounds", "slots"]
PLANNED: tuple[Planned, ...] = ("calls", "rounds", "slots")
Values: TypeAlias = tuple[float, ...]


class Amount(NamedTuple):
    """What is expected, and what it may come to at most."""

    usual: float
    most: float

    def __str__(self) -> str:
        usual, most = _short(self.usual), _short(self.most)
        return usual if usual == most else f"{usual} (≤ {most})"


@dataclass(frozen=True, slots=True)
class Lists:
    """What is to be ranked.

    Attributes:
        lengths: How many queries have lists of which length.
        sizes: Texts to count with.
    """

    lengths: Mapping[int, int]
    sizes: Sizes

    @property
    def queries(self) -> int:
        """How many there are."""
        return sum(self.lengths.values())

    @property
    def middle(self) -> float:
        """The mean length."""
        return sum(n * count for n, count in self.lengths.items()) / self.queries


@dataclass(frozen=True, slots=True)
class Offer:
    """A stage with what it gives and takes.

    Attributes:
        stage: Its spec; "" is to leave the first stage's order as it is.
        quality: The mean of what was measured, by judge.
        values: That of the judge who is assumed, by query.
        takes: What all lists take together, but of rounds the longest chain. Without what is not known.
    """

    stage: str
    quality: Mapping[str, float]
    values: Values
    takes: Mapping[Axis, Amount]

    @property
    def mean(self) -> float:
        """The quality that is expected with the assumed judge."""
        return fmean(self.values)


@dataclass(frozen=True, slots=True)
class Prices:
    """What stages take.

    Attributes:
        lists: What is to be ranked.
        candidates: Documents of the lists on which was measured what stages took.
        reranker: The model, with any strategy; None for none in particular.
        speed: How fast it is; None where that is not known.
    """

    lists: Lists
    candidates: int
    reranker: Reranker | None = None
    speed: Speed | None = None

    def of(self, spec: str, entries: Sequence[Entry]) -> Mapping[Axis, Amount]:
        """What a measured stage takes on the user's lists.

        Raises:
            CapabilityError: The model cannot be asked, or its context is too short.
            InputError: A template does not load.
        """
        if not spec:
            return dict.fromkeys(AXES, Amount(0, 0))
        stage = Stage.parse(spec)
        asked = None if self.reranker is None else self.reranker.on(stage)
        whole = stage if asked is None else asked.stage
        amounts = [
            {kind: self._scaled(stage, whole, kind, length, entries) for kind in PLANNED}
            for length in self.lists.lengths
        ]
        counts = self.lists.lengths.values()
        takes: dict[Axis, Amount] = {
            kind: Amount(*(sum(a[kind][i] * n for a, n in zip(amounts, counts, strict=True)) for i in range(2)))
            for kind in PLANNED
        }
        takes["rounds"] = Amount(*(max(a["rounds"][i] for a in amounts) for i in range(2)))
        usages = self._usages(whole, asked, takes)
        tokens = Amount(*(usage.prompt_tokens + usage.completion_tokens for usage in usages))
        _check_context(asked, tokens.usual, takes["calls"].usual)
        if tokens.most:  # a judge without prompts counts none
            takes["tokens"] = tokens
        costs = [None if asked is None else asked.backend.cost(usage) for usage in usages]
        if None not in costs:
            takes["cost"] = Amount(*(cost or 0.0 for cost in costs))
        if self.speed is not None:
            chains = zip(takes["calls"], takes["rounds"], usages, strict=True)
            takes["seconds"] = Amount(*(self.speed.seconds(*each) for each in chains))
        return takes

    def _scaled(self, stage: Stage, whole: Stage, kind: Planned, length: int, entries: Sequence[Entry]) -> Amount:
        """What one list takes: interpolated between the bounds of its plan as the measurement lies between its own."""
        took = fmean(getattr(entry, kind) for entry in entries)
        low, high = getattr(planned(stage, self.candidates), kind)
        share = min(1.0, max(0.0, (took - low) / (high - low))) if high > low else 0.0
        low, high = getattr(planned(whole, length), kind)
        return Amount(low + share * (high - low), high)

    def _usages(self, whole: Stage, asked: Reranker | None, takes: Mapping[Axis, Amount]) -> list[Usage]:
        """Tokens of the expected and of the largest number of calls, with passages of median length."""
        if asked is None:
            amounts = zip(takes["calls"], takes["slots"], strict=True)
            passage = len(EstimatedTokenizer().encode(self.lists.sizes.middle.passage))
            return [Usage(round(calls * PROMPT_TOKENS + slots * passage)) for calls, slots in amounts]
        lists = self.lists
        estimated = asked.estimate_sized(lists.lengths, lists.sizes)
        typical, searches = estimated.typical, estimated.searches.high
        middle = sum(sum(planned(whole, n).slots) // 2 * count for n, count in lists.lengths.items()) or 1
        sent, written = typical.prompt_tokens / middle, typical.completion_tokens / middle
        return [
            Usage(math.ceil(sent * slots), math.ceil(written * slots), searches=searches) for slots in takes["slots"]
        ]


def _check_context(asked: Reranker | None, tokens: float, calls: float) -> None:
    context = None if asked is None else asked.backend.capabilities.context
    if context is not None and calls and tokens / calls > context:
        raise CapabilityError(f"its prompts do not fit the model's context of {context:,} tokens with whole passages")


def offers(
    measured: Measured, weights: Mapping[str, float], prices: Prices, *, fused: bool = True
) -> tuple[list[Offer], dict[str, str]]:
    """Every stage that was measured, and why those left out cannot be used.

    Args:
        measured: The measurements.
        weights: Of its judges; they sum to 1.
        prices: What stages take.
        fused: Whether lists have the scores that `interpolate` needs.
    """
    found: list[Offer] = []
    left_out: dict[str, str] = {}
    known: dict[str, Mapping[Axis, Amount] | str] = {}
    for spec, entries in _by_stage(measured).items():
        base = _asking(spec)
        if base not in known:
            try:
                known[base] = prices.of(base, entries)
            except (CapabilityError, InputError) as error:
                known[base] = str(error)
        takes = known[base]
        if isinstance(takes, str):
            left_out[spec] = takes
        elif spec != base and not fused:
            left_out[spec] = UNSCORED
        else:
            quality = {entry.judge: fmean(entry.by_query) for entry in entries}
            rows = [[weights[entry.judge] * value for value in entry.by_query] for entry in entries]
            found.append(Offer(spec, quality, tuple(map(sum, zip(*rows, strict=True))), takes))
    return found, left_out


def _by_stage(measured: Measured) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in measured.entries:
        found.setdefault(entry.stage, []).append(entry)
    return found


def _asking(spec: str) -> str:
    """The stage that asks: that inside `interpolate`, as it was written, or the stage itself."""
    if not spec.startswith("interpolate("):
        return spec
    return spec.removeprefix("interpolate(").rpartition(", weight=")[0]


def _short(value: float) -> str:
    if value >= 1000:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 or value != round(value) else f"{value:.0f}"  # noqa: PLR2004
