"""The configuration of a training. Every key is explained in docs/training.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, get_args

from rerankllm.drivers.budget import Limits
from rerankllm.errors import InputError
from rerankllm.experiments.yaml_section import Section
from rerankllm.registry import instead
from rerankllm.runs.source import Source, read_source
from rerankllm.training.losses import LANGUAGE_MODEL, LOSSES

TeacherKind: TypeAlias = Literal["recording", "journal", "results", "run", "qrels", "model"]
Kind: TypeAlias = Literal["embed", "cross-encoder", "hf"]


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
    """Where the teacher's judgements are, or what is to judge.

    Attributes:
        kind: What kind of file it is; `qrels` are those of the data; `model` is asked.
        path: The file; None for `qrels` and `model`.
        model: What is asked, such as `openai:NAME`.
        strategy: What asks, or asked for the judgements of a recording or a journal, where the file does not say.
        cost_usd: What all of it cost, where the file does not say.
        limits: What a model that is asked may spend.
        negatives: For `qrels`: how many candidates without a grade count as irrelevant, for each query.
        filter: Another teacher, who says which of them are rather relevant; None takes them as they are.
    """

    kind: TeacherKind
    path: Path | None = None
    model: str | None = None
    strategy: str | None = None
    cost_usd: float | None = None
    limits: Limits = field(default_factory=Limits)
    negatives: int = 0
    filter: Self | None = None

    @classmethod
    def of(cls, part: Section) -> Self:
        """Reads a section."""
        limits = {"max_calls": int, "max_tokens": int, "max_cost": float, "max_seconds": float}
        part.known(*get_args(TeacherKind), "strategy", "cost_usd", "negatives", "filter", *limits)
        given: list[TeacherKind] = [kind for kind in get_args(TeacherKind) if kind in part]
        if len(given) != 1 or (given == ["qrels"] and not part.get("qrels", bool, default=False)):
            raise InputError(f"{part.file}: teacher: give one of recording, journal, results and run with a file, or "
                             "`qrels: true`, or a model to ask")  # fmt: skip
        (kind,) = given
        path = None if kind in {"qrels", "model"} else part.path(kind)
        if "strategy" in part and kind not in {"recording", "journal", "model"}:
            raise part.error("strategy", f"is for a recording, a journal or a model, not for {kind}")
        if kind != "qrels" and ("negatives" in part or "filter" in part):
            raise InputError(f"{part.file}: teacher: negatives and filter are for qrels, not for {kind}")
        if "filter" in part and "negatives" not in part:
            raise part.error("filter", "is of negatives: say how many, as in `negatives: 15`")
        spent = {name: part.maybe(name, number) for name, number in limits.items()}
        if kind != "model" and any(value is not None for value in spent.values()):
            raise InputError(f"{part.file}: teacher: {', '.join(limits)} are for a model to ask, not for {kind}")
        return cls(
            kind, path, part.maybe("model", str), part.maybe("strategy", str), part.maybe("cost_usd", float),
            Limits(**{name.removeprefix("max_"): value for name, value in spent.items()}),
            _at_least(part, "negatives", 0, 1) if "negatives" in part else 0,
            cls.of(part.section("filter")) if "filter" in part else None,
        )  # fmt: skip

    @property
    def asks(self) -> bool:
        """Whether a model is asked, and may be paid."""
        return self.model is not None or (self.filter is not None and self.filter.asks)


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
class Lora:
    """An adapter (Hu et al. 2021), which is trained while the model's own weights stay as they are.

    Attributes:
        rank: Of the product that is added to a matrix.
        alpha: The product is multiplied by alpha / rank.
        dropout: Share of its inputs that is dropped while it is trained.
        targets: Names of the modules that get one, with spaces between; `all-linear` is all but the head.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str = "all-linear"

    @classmethod
    def of(cls, part: Section) -> Self:
        """Reads a section."""
        part.known(*cls.__slots__)
        usual = cls()
        return cls(
            _at_least(part, "rank", usual.rank, 1), _at_least(part, "alpha", usual.alpha, 1),
            _share(part, "dropout", usual.dropout), part.get("targets", str, usual.targets),
        )  # fmt: skip


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
        max_length: Tokens that are read of a text (`embed`), a pair (`cross-encoder`) or a passage (`hf`); None for as
            many as the model takes, or its prompt shows.
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
        teacher: Who judged them, or is to judge them.
        student: The model to start from: `embed:NAME`, `cross-encoder:NAME` or `hf:NAME`.
        strategy: How a causal student is asked; None for its card, or `pointwise / labels`.
        output: The folder to write; None where the caller says.
        loss: Each loss's weight, by its name; None for what suits the student.
        smoothing: Label smoothing.
        lora: The adapter that is trained; None trains all weights.
        held_out: Queries that must not be trained on.
        split: How queries are parted.
        lists: What is shown at a time.
        training: How weights are found.
        measure_on: More data that the student is measured on at the end, by name; its queries are held out too.
    """

    data: Data
    teacher: TeacherSpec
    student: tuple[Kind, str]
    strategy: str | None = None
    output: Path | None = None
    loss: Mapping[str, float] | None = None
    smoothing: float = 0.0
    lora: Lora | None = None
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
        more = whole.section("measure_on")
        return cls(
            data=Data.of(whole.section("data")),
            teacher=TeacherSpec.of(whole.section("teacher")),
            student=_student(whole),
            strategy=whole.maybe("strategy", str),
            output=whole.path("output"),
            loss=_loss(whole),
            smoothing=_share(whole, "smoothing", 0.0),
            lora=Lora.of(whole.section("lora")) if "lora" in whole else None,
            held_out=tuple(HeldOut.of(part) for part in whole.sections("held_out")),
            split=Split.of(whole.section("split")),
            lists=Lists.of(whole.section("lists")),
            training=Settings.of(whole.section("training")),
            measure_on={name: Data.of(more.section(name)) for name in more},
        )


def _student(whole: Section) -> tuple[Kind, str]:
    kind, _, name = whole.get("student", str, "").partition(":")
    found: Kind | None = next((each for each in get_args(Kind) if each == kind), None)
    if found is None or not name:
        raise whole.error(
            "student", "should be embed:NAME, cross-encoder:NAME or hf:NAME, such as embed:minilm or hf:smollm2"
        )
    if "strategy" in whole and found != "hf":
        raise whole.error("strategy", f"is for students that are shown prompts (hf:NAME), not for {kind}:{name}")
    folder = whole.file.parent / name
    return found, str(folder) if folder.is_dir() else name


def _loss(whole: Section) -> Mapping[str, float] | None:
    """The losses with their weights: a name, or names with numbers."""
    if "loss" not in whole:
        return None
    given = whole.raw("loss")
    part = whole.section("loss") if isinstance(given, Mapping) else None
    names = [whole.get("loss", str, "")] if part is None else list(part)
    every = (*LOSSES, LANGUAGE_MODEL)
    for name in names:
        if name not in every:
            raise whole.error("loss", f"'{name}' is none of {', '.join(every)}{instead(name, every)}")
    weights = {name: 1.0 if part is None else part.get(name, float, 1.0) for name in names}
    if not weights or min(weights.values()) <= 0:
        raise whole.error("loss", "should be a name, or names with weights above 0")
    return weights


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
