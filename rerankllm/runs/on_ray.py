"""Reranks on the workers of a Ray cluster: `rerankllm rerank --engine ray`."""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rerankllm.data import Candidate, Query
from rerankllm.distributed.pool import Crew, Size
from rerankllm.drivers.events import QueryOutcome
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import InputError
from rerankllm.formats.lines import opened
from rerankllm.journal.store import Journal
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.job import Done, Job, write_all
from rerankllm.runs.notices import tell_fit, tell_other_judge, tell_settled
from rerankllm.runs.provenance import retrieval_of
from rerankllm.runs.source import Source, read_judgements, read_requests, read_source
from rerankllm.version import __version__

EVERY = 30.0
"""Seconds between notes on how many queries are done."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its queries are read.

    Attributes:
        source: Where the queries come from, and what was left out; without the queries themselves.
        judgements: Grades to measure with.
        parts: Which part of the collection each query belongs to.
    """

    source: Source
    judgements: Mapping[str, Mapping[str, int]] | None
    parts: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Input:
    """The arguments of `read_source`, to be read in another process; lazily where each query brings its texts."""

    given: Mapping[str, Any]

    def __call__(self) -> tuple[SourceInfo, Iterable[tuple[Query, Sequence[Candidate]]]]:
        """What is known of the source, and its queries.

        Raises:
            InputError: As for `read_source`; where the source is read lazily, at the row that is wrong.
        """
        path = self.given["requests"]
        if path is None or any(self.given[name] for name in ("sample", "run", "queries", "corpus", "dataset")):
            source = read_source(**self.given)
            parts = None if source.collection is None else source.collection.parts
            return SourceInfo(replace(source, queries=[], collection=None), source.judgements(), parts), source.queries
        qrels = self.given["qrels"]
        judgements = None if qrels is None else read_judgements(qrels)
        return SourceInfo(Source([], qrels, retrieval=retrieval_of(path)), judgements, None), read_requests(path)

    def check(self) -> None:
        """Reads the beginning of each file, so that a wrong name is reported before engines are loaded.

        Raises:
            InputError: It cannot be read.
        """
        for name in ("run", "queries", "corpus", "requests", "qrels"):
            path = self.given[name]
            if path is not None and path.exists() and not (path.is_file() or path.is_dir()):
                raise InputError(f"{path}: on Ray another process reads it, and it is no file; write it to one")
            if path is not None and not path.is_dir():
                with opened(path):
                    pass
        if self.given["requests"] is not None:
            next(read_requests(self.given["requests"]), None)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where calls are kept.

    Attributes:
        journal: The journal that the workers' journals are merged into; None to keep no calls.
        journals: The folder for the workers' journals until then; beside the journal when None.
        command: The working folder and the options, for `resume`.
    """

    journal: Path | None
    journals: str | None
    command: tuple[str, Mapping[str, Any]]

    @property
    def folder(self) -> str:
        """The folder of this run only, even below a folder that several runs share. Each node expands its variables."""
        journal = Path(self.journal or "").resolve()
        if self.journals is None:
            return f"{journal}.parts"
        shared = self.journals if self.journals.startswith(("$", "~")) else str(Path(self.journals).resolve())
        return f"{shared}/{journal.name}-{hashlib.sha256(bytes(journal)).hexdigest()[:12]}.parts"


def perform_on_workers(recipe: Recipe, size: Size, read: Input, job: Job, kept: Kept, *, quiet: bool) -> Done:
    """Ranks all queries on workers and writes what was asked for.

    Args:
        recipe: How each worker's reranker is made.
        size: How many there are, and where.
        read: The queries.
        job: What is to be written; its source is filled in.
        kept: Where calls are kept.
        quiet: No progress on stderr.

    Raises:
        QueryFailed: A query failed, and the run is to stop then.
        RerankError: The model cannot be used, or something not be read or written.
    """
    read.check()
    recipe = recipe.read()
    with ExitStack() as stack:
        journal = None
        if kept.journal is not None:
            journal = Journal(kept.journal)
            stack.callback(journal.close)
            journal.begin(*kept.command, __version__)
        crew = Crew(
            recipe,
            partial(Reranker.from_recipe, recipe),
            size,
            read,
            journal=journal,
            journals=None if journal is None else kept.folder,
            top_k=job.top_k,
            texts=job.output is not None and job.output.suffix == ".jsonl",
        )
        nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        stack.enter_context(redirect_stdout(nowhere))  # Ray prints there when a worker dies; its log files have it too
        stack.enter_context(crew)
        info: SourceInfo = crew.said
        info.source.tell_skipped()
        job = replace(job, source=info.source, judgements=info.judgements)
        done = write_all(crew, _with_notes(crew, job, quiet=quiet), job, info.parts)
        if deaths := crew.deaths:
            tell(f"{deaths} times a worker's process died; its queries went on in another")
        return done


def _with_notes(crew: Crew, job: Job, *, quiet: bool) -> Iterator[tuple[QueryOutcome, Sequence[str]]]:
    """The outcomes as they come; tells the strategy before the first, and now and then how many are done."""
    since = time.monotonic()
    for done, (outcome, doc_ids) in enumerate(crew.outcomes()):
        if not done:
            if crew.default_of is not None:
                tell(f"strategy {crew.stage} (the default of {crew.default_of})")
            tell_fit(crew)
            tell_other_judge(crew)
            tell_settled(crew, job.top_k, min(job.depth, len(doc_ids)))
        yield outcome, doc_ids
        if not quiet and time.monotonic() - since > EVERY:
            since = time.monotonic()
            tell(f"{done + 1:,} queries done")
