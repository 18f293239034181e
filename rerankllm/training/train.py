"""Teacher to student, from a configuration to a folder with a model, its data and the proof."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from rerankllm.errors import InputError
from rerankllm.files import alone, as_json, replace_text
from rerankllm.notes import tell
from rerankllm.runs.source import Source
from rerankllm.training import lists, record
from rerankllm.training.card import card, paid, tables
from rerankllm.training.config import Config
from rerankllm.training.fit import fit
from rerankllm.training.losses import SOFT, Objective
from rerankllm.training.measured import MEASURED, Measured
from rerankllm.training.proof import Proof, System, pays_back, prove
from rerankllm.training.student import Student
from rerankllm.training.teacher import Cost, Teacher, teach

HOUR = 3600
Timed: TypeAlias = tuple[Mapping[str, Sequence[str]], float]
"""Orders by query id, and the seconds per query that they took."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training.

    Attributes:
        model: The student's name as a model, such as `embed:OUTPUT/model`.
        folder: What was written: `model`, `data`, `measured`, `checkpoints`, `training.json`, `proof.md`.
        proofs: First stage, base, student and teacher on the held-out queries; then each of `measure_on`.
        validation: nDCG@10 on the validation queries: the base's, then after each epoch.
        teacher_cost: What the teacher's judgements cost.
        seconds: Of training, before a kill too.
        pays_back: After how many queries the student has saved what it cost; None where money is unknown.
    """

    model: str
    folder: Path
    proofs: tuple[Proof, ...]
    validation: tuple[float, ...]
    teacher_cost: Cost
    seconds: float
    pays_back: int | None

    def markdown(self) -> str:
        """The figures, and after how many queries the student has paid for itself."""
        return f"{tables(self.proofs)}\n{paid(self.pays_back)}\n"


def train(config: str | PathLike[str] | Mapping[str, Any], output: str | PathLike[str] | None = None) -> Trained:
    """Trains a student on a teacher's judgements, and measures it on queries that it never saw.

    Run again after a kill, it goes on from the last epoch that was done, and comes to the same weights.

    Args:
        config: A YAML file, or the same keys as a mapping; docs/training.md explains each.
        output: The folder to write; the configuration's `output` when None.

    Raises:
        InputError: The configuration or a file cannot be read, a query that is held out is in the training data, or the
            folder holds another training.
        MissingExtra: A package is not installed.

    Example:
        >>> done = train("student.yaml")
        >>> Reranker("embed", done.model)
    """
    read = Config.read(config if isinstance(config, Mapping) else Path(config))
    folder = Path(output) if output is not None else read.output
    if folder is None:
        raise InputError("no folder to write: give `output` in the configuration, or --output")
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / "training", f"{folder} is in use: another training writes it"):
        return _train(read, folder)


def _train(config: Config, folder: Path) -> Trained:
    source = config.data.read()
    more = {name: data.read() for name, data in config.measure_on.items()}
    texts = {name: {query.text for query, _ in own.queries} for name, own in more.items()}
    if config.teacher.asks:  # before anything is paid
        _refuse_leaks(source, config, texts)
    teacher = teach(config.teacher, source, folder, record.begun_with(folder))
    parts = lists.part(teacher.lists, config.split)
    seen = [each.query for each in (*parts.train, *parts.validation)]
    lists.refuse_leaks(seen, config.held_out, texts)
    judged = source.judgements()
    validation = Measured.of_lists("Validation queries", parts.validation, judged)
    sets = [Measured.of_lists("Held-out queries", parts.test, judged)]
    sets += [Measured.of_source(name, own) for name, own in more.items()]

    known = record.begin(folder, record.record_of(config, teacher, parts))
    teacher = replace(teacher, cost=Cost(**known["teacher"]["cost"]))  # of when it was asked, not of when it was read
    lists.write(parts, folder / "data")
    student = _student(config)
    student.check(_objective(config, student), config.lists.size)
    places = [folder / MEASURED / str(place) for place in range(len(sets))]
    base = [one.kept_orders_of(student, place / "base.json") for one, place in zip(sets, places, strict=True)]
    if "validation" not in known:
        examples = lists.draw(parts.train, config.lists, config.training.seed)
        known = {**known, **_fitted(config, examples, student, validation, folder)}
        student.save(folder / "model")
        replace_text(folder / record.NAME, as_json(known, indent=2) + "\n")
    else:
        tell(f"{folder} holds the trained student already: it is only measured")
        student = _student(config, folder / "model")
    hourly = config.training.usd_per_hour / HOUR
    after = [one.kept_orders_of(student, place / "student.json") for one, place in zip(sets, places, strict=True)]
    systems = _systems(sets, base, after, teacher, hourly)
    for one, own, place in zip(sets, systems, places, strict=True):
        one.write(place, own)
    proofs = tuple(prove(one.name, own, one.qrels) for one, own in zip(sets, systems, strict=True))
    per_query = None if teacher.cost.usd is None else teacher.cost.usd / len(teacher.lists)
    spent = None if teacher.cost.usd is None else teacher.cost.usd + known["seconds"] * hourly
    cheap = next(row.usd for row in proofs[0].rows if row.name == "student") or 0.0
    done = Trained(
        f"{config.student[0]}:{folder / 'model'}", folder, proofs, tuple(known["validation"]), teacher.cost,
        known["seconds"], pays_back(per_query, cheap, spent),
    )  # fmt: skip
    _write(done, known)
    return done


def _refuse_leaks(source: Source, config: Config, texts: Mapping[str, set[str]]) -> None:
    """Refuses queries that would be trained on if the teacher ranked all."""
    by_text = {lists.folded(query.text): query for query, _ in source.queries}
    train, validation, _ = lists.parted(by_text, config.split)
    lists.refuse_leaks([by_text[text] for text in (*train, *validation)], config.held_out, texts)


def _student(config: Config, folder: Path | None = None) -> Student:
    kind, name = config.student
    how = config.training
    if folder is not None:
        return Student.load(kind, str(folder), max_length=how.max_length, device=how.device, threads=how.threads)
    return Student.load(
        kind, name, strategy=config.strategy, max_length=how.max_length, device=how.device, threads=how.threads,
        seed=how.seed, lora=config.lora,
    )  # fmt: skip


def _objective(config: Config, student: Student) -> Objective:
    return Objective(config.loss or student.usual, config.smoothing)


def _fitted(
    config: Config, examples: Sequence[lists.Example], student: Student, validation: Measured, folder: Path
) -> dict[str, Any]:
    """Trains the student; how good it was before and after each epoch, and how long that took."""
    objective = _objective(config, student)
    if SOFT in objective.weights and not any(each.chances for each in examples):
        raise InputError(f"loss: {SOFT} needs a teacher that compared documents in pairs, as prp does: try ranknet")
    if "bce" in objective.weights and any(not 0 <= label <= 1 for each in examples for label in each.labels):
        raise InputError("loss: bce needs labels from 0 to 1, and the teacher's scores are others: try ranknet")
    before = validation.quality(student)
    after, seconds = fit(
        student, examples, lambda: validation.quality(student), objective=objective, settings=config.training,
        folder=folder / "checkpoints",
    )  # fmt: skip
    if max(after) <= before:
        tell(f"no epoch is better than the base on the validation queries: {max(after):.4f}, and {before:.4f} before")
    return {"validation": [before, *after], "seconds": seconds, "loss": objective.weights}


def _systems(
    sets: Sequence[Measured],
    base: Sequence[Timed],
    student: Sequence[Timed],
    teacher: Teacher,
    hourly: float,
) -> "list[list[System]]":
    """The rankers on each set of queries."""
    found = []
    for one, (before, base_seconds), (after, seconds) in zip(sets, base, student, strict=True):
        systems = [
            System("first stage", one.first_stage),
            System("base", before, base_seconds, base_seconds * hourly),
            System("student", after, seconds, seconds * hourly),
        ]
        if one.teacher:
            usd = None if teacher.cost.usd is None else teacher.cost.usd / len(teacher.lists)
            took = None if teacher.cost.seconds is None else teacher.cost.seconds / len(teacher.lists)
            systems.append(System("teacher", one.teacher, took, usd))
        found.append(systems)
    return found


def _write(done: Trained, known: Mapping[str, Any]) -> None:
    """Writes the card, the figures, and the record with all of it."""
    whole = {**known, "pays_back": done.pays_back, "proofs": done.proofs}
    replace_text(done.folder / "model" / "README.md", card(whole, done.proofs))
    replace_text(done.folder / "proof.md", done.markdown())
    replace_text(done.folder / record.NAME, as_json(whole, indent=2) + "\n")
