"""Fuses the runs of several systems into one, by an aggregation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from rerankllm.aggregation.base import Aggregation
from rerankllm.errors import InputError
from rerankllm.formats.lines import some
from rerankllm.spec.stage import parse_aggregation

if TYPE_CHECKING:
    from rerankllm.formats.runfile import Listed

AnyList: TypeAlias = Mapping[str, float] | Sequence[tuple[str, float]] | Sequence[str]
"""One query's list: a score for each document, (document, score) pairs, or documents best first."""
AnyRun: TypeAlias = str | PathLike[str] | Mapping[str, AnyList]
"""A run's file (TREC, or castorini where its name ends in `.jsonl`), or its lists by query id."""

HEAVIEST = 1e6
"""The largest weight; its reciprocal is the smallest. Scores in single precision tell lists apart up to here."""


class RunReader(Protocol):
    """A run that is read query by query."""

    @property
    def query_ids(self) -> Sequence[str]: ...

    def read(self, query_id: str) -> "Listed": ...


@dataclass(frozen=True, slots=True)
class Fused:
    """One query's list.

    Attributes:
        query_id: The query.
        doc_ids: Every document that some run lists, best first.
        scores: What the aggregation gives them, in single precision.
        tied: How many documents share their score in a run with another of it.
    """

    query_id: str
    doc_ids: list[str]
    scores: list[float]
    tied: int


def fuse(
    runs: Sequence[AnyRun],
    method: str | Aggregation = "rrf",
    *,
    weights: Sequence[float] | None = None,
    depth: int | None = None,
) -> dict[str, list[tuple[str, float]]]:
    """Makes one run of several.

    A document that a run lacks stands behind those it lists; what that means for it, each aggregation says. A query
    that only some of the runs have is fused from these. Equal scores within a run are ties; equal fused scores keep
    the order in which the runs list the documents, the first run first.

    Args:
        runs: At least two.
        method: An aggregation, such as `rrf(k=60)`, `combsum` or `bradley_terry`.
        weights: How much each run counts; equally where not given.
        depth: How many documents of each list are looked at; all where not given.

    Returns:
        For each query id the (doc_id, score) pairs, best first; queries in the order of the first run, then those of
        the second that the first lacks, and so on.

    Raises:
        InputError: A run cannot be read or holds no query, the runs share no query, or an argument is wrong.
        MissingExtra: The aggregation needs a package that is not installed.
    """
    with ExitStack() as files:
        sources = [open_run(run, files) for run in runs]
        names = [fspath(run) if isinstance(run, (str, PathLike)) else f"run {i}" for i, run in enumerate(runs, 1)]
        query_ids = check_runs(sources, names, weights)
        fused = fuse_queries(sources, query_ids, method, weights=weights, depth=depth)
        return {one.query_id: list(zip(one.doc_ids, one.scores, strict=True)) for one in fused}


def open_run(run: AnyRun, files: ExitStack) -> RunReader:
    """The run, read lazily where it is a TREC file; `files` closes it."""
    from rerankllm.formats.runfile import RunFile  # noqa: PLC0415

    if isinstance(run, (str, PathLike)):
        plain = fspath(run).removesuffix(".gz")
        return _castorini(run) if plain.endswith(".jsonl") else files.enter_context(RunFile(run))
    if not isinstance(run, Mapping):
        raise InputError(f"a run should be a path, or a mapping from query ids to lists; found {type(run).__name__}")
    return _Held({query_id: _listed(query_id, found) for query_id, found in run.items()})


def check_runs(sources: Sequence[RunReader], names: Sequence[str], weights: Sequence[float] | None) -> list[str]:
    """The queries of all runs, in the order of the first, then those of the second that it lacks, and so on.

    Raises:
        InputError: There are fewer than two runs, one holds no query, no query is in two of them, or the weights are
            not one for each, from 1e-6 to 1e6.
    """
    if len(sources) < 2:  # noqa: PLR2004
        raise InputError(f"fusing takes at least two runs, found {len(sources)}")
    if weights is not None and len(weights) != len(sources):
        raise InputError(f"{len(weights)} weights for {len(sources)} runs: give one for each, or none")
    if weights is not None and not all(1 / HEAVIEST <= weight <= HEAVIEST for weight in weights):
        found = ", ".join(map(str, weights))
        raise InputError(
            f"weights should be numbers above 0, from {1 / HEAVIEST:g} to {HEAVIEST:g}, found {found}; "
            "to count a run for nothing, leave it out"
        )
    for source, name in zip(sources, names, strict=True):
        if not source.query_ids:
            raise InputError(f"{name}: holds no query; give a run with at least one line")
    query_ids = list(dict.fromkeys(chain.from_iterable(source.query_ids for source in sources)))
    if len(query_ids) == sum(len(source.query_ids) for source in sources):
        firsts = some([f"{source.query_ids[0]} in {name}" for source, name in zip(sources, names, strict=True)])
        raise InputError(f"the runs have no query in common ({firsts}); check that they belong together")
    return query_ids


def fuse_queries(
    sources: Sequence[RunReader],
    query_ids: Iterable[str],
    method: str | Aggregation = "rrf",
    *,
    weights: Sequence[float] | None = None,
    depth: int | None = None,
) -> Iterator[Fused]:
    """Fuses query after query, holding the lists of one; arguments as those of `fuse`."""
    if depth is not None and depth < 1:
        raise InputError(f"depth should be at least 1, found {depth}")
    rule = parse_aggregation(method) if isinstance(method, str) else method
    shares = [1.0] * len(sources) if weights is None else list(weights)
    having = [set(source.query_ids) for source in sources]
    for query_id in query_ids:
        lists = [
            (source.read(query_id), share)
            for source, ids, share in zip(sources, having, shares, strict=True)
            if query_id in ids
        ]
        yield _fuse(rule, query_id, lists, depth)


def _fuse(rule: Aggregation, query_id: str, lists: "Sequence[tuple[Listed, float]]", depth: int | None) -> Fused:
    import numpy as np  # noqa: PLC0415

    from rerankllm.aggregation.ballots import Ballot, Ballots  # noqa: PLC0415

    items = list(dict.fromkeys(chain.from_iterable(listed.doc_ids[:depth] for listed, _ in lists)))
    number = dict(zip(items, range(len(items)), strict=True))
    ballots: list[Ballot] = []
    for (doc_ids, scores), share in lists:
        numbers = np.array([number[doc_id] for doc_id in doc_ids[:depth]], dtype=np.intp)
        if scores is None:
            ballots.append(Ballot(numbers, np.arange(1.0, len(numbers) + 1), share, head=True))
        else:
            ballots.append(Ballot.scored(numbers, scores[:depth], share, head=True))
    fused = rule.tally(Ballots(len(items), tuple(ballots))).astype(np.float32)
    order = np.argsort(-fused, kind="stable")
    tied = sum(ballot.tied for ballot in ballots)
    return Fused(query_id, [items[i] for i in order.tolist()], fused[order].tolist(), tied)


@dataclass(frozen=True, slots=True)
class _Held:
    """A run in memory."""

    lists: "Mapping[str, Listed]"

    @property
    def query_ids(self) -> Sequence[str]:
        return list(self.lists)

    def read(self, query_id: str) -> "Listed":
        return self.lists[query_id]


def _castorini(path: str | PathLike[str]) -> _Held:
    """A castorini file without its texts."""
    from rerankllm.formats.castorini import read_requests  # noqa: PLC0415

    lists: dict[str, Listed] = {}
    for query, candidates in read_requests(path):
        pairs = [(candidate.doc_id, candidate.score) for candidate in candidates]
        bare = any(score is None for _, score in pairs)
        lists[query.query_id] = _listed(query.query_id, [doc_id for doc_id, _ in pairs] if bare else pairs)
    return _Held(lists)


def _listed(query_id: str, found: Any) -> "Listed":
    """One query's list as the caller gave it, sorted by score; raises InputError if it is no such list."""
    import numpy as np  # noqa: PLC0415

    from rerankllm.formats.runfile import Listed  # noqa: PLC0415

    entries = list(found.items() if isinstance(found, Mapping) else found)
    bare = all(isinstance(entry, str) for entry in entries)
    try:
        doc_ids = entries if bare else [doc_id for doc_id, _ in entries]
        scores = None if bare else np.array([score for _, score in entries], dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"query {query_id}: a list should hold doc_ids or (doc_id, score) pairs") from None
    if len(set(doc_ids)) < len(doc_ids):
        raise InputError(f"query {query_id}: a document is listed more than once")
    if scores is None:
        return Listed(doc_ids, None)
    if not np.isfinite(scores).all():
        raise InputError(f"query {query_id}: scores should be finite numbers")
    order = np.argsort(-scores, kind="stable")
    return Listed([doc_ids[i] for i in order.tolist()], scores[order])
