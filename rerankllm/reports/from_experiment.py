"""The subjects of a report from an experiment's folder."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rerankllm.analysis.robustness.report import RobustnessReport
from rerankllm.analysis.robustness.results import RobustnessSettings
from rerankllm.analysis.robustness.systems import SystemRuns, systems_in
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import DEFAULT_MEASURES, parse_measures
from rerankllm.evaluation.systems import Pool
from rerankllm.experiments.folder import MANIFEST, RESULTS, Cell, Manifest, read_manifest
from rerankllm.experiments.references import minilm_path, whole
from rerankllm.formats.trec import read_run
from rerankllm.notes import tell
from rerankllm.reports.from_runs import ComparisonOptions, Inputs, subject_of
from rerankllm.reports.robustness import Measured
from rerankllm.reports.subject import Robust, Subject
from rerankllm.runs.notices import tell_levels
from rerankllm.runs.source import read_judgements
from rerankllm.runs.systems import FIRST, MINILM, Given
from rerankllm.runs.writer import unfinished


def from_folder(folder: Path, options: ComparisonOptions, *, orders: bool = True) -> list[Subject]:
    """A comparison for each dataset and first stage of an experiment; orders of a first stage belong to it.

    Args:
        folder: The experiment's.
        options: How to measure.
        orders: Whether to measure what other orders of a first stage do.

    Raises:
        InputError: It is no experiment's folder, or no cell has a run.
    """
    manifest, options = read_manifest(folder), _as_tabled(folder, options)
    measured = systems_in(folder, manifest) if orders else []
    found = [
        _of_stage(folder, manifest, dataset, stage, options, measured)
        for dataset, has in manifest.datasets.items()
        for stage in has.first_stages
        if stage not in has.orders and _ranked(folder, manifest, dataset, stage)
    ]
    if not found:
        raise InputError(
            f"{folder} holds no result yet: {folder / MANIFEST} says why, the experiment's command goes on"
        )
    return found


def _as_tabled(folder: Path, options: ComparisonOptions) -> ComparisonOptions:
    """Options that were not given are those of the experiment's table, where there is one."""
    try:
        table = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        tabled = ComparisonOptions(
            tuple(map(str, table["measures"])), resamples=int(table["resamples"]), seed=int(table["seed"])
        )
    except (OSError, ValueError, KeyError, TypeError):  # not written yet, or not to be read
        tabled = ComparisonOptions()
    return replace(
        options,
        measures=options.measures or tabled.measures or DEFAULT_MEASURES,
        resamples=options.resamples or tabled.resamples,
        seed=tabled.seed if options.seed is None else options.seed,
    )


def _ranked(folder: Path, manifest: Manifest, dataset: str, stage: str) -> list[Cell]:
    """The cells whose runs are in the table, and those under way that have ranked a query; others are out of date."""
    return [
        cell
        for cell in manifest.cells
        if (cell.dataset, cell.first_stage) == (dataset, stage)
        and (folder / cell.run).is_file()
        and (_under_way(folder, cell) or (cell.status in {"done", "partial"} and (folder / cell.run).stat().st_size))
    ]


def _under_way(folder: Path, cell: Cell) -> bool:
    """Whether the cell's run is being written, and has a whole query."""
    run = folder / cell.run
    return unfinished(run).exists() and len(read_run(run, unfinished=True)) > 1


def _of_stage(  # noqa: PLR0917
    folder: Path,
    manifest: Manifest,
    dataset: str,
    stage: str,
    options: ComparisonOptions,
    measured: Sequence[SystemRuns],
) -> Subject:
    has, cells = manifest.datasets[dataset], _ranked(folder, manifest, dataset, stage)
    named = {name: [cell for cell in cells if cell.system == name] for name in manifest.systems}
    runs = {
        name: [Given(name, dataset, tuple(folder / cell.run for cell in mine))] for name, mine in named.items() if mine
    }
    level = options.relevant_from or has.relevant_from
    pool = Pool({dataset: read_judgements(folder / has.qrels)}, parse_measures(options.measures), level)
    tell_levels(pool, asked=level is not None)
    first, queries, corpus = (
        [Given(name, dataset, (folder / path,))]
        for name, path in ((FIRST, has.first_stages[stage]), ("queries", has.queries), ("corpus", has.corpus))
    )
    minilm, without = _minilm(folder, manifest, dataset, stage)
    resamples, seed = options.design
    settings = RobustnessSettings(pool.names[0], resamples=resamples, seed=seed, relevant_from=pool.levels[dataset])
    robust, unmeasured = _robust(measured, dataset, stage, settings)
    seeds = {name: [f"seed {cell.seed}" for cell in mine] for name, mine in named.items()}
    inputs = Inputs(runs, first, minilm, queries, corpus, seeds)
    depth = options.depth or manifest.depth(dataset, stage)
    subject = subject_of(f"{dataset}, {stage}", pool, inputs, replace(options, depth=depth))
    notes = (*_undone(folder, manifest, dataset, stage), *without, *unmeasured)
    return replace(subject, notes=notes, robust=tuple(robust), first_stage=stage)


def _undone(folder: Path, manifest: Manifest, dataset: str, stage: str) -> list[str]:
    """The cells that are not done, on this first stage and on orders of it."""
    orders = manifest.datasets[dataset].orders
    found = []
    for cell in manifest.cells:
        order = orders.get(cell.first_stage)
        if (
            cell.status != "done"
            and not _under_way(folder, cell)
            and cell.dataset == dataset
            and stage in {cell.first_stage, order and order.of}
        ):
            where = "" if order is None else f" on {cell.first_stage}"
            why = f" ({cell.reason})" if cell.reason else ""
            found.append(f"{cell.system}{where}, seed {cell.seed}: {cell.status}{why}.")
    return found


def _minilm(folder: Path, manifest: Manifest, dataset: str, stage: str) -> tuple[list[Given], list[str]]:
    """MiniLM's run of these candidates where the experiment made one for its table, or why it is left out."""
    run = minilm_path(folder, manifest, dataset, stage)
    if not run.is_file():
        return [], []
    if whole(run, folder / manifest.datasets[dataset].first_stages[stage]):
        return [Given(MINILM, dataset, (run,))], []
    note = f"No {MINILM} row: {run.relative_to(folder)} is not whole; the experiment's command makes it again."
    tell(f"{dataset}, {stage}: {note}")
    return [], [note]


def _robust(
    measured: Sequence[SystemRuns], dataset: str, stage: str, settings: RobustnessSettings
) -> tuple[list[Robust], list[str]]:
    """What the order of these candidates does to each system, and what of it cannot be measured."""
    found, notes = list[Robust](), list[str]()
    for each in measured:
        labels = each.labels
        if (labels["dataset"], labels["first_stage"]) == (dataset, stage):
            try:
                (system,) = RobustnessReport.of([each], settings).systems
                found.append(Measured.of(system.to_dict()).robust)
            except InputError as error:
                notes.append(f"No robustness of {labels['system']}, seed {labels['seed']}: {error}.")
    return found, notes
