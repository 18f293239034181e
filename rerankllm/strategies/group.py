"""Groupwise: every document gets a grade among others."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    rank: scales drift between groups, so grades are not added up. `pool=mean` takes the mean grade instead, as the
    authors' code does, which then mixes it with the retriever's score, .6 to .4; `interpolate` mixes by ranks. Equal
    scores keep the first stage's order; a document that an answer gives no grade is last in that regrouping. A group
    whose answer cannot be used has no say; documents that no regrouping grades keep their place.

    Cost: ⌈n / size⌉ calls and n slots for each regrouping, all in 1 round; 5 calls and 100 slots for n = 100. Settles
    the whole list.

    Attributes:
        size: Documents in one group, at most.
        regroupings: How often they are dealt again.
        seed: Of the dealing.
        pool: What regroupings are fused by: `rank`, or the `mean` grade.
    """

    size: int = 20
    regroupings: int = 1
    seed: int = 0
    pool: Literal["rank", "mean"] = field(default="rank", metadata={"unsaid": True})
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
        regraded: list[dict[str, float]] = []
        ungraded = 0
        for groups in groupings:
            graded = [(group, next(answers)) for group in groups]
            grades = {
                doc.doc_id: grade
                for group, given in graded
                if not all(map(math.isnan, given))
                for doc, grade in zip(group, given, strict=True)
            }
            ungraded += sum(map(math.isnan, grades.values()))
            regraded.append(grades)
        doc_ids = [doc.doc_id for doc in docs]
        pooled = _means(doc_ids, regraded) if self.pool == "mean" else _points(doc_ids, list(map(_by_grade, regraded)))
        scores = [float32(score) for score in pooled]
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


def _means(doc_ids: Sequence[str], regraded: Sequence[Mapping[str, float]]) -> list[float]:
    """Each document's mean grade; NaN for one that none gave."""
    given = (
        [grades[doc_id] for grades in regraded if not math.isnan(grades.get(doc_id, math.nan))] for doc_id in doc_ids
    )
    return [sum(grades) / len(grades) if grades else math.nan for grades in given]


def _points(doc_ids: Sequence[str], votes: Sequence[Vote]) -> list[float]:
    """Borda points, as if every regrouping had graded every document; NaN for one that none has."""
    graded = Counter(doc_id for vote in votes for tied in vote.groups for doc_id in tied)
    points = Borda().scores(doc_ids, votes)
    return [p * len(votes) / graded[d] if graded[d] else math.nan for d, p in zip(doc_ids, points, strict=True)]


def _by_grade(grades: dict[str, float]) -> Vote:
    """The order that grades give; those without one are tied at the end."""
    tied: dict[float, list[str]] = {}
    for doc_id, grade in grades.items():
        tied.setdefault(-math.inf if math.isnan(grade) else grade, []).append(doc_id)
    return Vote(tuple(tuple(tied[grade]) for grade in sorted(tied, reverse=True)))
