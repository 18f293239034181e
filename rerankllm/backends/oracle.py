"""`oracle:QRELS`: answers from relevance judgements, for tests and for the ideal no ranker can beat."""

import functools
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rerankllm.backends.direct import DirectBackend
from rerankllm.backends.written import grade_in, passage_of
from rerankllm.calls import CallFailed, Capabilities, Reply
from rerankllm.data import Document
from rerankllm.files import digest
from rerankllm.formats.trec import read_qrels
from rerankllm.judgements import (
    Answer,
    Compare,
    Draft,
    Ends,
    Grade,
    Judgement,
    Permute,
    Score,
    Select,
    WeakOrder,
)


class Oracle(DirectBackend):
    """A perfect judge: it answers by the grades in a qrels file. Without a grade is 0, equal grades are ties.

    A passage that it is asked to write says its grade, and has that wherever it is shown.

    Args:
        name: Path of a TREC or BEIR qrels file.
    """

    default_strategy = "sliding"

    def __init__(self, *, name: str) -> None:
        self.model = f"oracle:{name}"
        self._name = name
        self.capabilities = Capabilities(answers=frozenset({Score, Compare, Select, Ends, Permute, Grade, Draft}))
        self._qrels = read_qrels(name)

    @functools.cached_property
    def revision(self) -> str:
        """SHA-256 of the file."""
        return digest(Path(self._name))

    def answer(self, judgement: Judgement) -> Reply | CallFailed:
        """The answer by grades; a query without any is not answered."""
        qrels = self._qrels.get(judgement.query.query_id)
        if qrels is None:
            return CallFailed(f"no qrels for query {judgement.query.query_id}")
        return Reply(_ANSWERS[type(judgement)](qrels, judgement))


def _score(qrels: Mapping[str, int], judgement: Score) -> float:
    return float(_grade(qrels, judgement.doc))


def _compare(qrels: Mapping[str, int], judgement: Compare) -> float:
    first, second = _grade(qrels, judgement.first), _grade(qrels, judgement.second)
    return 0.5 if first == second else float(first > second)


def _select(qrels: Mapping[str, int], judgement: Select) -> tuple[str, ...]:
    sign = 1 if judgement.worst else -1
    order = sorted(judgement.docs, key=lambda doc: sign * _grade(qrels, doc))
    return tuple(doc.doc_id for doc in order[: judgement.m])


def _ends(qrels: Mapping[str, int], judgement: Ends) -> tuple[str, ...]:
    order = sorted(judgement.docs, key=lambda doc: -_grade(qrels, doc))
    return order[0].doc_id, order[-1].doc_id


def _grades(qrels: Mapping[str, int], judgement: Grade) -> tuple[float, ...]:
    best = max([1, *qrels.values()])
    return tuple(judgement.scale * max(0, _grade(qrels, doc)) / best for doc in judgement.docs)


def _grade(qrels: Mapping[str, int], doc: Document) -> float:
    known = qrels.get(doc.doc_id)
    return grade_in(doc, max([1, *qrels.values()])) if known is None else known


def _order(qrels: Mapping[str, int], judgement: Permute) -> WeakOrder:
    groups = defaultdict[float, list[str]](list)
    for doc in judgement.docs:
        grade = qrels.get(doc.doc_id)
        groups[_grade(qrels, doc) if grade is None else grade].append(doc.doc_id)
    tied = [groups[grade] for grade in sorted(groups, reverse=True)]
    if judgement.decode is None:
        return WeakOrder(tuple(map(tuple, tied)))
    wanted: list[tuple[str, ...]] = []
    for group in tied:
        wanted.append(tuple(group[: judgement.decode - sum(map(len, wanted))]))
    named = {doc_id for group in wanted for doc_id in group}
    omitted = tuple(doc.doc_id for doc in judgement.docs if doc.doc_id not in named)
    return WeakOrder(tuple(filter(None, wanted)), omitted)


_ANSWERS: Mapping[type, Callable[[Mapping[str, int], Any], Answer]] = {
    Score: _score,
    Compare: _compare,
    Select: _select,
    Ends: _ends,
    Draft: lambda _, draft: passage_of(draft.grade),
    Permute: _order,
    Grade: _grades,
}
