"""What a teacher said of each query's candidates, and what that cost."""

import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from rerankllm.data import Candidate, Document, Query
from rerankllm.drivers.results import Run
from rerankllm.errors import InputError
from rerankllm.files import digest
from rerankllm.formats import recordings
from rerankllm.formats.results import read_scores
from rerankllm.formats.runfile import Lists
from rerankllm.journal.export import export
from rerankllm.journal.read import entries
from rerankllm.journal.store import Journal
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.source import Source
from rerankllm.spec.model import without_folders
from rerankllm.training.compared import Compared
from rerankllm.training.config import TeacherSpec
from rerankllm.version import __version__


@dataclass(frozen=True, slots=True)
class TeacherList:
    """One query as the teacher ranked it.

    Attributes:
        query: The query.
        documents: The documents, best first.
        scores: The teacher's score of each; None where it only said an order.
        first_stage: The same documents' ids in the first stage's order.
        chances: How likely the first of two documents is better, of the pairs that the teacher compared; of answers in
            both orders, or of several, the mean in log-odds. The first is the one that the teacher ranks higher.
    """

    query: Query
    documents: tuple[Document, ...]
    scores: tuple[float, ...] | None
    first_stage: tuple[str, ...]
    chances: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @property
    def doc_ids(self) -> tuple[str, ...]:
        """Ids of the documents, best first."""
        return tuple(document.doc_id for document in self.documents)


@dataclass(frozen=True, slots=True)
class Cost:
    """What the teacher's judgements cost; None for what nobody noted.

    Attributes:
        calls: Judgements.
        tokens: Sent and generated.
        usd: Money.
        seconds: Of this machine's clock; only where the teacher was asked here, and then since it was last started.
    """

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Teacher:
    """A teacher's lists.

    Attributes:
        name: What judged, for people.
        lists: A list a query.
        cost: Of all of them.
        sha256: Of the file; None for qrels, and for a model that was asked.
    """

    name: str
    lists: tuple[TeacherList, ...]
    cost: Cost
    sha256: str | None


JOURNAL = "teacher.journal"
"""Keeps what a teacher answers that is asked here: it is not asked, or paid, again."""


def teach(spec: TeacherSpec, source: Source, folder: Path, only: Collection[str] | None = None) -> Teacher:
    """Reads what the teacher said, or asks it; queries of which it said nothing are left out, and told.

    Args:
        spec: Where its judgements are, or what is asked.
        source: Queries with their candidates.
        folder: Keeps the journal of a teacher that is asked.
        only: Ids of the queries that a model is asked about, as where a training began with those; None for all.

    Raises:
        InputError: The file cannot be read, or there is nothing said of these queries.
        RerankError: The model to ask cannot be used.
    """
    if spec.path is not None and not spec.path.is_file():
        raise InputError(f"teacher: there is no file {spec.path}")
    if spec.model is not None:
        some = [each for each in source.queries if only is None or each[0].query_id in only]
        source = replace(source, queries=some)
        found = _from_model(spec, spec.model, source, folder / JOURNAL)
    elif spec.kind in {"recording", "journal"}:
        found = _from_judgements(spec, source)
    elif spec.kind == "qrels":
        found = _from_qrels(spec, source, None if spec.filter is None else teach(spec.filter, source, folder, only))
    else:
        found = _from_lists(spec, source)
    missing = len(source.queries) - len(found.lists)
    if not found.lists:
        raise InputError(f"teacher: {found.name} ranks two candidates or more of none of these queries")
    if missing:
        tell(f"{found.name} says nothing of {missing} of {len(source.queries)} queries: they are left out")
    if spec.cost_usd is not None:
        found = replace(found, cost=replace(found.cost, usd=spec.cost_usd))
    return found


def _from_qrels(spec: TeacherSpec, source: Source, checking: Teacher | None) -> Teacher:
    """From grades, with negatives where they are asked for.

    Args:
        spec: How many negatives.
        source: Queries with their candidates, and the grades.
        checking: Who says which candidates without a grade are rather relevant.
    """
    grades = source.judgements()
    if grades is None:
        raise InputError("teacher: qrels: the data has none; give `qrels` under `data`")
    orders = None if checking is None else {each.query.query_id: each.doc_ids for each in checking.lists}
    ranked: dict[str, list[tuple[str, float]]] = {}
    for query, candidates in source.queries:
        own = {doc_id: float(grade) for doc_id, grade in grades.get(query.query_id, {}).items()}
        if spec.negatives:
            order = None if orders is None else orders.get(query.query_id, ())
            own |= dict.fromkeys(mined([each.doc_id for each in candidates], own, order)[: spec.negatives], 0.0)
        ranked[query.query_id] = sorted(own.items(), key=lambda pair: -pair[1])
    lists = _matched(ranked, source, scored=True)
    if checking is None:
        return Teacher("qrels", lists, Cost(), None)
    return Teacher(f"qrels, negatives checked by {checking.name}", lists, checking.cost, checking.sha256)


def mined(first_stage: Sequence[str], grades: Mapping[str, float], checked: Sequence[str] | None) -> list[str]:
    """Hard negatives: candidates without a grade, in the first stage's order.

    Args:
        first_stage: The candidates.
        grades: Of the documents that were judged. Without any above 0 there are no negatives: of such a query nothing
            would be learnt.
        checked: A teacher's order of the candidates. What it ranks above the first of the relevant documents is rather
            relevant itself, a false negative, and is no negative here; nor is what it did not rank. None takes all.
    """
    relevant = {doc_id for doc_id, grade in grades.items() if grade > 0}
    free = [doc_id for doc_id in first_stage if doc_id not in grades]
    if checked is None:
        return free if relevant else []
    best = next((rank for rank, doc_id in enumerate(checked) if doc_id in relevant), len(checked))
    below = set(checked[best:])
    return [doc_id for doc_id in free if doc_id in below]


def _from_lists(spec: TeacherSpec, source: Source) -> Teacher:
    """From results, whose scores count, or from a run, whose order does."""
    assert spec.path is not None  # noqa: S101 - these have one
    scored = spec.kind == "results"
    ranked = read_scores(spec.path) if scored else Lists(spec.path)
    return Teacher(spec.path.name, _matched(ranked, source, scored=scored), Cost(), digest(spec.path))


def _matched(
    ranked: Mapping[str, Sequence[tuple[str, float]]], source: Source, *, scored: bool
) -> tuple[TeacherList, ...]:
    found: list[TeacherList] = []
    for query, candidates in source.queries:
        known = {candidate.doc_id: candidate.document for candidate in candidates}
        own = [(known[doc_id], score) for doc_id, score in ranked.get(query.query_id, ()) if doc_id in known]
        scores = [score for _, score in own] if scored else None
        found += _listed(query, [document for document, _ in own], scores, candidates)
    return tuple(found)


def _listed(
    query: Query,
    documents: Sequence[Document],
    scores: Sequence[float] | None,
    candidates: Sequence[Candidate],
    chances: Mapping[tuple[str, str], float] = MappingProxyType({}),
) -> list[TeacherList]:
    """The list, or nothing where there are no two documents to compare."""
    ids = {document.doc_id for document in documents}
    first = tuple(candidate.doc_id for candidate in candidates if candidate.doc_id in ids)
    kept = None if scores is None else tuple(scores)
    return [TeacherList(query, tuple(documents), kept, first, dict(chances))] if len(documents) > 1 else []


def _from_judgements(spec: TeacherSpec, source: Source) -> Teacher:
    """Ranks the queries again with the answers that were kept."""
    path = spec.path
    if path is None:
        raise InputError(f"teacher: {spec.kind} needs a file")
    if spec.kind == "recording":
        return _replayed(path, spec.strategy, source, path.name, None)
    with closing(Journal(path, create=False)) as journal, tempfile.TemporaryDirectory() as folder:
        exported, recording = export(journal, __version__), Path(folder) / "recording.jsonl"
        with recording.open("w", encoding="utf-8") as file:
            recordings.write(file, exported.header, exported.records)
        found = _replayed(recording, spec.strategy, source, path.name, _cost(journal))
        return replace(found, sha256=digest(path))


def _cost(journal: Journal) -> Cost:
    """What a journal's calls cost."""
    calls = list(entries(journal, texts=False))
    prices = [call.cost_usd for call in calls]
    tokens = sum(call.prompt_tokens + call.completion_tokens for call in calls)
    usd = None if None in prices else float(sum(price for price in prices if price is not None))
    return Cost(len(calls), tokens, usd)


def _from_model(spec: TeacherSpec, model: str, source: Source, path: Path) -> Teacher:
    """Ranks the queries, as far as the budget goes; calls that the journal holds are not made again."""
    began = time.perf_counter()
    with closing(Journal(path)) as journal:
        heard = Compared()
        with Reranker(spec.strategy, model, journal=journal, limits=spec.limits, observer=heard) as reranker:
            tell(f"the teacher, {reranker.stage} @ {without_folders(model)}, ranks {len(source.queries)} queries")
            run, name = Run.of(reranker.stream(source.queries)), f"{reranker.stage} @ {without_folders(model)}"
        paid = replace(_cost(journal), seconds=time.perf_counter() - began)
    if run.failures:
        tell(f"the teacher ranked {len(run.failures)} queries not at all, such as {run.failures[0].query.query_id}: "
             f"{run.failures[0].reason}")  # fmt: skip
    return Teacher(name, _of_run(run, source, heard), paid, None)


def _replayed(path: Path, strategy: str | None, source: Source, name: str, cost: Cost | None) -> Teacher:
    heard = Compared()
    with Reranker(strategy, f"recorded:{path}", observer=heard) as reranker:
        run = Run.of(reranker.stream(source.queries))
    usage = run.ledger.usage
    paid = cost or Cost(run.ledger.calls, (usage.prompt_tokens + usage.completion_tokens) or None)
    return Teacher(name, _of_run(run, source, heard), paid, digest(path))


def _of_run(run: Run, source: Source, heard: Compared) -> tuple[TeacherList, ...]:
    """The lists of rankings."""
    if not run.rankings:
        raise InputError(f"teacher: {run.failures[0].reason}")
    candidates = {query.query_id: own for query, own in source.queries}
    found: list[TeacherList] = []
    for ranking in run.rankings:
        scores = [result.score for result in ranking]
        whole = [score for score in scores if score is not None]
        documents = [result.document for result in ranking]
        kept = whole if len(whole) == len(scores) else None
        own = candidates[ranking.query.query_id]
        found += _listed(ranking.query, documents, kept, own, heard.chances(ranking.query.query_id, ranking.doc_ids))
    return tuple(found)
