"""What a report is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from rerankllm.data import Document
from rerankllm.evaluation.comparison import Comparison, Estimate
from rerankllm.evaluation.systems import Orders

Calls: TypeAlias = Literal["all", "failed", "none"]
Key: TypeAlias = tuple[str, str]
"""Collection and query id."""
SIZE = 15_000_000
"""Bytes of a page that opens at once and can still be sent."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a system.

    Attributes:
        name: What tells it from the system's others, such as `seed 2`.
        orders: Its rankings.
        journals: Its journals with the stage that made the run, where that is recorded, by collection; None is any.
    """

    name: str
    orders: Orders
    journals: tuple[tuple[str | None, Path, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Entrant:
    """A system of the comparison, with its rankings.

    Attributes:
        name: As in the comparison.
        runs: One, or one a seed.
    """

    name: str
    runs: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class OrderPair:
    """How far one system's rankings from two orders of the candidates agree: Kendall's τ, and the top 10 shared."""

    first: str
    second: str
    tau: float
    overlap: float


@dataclass(frozen=True, slots=True)
class Robust:
    """One system under several orders of its candidates.

    Attributes:
        system: Its name.
        measure: What quality is in.
        quality: By the order's name.
        pairs: Every two orders.
        spread: The mean over queries of the largest value less the smallest.
    """

    system: str
    measure: str
    quality: Mapping[str, Estimate]
    pairs: tuple[OrderPair, ...]
    spread: float


@dataclass(frozen=True, slots=True)
class Subject:
    """One comparison, and what can be looked up in it.

    Attributes:
        name: What tells it from the others of a report.
        comparison: What was found.
        axis: The cost that quality is shown against at first, as in `rerankllm.evaluation.cost`.
        entrants: The systems whose rankings are there, in the comparison's order.
        before: The one whose rankings the others are shown against at first.
        queries: Texts; one that is not there is shown by its id.
        documents: Texts by collection and document; one that is not there cannot be read.
        robust: Systems under several orders; none means that there is no such section.
        notes: What else the reader should know, such as cells that did not run.
        first_stage: The name that the first stage has in an experiment.
        so_far: What is said first where runs are still being written.
    """

    name: str
    comparison: Comparison
    axis: str
    entrants: tuple[Entrant, ...]
    before: str
    queries: Mapping[Key, str]
    documents: Mapping[str, Mapping[str, Document]]
    robust: tuple[Robust, ...] = ()
    notes: tuple[str, ...] = ()
    first_stage: str | None = None
    so_far: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of the runs is put into the page.

    Attributes:
        calls: Which calls: all, those whose answers had to be repaired or could not be used, or none.
        queries: How many queries can be browsed, those on which systems differ most; None for all that there is room
            for.
        size: The most bytes of the page.
    """

    calls: Calls = "all"
    queries: int | None = None
    size: int = SIZE


def by_difference(subject: Subject) -> Sequence[int]:
    """Indices of the queries, those on which systems differ most first."""
    comparison = subject.comparison
    measure, names = comparison.pool.names[0], {entrant.name for entrant in subject.entrants}
    values = [system.by_query(measure) for system in comparison.systems if system.name in names]
    count = len(comparison.pool.keys)
    spread = [max(v[i] for v in values) - min(v[i] for v in values) for i in range(count)]
    return sorted(range(count), key=lambda i: (-spread[i], i))
