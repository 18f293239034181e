"""The folder of an experiment, as its manifest `experiment.json` describes it.

Whatever reads an experiment (tables, reports, explanations) starts here. All paths in the manifest are relative
to the folder, so that it can be moved and read anywhere.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from rerankllm.errors import InputError
from rerankllm.files import lock, replace_text
from rerankllm.runs.reorder import Order

VERSION = 1
DEPTH = 100
"""Candidates that a system reads unless its settings say otherwise."""
MANIFEST, CONFIG, RESULTS, LOCK = "experiment.json", "experiment.yaml", "results.json", ".lock"
Status: TypeAlias = Literal["done", "partial", "failed", "missing"]


@dataclass(frozen=True, slots=True)
class Reordered:
    """A first stage that is another one's candidates in another order.

    Attributes:
        of: The first stage that they are of.
        order: How.
        seed: Of a shuffle.
    """

    of: str
    order: Order
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Dataset:
    """A collection as it was frozen when the experiment first ran; all paths relative to the folder.

    Attributes:
        queries: `query_id<TAB>text`.
        corpus: BEIR's JSON lines, the candidates' texts only.
        qrels: TREC qrels.
        first_stages: A TREC run of candidates by the name of each first stage.
        orders: Which of them are another's candidates in another order.
        sources: Where the texts, and each first stage, were read, in words.
        relevant_from: The lowest grade that counts as relevant; None for what the qrels' scale says.
    """

    queries: str
    corpus: str
    qrels: str
    first_stages: Mapping[str, str]
    orders: Mapping[str, Reordered] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    relevant_from: int | None = None


@dataclass(frozen=True, slots=True)
class System:
    """A strategy with a model, and how it is asked.

    Attributes:
        strategy: Its stage spec, as it was given.
        model: The model's spec, as it was given: what differs by dataset stands in braces. A cell has it filled in.
        options: What else was set, such as `top_k` and `depth`.
    """

    strategy: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """One system on one first stage of one dataset with one seed.

    Attributes:
        dataset: Name of the dataset.
        first_stage: Name of its first stage.
        system: Name of the system.
        seed: The seed.
        run: The TREC run, relative to the folder; there once a query was ranked.
        journal: Its calls; None where none are kept.
        status: `done`: every query was ranked. `partial`: some failed, or it was cut. `failed`: it could not run.
            `missing`: it has not run yet.
        reason: Why it is not done.
        strategy: The stage spec that ran, all filled in.
        model: The model spec that ran, all filled in.
        settings: Digest of all that the cell's rankings depend on; another one means that it has to run again.
    """

    dataset: str
    first_stage: str
    system: str
    seed: int
    run: str
    journal: str | None
    status: Status = "missing"
    reason: str | None = None
    strategy: str = ""
    model: str = ""
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an experiment's folder holds.

    Attributes:
        datasets: By name.
        systems: By name.
        cells: In the order of the configuration.
    """

    datasets: Mapping[str, Dataset]
    systems: Mapping[str, System]
    cells: tuple[Cell, ...]

    def depth(self, dataset: str, first_stage: str) -> int:
        """The most candidates that any system reads there."""
        there = {cell.system for cell in self.cells if (cell.dataset, cell.first_stage) == (dataset, first_stage)}
        return max((int(self.systems[name].options.get("depth", DEPTH)) for name in there), default=DEPTH)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an experiment's folder.

    Raises:
        InputError: There is none, it is of another version, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{folder} is no experiment's folder: {MANIFEST} cannot be read ({error.strerror}); "
            "`rerankllm experiment CONFIG.yaml` writes one"
        ) from None
    except ValueError as error:
        raise _damaged(path, error) from None
    version = record.get("version") if isinstance(record, dict) else None
    if isinstance(version, int) and version != VERSION:
        raise InputError(f"{path} is of version {version}, and this rerankllm reads version {VERSION}")
    try:
        manifest = Manifest(
            {str(name): _dataset(each) for name, each in record["datasets"].items()},
            {str(name): System(**each) for name, each in record["systems"].items()},
            tuple(Cell(**each) for each in record["cells"]),
        )
        _check(manifest, folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from None
    return manifest


def first_stage_of(run: Path) -> Path | None:
    """The candidates that a run of an experiment reranked; None for a run outside of experiments.

    Raises:
        InputError: It lies in an experiment's folder whose manifest is damaged.
    """
    found = _cell_of(run)
    return None if found is None else found[0] / found[1].first_stages[found[2].first_stage]


def corpus_of(run: Path) -> Path | None:
    """The texts of the documents of an experiment's run; None for a run outside of experiments.

    Raises:
        InputError: It lies in an experiment's folder whose manifest is damaged.
    """
    found = _cell_of(run)
    return None if found is None else found[0] / found[1].corpus


def _cell_of(run: Path) -> tuple[Path, Dataset, Cell] | None:
    """The folder, the dataset and the cell of a run; None for a run outside of experiments."""
    here = run.resolve()
    for folder in here.parents:
        if (folder / MANIFEST).is_file():
            manifest = read_manifest(folder)
            cell = next((cell for cell in manifest.cells if folder / cell.run == here), None)
            return None if cell is None else (folder, manifest.datasets[cell.dataset], cell)
    return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replaces the manifest in one step: readers see the old one or the new one, even after a crash.

    Raises:
        InputError: It cannot be written.
    """
    text = json.dumps({"version": VERSION, **asdict(manifest)}, indent=2, ensure_ascii=False)
    replace_text(folder / MANIFEST, f"{text}\n")


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Locks the folder against other processes that run the same experiment; a killed process leaves no lock.

    Raises:
        InputError: Another process runs it, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as file:
            try:
                lock(file.fileno())
            except BlockingIOError:
                raise InputError(f"another `rerankllm experiment` is at work in {folder}: wait for it") from None
            yield
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error


def _dataset(record: Mapping[str, Any]) -> Dataset:
    orders = {name: Reordered(**each) for name, each in record.get("orders", {}).items()}
    return Dataset(**{**record, "orders": orders})


def _check(manifest: Manifest, folder: Path) -> None:
    """Raises ValueError where the parts do not fit each other, or a file lies outside of the folder."""
    named = [path for each in manifest.datasets.values() for path in (each.queries, each.corpus, each.qrels)]
    named += [path for each in manifest.datasets.values() for path in each.first_stages.values()]
    named += [path for cell in manifest.cells for path in (cell.run, cell.journal) if path is not None]
    inside = folder.resolve()
    for path in named:
        if not (inside / path).resolve().is_relative_to(inside):
            raise ValueError(f"it names {path!r}, which is not in the folder")
    for cell in manifest.cells:
        dataset = manifest.datasets.get(cell.dataset)
        if dataset is None or cell.first_stage not in dataset.first_stages or cell.system not in manifest.systems:
            raise ValueError(f"a cell names {cell.dataset}, {cell.first_stage}, {cell.system}, which it does not hold")
        if cell.status not in get_args(Status):
            raise ValueError(f"a cell's status is '{cell.status}'")


def _damaged(path: Path, error: Exception) -> InputError:
    what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return InputError(f"{path} is damaged ({what}): remove it and run the experiment again; no call is repeated")
