"""Groupwise: every document gets a grade among others."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import ClassVar, Literal

from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.votes import Vote
from rerankllm.data import Candidate, Document, Query, Ranking, float32
from rerankllm.errors import SpecError
from rerankllm.judgements import Grade, Steps, ask
from rerankllm.plan import Plan
from rerankllm.strategies.questions.lists import by_score, evenly, seeded, shown_scores


@dataclass(frozen=True, slots=True)
class Group:
    """Deals the documents into disjoint groups, grades each group in one prompt, and pools the grades.

    Sun et al. 2025, "GroupRank: a groupwise reranking paradigm driven by reinforcement learning", section 3: grades
    are given side by side, as in a list, yet groups need not wait for one another. Groups are dealt at random, since
    a group of good documents only is graded more strictly, and shown in the first stage's order. With several
    regroupings, each orders the whole list by its grades, and these orders are fused by Borda count, that is by mean
    rank: scales drift between groups, so grades are not added up. The paper takes the mean grade (`pool=mean`). Equal
    scores keep the first stage's order; a document that an answer gives no grade is last in that regrouping, and with
    `pool=mean` that regrouping has no say in it. A group whose answer cannot be used has no say; documents that no
    regrouping grades keep their place.

    Cost: ⌈n / size⌉ calls and n slots for each regrouping, all in 1 round; 5 calls and 100 slots for n = 100. Settles
    the whole list.

    Attributes:
        size: Documents in one group, at most.
        regroupings: How often they are dealt again.
        seed: Of the dealing.
        pool: What makes one score of a document's grades in several regroupings: Borda count, or their mean.
    """

    size: int = 20
    regroupings: int = 1
    seed: int = 0
    pool: Literal["borda", "mean"] = field(default="borda", metadata={"unsaid": True})
    asks: ClassVar[tuple[type, ...]] = (Grade,)

    def __post_init__(self) -> None:
        if self.size < 1:
            raise SpecError(f"group: size should be at least 1, found {self.size}")
        if self.regroupings < 1:
            raise SpecError(f"group: regroupings should be at least 1, found {self.regroupings}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        docs = [candidate.document for candidate in candidates]
        chance = seeded(self.seed, query)
        groupings = [self._deal(docs, chance.sample(range(len(docs)), len(docs))) for _ in range(self.regroupings)]
        answers = iter((yield from ask(Grade(query, group) for groups in groupings for group in groups)))
        given_grades: list[dict[str, float]] = []
        for groups in groupings:
            graded = [(group, next(answers)) for group in groups]
            grades = {
                doc.doc_id: grade
                for group, given in graded
                if not all(map(math.isnan, given))
                for doc, grade in zip(group, given, strict=True)
            }
            given_grades.append(grades)
        ungraded = sum(math.isnan(grade) for grades in given_grades for grade in grades.values())
        score_of = _points if self.pool == "borda" else _means
        scores = [float32(score) for score in score_of([doc.doc_id for doc in docs], given_grades)]
        order = by_score(scores)
        notes = {"documents without a grade": ungraded} if ungraded else None
        return Ranking.of(query, [docs[i] for i in order], shown_scores(scores, order), notes)

    def _deal(self, docs: Sequence[Document], places: Sequence[int]) -> list[tuple[Document, ...]]:
        by_place = evenly([docs[i] for i in places], self.size)
        first_stage = {doc.doc_id: i for i, doc in enumerate(docs)}
        return [tuple(sorted(group, key=lambda doc: first_stage[doc.doc_id])) for group in by_place]

    def plan(self, n: int) -> Plan:
        """Exact."""
        return Plan.exactly(-(-n // self.size) * self.regroupings, min(n, 1), n * self.regroupings)

    def settles(self, n: int) -> int:
        """All of them."""
        return n


def _means(doc_ids: Sequence[str], regroupings: Sequence[dict[str, float]]) -> list[float]:
    """The mean of a document's grades; NaN for one that has none."""
    found = [[grades[d] for grades in regroupings if not math.isnan(grades.get(d, math.nan))] for d in doc_ids]
    return [fmean(grades) if grades else math.nan for grades in found]


def _points(doc_ids: Sequence[str], regroupings: Sequence[dict[str, float]]) -> list[float]:
    """Borda points, as if every regrouping had graded every document; NaN for one that none has."""
    votes = [_by_grade(grades) for grades in regroupings]
    graded = Counter(doc_id for vote in votes for tied in vote.groups for doc_id in tied)
    points = Borda().scores(doc_ids, votes)
    return [p * len(votes) / graded[d] if graded[d] else math.nan for d, p in zip(doc_ids, points, strict=True)]


def _by_grade(grades: dict[str, float]) -> Vote:
    """The order that grades give; those without one are tied at the end."""
    tied: dict[float, list[str]] = {}
    for doc_id, grade in grades.items():
        tied.setdefault(-math.inf if math.isnan(grade) else grade, []).append(doc_id)
    return Vote(tuple(tuple(tied[grade]) for grade in sorted(tied, reverse=True)))
