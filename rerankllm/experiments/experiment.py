"""An experiment: a configuration, and the folder that holds what came of it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from rerankllm.drivers.task import Observer
from rerankllm.errors import InputError, Interrupted
from rerankllm.evaluation.extras import scipy_module
from rerankllm.experiments.config import Config
from rerankllm.experiments.folder import CONFIG, MANIFEST, Cell, Manifest, at_work, read_manifest, write_manifest
from rerankllm.experiments.forecast import ExperimentForecast
from rerankllm.experiments.freeze import freeze
from rerankllm.experiments.load import read_config
from rerankllm.experiments.matrix import cells, chosen, systems
from rerankllm.experiments.results import Results
from rerankllm.experiments.rules import Rule
from rerankllm.experiments.runner import CellState, Runner, states
from rerankllm.experiments.tabulate import Tabulator
from rerankllm.files import replace_text
from rerankllm.notes import tell


@dataclass(frozen=True, slots=True)
class Matrix:
    """The cells of an experiment as they stand.

    Attributes:
        manifest: What the folder holds.
        cells: The state of every cell.
        waiting: The state of those that are to run.
    """

    manifest: Manifest
    cells: Sequence[CellState]
    waiting: Sequence[CellState]


class Experiment:
    """A matrix of datasets, first stages, strategies, models and seeds: forecast, run, tabulated.

    Everything is kept in one folder. A run that was cut goes on where it ended, and what its journals hold is not asked
    again.

    Args:
        folder: The experiment's folder.
        config: What to run; None for an experiment that is only read.

    Attributes:
        folder: The experiment's folder.
        config: What to run; None for an experiment that is only read.

    Example:
        >>> experiment = Experiment.load("trial.yaml")
        >>> print(experiment.forecast())  # calls, tokens and money; nothing is sent
        >>> results = experiment.run()
        >>> print(results.markdown())
        >>> [(cell.system, cell.reason) for cell in experiment.unfinished]
    """

    def __init__(self, folder: Path, config: Config | None = None) -> None:
        self.folder, self.config = folder, config

    @classmethod
    def load(cls, file: str | PathLike[str], folder: str | PathLike[str] | None = None) -> "Experiment":
        """The experiment that a YAML file describes; docs/experiments.md explains its keys.

        Args:
            file: The configuration.
            folder: Where to keep everything; the configuration's `output` when None, else the file's name without its
                ending.

        Raises:
            InputError: The configuration cannot be read, or says something that cannot be meant.
        """
        path = Path(file)
        config = read_config(path)
        chosen_folder = Path(folder) if folder is not None else config.output or path.with_suffix("")
        if chosen_folder.resolve() == path.resolve():
            raise InputError(f"{path} has no ending to leave out: name the folder to write with --output")
        return cls(chosen_folder, config)

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> "Experiment":
        """The experiment that a folder holds, to be read: its results, and which cells are not done.

        To run it, `load` its configuration: paths there are relative to where that file is.

        Raises:
            InputError: The folder holds no experiment.
        """
        read_manifest(Path(folder))
        return cls(Path(folder))

    @property
    def manifest(self) -> Manifest:
        """Datasets, systems and cells, as the folder holds them now.

        Raises:
            InputError: The experiment has not run yet, or its manifest is damaged.
        """
        return read_manifest(self.folder)

    @property
    def unfinished(self) -> tuple[Cell, ...]:
        """The cells that are not done; each has its status and the reason.

        Raises:
            InputError: The experiment has not run yet, or its manifest is damaged.
        """
        return tuple(cell for cell in self.manifest.cells if cell.status != "done")

    @property
    def results(self) -> Results:
        """The results as they were tabulated last.

        Raises:
            InputError: There are none yet.
        """
        return Results.read(self.folder, self.unfinished)

    def forecast(self, only: str | Sequence[str] = ()) -> ExperimentForecast:
        """What the cells that are to run will take. Nothing is sent, and the folder stays as it is.

        Args:
            only: Rules such as `dataset=dl19,strategy=sliding`: only cells that one of them fits; none for all.

        Raises:
            InputError: A rule names what is not there, or the data cannot be read.
            MissingExtra: scipy, which the table needs, is not installed.
        """
        config, rules = self._prepared(only)
        with TemporaryDirectory() as scratch:
            if (self.folder / "data").is_dir():
                shutil.copytree(self.folder / "data", Path(scratch, "data"))
            matrix = self._matrix(config, Path(scratch), rules)
            _tell_depths(matrix)
            tell(f"{len(matrix.cells)} cells, {len(matrix.waiting)} to run")
            return ExperimentForecast(tuple(Runner(config, self.folder, quiet=True).forecast(matrix.waiting)))

    def run(
        self,
        only: str | Sequence[str] = (),
        *,
        observer: Observer | None = None,
        quiet: bool = False,
        origins: Mapping[str, str] | None = None,
    ) -> Results:
        """Runs the cells that are not done, and tabulates all cells.

        A cell that fails stops no other; `Results.unfinished` lists it with the reason.

        Args:
            only: Rules such as `dataset=dl19,strategy=sliding`: only cells that one of them fits; none for all.
            observer: Called with every event while queries run, on another thread.
            quiet: Show no progress on stderr.
            origins: Which files or environment variables set the options that nobody typed, for the provenance records.

        Raises:
            InputError: A rule names what is not there, the data cannot be read, or another process runs the experiment.
            MissingExtra: scipy, which the table needs, is not installed.
            Interrupted: Ctrl-C; the same call goes on where this one ended.
        """
        config, rules = self._prepared(only)
        with at_work(self.folder):
            matrix = self._matrix(config, self.folder, rules)
            replace_text(self.folder / CONFIG, config.text)
            _tell_depths(matrix)
            tell(f"{len(matrix.cells)} cells in {self.folder}, {len(matrix.waiting)} to run")
            runner = Runner(config, self.folder, observer=observer, quiet=quiet, origins=origins)
            manifest = self._run_cells(runner, matrix)
            results = Tabulator(config, self.folder, manifest, quiet).tabulate()
        ran = {state.planned.cell.run for state in matrix.waiting}
        left = tuple(cell for cell in manifest.cells if cell.run in ran and cell.status != "done")
        return replace(results, ran=len(ran), unfinished=left)

    def _run_cells(self, runner: Runner, matrix: Matrix) -> Manifest:
        """Runs what waits; the manifest is written with every cell that ends. Returns it as it stands then."""
        manifest = matrix.manifest
        write_manifest(self.folder, manifest)

        def save(cell: Cell) -> None:
            nonlocal manifest
            others = (cell if each.run == cell.run else each for each in manifest.cells)
            manifest = replace(manifest, cells=tuple(others))
            write_manifest(self.folder, manifest)

        runner.spent(manifest.cells)
        runner.run(matrix.waiting, save)
        if runner.interrupted:
            raise Interrupted("interrupted: the same command goes on where this ended, and writes the table then")
        return manifest

    def _prepared(self, only: str | Sequence[str]) -> tuple[Config, list[Rule]]:
        """The configuration and the rules, once it is known that the table can be made when all is paid for."""
        if self.config is None:
            raise InputError(f"{self.folder} was opened to be read: load the experiment's configuration to run it")
        rules = [Rule.parse(text) for text in ([only] if isinstance(only, str) else only)]
        scipy_module("stats")
        return self.config, rules

    def _matrix(self, config: Config, data: Path, rules: Sequence[Rule]) -> Matrix:
        """Reads what the folder holds, and freezes the datasets that it does not hold yet.

        Args:
            config: The configuration.
            data: The folder that datasets are frozen in: the experiment's, or a copy where nothing is to be written.
            rules: Which cells are to run; none for all.
        """
        folder = self.folder
        old = read_manifest(folder) if (folder / MANIFEST).exists() else Manifest({}, {}, ())
        base, known = config.file.parent, old.datasets
        datasets = {name: freeze(name, each, base, data, known.get(name)) for name, each in config.datasets.items()}
        planned = cells(config, {name: (data / each.qrels).resolve() for name, each in datasets.items()})
        selected = {each.cell.run for each in chosen(config, planned, rules)}
        there = Manifest({**old.datasets, **datasets}, systems(config), old.cells)
        found = states(planned, data, there)
        done = {state.planned.cell.run for state in found if state.done(folder)}
        now = [state.before if state.before and state.planned.cell.run in done else state.waiting for state in found]
        waiting = [state for state in found if state.planned.cell.run in selected - done]
        used = {cell.system for cell in now}
        kept = {name: system for name, system in there.systems.items() if name in used}
        return Matrix(Manifest(there.datasets, kept, tuple(now)), found, waiting)


def _tell_depths(matrix: Matrix) -> None:
    """Says where another order of a first stage changes not only how candidates are shown but which ones are read."""
    for state in matrix.cells:
        cell, depth = state.planned.cell, state.planned.settings.depth
        longest = max(len(candidates) for _, candidates in state.source.queries)
        if cell.first_stage in matrix.manifest.datasets[cell.dataset].orders and longest > depth:
            tell(
                f"{state.planned.label}: the first {depth} of {longest} candidates are read, which are others in this "
                f"order; `candidates: {depth}` keeps them the same"
            )
