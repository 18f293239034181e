"""Finds the systems of an experiment that ran on several orders of the same candidates."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rerankllm.analysis.robustness.results import OrderedRun, Rankings
from rerankllm.evaluation.measures import Qrels, trec_order
from rerankllm.experiments.folder import Cell, Dataset, Manifest
from rerankllm.formats import trec


@dataclass(frozen=True, slots=True)
class Reorderings:
    """The runs of one system on a first stage, on orders of it, and on other first stages.

    Attributes:
        dataset: Name of the dataset.
        first_stage: The first stage that orders are of; the first of `orders`.
        system: Name of the system.
        seed: The system's.
        orders: Those that have run, with what went in and came out.
        runs: The run file of each.
        seeds: Of those that are shuffles.
        qrels: The dataset's judgements.
        lacking: Why others have not run, by name.
        strategy: The stage spec that ran.
        model: The model spec that ran.
    """

    dataset: str
    first_stage: str
    system: str
    seed: int
    orders: tuple[OrderedRun, ...]
    runs: Mapping[str, Path]
    seeds: Mapping[str, int]
    qrels: Qrels
    lacking: Mapping[str, str]
    strategy: str
    model: str


def reorderings(folder: Path, manifest: Manifest) -> list[Reorderings]:
    """Every system and seed of an experiment with runs on two or more orders or first stages.

    Raises:
        InputError: A file cannot be read.
    """
    found: list[Reorderings] = []
    by_system: dict[tuple[str, str, int], dict[str, Cell]] = {}
    for cell in manifest.cells:
        by_system.setdefault((cell.dataset, cell.system, cell.seed), {})[cell.first_stage] = cell
    candidates: dict[str, Rankings] = {}
    qrels = {name: trec.read_qrels(folder / dataset.qrels) for name, dataset in manifest.datasets.items()}
    for (name, system, seed), cells in by_system.items():
        dataset = manifest.datasets[name]
        for base in _bases(dataset, cells):
            wanted = _of(dataset, cells, base)
            ran = [cell for cell in wanted if cell.status in ("done", "partial") and (folder / cell.run).is_file()]
            if len(ran) < 2:  # noqa: PLR2004
                continue
            shuffles = {n: r.seed for n, r in dataset.orders.items() if r.order == "shuffled"}
            found.append(
                Reorderings(
                    name, base, system, seed,
                    orders=tuple(_ranked(folder, dataset, cell, base, candidates, qrels[name]) for cell in ran),
                    runs={cell.first_stage: folder / cell.run for cell in ran},
                    seeds={cell.first_stage: shuffles[cell.first_stage] for cell in ran
                           if cell.first_stage in shuffles},
                    qrels=qrels[name],
                    lacking={cell.first_stage: cell.reason or cell.status for cell in wanted if cell not in ran},
                    strategy=ran[0].strategy,
                    model=ran[0].model,
                )
            )  # fmt: skip
    return found


def _bases(dataset: Dataset, cells: Mapping[str, Cell]) -> list[str]:
    """The first stages that others are orders of; where there are none, the first that was ranked."""
    named = {each.of for name, each in dataset.orders.items() if name in cells}
    plain = [name for name in dataset.first_stages if name in cells and name not in dataset.orders]
    return [name for name in dataset.first_stages if name in named] or plain[:1]


def _of(dataset: Dataset, cells: Mapping[str, Cell], base: str) -> list[Cell]:
    """The cells that belong to a first stage: its own, those of its orders, and those of other first stages."""
    own = [name for name, each in dataset.orders.items() if each.of == base]
    others = [name for name in dataset.first_stages if name not in dataset.orders and name != base]
    return [cells[name] for name in (base, *own, *others) if name in cells]


def _ranked(  # noqa: PLR0917
    folder: Path, dataset: Dataset, cell: Cell, base: str, candidates: dict[str, Rankings], qrels: Qrels
) -> OrderedRun:
    """The run on one order; candidates that were read are kept in `candidates`, by path.

    Of a judged query without candidates nothing went in: it counts as 0, as in the experiment's table.
    """
    name, path = cell.first_stage, dataset.first_stages[cell.first_stage]
    if path not in candidates:
        run = trec.read_run(folder / path)
        found = {query_id: [doc_id for doc_id, _ in pairs] for query_id, pairs in run.items()}
        candidates[path] = {**found, **{query_id: [] for query_id in qrels if query_id not in found}}
    order = dataset.orders.get(name)
    rankings = {query_id: trec_order(pairs) for query_id, pairs in trec.read_run(folder / cell.run).items()}
    return OrderedRun(
        name,
        "shuffled" if order is not None and order.order == "shuffled" else name,
        rankings,
        candidates[path],
        same=name == base or order is not None,
    )
