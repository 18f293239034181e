"""experiment."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from rerankllm.cli.commands.experiment import INTERRUPTED, PARTIAL
from rerankllm.experiments.config import Config
from rerankllm.experiments.folder import CONFIG, MANIFEST, Cell, Manifest, at_work, read_manifest, write_manifest
from rerankllm.experiments.freeze import freeze
from rerankllm.experiments.matrix import cells, chosen, systems
from rerankllm.experiments.rules import Rule
from rerankllm.experiments.runner import CellState, Runner, turns
from rerankllm.files import replace_text
from rerankllm.notes import tell
from rerankllm.runs.forecast import Forecast


@dataclass(frozen=True, slots=True)
class _Matrix:
    """The experiment as it stands.

    Attributes:
        manifest: What the folder holds now.
        turns: Every cell.
        waiting: Those that are to run.
    """

    manifest: Manifest
    turns: Sequence[CellState]
    waiting: Sequence[CellState]


def _matrix(config: Config, folder: Path, data: Path, rules: Sequence[Rule]) -> _Matrix:
    """Reads what is there, and freezes what is not.

    Args:
        config: The configuration.
        folder: The experiment's folder.
        data: The folder that datasets are frozen in, which is the same unless nothing is to be written there.
        rules: Which cells are to run; none for all.
    """
    old = read_manifest(folder) if (folder / MANIFEST).exists() else Manifest({}, {}, ())
    base, known = config.file.parent, old.datasets
    datasets = {name: freeze(name, each, base, data, known.get(name)) for name, each in config.datasets.items()}
    planned = cells(config, {name: (data / each.qrels).resolve() for name, each in datasets.items()})
    selected = {each.cell.run for each in chosen(config, planned, rules)}
    there = Manifest({**old.datasets, **datasets}, systems(config), old.cells)
    found = turns(planned, data, there)
    done = {turn.planned.cell.run for turn in found if turn.done(folder)}
    now = [turn.before if turn.before and turn.planned.cell.run in done else turn.waiting for turn in found]
    waiting = [turn for turn in found if turn.planned.cell.run in selected - done]
    used = {cell.system for cell in now}
    kept = {name: system for name, system in there.systems.items() if name in used}
    return _Matrix(Manifest(there.datasets, kept, tuple(now)), found, waiting)


def _run(config: Config, folder: Path, rules: Sequence[Rule], *, quiet: bool) -> None:
    """Runs what is missing, and writes the table."""
    from rerankllm.experiments.table import markdown  # noqa: PLC0415
    from rerankllm.experiments.tabulate import Tabulating  # noqa: PLC0415

    with at_work(folder):
        matrix = _matrix(config, folder, folder, rules)
        manifest = matrix.manifest
        replace_text(folder / CONFIG, config.text)
        write_manifest(folder, manifest)

        def save(cell: Cell) -> None:
            nonlocal manifest
            others = (cell if each.run == cell.run else each for each in manifest.cells)
            manifest = replace(manifest, cells=tuple(others))
            write_manifest(folder, manifest)

        _tell_depths(matrix)
        tell(f"{len(matrix.turns)} cells in {folder}, {len(matrix.waiting)} to run")
        runner = Runner(config, folder, save, quiet=quiet)
        runner.spent(manifest.cells)
        runner.run(matrix.waiting)
        if runner.interrupted:
            tell("interrupted: the same command goes on where this ended, and writes the table then")
            raise typer.Exit(INTERRUPTED)
        results = Tabulating(config, folder, manifest, quiet).write()
        typer.echo(markdown(results), nl=False)
    run = {turn.planned.cell.run for turn in matrix.waiting}
    left = [cell for cell in manifest.cells if cell.run in run and cell.status != "done"]
    if left:
        tell(
            f"{len(left)} of {len(run)} cells are not done: {folder / MANIFEST} says why; the same command tries again"
        )
        raise typer.Exit(PARTIAL)


def _foresee(config: Config, folder: Path, rules: Sequence[Rule]) -> None:
    """Prints what the cells that are to run will take; the folder stays as it is."""
    with TemporaryDirectory() as scratch:
        if (folder / "data").is_dir():
            shutil.copytree(folder / "data", Path(scratch, "data"))
        matrix = _matrix(config, folder, Path(scratch), rules)
        _tell_depths(matrix)
        tell(f"{len(matrix.turns)} cells, {len(matrix.waiting)} to run")
        total: Forecast | None = None
        for turn, found, kept in Runner(config, folder, lambda _: None, quiet=True).forecast(matrix.waiting):
            held = f"; its journal holds {kept:,} calls already" if kept else ""
            what = f"{found}{held}" if isinstance(found, Forecast) else f"cannot run: {found}"
            typer.echo(f"{turn.planned.label}: {what}")
            if isinstance(found, Forecast):
                total = found if total is None else total + found
        if total is not None:
            typer.echo(f"all: {total}")


def _tell_depths(matrix: _Matrix) -> None:
    """Says so where an order changes not only how candidates are shown but which are."""
    for turn in matrix.turns:
        cell, depth = turn.planned.cell, turn.planned.settings.depth
        longest = max(len(candidates) for _, candidates in turn.source.queries)
        if cell.first_stage in matrix.manifest.datasets[cell.dataset].orders and longest > depth:
            tell(
                f"{turn.planned.label}: the first {depth} of {longest} candidates are read, which are others in this "
                f"order; `candidates: {depth}` keeps them the same"
            )
