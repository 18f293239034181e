"""Where the queries of `rerankllm rerank` come from."""

from dataclasses import dataclass
from pathlib import Path

from rerankllm.cli.output import tell
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
        skipped_queries: Ids of those left out for want of a text or candidates.
        skipped_documents: How many were left out for want of a text.
    """

    queries: list[tuple[Query, list[Candidate]]]
    qrels: Path | None
    skipped_queries: tuple[str, ...] = ()
    skipped_documents: int = 0

    def tell_skipped(self) -> None:
        """Says on stderr what was left out."""
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
) -> Source:
    """Reads the one source that was named.

    Raises:
        InputError: None or several were, or it cannot be read.
    """
    from_files = run is not None or queries is not None or corpus is not None
    if sum((sample, from_files, requests is not None)) != 1:
        raise InputError("give one source: --sample, or --run with --queries and --corpus, or --requests")
    if sample and qrels is not None:
        raise InputError("--sample brings its own judgements: leave --qrels out")
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
    return _checked(Source(joined.queries, qrels, joined.skipped_queries, joined.skipped_documents), run)


def read_judgements(path: Path) -> dict[str, dict[str, int]]:
    """Qrels from a file, or the test split of a BEIR folder."""
    return trec.read_qrels(beir.read_folder(path).split("test") if path.is_dir() else path)


def _checked(source: Source, path: Path) -> Source:
    if not source.queries:
        raise InputError(f"{path} holds no query that could be reranked")
    for query, candidates in source.queries:
        trec.check_ids(query.query_id, [candidate.doc_id for candidate in candidates])
    return source
