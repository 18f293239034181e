"""Criteria first: what makes a document good is written down before any is judged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Query, Ranking, float32
from rerankllm.errors import SpecError
from rerankllm.judgements import Assess, Assessment, Criterion, Steps, Write, ask
from rerankllm.plan import Plan
from rerankllm.strategies.questions.lists import by_score, shown_scores


@dataclass(frozen=True, slots=True)
class Criteria:
    """Lets the model write `count` weighted criteria for the query, grades each document by them, sorts by the mean.

    DrRank (zero-shot explainable ranking, 2025): criteria are written for the need, then every candidate is judged
    against them with its reasons, which the results keep. The score is the mean of the grades, 0 to 10, weighted as
    the criteria are; a criterion for which an answer has no grade is left out of that document's mean. Equal scores
    keep the first stage's order; a document without a grade that can be read keeps its place. Without criteria that can
    be read the query fails: there is nothing to judge by.

    Cost: 1 + n calls in 2 rounds and n slots, 101 and 100 for n = 100. Settles nothing: grades can be right by each
    criterion and the criteria wrong.

    Attributes:
        count: Criteria to ask for.
    """

    count: int = 5
    asks: ClassVar[tuple[type, ...]] = (Write, Assess)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise SpecError(f"criteria: count should be at least 1, found {self.count}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        docs = [candidate.document for candidate in candidates]
        if not docs:
            return Ranking.of(query, docs)
        (criteria,) = yield from ask([Write(query, self.count)])
        found = yield from ask(Assess(query, doc, criteria) for doc in docs)
        scores = [float32(_mean(criteria, assessment.grades)) for assessment in found]
        order = by_score(scores)
        ungraded = sum(math.isnan(grade) for assessment in found for grade in assessment.grades)
        return Ranking.of(
            query,
            [docs[i] for i in order],
            shown_scores(scores, order),
            {"criteria without a grade": ungraded} if ungraded else None,
            rationales=[_rationale(criteria, found[i]) for i in order],
        )

    def plan(self, n: int) -> Plan:
        """Exact."""
        return Plan.exactly(n + 1, 2, n) if n else Plan.exactly(0, 0, 0)

    def settles(self, n: int) -> None:
        """Nothing can be promised."""
        del n


def _mean(criteria: Sequence[Criterion], grades: Sequence[float]) -> float:
    """Σ weight·grade / Σ weight over the criteria that have a grade; NaN where none has."""
    graded = [(criterion.weight, g) for criterion, g in zip(criteria, grades, strict=True) if not math.isnan(g)]
    return sum(weight * grade for weight, grade in graded) / sum(weight for weight, _ in graded) if graded else math.nan


def _rationale(criteria: Sequence[Criterion], assessment: Assessment) -> str:
    """A line a criterion: its text and weight, the grade, and why."""
    lines: list[str] = []
    for criterion, grade, why in zip(criteria, assessment.grades, assessment.rationales, strict=True):
        graded = "no grade" if math.isnan(grade) else f"{grade:g}"
        lines.append(f"{criterion.text} (weight {criterion.weight:g}): {graded}{f' - {why}' if why else ''}")
    return "\n".join(lines)
