"""MiniLM's runs in an experiment's folder: one for each first stage of each dataset, made once."""

from pathlib import Path

from rerankllm.errors import Interrupted, QueryFailed, RerankError
from rerankllm.experiments.folder import Manifest
from rerankllm.experiments.freeze import load
from rerankllm.files import digest, safe
from rerankllm.formats import trec
from rerankllm.runs import provenance
from rerankllm.runs.minilm import run_minilm
from rerankllm.runs.summary import summary_beside
from rerankllm.runs.systems import MINILM


def minilm_path(folder: Path, manifest: Manifest, dataset: str, first: str) -> Path:
    """The path of the run, which reads as many candidates as the deepest system does."""
    depth = manifest.depth(dataset, first)
    return folder / "references" / safe(dataset) / f"{safe(first)}.minilm.{depth}.txt"


def whole(run: Path, candidates: Path) -> bool:
    """Whether a run is unchanged, was made from these candidates, and ranks all of their queries.

    Raises:
        InputError: A file cannot be read.
    """
    record = provenance.read(run) if run.is_file() else None
    if record is None or record.sha256 != digest(run):
        return False
    same = provenance.retrieval_of(candidates) == record.retrieval
    return same and trec.read_run(run).keys() >= trec.read_run(candidates).keys()


def minilm_run(folder: Path, manifest: Manifest, dataset: str, first: str, *, quiet: bool) -> Path | str:
    """MiniLM's run on the candidates of a first stage, made unless it is there whole; or why there is none.

    Raises:
        Interrupted: Ctrl-C.
    """
    run, has = minilm_path(folder, manifest, dataset, first), manifest.datasets[dataset]
    if whole(run, folder / has.first_stages[first]):
        return run
    run.parent.mkdir(parents=True, exist_ok=True)
    unfinished, depth = run.with_name(f".unfinished-{run.name}"), manifest.depth(dataset, first)
    unfinished.unlink(missing_ok=True)  # it may be a link to elsewhere
    try:
        note = f"{MINILM} on {dataset}, {first}"
        run_minilm(load(folder, has, first), unfinished, depth, note=note, quiet=quiet)
    except Interrupted:
        raise Interrupted("interrupted: the same command makes the table") from None
    except QueryFailed as error:
        return error.reason
    except RerankError as error:
        return str(error)
    for beside in (summary_beside, provenance.sidecar, lambda path: path):  # the run last: without it the rest is void
        beside(unfinished).replace(beside(run))
    return run
