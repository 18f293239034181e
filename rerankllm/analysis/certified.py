"""How many of the answers behind a ranking could have been others before its top k changes.

What is certified is the last step, which makes one order of many answers, whatever a document made the model say. It is
read off the answers: no model is asked. The idea is that of certified robustness for rankers (Wu et al. 2022,
"Certified robustness to word substitution ranking attack for neural ranking models", CIKM), for answers, not words.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.certified import ROUNDING, Certificate, certify
from rerankllm.aggregation.votes import Vote
from rerankllm.analysis.answers import Answers, heard
from rerankllm.calibration.order import FORMS
from rerankllm.data import Candidate, Query, float32
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage
from rerankllm.strategies.full import Full
from rerankllm.strategies.jointrank import JointRank
from rerankllm.strategies.prp import Prp
from rerankllm.strategies.psc import PermutationSelfConsistency

Certified: TypeAlias = Certificate | str
"""A certificate, or why there is none."""
KNOWN = "a certificate needs answers that are counted together: prp(sort=allpair), jointrank, or psc around full"
RECOUNTED = "the answers, counted again, do not give this ranking"
Gains: TypeAlias = tuple[float, float]
"""What a comparison can take from a document when one of its answers is another, and when both are."""


def certified(
    stage: Stage,
    doc_ids: Sequence[str],
    first: Sequence[str] | None,
    judgements: Sequence[Answers],
    top_k: int,
    *,
    only: str | None = None,
) -> Certified:
    """How many of a ranking's answers could have said anything else, or nothing, before its top k changes.

    Args:
        stage: What ranked.
        doc_ids: The ranking.
        first: The candidates as they came; None where nobody knows.
        judgements: All that the ranking asked.
        top_k: How many first places.
        only: A document: says what it takes to put it above one of the top k, or below one that is behind them.
            Kemeny's order is certified as a whole.
    """
    shown = {doc_id for each in judgements for doc_id in each.docs}
    items = [doc_id for doc_id in first or () if doc_id in shown]
    if first is None or len(items) < len(shown):
        return "the first stage's order is not known"
    if any(each.answer is None for each in judgements):
        return "some answers could not be used"
    if only not in {None, *items}:
        return f"{only} was not judged"
    if len(items) <= top_k:
        return f"{len(items)} documents were judged, and it takes more than {top_k}"
    return _counted(stage, items, doc_ids, judgements, top_k, only)


def certified_by_journal(  # noqa: PLR0917
    reranker: Reranker,
    query: Query,
    candidates: Sequence[Candidate],
    doc_ids: Sequence[str],
    top_k: int,
    aimed: int | None = None,
) -> Certified:
    """What the top k of a ranking survives, by the answers that the reranker's journal holds.

    Args:
        reranker: What ranked.
        query: The query.
        candidates: Its candidates, as they came.
        doc_ids: The ranking.
        top_k: How many first places.
        aimed: How many first places it was ranked for; None for all.
    """
    if reranker.journal is None:
        return "there is no journal"
    answers = tuple(heard(reranker.journal, reranker.key(query, candidates, top_k=aimed)))
    first = [each.doc_id for each in candidates]
    return certified(reranker.session.aimed(aimed), doc_ids, first, answers, top_k)


def _counted(  # noqa: PLR0917
    stage: Stage,
    items: Sequence[str],
    doc_ids: Sequence[str],
    judgements: Sequence[Answers],
    top_k: int,
    only: str | None,
) -> Certified:
    """Counts the answers as the strategy does, to see that they give the ranking, and certifies it."""
    strategy = stage.strategy
    if isinstance(strategy, Prp) and strategy.sort == "allpair":
        return _Comparisons(strategy, items, judgements).certificate(doc_ids, top_k, only)
    if isinstance(strategy, JointRank):
        votes = [Vote(tuple(map(tuple, _groups(each)))) for each in judgements]
        found = _of_votes(strategy.aggregate, items, votes, doc_ids, top_k, only)
        return found if isinstance(found, str) else _in_some_block(found, doc_ids[:top_k], judgements)
    if isinstance(strategy, PermutationSelfConsistency) and isinstance(strategy.stage.strategy, Full):
        if not len({each.docs for each in judgements}) == len(judgements) == strategy.shuffles:
            return "some votes share an answer, or took two"
        found = _of_votes(strategy.aggregate, items, [*map(_whole, judgements)], doc_ids, top_k, only)
        named = strategy.stage.strategy.top_k >= len(items)
        return found if named or isinstance(found, str) else replace(found, exact=False)
    return KNOWN


def certificates(found: Mapping[str, Certified], top_k: int, of: str = "") -> Iterator[str]:
    """How many answers the top k of some queries survives, whatever a document makes of them.

    Args:
        found: By query.
        top_k: How many first places.
        of: What the rankings are of, put behind the first word.
    """
    known = [each for each in found.values() if isinstance(each, Certificate)]
    if known:
        least = min(known, key=lambda each: each.survives)
        mean = sum(each.survives for each in known) / len(known)
        bound = "" if all(each.exact for each in known) else " (some are lower bounds)"
        yield (
            f"certified{of}: had any {least.survives} of its {least.of} answers been others, whatever they said, the "
            f"first {top_k} would be the same in all of {len(known)} queries; {mean:.1f} in the mean{bound}."
        )
    why = Counter(each for each in found.values() if isinstance(each, str))
    yield from (f"not certified{of}, {count} of {len(found)} queries: {reason}." for reason, count in why.items())


def sentence(found: Certificate, top_k: int, doc_id: str, *, inside: bool) -> str:
    """What a certificate says of a document that is among the first `top_k`, or is not."""
    others = f"above all that are behind the first {top_k}" if inside else f"behind each of the first {top_k}"
    place = f"{doc_id} would stand {others}"
    if found.leaves is None:
        return f"Whatever all {found.of} answers had been, {place}."
    turned = f"could have put {found.enters} above {found.leaves}"
    if not found.exact:
        return f"Whatever any {found.survives} of the {found.of} answers had been, {place}; that is a lower bound."
    if found.survives == 0:
        return f"One other answer, of {found.of}, {turned}."
    return f"Whatever any {found.survives} of the {found.of} answers had been, {place}; one more {turned}."


def _in_some_block(found: Certificate, first: Sequence[str], judgements: Sequence[Answers]) -> Certificate:
    """The certificate, or less: a document none of whose blocks has an answer follows all others."""
    shown = min(sum(doc_id in each.docs for each in judgements) for doc_id in first)
    return found if found.survives < shown else replace(found, survives=shown - 1, exact=False)


def _groups(said: Answers) -> Iterator[Sequence[str]]:
    """An order's groups; what it does not name is tied behind."""
    yield from said.answer["groups"]
    if said.answer["omitted"]:
        yield said.answer["omitted"]


def _whole(said: Answers) -> Vote:
    """The vote that `psc` makes of an order: ties, and what it does not name, stand as they were shown."""
    return Vote.of([doc_id for group in _groups(said) for doc_id in sorted(group, key=said.docs.index)])


def _of_votes(  # noqa: PLR0917
    rule: Aggregation,
    items: Sequence[str],
    votes: Sequence[Vote],
    doc_ids: Sequence[str],
    top_k: int,
    only: str | None,
) -> Certified:
    scores = [float32(score) for score in rule.scores(items, votes)]
    if not _same(items, scores, doc_ids):
        return RECOUNTED
    return certify(rule, items, votes, top_k, only=only) or f"nothing is known of {type(rule).__name__}"


def _same(items: Sequence[str], scores: Sequence[float], doc_ids: Sequence[str]) -> bool:
    """Whether scores give the ranking, or its beginning."""
    order = [items[i] for i in sorted(range(len(items)), key=lambda i: -scores[i])]
    return bool(doc_ids) and order[: len(doc_ids)] == list(doc_ids[: len(order)])


class _Comparisons:
    """Every pair, asked in one order or both: a document scores the sum of its p(win).

    For two documents each comparison of either counts by itself, so the most that some answers can take is found one
    comparison at a time: none of its answers another, one, or both. Exact.
    """

    def __init__(self, strategy: Prp, items: Sequence[str], judgements: Sequence[Answers]) -> None:
        self._items, self._form, self._both = items, FORMS[strategy.calibrate], strategy.orders > 1
        self._said = {each.docs: float(each.answer) for each in judgements}
        self._size = len(judgements)

    def certificate(self, doc_ids: Sequence[str], top_k: int, only: str | None) -> Certified:
        """The certificate, where every pair has its answers."""
        n = len(self._items)
        if not self._size == len(self._said) == n * (n - 1) // (1 if self._both else 2):
            return "not every pair has its answers"
        p, gains = np.zeros((n, n)), np.zeros((n, n, 2))
        for i, a in enumerate(self._items):
            for j, b in enumerate(self._items[i + 1 :], i + 1):
                now, lower, higher = self._reach(a, b)
                p[i, j], p[j, i] = now, 1 - now
                gains[i, j] = [max(0.0, now - each) for each in lower]
                gains[j, i] = [max(0.0, each - now) for each in higher]
        scores = [sum(row) for row in p.tolist()]  # in the order in which the strategy adds them up
        if not _same(self._items, scores, doc_ids):
            return RECOUNTED
        order = sorted(range(n), key=lambda i: -scores[i])
        most = self._size
        leaves = enters = None
        for inside in order[:top_k]:
            for outside in order[top_k:]:
                if only in {None, self._items[inside], self._items[outside]}:
                    lead = scores[inside] - scores[outside]
                    needed = _fewest(lead, _between(gains, inside, outside), most, ties=outside < inside)
                    if needed <= most:
                        most, leaves, enters = needed - 1, self._items[inside], self._items[outside]
        return Certificate(most, self._size, exact=True, leaves=leaves, enters=enters)

    def _reach(self, a: str, b: str) -> tuple[float, tuple[float, float], tuple[float, float]]:
        """p(a wins); the least that it could be with one answer another, and with both; and the most."""
        form = self._form
        if self._both:
            x, y = self._said[a, b], self._said[b, a]
            return form(x, y), (min(form(0, y), form(x, 1)), form(0, 1)), (max(form(1, y), form(x, 0)), form(1, 0))
        x = self._said[a, b] if (a, b) in self._said else 1 - self._said[b, a]
        return form(x, 1 - x), (form(0, 1),) * 2, (form(1, 0),) * 2


def _between(gains: "np.typing.NDArray[np.float64]", inside: int, outside: int) -> list[Gains]:
    """What each comparison of two documents can do for the one outside; that of both counts twice."""
    others = [i for i in range(len(gains)) if i not in {inside, outside}]
    return [*gains[inside, others].tolist(), *gains[others, outside].tolist(), (2 * gains[inside, outside]).tolist()]


def _fewest(lead: float, comparisons: Sequence[Gains], most: int, *, ties: bool) -> int:
    """The fewest answers that take so much; `most` + 1 where it takes more.

    Args:
        lead: How far the document inside leads.
        comparisons: What one answer of each can do, and two.
        most: No more are tried.
        ties: Whether equal scores put the one outside above.
    """
    best = np.zeros(min(most, 2 * len(comparisons)) + 1)
    for one, two in comparisons:
        before = best.copy()
        best[1:] = np.maximum(best[1:], before[:-1] + one)
        best[2:] = np.maximum(best[2:], before[:-2] + two)
    enough = best >= lead - ROUNDING if ties else best > lead + ROUNDING
    return int(enough.argmax()) if enough.any() else most + 1
