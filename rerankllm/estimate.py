"""What a run will take, in tokens and money, before anything is sent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerankllm.budget import most_of
from rerankllm.data import Document, Query, Usage
from rerankllm.drivers.task import Judge
from rerankllm.errors import CapabilityError
from rerankllm.judgements import Ask, Compare, Embed, Grade, Judgement, Permute, Score, Select
from rerankllm.panel import Panel
from rerankllm.plan import Bound, Plan
from rerankllm.spec import Stage, parts

LONGEST_PASSAGE = 4096
"""Words of the passages an estimate is made with when there are none to go by; templates cut theirs well below."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Passages to estimate with: the shortest, one in the middle, the longest; and a query."""

    short: str = ""
    middle: str = ""
    long: str = "passage " * LONGEST_PASSAGE
    query: str = "a query of some eight words to count"

    @classmethod
    def of(cls, queries: Sequence[Query], documents: Iterable[Document]) -> "Sizes":
        """Those of a collection; the query is its longest."""
        by_length = sorted({doc.content for doc in documents}, key=lambda text: (len(text), text)) or [""]
        middle = by_length[len(by_length) // 2]
        return cls(by_length[0], middle, by_length[-1], max((q.text for q in queries), key=len, default=""))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What some queries will take.

    Attributes:
        prompt_tokens: Sent: bounds, from the shortest passages to the longest.
        completion_tokens: Generated: bounds.
        typical: With passages of middling length, and every answer as long as it may be.
        cost_usd: Bounds in US dollars; None when the price is unknown.
    """

    prompt_tokens: Bound
    completion_tokens: Bound
    typical: Usage
    cost_usd: tuple[float, float] | None

    def __add__(self, other: "Estimate") -> "Estimate":
        """Both."""
        cost = None
        if self.cost_usd is not None and other.cost_usd is not None:
            cost = (self.cost_usd[0] + other.cost_usd[0], self.cost_usd[1] + other.cost_usd[1])
        return Estimate(
            self.prompt_tokens.plus(other.prompt_tokens),
            self.completion_tokens.plus(other.completion_tokens),
            self.typical + other.typical,
            cost,
        )

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        cost = None if self.cost_usd is None else dict(zip(("low", "high"), self.cost_usd, strict=True))
        return {
            "prompt_tokens": self.prompt_tokens._asdict(),
            "completion_tokens": self.completion_tokens._asdict(),
            "cost_usd": cost,
        }


def estimate(panel: Panel, stage: Stage, lengths: Mapping[int, int], sizes: Sizes) -> Estimate:
    """What queries will take.

    Args:
        panel: The models.
        stage: What ranks, complete.
        lengths: How many queries have lists of which length.
        sizes: Texts to count with.

    Raises:
        CapabilityError: Tokens of what the strategy asks cannot be told.
    """
    whole = ((stage, stage.strategy.plan(n), n, queries) for n, queries in lengths.items())
    found = [_of(panel, leaf, plan, queries, sizes) for each in whole for leaf, plan, queries in _leaves(*each)]
    return sum(found, Estimate(Bound(0, 0), Bound(0, 0), Usage(), (0.0, 0.0)))


def _leaves(stage: Stage, plan: Plan, n: int, queries: int) -> Iterator[tuple[Stage, Plan, int]]:
    """The stages that ask something themselves, with what they take."""
    inside = parts(stage.strategy, n)
    if not inside:
        yield stage, plan, queries
    for inner, share in inside:
        yield from _leaves(inner, share, n, queries)


def _of(panel: Panel, stage: Stage, plan: Plan, queries: int, sizes: Sizes) -> Estimate:
    """What so many queries of one length take in a stage that asks one kind of judgement."""
    judgement = stage.strategy.asks[0]
    judge = panel.resolve(Ask((), stage.elicitation, stage.model), judgement)
    documents = max(1, round(plan.slots.high / max(1, plan.calls.high)))
    low, middle, high = (
        most_of(judge.backend, judge.prepare(_example(judgement, documents, sizes.query, text)))
        for text in (sizes.short, sizes.middle, sizes.long)
    )
    fewest, most = plan.calls.low * queries, plan.calls.high * queries
    prompt = Bound(fewest * low.prompt_tokens, most * high.prompt_tokens)
    completion = Bound(0, most * high.completion_tokens)
    usual = (fewest + most) // 2
    typical = Usage(usual * middle.prompt_tokens, usual * middle.completion_tokens)
    return Estimate(prompt, completion, typical, _cost(judge, prompt, completion))


def _cost(judge: Judge, prompt: Bound, completion: Bound) -> tuple[float, float] | None:
    low = judge.backend.cost(Usage(prompt.low, completion.low))
    high = judge.backend.cost(Usage(prompt.high, completion.high))
    return None if low is None or high is None else (low, high)


def _example(judgement: type, shown: int, query_text: str, text: str) -> Judgement:
    query = Query("q", query_text)
    docs = tuple(Document(str(i), text) for i in range(shown))
    makers: dict[type, Any] = {
        Score: lambda: Score(query, docs[0]),
        Compare: lambda: Compare(query, docs[0], docs[-1]),
        Permute: lambda: Permute(query, docs),
        Select: lambda: Select(query, docs),
        Grade: lambda: Grade(query, docs),
        Embed: lambda: Embed(query, docs),
    }
    if judgement not in makers:
        raise CapabilityError(f"tokens of {judgement.__name__} are not estimated")
    made: Judgement = makers[judgement]()
    return made
