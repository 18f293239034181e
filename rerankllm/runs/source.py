"""Reads queries with their candidates, from files or from a named collection."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rerankllm.collections import bm25, catalogue
from rerankllm.collections.base import Collection, Run, without_excluded
from rerankllm.collections.bm25 import Bm25Settings
from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError
from rerankllm.formats import beir, castorini, parquet, trec
from rerankllm.formats.columns import Columns
from rerankllm.formats.join import join
from rerankllm.formats.tables import kind_of
from rerankllm.notes import tell
from rerankllm.runs.provenance import Retrieval, retrieval_of
from rerankllm.sample import path as sample_path


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be reranked.

    Attributes:
        queries: Queries with their candidates.
        qrels: The file of judgements, if there is one.
        skipped_queries: Ids of queries that were left out because they have no text or no candidates.
        skipped_documents: How many documents were left out because they have no text.
        retrieval: How the candidates were found.
        collection: The named collection that the queries are of, if they are of one.
    """

    queries: Sequence[tuple[Query, Sequence[Candidate]]]
    qrels: Path | None
    skipped_queries: tuple[str, ...] = ()
    skipped_documents: int = 0
    retrieval: Retrieval = field(default_factory=Retrieval)
    collection: Collection | None = None

    def judgements(self) -> Mapping[str, Mapping[str, int]] | None:
        """Grades by query and document; None without any."""
        if self.collection is not None:
            return self.collection.qrels
        return None if self.qrels is None else read_judgements(self.qrels)

    @property
    def scored(self) -> bool:
        """Whether the candidates of the first query come with scores of a first stage."""
        return any(candidate.score is not None for _, candidates in self.queries[:1] for candidate in candidates)

    @property
    def skipped(self) -> bool:
        """Whether anything was left out."""
        return bool(self.skipped_queries or self.skipped_documents)

    def tell_skipped(self) -> None:
        """Tells what was left out."""
        if self.skipped_queries:
            shown = ", ".join(self.skipped_queries[:3])
            tell(f"skipped {len(self.skipped_queries)} queries without text or candidates ({shown})")
        if self.skipped_documents:
            tell(f"skipped {self.skipped_documents} documents that the corpus lacks")


def read_source(
    *,
    sample: bool,
    run: Path | None,
    queries: Path | None,
    corpus: Path | None,
    requests: Path | None,
    qrels: Path | None,
    skip_missing: bool,
    dataset: str | None = None,
    depth: int = 100,
    columns: Mapping[str, str | None] | None = None,
) -> Source:
    """Reads one source: the sample, a named dataset, a run with its texts, or requests.

    BM25 finds `depth` candidates for each query of a dataset without a run. `columns` names the columns of queries and
    corpus by field, where they are not the usual ones.

    Raises:
        InputError: No source is given, or several, or it cannot be read.
    """
    from_files = (run is not None and dataset is None) or queries is not None or corpus is not None
    if sum((sample, from_files, requests is not None, dataset is not None)) != 1:
        raise InputError(
            "give one source: --sample, or --dataset with or without --run, or --run with --queries and --corpus, "
            "or --requests"
        )
    if dataset is not None:
        return _read_dataset(dataset, run, qrels, depth, skip_missing=skip_missing)
    if sample and qrels is not None:
        raise InputError("--sample brings its own judgements: leave --qrels out")
    if sample:
        run, queries, corpus, qrels = (
            sample_path(name) for name in ("run.txt", "queries.tsv", "corpus.jsonl", "qrels.txt")
        )
    if requests is not None:
        from rerankllm.formats.spilled import Spilled  # noqa: PLC0415

        return Source(Spilled(read_requests(requests)), qrels, retrieval=retrieval_of(requests))
    if run is None or queries is None or corpus is None:
        missing = [name for name, value in (("run", run), ("queries", queries), ("corpus", corpus)) if value is None]
        raise InputError(f"--{' and --'.join(missing)} missing: a run needs --run, --queries and --corpus")
    from rerankllm.formats.runfile import Lists  # noqa: PLC0415

    entries = Lists(run)
    given = Columns.of(columns)
    if queries.is_dir():
        queries = beir.read_folder(queries).queries
    wanted = (doc_id for ranked in entries.values() for doc_id, _ in ranked)
    texts = beir.read_queries(queries, given), _corpus(corpus, wanted, given)
    joined = join(entries, *texts, skip_missing=skip_missing)
    source = Source(joined.queries, qrels, joined.skipped_queries, joined.skipped_documents, retrieval_of(run))
    return _checked(source, run)


def _corpus(path: Path, wanted: Iterable[str], columns: Columns) -> Mapping[str, Document]:
    """The documents of a run: read as they are looked at where the file is JSON lines, else all that are wanted."""
    if kind_of(path) not in {None, "jsonl"}:
        return beir.read_corpus(path, set(wanted), columns)
    from rerankllm.formats.corpusfile import CorpusFile  # noqa: PLC0415

    return CorpusFile(beir.read_folder(path).corpus if path.is_dir() else path, wanted, columns)


def _read_dataset(name: str, run: Path | None, qrels: Path | None, depth: int, *, skip_missing: bool) -> Source:
    """A named collection with the candidates of a run, or of its own first stage."""
    if qrels is not None:
        raise InputError(f"--dataset {name} brings its own judgements: leave --qrels out")
    collection = open_dataset(name)
    if run is None:
        found, retrieval = first_stage(collection, Bm25Settings(depth=depth))
        entries = {query_id: ranked for query_id, ranked in found.items() if ranked}
    else:
        entries, retrieval = allowed(collection, trec.read_run(run), str(run)), retrieval_of(run)
    documents = collection.documents.many({doc_id for ranked in entries.values() for doc_id, _ in ranked})
    joined = join(entries, collection.queries, documents, skip_missing=skip_missing)
    source = Source(joined.queries, None, joined.skipped_queries, joined.skipped_documents, retrieval, collection)
    return _writable(_checked(source, run or name))


def read_requests(path: Path) -> Iterator[tuple[Query, list[Candidate]]]:
    """Queries with their candidates from castorini's JSONL, or Parquet, as they are read.

    Raises:
        InputError: At the row that is no good, or has an id that no run can hold; or there is no query.
    """
    found = False
    for query, candidates in parquet.read_requests(path) if parquet.is_parquet(path) else castorini.read_requests(path):
        found = True
        trec.check_ids(query.query_id, [candidate.doc_id for candidate in candidates])
        yield query, candidates
    if not found:
        raise InputError(f"{path} holds no query that could be reranked")


def read_judgements(path: Path) -> dict[str, dict[str, int]]:
    """Qrels from a file, or the test split of a BEIR folder."""
    return trec.read_qrels(beir.read_folder(path).split("test") if path.is_dir() else path)


def _checked(source: Source, path: Path | str) -> Source:
    if not source.queries:
        raise InputError(f"{path} holds no query that could be reranked")
    return source


def _writable(source: Source) -> Source:
    """Checks that ids can be written to a run; those that were read from one can."""
    for query, candidates in source.queries:
        trec.check_ids(query.query_id, [candidate.doc_id for candidate in candidates])
    return source


def open_dataset(name: str) -> Collection:
    """Loads a collection; tells where it has to be fetched first, and each of its notes."""
    place = catalogue.place(name)
    if not place.cached:
        tell(f"{name} is not all cached in {place.path}: what is needed of it is fetched")
    collection = catalogue.load(name)
    for note in collection.notes:
        tell(f"{name}: {note}")
    return collection


def allowed(collection: Collection, run: Run, where: str) -> dict[str, list[tuple[str, float]]]:
    """The run without the documents that the collection excludes; tells how many there were."""
    kept, removed = without_excluded(run, collection.excluded)
    if removed:
        tell(f"{where}: {removed} documents removed ({collection.excluded_because})")
    return kept


def first_stage(
    collection: Collection, settings: bm25.Bm25Settings
) -> tuple[Mapping[str, list[tuple[str, float]]], Retrieval]:
    """Candidates for every query and where they come from: those the collection brings, or BM25's.

    Raises:
        InputError: BM25 cannot index the collection.
        MissingExtra: BM25 needs a package that is not installed.
    """
    source = f"{collection.name} ({collection.origin})"
    if collection.first_stage is not None:
        brought = collection.first_stage
        run = {query_id: list(entries) for query_id, entries in brought.run.items()}
        return allowed(collection, run, collection.name), Retrieval(source, brought.retriever)
    found = bm25.retrieve(collection, settings, tell)
    none = [query_id for query_id, entries in found.items() if not entries]
    if none:
        tell(f"BM25 found nothing for {len(none)} queries ({', '.join(none[:3])})")
    facts = settings.facts(collection.language)
    return found, Retrieval(source, "BM25", f"bm25s {bm25.bm25s_version()}", facts, bm25.TIES)
