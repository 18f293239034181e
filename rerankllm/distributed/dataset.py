"""A `Reranker` mapped over a Ray Dataset of the user's own."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rerankllm.data import Ranking
from rerankllm.distributed.cluster import check_installed
from rerankllm.distributed.journals import gather
from rerankllm.distributed.pool import Size, coordinator, on_workers
from rerankllm.distributed.shards import LARGEST
from rerankllm.distributed.worker import Orders, Worker
from rerankllm.drivers.budget import Budget, Limits
from rerankllm.drivers.ranker import StreamRanker
from rerankllm.errors import InputError
from rerankllm.formats.parquet import request_of
from rerankllm.journal.store import Journal
from rerankllm.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Dataset


class RowWorker(Worker):
    """Ranks rows of a table; raises what concerns more than one query, so that Ray Data stops."""

    def __call__(self, batch: "pa.Table") -> "pa.Table":
        """The rows with their results."""
        import pyarrow as pa  # noqa: PLC0415

        works = [request_of(row, "the dataset's batch", number) for number, row in enumerate(batch.to_pylist(), 1)]
        outcomes = self.rank(works)
        result = pa.struct(
            {"doc_id": pa.string(), "rank": pa.int64(), "score": pa.float64(), "provenance": pa.string()}
        )
        ranked = [_results(outcome) if isinstance(outcome, Ranking) else None for outcome in outcomes]
        failed = [None if isinstance(outcome, Ranking) else outcome.reason for outcome in outcomes]
        return batch.append_column("results", pa.array(ranked, pa.list_(result))).append_column(
            "failure", pa.array(failed, pa.string())
        )


def _results(ranking: Ranking) -> list[dict[str, str | int | float | None]]:
    return [
        {"doc_id": each.doc_id, "rank": each.rank, "score": each.score, "provenance": each.provenance.value}
        for each in ranking
    ]


def map_dataset(
    dataset: "Dataset", make: Callable[[Budget], StreamRanker], limits: Limits, journal: Journal | None, size: Size
) -> "Dataset":
    """Ranks every row of a dataset in workers.

    Args:
        dataset: The rows; see `Reranker.map_dataset`.
        make: Makes the `Reranker` of a worker; it is pickled.
        limits: What all workers together may spend.
        journal: Takes in what workers kept in an earlier call, and is where their journals lie beside; None for none.
        size: How many workers.

    Raises:
        InputError: The numbers are out of range, or the journal is being written to by another run.
        MissingExtra: Ray is not installed.
    """
    check_installed()
    if size.workers < 1 or size.gpus < 0:
        raise InputError(f"there should be 1 worker or more, of 0 GPUs or more, not {size.workers} of {size.gpus}")
    import ray  # noqa: PLC0415

    if not ray.is_initialized():
        ray.init()
    folder = None if journal is None else f"{journal.path.absolute()}.parts"
    if journal is not None and folder is not None:
        gather(journal, folder)
    orders = Orders(
        make,
        limits,
        size.workers,
        coordinator(limits, journal),
        __version__,
        str(Path.cwd()),
        folder,
        journal is not None and journal.spent()[0] > 0,
    )
    return on_workers(dataset, RowWorker, orders, size, together=LARGEST)
