"""The configuration of a training. Every key is explained in docs/training.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, get_args

from rerankllm.errors import InputError
from rerankllm.experiments.yaml_section import Section
from rerankllm.registry import instead
from rerankllm.runs.source import Source, read_source
from rerankllm.training.losses import LOSSES

TeacherKind: TypeAlias = Literal["recording", "journal", "results", "run", "qrels"]
Kind: TypeAlias = Literal["embed", "cross-encoder"]


@dataclass(frozen=True, slots=True)
class Data:
    """Queries with their candidates, as `rerank` has them: the options of the same names."""

    sample: bool = False
    dataset: str | None = None
    run: Path | None = None
    queries: Path | None = None
    corpus: Path | None = None
    requests: Path | None = None
    qrels: Path | None = None
    depth: int = 100

    @classmethod
    def of(cls, part: Section) -> Self:
        """Reads a section."""
        paths = ("run", "queries", "corpus", "requests", "qrels")
        part.known("sample", "dataset", *paths, "depth")
        return cls(
            sample=part.get("sample", bool, default=False),
            dataset=part.maybe("dataset", str),
            depth=_at_least(part, "depth", 100, 2),
            **{name: part.path(name) for name in paths},
        )

    def read(self) -> Source:
        """The queries with their candidates."""
        source = read_source(
            sample=self.sample, dataset=self.dataset, run=self.run, queries=self.queries, corpus=self.corpus,
            requests=self.requests, qrels=self.qrels, depth=self.depth, skip_missing=False,
        )  # fmt: skip
        source.tell_skipped()
        return source


@dataclass(frozen=True, slots=True)
class TeacherSpec:
    """Where the teacher's judgements are.

    Attributes:
        kind: What kind of file it is; `qrels` are those of the data.
        path: The file; None for `qrels`.
        strategy: What asked for the judgements of a recording or a journal, where the file does not say.
        cost_usd: What all of it cost, where the file does not say.
    """

    kind: TeacherKind
    path: Path | None
    strategy: str | None
    cost_usd: float | None

    @classmethod
    def of(cls, part: Section) -> Self:
        """Reads a section."""
        part.known(*get_args(TeacherKind), "strategy", "cost_usd")
        given: list[TeacherKind] = [kind for kind in get_args(TeacherKind) if kind in part]
        if len(given) != 1 or (given == ["qrels"] and not part.get("qrels", bool, default=False)):
            raise InputError(f"{part.file}: teacher: give one of recording, journal, results and run with a file, or "
                             "`qrels: true`")  # fmt: skip
        (kind,) = given
        path = None if kind == "qrels" else part.path(kind)
        strategy = part.maybe("strategy", str)
        if strategy is not None and kind not in {"recording", "journal"}:
            raise part.error("strategy", f"is for a recording or a journal, not for {kind}")
        return cls(kind, path, strategy, part.maybe("cost_usd", float))


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Queries that must not be trained on: those of a collection, of a file of queries, or of qrels."""

    kind: Literal["dataset", "queries", "qrels"]
    name: str

    @classmethod
    def of(cls, part: Section) -> Self:
        """Reads a section."""
        part.known("dataset", "queries", "qrels")
        if len(list(part)) != 1:
            raise InputError(f"{part.file}: {part.trail[-1]}: give one of dataset, queries and qrels")
        if "dataset" in part:
            return cls("dataset", part.get("dataset", str, ""))
        kind: Literal["queries", "qrels"] = "queries" if "queries" in part else "qrels"
        return cls(kind, str(part.path(kind)))


@dataclass(frozen=True, slots=True)
class Split:
    """How queries are parted: the shares held out for early stopping and for the table, and the seed."""

    validation: float = 0.15
    test: float = 0.3
    seed: int = 0

    @classmethod
    def of(cls, part: Section) -> Self:
        """Reads a section."""
        part.known("validation", "test", "seed")
        usual = cls()
        split = cls(
            part.get("validation", float, usual.validation), part.get("test", float, usual.test),
            part.get("seed", int, usual.seed),
        )  # fmt: skip
        if min(split.validation, split.test) <= 0 or split.validation + split.test >= 1:
            raise InputError(f"{part.file}: split: validation and test should be above 0, and together below 1")
        return split


@dataclass(frozen=True, slots=True)
class Lists:
    """What is shown at a time: `per_query` lists of `size` documents, drawn from the teacher's first `depth`."""

    size: int = 16
    per_query: int = 8
    depth: int = 100

    @classmethod
    def of(cls, part: Section) -> Self:
        """Reads a section."""
        part.known("size", "per_query", "depth")
        least = {"size": 2, "per_query": 1, "depth": 2}
        return cls(**{key: _at_least(part, key, getattr(cls(), key), low) for key, low in least.items()})


@dataclass(frozen=True, slots=True)
class Settings:
    """How weights are found.

    Attributes:
        epochs: Passes over the lists, at most.
        batch: Lists a step.
        learning_rate: The highest; it rises over the first `warmup` of the steps, then falls to 0.
        warmup: Share of the steps.
        weight_decay: AdamW's.
        patience: Epochs without a better nDCG@10 on the validation queries after which it ends.
        max_length: Tokens of a text, or of a pair, that are read; None for as many as the model takes.
        seed: Of new weights, of what is drawn, and of the order.
        device: As torch names it; None is the GPU if there is one.
        threads: Threads that torch computes with; None leaves that to torch.
        usd_per_hour: What this machine costs.
    """

    epochs: int = 3
    batch: int = 4
    learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    patience: int = 2
    max_length: int | None = None
    seed: int = 0
    device: str | None = None
    threads: int | None = None
    usd_per_hour: float = 0.0

    @classmethod
    def of(cls, part: Section) -> Self:
        """Reads a section."""
        part.known(*cls.__slots__)
        usual = cls()
        whole = {key: _at_least(part, key, getattr(usual, key), 1) for key in ("epochs", "batch", "patience")}
        return cls(
            **whole,
            learning_rate=_share(part, "learning_rate", usual.learning_rate),
            warmup=_share(part, "warmup", usual.warmup),
            weight_decay=_share(part, "weight_decay", usual.weight_decay),
            max_length=_at_least(part, "max_length", 0, 8) if "max_length" in part else None,
            seed=_at_least(part, "seed", 0, 0),
            device=part.maybe("device", str),
            threads=_at_least(part, "threads", 0, 1) if "threads" in part else None,
            usd_per_hour=part.get("usd_per_hour", float, 0.0),
        )


@dataclass(frozen=True, slots=True)
class Config:
    """A training.

    Attributes:
        data: Queries with their candidates.
        teacher: Who judged them.
        student: The model to start from, `embed:NAME` or `cross-encoder:NAME`.
        output: The folder to write; None where the caller says.
        loss: Name of the loss.
        held_out: Queries that must not be trained on.
        split: How queries are parted.
        lists: What is shown at a time.
        training: How weights are found.
        measure_on: More data that the student is measured on at the end, by name; its queries are held out too.
    """

    data: Data
    teacher: TeacherSpec
    student: tuple[Kind, str]
    output: Path | None = None
    loss: str = "ranknet"
    held_out: tuple[HeldOut, ...] = ()
    split: Split = field(default_factory=Split)
    lists: Lists = field(default_factory=Lists)
    training: Settings = field(default_factory=Settings)
    measure_on: Mapping[str, Data] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Path | Mapping[str, Any]) -> Self:
        """Reads a YAML file, or the same keys as a mapping; paths are relative to the file's folder.

        Raises:
            InputError: It cannot be read, or something in it cannot be meant; the line names the key.
        """
        if isinstance(given, Mapping):
            whole = Section(Path("the configuration"), (), given)
        else:
            try:
                whole = Section.read(given, given.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{given} cannot be read ({getattr(error, 'strerror', None) or error})") from None
        whole.known(*cls.__slots__)
        loss = whole.get("loss", str, "ranknet")
        if loss not in LOSSES:
            raise whole.error("loss", f"'{loss}' is none of {', '.join(LOSSES)}{instead(loss, LOSSES)}")
        more = whole.section("measure_on")
        return cls(
            data=Data.of(whole.section("data")),
            teacher=TeacherSpec.of(whole.section("teacher")),
            student=_student(whole),
            output=whole.path("output"),
            loss=loss,
            held_out=tuple(HeldOut.of(part) for part in whole.sections("held_out")),
            split=Split.of(whole.section("split")),
            lists=Lists.of(whole.section("lists")),
            training=Settings.of(whole.section("training")),
            measure_on={name: Data.of(more.section(name)) for name in more},
        )


def _student(whole: Section) -> tuple[Kind, str]:
    kind, _, name = whole.get("student", str, "").partition(":")
    if kind not in get_args(Kind) or not name:
        raise whole.error("student", "should be embed:NAME or cross-encoder:NAME, such as embed:minilm")
    folder = whole.file.parent / name
    found: Kind = "embed" if kind == "embed" else "cross-encoder"
    return found, str(folder) if folder.is_dir() else name


def _at_least(part: Section, key: str, usual: int, least: int) -> int:
    value = part.get(key, int, usual)
    if value < least:
        raise part.error(key, f"should be at least {least}, found {value}")
    return value


def _share(part: Section, key: str, usual: float) -> float:
    value = part.get(key, float, usual)
    if not 0 <= value < 1:
        raise part.error(key, f"should be from 0 to below 1, found {value}")
    return value
