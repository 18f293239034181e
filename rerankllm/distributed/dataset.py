"""A Reranker over a Ray Dataset that is somebody's own."""

from pathlib import Path
from typing import TYPE_CHECKING

from rerankllm.data import Ranking
from rerankllm.distributed.cluster import check_installed
from rerankllm.distributed.journals import gather
from rerankllm.distributed.pool import Size, coordinator, on_workers
from rerankllm.distributed.shards import LARGEST
from rerankllm.distributed.worker import Orders, Worker
from rerankllm.errors import InputError
from rerankllm.formats.parquet import request_of
from rerankllm.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Dataset

    from rerankllm.reranker import Reranker


class RowWorker(Worker):
    """Ranks rows of a table; what concerns more than one query is raised, so that Ray Data stops."""

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


def map_dataset(reranker: "Reranker", dataset: "Dataset", *, workers: int, gpus_per_worker: float) -> "Dataset":
    """See `Reranker.map_dataset`."""
    check_installed()
    if workers < 1 or gpus_per_worker < 0:
        raise InputError(f"there should be 1 worker or more, of 0 GPUs or more, not {workers} of {gpus_per_worker}")
    import ray  # noqa: PLC0415

    if not ray.is_initialized():
        ray.init()
    recipe, journal = reranker.recipe, reranker.journal
    folder = None if journal is None else f"{journal.path.absolute()}.parts"
    if journal is not None and folder is not None:
        gather(journal, folder)
    orders = Orders(
        recipe,
        workers,
        coordinator(recipe, journal),
        __version__,
        str(Path.cwd()),
        folder,
        journal is not None and journal.spent()[0] > 0,
    )
    return on_workers(dataset, RowWorker, orders, Size(workers, gpus_per_worker), together=LARGEST)
