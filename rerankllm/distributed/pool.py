"""The command's end of a run on many workers: it starts them, sends queries, collects outcomes and merges journals."""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.calibration.relevance import Calibration
from rerankllm.distributed.cluster import connected, said_plainly
from rerankllm.distributed.coordinator import Coordinator
from rerankllm.distributed.journals import gather
from rerankllm.distributed.shards import Content, End, FlowError, Head, RankedShard, Read, Spool, rows, source
from rerankllm.distributed.worker import Facts, Orders, Worker
from rerankllm.drivers.budget import Budget, Limits
from rerankllm.drivers.events import QueryOutcome
from rerankllm.drivers.ranker import StreamRanker
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import BackendError
from rerankllm.journal.store import Journal
from rerankllm.spec.stage import Stage
from rerankllm.version import __version__

if TYPE_CHECKING:
    from ray.data import Dataset

SHARDS = 16
"""Shards that a worker has under way: enough to fill an API's slots while shards are of one query each."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many workers, where, and with what.

    Attributes:
        workers: Processes with an engine each.
        gpus: GPUs of each.
        address: The cluster; None for `$RAY_ADDRESS`, else one on this machine.
    """

    workers: int = 1
    gpus: float = 0
    address: str | None = None


class Crew:
    """Several rerankers in processes of their own. A context manager.

    Args:
        recipe: What each is made from.
        make: Makes one of them from that, in a worker; it is pickled.
        size: How many there are.
        read: Reads the queries, in a process beside this one.
        journal: The journal that all calls are merged into; None for none.
        journals: The folder for the workers' own journals until then, on their nodes.
        top_k: How many first places matter.
        texts: Whether documents' texts are sent back.

    Attributes:
        said: What `read` returned before the queries.

    Raises:
        RerankError: The queries cannot be read, or no worker can start.
    """

    def __init__(
        self,
        recipe: Recipe,
        make: Callable[[Budget], StreamRanker],
        size: Size,
        read: Callable[[], Read],
        *,
        journal: Journal | None = None,
        journals: str | None = None,
        top_k: int | None = None,
        texts: bool = False,
    ) -> None:
        self._recipe, self._make, self._size, self._read = recipe.read(), make, size, read
        self._journal, self._journals, self._top_k, self._texts = journal, journals, top_k, texts
        self._facts: Facts | None = None
        self.said: Any = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.enter_context(connected(self._size.address, self._size.workers, self._size.gpus))
            self._merge()  # the journals of a run that was killed
            opened.callback(self._merge)
            self._coordinator = coordinator(self._recipe.limits, self._journal)
            opened.callback(self._dismiss)
            orders = Orders(
                self._make,
                self._recipe.limits,
                self._size.workers,
                self._coordinator,
                __version__,
                str(Path.cwd()),
                self._journals,
                self._journal is not None and self._journal.spent()[0] > 0,
                self._top_k,
                self._texts,
            )
            self._spool = opened.enter_context(Spool())
            self._contents = self._run(orders)
            opened.callback(self._contents.close)
            self.said = self._next_of(Head).said
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def outcomes(self) -> Iterator[tuple[QueryOutcome, Sequence[str]]]:
        """The outcome of each query, in input order, with its documents' ids in the order they came in.

        Raises:
            RerankError: The input is no good from here on, the model cannot be used at all, or Ray lost queries.
        """
        for content in self._contents:
            if isinstance(content, FlowError):
                raise content.error()
            if isinstance(content, End):
                return
            assert isinstance(content, RankedShard)  # noqa: S101
            self._facts = content.facts
            yield from content.outcomes
        raise BackendError(f"Ray lost queries: {self._spool.waiting} shards wait for one that never came; run it again")

    @property
    def stage(self) -> Stage:
        """The strategy, complete."""
        return Stage.parse(self._known.strategy)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that judge."""
        return self._known.models

    @property
    def default_of(self) -> str | None:
        """The model whose default strategy it is; None if a strategy was named."""
        return self._known.default_of

    @property
    def calibration(self) -> Calibration | None:
        """Says how likely results are relevant."""
        return self._recipe.finish.calibration

    @property
    def cutoff(self) -> Cutoff | None:
        """Where rankings stop."""
        return self._recipe.finish.cutoff

    @property
    def profile(self) -> JudgeProfile | None:
        """How the judge errs."""
        return self._recipe.judge_profile

    @property
    def deaths(self) -> int:
        """How often a worker's process died; its queries went on in another."""
        import ray  # noqa: PLC0415

        died: int = ray.get(self._coordinator.deaths.remote())
        return died

    def stop(self, reason: str) -> None:
        """Sends nothing more: calls under way come back and are kept, queries that need more fail with `reason`."""
        self._coordinator.stop.remote(reason)

    @property
    def _known(self) -> Facts:
        assert self._facts is not None, "nothing is known of the workers before the first outcome"  # noqa: S101
        return self._facts

    def _run(self, orders: Orders) -> Generator[Content, None, None]:
        """The contents of all shards, in the order they were read."""
        import ray.data  # noqa: PLC0415

        _prepare()
        shards = source(self._read, self._size.workers, orders.cwd)
        dataset = ray.data.read_datasource(shards, override_num_blocks=1, num_cpus=0)
        ranked = on_workers(dataset, Worker, orders, self._size)
        batches = iter(ranked.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1))
        while True:
            with said_plainly():
                batch = next(batches, None)
            if batch is None:
                return
            for number, content in rows(batch):
                if isinstance(content, FlowError):
                    yield content  # at once, before earlier shards
                    return
                yield from self._spool.put(number, content)

    def _next_of(self, kind: type[Head]) -> Head:
        content = next(self._contents)
        if isinstance(content, FlowError):
            raise content.error()
        assert isinstance(content, kind)  # noqa: S101
        return content

    def _dismiss(self) -> None:
        import ray  # noqa: PLC0415

        with suppress(ray.exceptions.RayError):
            ray.get(self._coordinator.close.remote())

    def _merge(self) -> None:
        if self._journal is not None and self._journals is not None:
            gather(self._journal, self._journals)


def coordinator(limits: Limits, journal: Journal | None) -> Any:
    """Starts the coordinator that all workers share, on this node."""
    import ray  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Coordinator).options(num_cpus=0, scheduling_strategy=here)
    return actor.remote(limits, None if journal is None else journal.path.absolute())


def on_workers(
    dataset: "Dataset", worker: type, orders: Orders, size: Size, *, together: int | None = None
) -> "Dataset":
    """Maps the dataset over workers, `together` rows at a time; None for its blocks as they are."""
    from ray.data import ActorPoolStrategy  # noqa: PLC0415

    pool = ActorPoolStrategy(
        size=size.workers,
        max_tasks_in_flight_per_actor=SHARDS,
        max_concurrent_calls_per_actor=SHARDS,
        enable_true_multi_threading=True,
    )
    return dataset.map_batches(
        worker,
        fn_constructor_args=(orders,),
        batch_size=together,
        batch_format="pyarrow",
        compute=pool,
        num_cpus=1,
        num_gpus=size.gpus or None,
    )


def _prepare() -> None:
    """Makes Ray Data keep shards as they are cut, and write its progress to its log files only."""
    from ray.data import DataContext  # noqa: PLC0415

    context = DataContext.get_current()
    context.target_max_block_size = 1
    context.enable_progress_bars = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)
