"""Where the queries of `rerankllm rerank` come from."""

from dataclasses import dataclass
from pathlib import Path

from rerankllm.data import Candidate, Query
from rerankllm.errors import InputError
from rerankllm.formats import beir, castorini, trec
from rerankllm.formats.join import join
from rerankllm.sample import path as sample_path


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be reranked.

    Attributes:
        queries: Queries with their candidates.
        qrels: Where the judgements are, if there are any.
        notes: What was left out, one line each.
    """

    queries: list[tuple[Query, list[Candidate]]]
    qrels: Path | None
    notes: tuple[str, ...] = ()


def read_source(
    *,
    sample: bool,
    run: Path | None,
    queries: Path | None,
    corpus: Path | None,
    requests: Path | None,
    qrels: Path | None,
    skip_missing: bool,
) -> Source:
    """Reads the one source that was named.

    Raises:
        InputError: None or several were, or it cannot be read.
    """
    from_files = run is not None or queries is not None or corpus is not None
    if sum((sample, from_files, requests is not None)) != 1:
        raise InputError("give one source: --sample, or --run with --queries and --corpus, or --requests")
    if sample:
        run, queries, corpus, qrels = (
            sample_path(name) for name in ("run.txt", "queries.tsv", "corpus.jsonl", "qrels.txt")
        )
    if requests is not None:
        found = list(castorini.read_requests(requests))
        return _checked(Source(found, qrels), requests)
    if run is None or queries is None or corpus is None:
        missing = [name for name, value in (("run", run), ("queries", queries), ("corpus", corpus)) if value is None]
        raise InputError(f"--{' and --'.join(missing)} missing: a run needs --run, --queries and --corpus")
    entries = trec.read_run(run)
    if corpus.is_dir():
        corpus = beir.read_folder(corpus).corpus
    if queries.is_dir():
        queries = beir.read_folder(queries).queries
    wanted = {doc_id for ranked in entries.values() for doc_id, _ in ranked}
    joined = join(entries, beir.read_queries(queries), beir.read_corpus(corpus, wanted), skip_missing=skip_missing)
    notes: list[str] = []
    if joined.skipped_queries:
        shown = ", ".join(joined.skipped_queries[:3])
        notes.append(f"skipped {len(joined.skipped_queries)} queries without text or candidates ({shown})")
    if joined.skipped_documents:
        notes.append(f"skipped {joined.skipped_documents} documents that the corpus lacks")
    return _checked(Source(joined.queries, qrels, tuple(notes)), run)


def _checked(source: Source, path: Path) -> Source:
    if not source.queries:
        raise InputError(f"{path} holds no query that could be reranked")
    for query, candidates in source.queries:
        trec.check_ids(query.query_id, [candidate.doc_id for candidate in candidates])
    return source
