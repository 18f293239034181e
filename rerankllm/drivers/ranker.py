"""What a `Reranker` looks like to code below it: to summaries, and to the workers of a cluster."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.calibration.relevance import Calibration
from rerankllm.data import Candidate, Query
from rerankllm.drivers.events import QueryOutcome
from rerankllm.journal.store import Journal
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage


class Ranker(Protocol):
    """A `Reranker`, or what stands for several of them in other processes."""

    @property
    def stage(self) -> Stage:
        """The strategy, complete."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """The models that judge."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """Says how likely results are relevant."""
        ...

    @property
    def cutoff(self) -> Cutoff | None:
        """Where rankings stop."""
        ...

    @property
    def profile(self) -> JudgeProfile | None:
        """How the judge errs."""
        ...

    def stop(self, reason: str) -> None:
        """Sends nothing more."""
        ...


class StreamRanker(Ranker, Protocol):
    """A `Reranker`, as far as a worker uses it."""

    @property
    def default_of(self) -> str | None:
        """The model whose default strategy it is; None if a strategy was named."""
        ...

    def plan(self, n: int, *, top_k: int | None = None) -> Plan:
        """What ranking `n` documents takes."""
        ...

    def stream(
        self, queries: Iterable[tuple[Query, Sequence[Candidate]]], *, top_k: int | None = None
    ) -> Iterator[QueryOutcome]:
        """Ranks queries as they come."""
        ...

    def keep(self, journal: Journal) -> Journal:
        """Keeps every completed call in a journal."""
        ...

    def key(self, query: Query, candidates: Sequence[Candidate], *, top_k: int | None = None) -> str:
        """The key by which the journal knows a query."""
        ...

    def share(self, part: int, parts: int) -> None:
        """Keeps to one part of the requests that hosts may be sent at a time."""
        ...
