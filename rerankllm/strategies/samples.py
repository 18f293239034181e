"""Several samples: a model that draws its answers is asked every question again and again; they are pooled."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.votes import Vote
from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import (
    Answer,
    Compare,
    Failure,
    Grade,
    Judgement,
    Permute,
    Score,
    Select,
    Steps,
    Unanswered,
    WeakOrder,
    within,
)
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage, inner_stages


@dataclass(frozen=True, slots=True)
class Samples:
    """Asks everything that `stage` asks several times, and goes on with what the answers say together.

    For models that think and draw their answers (`reasoning(temperature=…)`, and published models that were trained
    so): scores, probabilities and grades are averaged, orders are merged by Borda count, and of selections the
    documents named most often are taken. It is what is left for grades whose probability a host does not tell (Cai et
    al. 2025, "ERank", weigh a grade by it). A sample that cannot be used has no say.

    Cost: `samples` times that of `stage`, one after the other.

    Attributes:
        stage: A strategy whose answers are drawn, with its own elicitation and model if it names them.
        samples: How often everything is asked.
    """

    stage: Stage
    samples: int = 5

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise SpecError(f"samples: samples should be at least 1, found {self.samples}")
        if inner_stages(self.stage.strategy) or not set(self.asks) <= set(POOLED):
            kinds = ", ".join(kind.__name__ for kind in POOLED)
            raise SpecError(f"samples: should wrap one strategy that asks {kinds}; found {self.stage}")
        if self.stage.elicitation is not None:
            _drawn(self.stage.elicitation, 0)

    @property
    def asks(self) -> Any:
        """What the stage inside asks."""
        return self.stage.strategy.asks

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        steps = within(self.stage, self.stage.strategy.rank(query, candidates))
        answers: list[Answer] | None = None
        while True:
            try:
                batch = next(steps) if answers is None else steps.send(answers)
            except StopIteration as stop:
                ranking: Ranking = stop.value
                return ranking
            drawn: list[Sequence[Answer]] = []
            for sample in reversed(range(self.samples)):  # a seed that does nothing is refused at once
                drawn.append((yield replace(batch, elicitation=_drawn(batch.elicitation, sample))))  # noqa: PERF401
            each = zip(*drawn, strict=True)
            answers = [_pooled(asked, told) for asked, told in zip(batch.judgements, each, strict=True)]

    def plan(self, n: int) -> Plan:
        """The stage's, so many times."""
        once = self.stage.strategy.plan(n)
        return Plan(*(bound.times(self.samples) for bound in (once.calls, once.rounds, once.slots)))

    def settles(self, n: int) -> int | None:
        """As many as the stage."""
        return self.stage.strategy.settles(n)


def _drawn(elicitation: Any, sample: int) -> Any:
    """The same way of asking, drawn another time.

    Raises:
        SpecError: It draws nothing.
    """
    if not hasattr(elicitation, "seed"):
        raise SpecError("samples: only 'reasoning' draws its answers: name it, with a temperature")
    return replace(elicitation, seed=sample)


def _pooled(asked: Judgement, answers: Sequence[Answer | Unanswered]) -> Answer | Unanswered:
    """What several answers to one question say together; where none can be used, that."""
    missing = [answer for answer in answers if isinstance(answer, Unanswered)]
    lost = next((answer for answer in missing if answer.failure is not Failure.ANSWER), None)
    told = [answer for answer in answers if not isinstance(answer, Unanswered)]
    return lost or (POOLED[type(asked)](asked, told) if told else missing[0])


def _mean(asked: Judgement, answers: Sequence[float]) -> float:
    del asked
    return math.fsum(answers) / len(answers)


def _grades(asked: Judgement, answers: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The mean grade of each document, over the answers that give it one."""
    given = ([grade for grade in grades if not math.isnan(grade)] for grades in zip(*answers, strict=True))
    return tuple(_mean(asked, grades) if grades else math.nan for grades in given)


def _order(asked: Judgement, answers: Sequence[WeakOrder]) -> WeakOrder:
    """The documents by Borda count; those that no answer ranks are omitted."""
    ranked = {doc_id for answer in answers for doc_id in answer.ranked}
    ids = [doc.doc_id for doc in asked.docs]
    named = [doc_id for doc_id in ids if doc_id in ranked]
    points: dict[float, list[str]] = {}
    votes = [Vote(answer.groups, head=True) for answer in answers]
    for doc_id, score in zip(named, Borda().scores(named, votes), strict=True):
        points.setdefault(score, []).append(doc_id)
    omitted = tuple(doc_id for doc_id in ids if doc_id not in ranked)
    return WeakOrder(tuple(tuple(points[score]) for score in sorted(points, reverse=True)), omitted)


def _selection(asked: Judgement, answers: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The documents named most often; of equals the one named earlier, then the one shown earlier."""
    assert isinstance(asked, Select)  # noqa: S101
    times = Counter(doc_id for answer in answers for doc_id in answer)
    places = Counter[str]()
    for answer in answers:
        places.update({doc_id: place for place, doc_id in enumerate(answer)})
    shown = [doc.doc_id for doc in asked.docs if times[doc.doc_id]]
    return tuple(sorted(shown, key=lambda doc_id: (-times[doc_id], places[doc_id] / times[doc_id]))[: asked.m])


POOLED: Mapping[type, Callable[[Any, Any], Answer]] = {
    Score: _mean,
    Compare: _mean,
    Select: _selection,
    Permute: _order,
    Grade: _grades,
}
"""What several answers become, by the kind of judgement."""
