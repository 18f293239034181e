"""Asks a judge about the same documents in both orders and in several lists, and measures its answers."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean
from typing import Literal, TypeAlias

from rerankllm.calibration.diagnostics import (
    Comparisons,
    Listed,
    PlaceRank,
    Preference,
    Share,
    cyclic_triads,
    inconsistency,
    kendall_distance,
    margins,
    order_kept,
    place_curve,
    self_agreement,
)
from rerankllm.calibration.order import FORMS, Form
from rerankllm.data import Candidate, Ledger, Query
from rerankllm.drivers.events import Event, Failed, Judged
from rerankllm.errors import InputError
from rerankllm.judgements import Answer, Compare, Failure, Judgement, Permute, Status, Steps, T, Unanswered
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage

SORTS = ("allpair", "heap", "bubble")
Reading: TypeAlias = Form | Literal["one order"]
"""How comparisons are read: shown in the first stage's order only, or from both orders."""
READINGS: tuple[Reading, ...] = ("one order", "agree", "logodds")
DISTANCES: tuple[Form, ...] = ("agree", "logodds")
PROBES: Mapping[type, str] = {Compare: "prp(sort=allpair)", Permute: "psc(sliding(window=1000, stride=1000), {})"}


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparisons show.

    Attributes:
        inconsistent: Pairs whose winner changes with the order.
        margin: Mean of ℓ_A − ℓ_B in nats, over answers that are not all or nothing; NaN where there is none.
        margins: All of them.
        first: Mean p(the one shown first wins); ½ is fair.
        cycles: Triads that go round, by how comparisons are read.
        distances: Mean Kendall distance of two sorts of the same judgements, by form and names.
        malformed: Answers that had to be repaired or could not be used.
    """

    inconsistent: Share
    margin: float
    margins: tuple[float, ...]
    first: float
    cycles: Mapping[str, Share]
    distances: Mapping[str, Mapping[str, float]]
    malformed: Share


@dataclass(frozen=True, slots=True)
class Lists:
    """What list prompts show.

    Attributes:
        places: The curve of position bias.
        agreement: Mean Kendall's τ of two answers about the same documents in different orders; NaN without any.
        malformed: Answers that had to be repaired or could not be used.
        as_shown: Answers that only give back the order shown, of orders of four documents or more.
    """

    places: tuple[PlaceRank, ...]
    agreement: float
    malformed: Share
    as_shown: Share


@dataclass(frozen=True, slots=True)
class Findings:
    """What the answers show.

    Attributes:
        queries: On how many queries the judge was asked.
        compared: What comparisons show; None where none was asked for.
        lists: What list prompts show; None where none was asked for.
    """

    queries: int
    compared: Compared | None
    lists: Lists | None


def probe(kinds: Sequence[type], shuffles: int, elicitation: str | None = None, seed: int = 0) -> Stage:
    """The stage that asks about every pair in both orders, and about the whole list in so many shuffles."""
    rankers = [PROBES[kind].format(f"shuffles={shuffles}, seed={seed}") for kind in kinds]
    answered = f" / {elicitation}" if elicitation else ""
    return Stage.parse(f"rankfusion([{', '.join(ranker + answered for ranker in rankers)}])")


def within_budget(
    reranker: Reranker, queries: Sequence[tuple[Query, Sequence[Candidate]]], calls: int
) -> list[tuple[Query, Sequence[Candidate]]]:
    """The first queries, as many as the calls suffice for.

    Raises:
        InputError: They do not suffice for one.
    """
    chosen: list[tuple[Query, Sequence[Candidate]]] = []
    left = calls
    for query, candidates in queries:
        needed = reranker.plan(len(candidates)).calls.high
        if needed > left:
            break
        left -= needed
        chosen.append((query, candidates))
    if not chosen:
        needed = reranker.plan(len(queries[0][1])).calls.high
        raise InputError(f"one query takes {needed} calls, and --max-calls is {calls}: raise it, or lower --depth")
    return chosen


@dataclass
class Answers:
    """An observer that keeps what is answered, by query; a call that failed is no answer."""

    judged: dict[str, list[Judged]] = field(default_factory=lambda: defaultdict(list))

    def __call__(self, event: Event) -> None:
        """Keeps answers, usable or not."""
        if isinstance(event, Judged) and not _failed(event.answer):
            self.judged[event.query.query_id].append(event)

    def findings(self, queries: Sequence[tuple[Query, Sequence[Candidate]]]) -> Findings:
        """What the answers about these queries show; the candidates are in the first stage's order."""
        seen = [Seen(candidates, self.judged[query.query_id]) for query, candidates in queries]
        compared, listed = ([each.of(kind) for each in seen] for kind in PROBES)
        return Findings(
            len(queries),
            _compared(compared) if any(each.events for each in compared) else None,
            _lists(listed) if any(each.events for each in listed) else None,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking took, and which queries lack answers.

    Attributes:
        failed: Why queries have calls without an answer, by id; an answer that cannot be used is one all the same.
        ledger: What they cost.
    """

    failed: Mapping[str, str]
    ledger: Ledger


def ask(reranker: Reranker, queries: Sequence[tuple[Query, Sequence[Candidate]]], answers: Answers) -> Asked:
    """Asks everything, one kind of judgement after the other; the answers need not suffice for a ranking.

    Args:
        reranker: Of a stage from `probe`.
        queries: With the candidates to ask about.
        answers: An observer of the reranker.
    """
    failed: dict[str, str] = {}
    ledger = Ledger()
    for part in reranker.parts():
        for outcome, (query, candidates) in zip(part.stream(queries), queries, strict=True):
            ledger += outcome.ledger
            answered = [e for e in answers.judged[query.query_id] if type(e.judgement) in part.stage.strategy.asks]
            if isinstance(outcome, Failed) and len(answered) < part.plan(len(candidates)).calls.high:
                failed[query.query_id] = outcome.reason
    return Asked(failed, ledger)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was answered about one query."""

    candidates: Sequence[Candidate]
    events: Sequence[Judged]

    def of(self, kind: type) -> "Seen":
        """The answers to one kind of judgement."""
        return Seen(self.candidates, [event for event in self.events if isinstance(event.judgement, kind)])

    @property
    def comparisons(self) -> Comparisons:
        """The usable answers to comparisons."""
        return {
            (event.judgement.first.doc_id, event.judgement.second.doc_id): event.answer
            for event in self.events
            if isinstance(event.judgement, Compare) and not isinstance(event.answer, Unanswered)
        }

    @property
    def lists(self) -> list[Listed]:
        """The usable answers to list prompts."""
        return [
            Listed(tuple(doc.doc_id for doc in event.judgement.docs), event.answer)
            for event in self.events
            if not isinstance(event.answer, Unanswered)
        ]

    def preference(self, reading: Reading) -> Preference:
        """Preferences between documents, as `reading` says."""
        known = self.comparisons
        place = {candidate.doc_id: i for i, candidate in enumerate(self.candidates)}

        def prefers(a: str, b: str) -> float | None:
            there, back = known.get((a, b)), known.get((b, a))
            if reading == "one order":
                if place[a] < place[b]:
                    return there
                return None if back is None else 1 - back
            return None if there is None or back is None else FORMS[reading](there, back)

        return prefers

    def sorted_by(self, form: Form) -> dict[str, tuple[str, ...]]:
        """The order that each sort makes of the comparisons; empty where one is missing: a sort would call it a tie."""
        candidates = [c for c in self.candidates if any(c.document in e.judgement.docs for e in self.events)]
        answers = {event.judgement.docs: event.answer for event in self.events}
        usable = sum(not isinstance(answer, Unanswered) for answer in answers.values())
        if not answers or usable < len(candidates) * (len(candidates) - 1):
            return {}
        orders = {}
        for sort in SORTS:
            strategy = Stage.parse(f"prp(sort={sort}, top_k={max(1, len(candidates))}, calibrate={form})").strategy
            steps = strategy.rank(Query("", ""), candidates)
            orders[sort] = settled(steps, lambda judgement: answers[judgement.docs]).doc_ids
        return orders


def _compared(seen: Sequence[Seen]) -> Compared:
    answered = [p for each in seen for p in each.comparisons.values()]
    told = [value for each in seen for value in margins(each.comparisons)]
    cycles: dict[str, Share] = dict.fromkeys(READINGS, Share(0, 0))
    for each in seen:
        items = [candidate.doc_id for candidate in each.candidates]
        for reading in READINGS:
            cycles[reading] += cyclic_triads(items, each.preference(reading))
    return Compared(
        sum((inconsistency(each.comparisons) for each in seen), Share(0, 0)),
        fmean(told) if told else math.nan,
        tuple(told),
        fmean(answered) if answered else math.nan,
        cycles,
        {form: _distances(seen, form) for form in DISTANCES},
        _malformed(seen),
    )


def _distances(seen: Sequence[Seen], form: Form) -> dict[str, float]:
    """The mean Kendall distance of two sorts of the same comparisons."""
    found: dict[str, list[float]] = defaultdict(list)
    for orders in (each.sorted_by(form) for each in seen):
        for one, other in combinations(orders, 2):
            found[f"{one}, {other}"].append(kendall_distance(orders[one], orders[other]))
    return {names: fmean(values) for names, values in found.items()}


def _lists(seen: Sequence[Seen]) -> Lists:
    taus = [tau for each in seen for tau in self_agreement(each.lists)]
    answers = [answer for each in seen for answer in each.lists]
    agreement = fmean(taus) if taus else math.nan
    return Lists(tuple(place_curve(answers)), agreement, _malformed(seen), order_kept(answers))


def _malformed(seen: Sequence[Seen]) -> Share:
    statuses = [event.report.status for each in seen for event in each.events]
    return Share(sum(status is not Status.PARSED for status in statuses), len(statuses))


def _failed(answer: Answer | Unanswered) -> bool:
    return isinstance(answer, Unanswered) and answer.failure is Failure.CALL


def settled(steps: Steps[T], answer: Callable[[Judgement], Answer]) -> T:
    """Runs a strategy to its end with answers that are known already."""
    answers: list[Answer] | None = None
    while True:
        try:
            batch = next(steps) if answers is None else steps.send(answers)
        except StopIteration as stop:
            result: T = stop.value
            return result
        answers = [answer(judgement) for judgement in batch.judgements]
