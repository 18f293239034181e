"""The run of all-MiniLM-L6-v2, a small embedding model: the reference that costs next to nothing."""

from pathlib import Path

from rerankllm.errors import Interrupted, QueryFailed
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.job import Job, perform
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import Source


def run_minilm(source: Source, output: Path, depth: int, *, note: str | None = None, quiet: bool = False) -> None:
    """Reranks by MiniLM's cosine of query and document, and writes the run with its summary and provenance record.

    Args:
        source: The queries with their candidates.
        output: The run to write.
        depth: Candidates read per query; the rest follow unread.
        note: A line to tell once the model is loaded.
        quiet: Show no progress.

    Raises:
        MissingExtra: The extra `embedded` is not installed.
        QueryFailed: A query could not be ranked; the run that was written lacks it.
        Interrupted: Ctrl-C.
    """
    bar = ProgressBar(quiet=quiet)
    with Reranker("embed", "embed:minilm", depth=depth, observer=bar) as reranker:
        if note is not None:
            tell(note)
        done = perform(reranker, Job(source, output=output, depth=depth), bar)
    if done.interrupted:
        raise Interrupted("interrupted: MiniLM's run is not whole")
    for query_id, reason in done.failures.items():
        raise QueryFailed(reason, query_id)
