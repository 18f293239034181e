"""Where a run comes from, kept beside it as `RUN.provenance.json`; the run itself stays a plain TREC file.

Two runs are comparable as rerankings when they start from the same candidates. So a reranked run's record carries its
first stage's on, and `differences` says what sets the first stages of several runs apart.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rerankllm.errors import InputError
from rerankllm.files import digest


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How the candidates were found.

    Attributes:
        collection: Its name and where it was read.
        retriever: Who retrieved.
        tool: With what, and in which version.
        parameters: How.
        ties: The order of documents with equal scores.
        file: SHA-256 of the run, for one of which nothing else is known; a run from a pipe has not even that.
    """

    collection: str | None = None
    retriever: str | None = None
    tool: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    ties: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class RunProvenance:
    """The record of one run.

    Attributes:
        retrieval: Its first stage.
        reranked: Strategy, model and depth of the second; None for a first-stage run.
        sha256: Of the run it describes.
    """

    retrieval: Retrieval
    reranked: Mapping[str, Any] | None
    sha256: str


def sidecar(run: Path) -> Path:
    """The file that holds the record of a run."""
    return run.with_name(f"{run.name}.provenance.json")


def write(run: Path, retrieval: Retrieval, reranked: Mapping[str, Any] | None = None) -> None:
    """Writes the record of a run that is complete; one that is no file, such as a pipe, gets none.

    Raises:
        InputError: The run cannot be read, or its record not written.
    """
    if not run.is_file():
        return
    record = asdict(RunProvenance(retrieval, reranked, digest(run)))
    try:
        sidecar(run).write_text(f"{json.dumps(record, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {sidecar(run)}: {error.strerror}") from error


def read(run: Path) -> RunProvenance | None:
    """The record of a run; None where there is none.

    Raises:
        InputError: There is one that does not read as such.
    """
    file = sidecar(run)
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        return RunProvenance(Retrieval(**record["retrieval"]), record["reranked"], record["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no record of provenance ({error}); remove it, or make the run again") from error


def retrieval_of(run: Path) -> Retrieval:
    """The first stage of a run: what its record says, or, without one, the file itself."""
    if not run.is_file():
        return Retrieval()
    found = read(run)
    current = digest(run)
    return found.retrieval if found is not None and found.sha256 == current else Retrieval(file=current)


def differences(runs: Sequence[Path]) -> list[str]:
    """What keeps these runs from being compared as rerankings of the same candidates, a line each.

    Nothing is said of runs of none of which anything is recorded.

    Raises:
        InputError: A record does not read as such.
    """
    records = {run: read(run) for run in runs}
    if not any(records.values()):
        return []
    changed = [run for run, record in records.items() if record is not None and record.sha256 != digest(run)]
    lines = [f"{run} was changed after {sidecar(run).name} was written" for run in changed]
    first, *others = [(run, _facts(retrieval_of(run))) for run in runs]
    for run, facts in others:
        apart = [key for key in dict.fromkeys([*first[1], *facts]) if facts.get(key) != first[1].get(key)]
        unknown = [str(one) for one, known in (first, (run, facts)) if not known.keys() - {"file"}]
        if unknown and (apart or not facts):
            lines.append(f"{first[0]} and {run}: the first stage of {' and of '.join(unknown)} is not recorded")
        elif apart:
            said = "; ".join(f"{key} {first[1].get(key, 'none')} against {facts.get(key, 'none')}" for key in apart)
            lines.append(f"{first[0]} and {run} have different first stages: {said}")
    return lines


def _facts(retrieval: Retrieval) -> dict[str, Any]:
    """What is known, flat: `file` alone for a run known only by its content, nothing for one from a pipe."""
    known = asdict(retrieval)
    parameters = known.pop("parameters")
    return {key: value for key, value in {**known, **parameters}.items() if value is not None}
