"""The subjects of a report from a folder that `rerankllm train` wrote."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rerankllm.errors import InputError
from rerankllm.evaluation.cost import Cost
from rerankllm.reports.from_runs import ComparisonOptions, Inputs, from_runs
from rerankllm.reports.subject import Subject
from rerankllm.runs.source import read_judgements
from rerankllm.runs.systems import FIRST, Given
from rerankllm.training import record
from rerankllm.training.card import cost, paid
from rerankllm.training.measured import MEASURED, run_name


def is_trained(folder: Path) -> bool:
    """Whether a folder holds a training."""
    return (folder / record.NAME).is_file()


def from_training(folder: Path, options: ComparisonOptions) -> list[Subject]:
    """A comparison of first stage, base, student and teacher for each set of queries that the student was measured on.

    Args:
        folder: What `rerankllm train` wrote.
        options: How to measure; the baseline is the student's base where none is named.

    Raises:
        InputError: The training is not done yet, or its record cannot be read.
    """
    path = folder / record.NAME
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error})") from None
    if "proofs" not in known:
        raise InputError(f"{folder} holds a training that is not done: `rerankllm train` goes on with it")
    options = replace(options, baseline=options.baseline or "base")
    try:
        return [_subject(folder / MEASURED / str(i), proof, known, options) for i, proof in enumerate(known["proofs"])]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is no record of a training ({error!r})") from None


def _subject(folder: Path, proof: Mapping[str, Any], known: Mapping[str, Any], options: ComparisonOptions) -> Subject:
    rows = {row["name"]: row for row in proof["rows"]}
    runs = {name: [Given(name, None, (folder / run_name(name),))] for name in rows if name != FIRST}
    inputs = Inputs(
        runs,
        [Given(FIRST, None, (folder / run_name(FIRST),))],
        queries=[Given("queries", None, (folder / "queries.jsonl",))],
        corpus=[Given("corpus", None, (folder / "corpus.jsonl",))],
        costs={name: Cost(seconds=row["seconds"], usd=row["usd"]) for name, row in rows.items()},
    )
    found = from_runs({proof["queries"]: read_judgements(folder / "qrels.txt")}, inputs, options)
    teacher = known["teacher"]
    learned = (
        f"{known['identity']['student']} learned from {teacher['name']}: {teacher['lists']} lists, which took "
        f"{cost(teacher['cost'])}. Training took {known['seconds']:.0f} seconds."
    )
    return replace(found, notes=(learned, paid(known["pays_back"]), *found.notes))
