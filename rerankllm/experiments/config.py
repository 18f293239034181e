"""The configuration of an experiment. Every key is explained in docs/experiments.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rerankllm.drivers.budget import Limits
from rerankllm.drivers.unusable import Unusable
from rerankllm.experiments.folder import DEPTH, Reordered
from rerankllm.experiments.rules import Rule
from rerankllm.spec.stage import Stage

OWN: Literal["own"] = "own"
"""The candidates that a dataset comes with."""
Reference: TypeAlias = Literal["minilm", "oracle"]
PLACEHOLDERS = ("dataset", "first_stage", "strategy", "seed", "qrels")
"""What a model's spec may leave to the cell, in braces."""


@dataclass(frozen=True, slots=True)
class Data:
    """A dataset: a collection by name, or files.

    Attributes:
        dataset: Name of a collection.
        run: A run with the candidates of queries and corpus.
        queries: Query texts.
        corpus: Document texts.
        requests: Castorini's requests, instead of run, queries and corpus.
        qrels: Judgements.
        first_stages: By name: the dataset's own candidates, a run, or another one's in another order.
        candidates: How many candidates a query are kept of each; None for all, and 100 of BM25's.
        skip_missing: Leave out queries and documents without a text.
        relevant_from: The lowest grade that binary measures count.
    """

    dataset: str | None
    run: Path | None
    queries: Path | None
    corpus: Path | None
    requests: Path | None
    qrels: Path | None
    first_stages: Mapping[str, "Literal['own'] | Path | Reordered"]
    candidates: int | None = None
    skip_missing: bool = False
    relevant_from: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a strategy is asked: options of `rerank`, under the same names."""

    top_k: int | None = None
    depth: int = DEPTH
    truncate: int | None = None
    instruction: str | None = None
    max_passage_tokens: int | None = None
    demonstrations: Path | None = None
    profile: Path | None = None
    calibration: Path | None = None
    cutoff: str | None = None
    unusable: Unusable = "keep"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy: its stage, and the settings that it says itself."""

    stage: Stage
    spec: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """A model.

    Attributes:
        spec: Its spec; what the cell fills in stands in braces.
        where: Specs for some of the combinations, the first rule that fits deciding.
        elicitation: How it is asked where a strategy does not say.
        options: Options of the model.
        settings: The settings that it says itself.
    """

    spec: str
    where: tuple[tuple[Rule, str], ...] = ()
    elicitation: Any = None
    options: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that was published, which the experiment should come to again.

    Attributes:
        figure: The mean, between 0 and 1.
        tolerance: How far from it a mean may be that counts as the same.
        source: Where it was published.
        measure: Of what; one of the experiment's measures.
        system: Whose row of the table: `STRATEGY@MODEL`, or `first stage`.
    """

    figure: float
    tolerance: float
    source: str
    measure: str
    system: str


@dataclass(frozen=True, slots=True)
class Config:
    """An experiment.

    Attributes:
        file: Where it was read.
        text: As it was written.
        output: The folder to write; None for one beside the file.
        datasets: By name.
        strategies: By name.
        models: By name.
        seeds: Given to all that draws; None where everything keeps its own.
        settings: Of all strategies.
        only: Combinations to run; none for all.
        exclude: Combinations not to run.
        measures: The main one first.
        references: Rows beside the systems and the first stage.
        limits: Of the whole experiment.
        per_query: Of each query.
        resamples: Of intervals and tests.
        draws: Seed of intervals and tests.
        published: The figure that it should come to.
    """

    file: Path
    text: str
    output: Path | None
    datasets: Mapping[str, Data]
    strategies: Mapping[str, Strategy]
    models: Mapping[str, Model]
    seeds: tuple[int, ...] | None
    settings: Mapping[str, Any]
    only: tuple[Rule, ...]
    exclude: tuple[Rule, ...]
    measures: tuple[str, ...]
    references: tuple[Reference, ...]
    limits: Limits
    per_query: Limits
    resamples: int
    draws: int
    published: Published | None = None

    @property
    def axes(self) -> dict[str, list[str]]:
        """The names along each axis of the matrix, for rules."""
        return {
            "dataset": list(self.datasets),
            "first_stage": list(dict.fromkeys(name for data in self.datasets.values() for name in data.first_stages)),
            "strategy": list(self.strategies),
            "model": list(self.models),
            "seed": [str(seed) for seed in self.seeds or (0,)],
        }
