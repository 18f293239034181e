"""MiniLM's runs in the folder of an experiment: over the candidates of each first stage, computed once."""

from pathlib import Path

import typer

from rerankllm.cli.commands.rerank import INTERRUPTED
from rerankllm.errors import RerankError
from rerankllm.experiments.folder import Manifest
from rerankllm.experiments.freeze import load
from rerankllm.files import digest, safe
from rerankllm.formats import trec
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs import provenance
from rerankllm.runs.job import Job, perform
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.summary import summary_beside
from rerankllm.runs.systems import MINILM


def minilm_path(folder: Path, manifest: Manifest, dataset: str, first: str) -> Path:
    """Where the run is that reads as many candidates as the deepest system."""
    depth = manifest.depth(dataset, first)
    return folder / "references" / safe(dataset) / f"{safe(first)}.minilm.{depth}.txt"


def whole(run: Path, candidates: Path) -> bool:
    """Whether a run is as it was written, from these candidates, and ranks every query of theirs.

    Raises:
        InputError: A file cannot be read.
    """
    record = provenance.read(run) if run.is_file() else None
    if record is None or record.sha256 != digest(run):
        return False
    same = provenance.retrieval_of(candidates) == record.retrieval
    return same and trec.read_run(run).keys() >= trec.read_run(candidates).keys()


def minilm_run(folder: Path, manifest: Manifest, dataset: str, first: str, *, quiet: bool) -> Path | str:
    """all-MiniLM-L6-v2's run over the candidates, made where it is not there whole; or why there is none.

    Raises:
        Exit: Ctrl-C.
    """
    run, has = minilm_path(folder, manifest, dataset, first), manifest.datasets[dataset]
    if whole(run, folder / has.first_stages[first]):
        return run
    run.parent.mkdir(parents=True, exist_ok=True)
    unfinished, depth = run.with_name(f".unfinished-{run.name}"), manifest.depth(dataset, first)
    try:
        bar = ProgressBar(quiet=quiet)
        with Reranker("embed", "embed:minilm", depth=depth, observer=bar) as reranker:
            tell(f"{MINILM} on {dataset}, {first}")
            done = perform(reranker, Job(load(folder, has, first), output=unfinished, depth=depth), bar)
    except RerankError as error:
        return str(error)
    if done.interrupted:
        tell("interrupted: the same command makes the table")
        raise typer.Exit(INTERRUPTED)
    if done.failures:
        return next(iter(done.failures.values()))
    for beside in (summary_beside, provenance.sidecar, lambda path: path):  # the run last: without it they are nothing
        beside(unfinished).replace(beside(run))
    return run
