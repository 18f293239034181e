"""What a run will take, in tokens and money, before anything is sent."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rerankllm.calls import Backend, shares_requests
from rerankllm.data import Document, Query, Usage
from rerankllm.drivers.budget import most_of
from rerankllm.drivers.judges import Judge
from rerankllm.drivers.panel import Panel
from rerankllm.elicitation.prior import CONTENT_FREE
from rerankllm.errors import CapabilityError
from rerankllm.judgements import (
    Ask,
    Assess,
    Compare,
    Criterion,
    Draft,
    Embed,
    Ends,
    Grade,
    Judgement,
    Permute,
    Score,
    Select,
    Write,
)
from rerankllm.plan import Bound, Plan
from rerankllm.spec.stage import Stage, parts

LONGEST_PASSAGE = 4096
"""Words of the longest passage if no passages are given; templates cut passages to fewer."""
LONGEST_CRITERION = 60
"""Words of a criterion."""

FIXED = {Write: 0, Draft: 0, Score: 1, Assess: 1, Compare: 2}
"""How many documents the prompts of a kind of judgement show, where the number is fixed."""
WANTED: Mapping[type, int] = {Select: 2}
"""How many questions are asked about the same documents, where there is more than one: the best, or the worst."""
POINTS = (1, 2, 9, 10, 11)
"""Numbers of documents that are tried for other kinds: with labels of one digit and of two."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts to estimate with: a query, a passage, a criterion, and how many criteria there are."""

    query: str = "a query of some eight words to count"
    passage: str = ""
    criterion: str = ""
    criteria: int = 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """The shortest texts, texts of median length and the longest, by their bytes in UTF-8."""

    short: Texts = Texts()
    middle: Texts = Texts(criterion="word " * 10)
    long: Texts = Texts(passage="passage " * LONGEST_PASSAGE, criterion="word " * LONGEST_CRITERION)

    @classmethod
    def of(cls, queries: Sequence[Query], documents: Iterable[Document]) -> "Sizes":
        """The sizes of a collection's texts."""
        asked, passages = _by_size(q.text for q in queries), _by_size(doc.content for doc in documents)
        ends = (0, len(asked) // 2, -1), (0, len(passages) // 2, -1)
        made = cls()
        criteria = (made.short.criterion, made.middle.criterion, made.long.criterion)
        return cls(*(Texts(asked[i], passages[j], text) for i, j, text in zip(*ends, criteria, strict=True)))


NONE = Bound(0, 0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens and money that some queries will take.

    Attributes:
        prompt_tokens: Bounds on the tokens sent, from the shortest passages to the longest.
        completion_tokens: Bounds on the tokens generated.
        typical: Tokens with passages of median length and every answer as long as it may be.
        cost_usd: Bounds in US dollars; None when the price is unknown.
        searches: Bounds on the search units, in which some reranking APIs count.
    """

    prompt_tokens: Bound
    completion_tokens: Bound
    typical: Usage
    cost_usd: tuple[float, float] | None
    searches: Bound = NONE

    def __add__(self, other: "Estimate") -> "Estimate":
        """The sum of both."""
        cost = None
        if self.cost_usd is not None and other.cost_usd is not None:
            cost = (self.cost_usd[0] + other.cost_usd[0], self.cost_usd[1] + other.cost_usd[1])
        return Estimate(
            self.prompt_tokens.plus(other.prompt_tokens),
            self.completion_tokens.plus(other.completion_tokens),
            self.typical + other.typical,
            cost,
            self.searches.plus(other.searches),
        )

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        cost = None if self.cost_usd is None else dict(zip(("low", "high"), self.cost_usd, strict=True))
        return {
            "prompt_tokens": self.prompt_tokens._asdict(),
            "completion_tokens": self.completion_tokens._asdict(),
            **({"searches": self.searches._asdict()} if self.searches.high else {}),
            "cost_usd": cost,
        }


def planned(stage: Stage, n: int) -> Plan:
    """What ranking `n` documents takes, content-free prompts included."""
    plan = stage.strategy.plan(n)
    for leaf, share, _ in _leaves(stage, plan, n, 1):
        calls = _priors(replace(leaf, elicitation=leaf.elicitation or stage.elicitation), share)
        plan = plan.then(Plan(calls, calls, Bound.exactly(0)))
    return plan


def _priors(stage: Stage, plan: Plan) -> Bound:
    """How many content-free prompts a stage takes for a query: one for every number of documents that prompts show."""
    if not plan.calls.high or getattr(stage.elicitation, "prior", None) is None:
        return Bound.exactly(0)
    if all(kind in FIXED for kind in stage.strategy.asks):
        return Bound(min(1, plan.calls.low), min(len(stage.strategy.asks), plan.calls.high))
    numbers = (math.isqrt(8 * plan.slots.high + 1) - 1) // 2  # the most different ones with that sum
    shapes = numbers * sum(WANTED.get(kind, 1) for kind in stage.strategy.asks)
    return Bound(min(1, plan.calls.low), min(shapes, plan.calls.high))


def estimate(panel: Panel, stage: Stage, lengths: Mapping[int, int], sizes: Sizes) -> Estimate:
    """Tokens and money that queries will take.

    Args:
        panel: The models.
        stage: The strategy, complete.
        lengths: How many queries have lists of which length.
        sizes: Texts to count with.

    Raises:
        CapabilityError: The tokens of a kind of judgement that the strategy asks cannot be estimated.
    """
    whole = ((stage, stage.strategy.plan(n), n, queries) for n, queries in lengths.items())
    leaves = (leaf for each in whole for leaf in _leaves(*each))
    found = [
        _either([_of(panel, leaf, share, queries, sizes) for share in shares])
        for leaf, plan, queries in leaves
        for shares in _by_kind(leaf.strategy.asks, plan)
    ]
    return sum(found, Estimate(Bound(0, 0), Bound(0, 0), Usage(), (0.0, 0.0)))


def _either(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate for one of several kinds of judgement: bounds over all of them; typical is the first's."""
    costs = [each.cost_usd for each in estimates if each.cost_usd is not None]
    cost = (min(low for low, _ in costs), max(high for _, high in costs)) if len(costs) == len(estimates) else None
    names = ("prompt_tokens", "completion_tokens", "searches")
    prompt, completion, searches = (
        Bound(min(getattr(e, name).low for e in estimates), max(getattr(e, name).high for e in estimates))
        for name in names
    )
    return Estimate(prompt, completion, estimates[0].typical, cost, searches)


def _leaves(stage: Stage, plan: Plan, n: int, queries: int) -> Iterator[tuple[Stage, Plan, int]]:
    """The stages without stages inside, with the share of the plan that each takes."""
    inside = parts(stage.strategy, n, plan)
    if not inside:
        yield stage, plan, queries
    for inner, share in inside:
        yield from _leaves(inner, share, n, queries)


def _by_kind(asks: Sequence[type], plan: Plan) -> list[list[tuple[type, Plan]]]:
    """The share of the plan of each kind of judgement; kinds that may replace each other are in one list.

    Criteria, or a document to measure by, are written once; the rest of the plan is the other kind's.
    """
    written = [kind for kind in asks if kind in {Write, Draft}]
    if not written:
        return [[(kind, plan) for kind in asks]]
    once = Bound(min(plan.calls.low, 1), min(plan.calls.high, 1))
    left = Bound(plan.calls.low - once.low, plan.calls.high - once.high)
    (other,) = (kind for kind in asks if kind not in written)
    return [[(written[0], Plan(once, once, Bound(0, 0)))], [(other, Plan(left, plan.rounds, plan.slots))]]


def _of(panel: Panel, stage: Stage, asked: tuple[type, Plan], queries: int, sizes: Sizes) -> Estimate:
    """The estimate for one kind of judgement of a stage, for so many queries of one length."""
    kind, plan = asked
    judge, most = panel.resolve(Ask((), stage.elicitation, stage.model), kind), max(1, plan.slots.high)
    count = getattr(stage.strategy, "count", 1)
    fewer = sizes.short if kind is Assess else replace(sizes.short, criteria=count)  # of those asked for one may come
    low = _Line.through(judge, kind, fewer, most, max_slope=False)
    middle, high = (
        _Line.through(judge, kind, replace(texts, criteria=count), most, max_slope=True)
        for texts in (sizes.middle, sizes.long)
    )
    fewest = low.times(plan.calls.low * queries, plan.slots.low * queries)
    largest = high.times(plan.calls.high * queries, plan.slots.high * queries)
    usual = (sum(plan.calls) * queries // 2, sum(plan.slots) * queries // 2)
    blank = _Line.through(judge, kind, Texts(CONTENT_FREE, CONTENT_FREE), most, max_slope=True)
    priors = _priors(stage, plan).high * queries
    first = blank.times(priors, plan.slots.high * queries) if priors else Usage()
    prompt = Bound(min(fewest.prompt_tokens, largest.prompt_tokens), largest.prompt_tokens + first.prompt_tokens)
    completion = Bound(0, largest.completion_tokens + first.completion_tokens)
    searches = _searches(judge.backend, plan, queries)
    return Estimate(prompt, completion, middle.times(*usual), _cost(judge, prompt, completion, searches), searches)


@dataclass(frozen=True, slots=True)
class _Line:
    """A bound on the tokens of a call: a constant, and so many for each passage.

    Prompts grow by a line, except that labels get longer and words such as "passages" change. The line is an upper
    bound, or a lower one, of all prompts that were tried.
    """

    call: Usage
    passage: Usage

    @classmethod
    def through(cls, judge: Judge, kind: type, texts: Texts, most: int, *, max_slope: bool) -> "_Line":
        """The line for one kind of judgement, if no prompt shows more than `most` passages."""
        if kind in FIXED:
            return cls(_usage(judge, kind, FIXED[kind], texts), Usage())
        known = {d: _usage(judge, kind, d, texts) for d in POINTS if d <= max(most, 2)}
        bound = max if max_slope else min
        pairs = [(known[d], known[d + 1]) for d in known if d + 1 in known]
        slopes = [(b.prompt_tokens - a.prompt_tokens, b.completion_tokens - a.completion_tokens) for a, b in pairs]
        slope = Usage(bound(p for p, _ in slopes), bound(c for _, c in slopes))
        return cls(
            Usage(
                bound(u.prompt_tokens - slope.prompt_tokens * d for d, u in known.items()),
                bound(u.completion_tokens - slope.completion_tokens * d for d, u in known.items()),
            ),
            slope,
        )

    def times(self, calls: int, slots: int) -> Usage:
        """The tokens of so many calls, which show so many passages in all."""
        return Usage(
            max(0, self.call.prompt_tokens * calls + self.passage.prompt_tokens * slots),
            max(0, self.call.completion_tokens * calls + self.passage.completion_tokens * slots),
        )


def _usage(judge: Judge, kind: type, documents: int, texts: Texts) -> Usage:
    return most_of(judge.backend, judge.prepare(_example(kind, documents, texts)))


def _by_size(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts), key=lambda text: (len(text.encode("utf-8", "replace")), text)) or [""]


def _searches(backend: Backend, plan: Plan, queries: int) -> Bound:
    """Search units: what is asked for in the same round goes out together, and each round may begin one more."""
    if not shares_requests(backend):
        return Bound(0, 0)
    low, high = (backend.searches(calls) for calls in plan.calls)
    more = max(plan.rounds.high - 1, 0) if high else 0
    return Bound(queries * low, queries * min(plan.calls.high, high + more))


def _cost(judge: Judge, prompt: Bound, completion: Bound, searches: Bound) -> tuple[float, float] | None:
    low = judge.backend.cost(Usage(prompt.low, completion.low, searches=searches.low))
    high = judge.backend.cost(Usage(prompt.high, completion.high, searches=searches.high))
    return None if low is None or high is None else (low, high)


def _example(kind: type, shown: int, texts: Texts) -> Judgement:
    query = Query("q", texts.query)
    docs = tuple(Document(str(i), texts.passage) for i in range(shown))
    makers: dict[type, Any] = {
        Score: lambda: Score(query, docs[0]),
        Compare: lambda: Compare(query, docs[0], docs[-1]),
        Permute: lambda: Permute(query, docs),
        Select: lambda: Select(query, docs, m=shown),
        Ends: lambda: Ends(query, docs),
        Grade: lambda: Grade(query, docs),
        Write: lambda: Write(query, texts.criteria),
        Draft: lambda: Draft(query),
        Assess: lambda: Assess(query, docs[0], (Criterion(texts.criterion),) * texts.criteria),
        Embed: lambda: Embed(query, docs),
    }
    if kind not in makers:
        raise CapabilityError(f"tokens of {kind.__name__} are not estimated")
    made: Judgement = makers[kind]()
    return made
