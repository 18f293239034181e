"""Runs the cells of an experiment, one after another."""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rerankllm.backends.loaded import LoadedModels
from rerankllm.drivers.budget import Amount, Budget
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import InputError, RerankError
from rerankllm.experiments.config import Config
from rerankllm.experiments.folder import Cell, Manifest
from rerankllm.experiments.freeze import load
from rerankllm.experiments.matrix import Planned
from rerankllm.files import digest
from rerankllm.formats.lines import some
from rerankllm.journal.store import Journal
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs import provenance
from rerankllm.runs.forecast import Forecast
from rerankllm.runs.job import Done, Job, perform
from rerankllm.runs.notices import tell_fit, tell_notes, tell_summary
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import Source
from rerankllm.runs.summary import summary_beside, summary_of
from rerankllm.spec.model import ModelSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CellState:
    """A cell whose turn it is.

    Attributes:
        planned: The cell.
        source: Its queries.
        settings: The digest it will have when it is done.
        before: What the manifest says of it.
    """

    planned: Planned
    source: Source
    settings: str
    before: Cell | None

    @property
    def changed(self) -> bool:
        """Whether what is there was made with other settings."""
        return self.before is not None and self.before.settings not in {"", self.settings}

    def done(self, folder: Path) -> bool:
        """Whether its run is there, whole and as it should be."""
        if self.before is None or self.before.status != "done" or self.changed:
            return False
        run = folder / self.planned.cell.run
        try:
            record = provenance.read(run) if run.is_file() else None
            return record is not None and record.sha256 == digest(run) and summary_of(run) is not None
        except InputError:  # what lies beside it is damaged
            return False

    @property
    def waiting(self) -> Cell:
        """The cell as it stands until it has run."""
        if self.before is None or (self.before.status == "done" and not self.changed):
            return self.planned.cell
        if self.changed:  # and so it stays until it has run again, whatever happens meanwhile
            return replace(self.planned.cell, settings=self.before.settings, reason="its settings have changed")
        return self.before


def turns(planned: Iterable[Planned], folder: Path, manifest: Manifest) -> list[CellState]:
    """The cells with their queries and what is there of them.

    Raises:
        InputError: The folder's data cannot be read.
    """
    there = {(c.dataset, c.first_stage, c.system, c.seed): c for c in manifest.cells}

    @cache
    def source(dataset: str, first: str) -> Source:
        return load(folder, manifest.datasets[dataset], first)

    found = []
    for each in planned:
        cell, queries = each.cell, source(each.cell.dataset, each.cell.first_stage)
        before = there.get((cell.dataset, cell.first_stage, cell.system, cell.seed))
        found.append(CellState(each, queries, each.digest(queries.queries), before))
    return found


class Runner:
    """Runs cells in a folder, within one budget.

    Args:
        config: The experiment's configuration.
        folder: Its folder.
        save: Told every cell that has run.
        quiet: Show no progress.
    """

    def __init__(self, config: Config, folder: Path, save: Callable[[Cell], None], *, quiet: bool) -> None:
        self._folder, self._save, self._quiet = folder, save, quiet
        self._budget, self._per_query = Budget(config.limits), config.per_query
        self.interrupted = False

    def spent(self, cells: Iterable[Cell]) -> None:
        """Counts what the journals of these cells hold: a budget is the whole experiment's."""
        if self._budget.counts:
            for path in (self._folder / cell.journal for cell in cells if cell.journal is not None):
                if path.is_file():
                    self._budget.spend(Amount.of(*_kept(path)))

    def run(self, waiting: Sequence[CellState]) -> None:
        """Runs these, those with the same model in a row, for which it is loaded once."""
        number = itertools.count(1)
        for group in _by_model(waiting):
            with LoadedModels() as shelf:
                for turn in group:
                    if self._budget.stopped:
                        return
                    again = ": its settings have changed" if turn.changed else ""
                    tell(f"cell {next(number)} of {len(waiting)}: {turn.planned.label}{again}")
                    self._save(replace(turn.waiting, status="missing", reason="it was cut while it ran"))
                    self._save(self._run(turn, shelf))

    def forecast(self, waiting: Sequence[CellState]) -> Iterator[tuple[CellState, Forecast | str, int]]:
        """For each cell what it will take, or why it cannot run, and how many calls its journal holds already."""
        for group in _by_model(waiting):
            with LoadedModels() as shelf:
                for turn in group:
                    path = self._folder / f"{turn.planned.cell.run}.journal"
                    kept = _kept(path)[0] if path.is_file() else 0
                    try:
                        with self._reranker(turn, shelf, None) as reranker:
                            top_k = turn.planned.settings.top_k
                            yield turn, Forecast.of(reranker, turn.source.queries, top_k), kept
                    except RerankError as error:
                        yield turn, str(error), kept

    def _run(self, turn: CellState, shelf: LoadedModels) -> Cell:
        """Runs one; whatever goes wrong is this cell's alone."""
        run = self._folder / turn.planned.cell.run
        run.parent.mkdir(parents=True, exist_ok=True)
        cell = replace(turn.planned.cell, settings=turn.settings)
        if turn.changed:
            _remove(run)
        try:
            bar = ProgressBar(quiet=self._quiet)
            with self._reranker(turn, shelf, bar) as reranker:
                cell = replace(cell, strategy=str(reranker.stage))
                done = self._perform(reranker, turn, bar)
        except RerankError as error:
            tell(f"{turn.planned.label} failed: {error}")
            return replace(cell, status="failed", reason=" ".join(str(error).split()))
        except Exception as error:  # an engine's own, such as for want of memory: the other cells go on
            log.exception("%s failed", turn.planned.label)
            return replace(cell, status="failed", reason=" ".join(repr(error).split()))
        tell_summary(done.report)
        self.interrupted = self.interrupted or done.interrupted
        return _ended(cell, done)

    def _perform(self, reranker: Reranker, turn: CellState, bar: ProgressBar) -> Done:
        settings, source = turn.planned.settings, turn.source
        tell_fit(reranker, (query.query_id for query, _ in source.queries))
        tell_notes(reranker, settings.top_k, min(settings.depth, max(len(c) for _, c in source.queries)))
        if reranker.paid:
            bar.announce(str(Forecast.of(reranker, source.queries, settings.top_k)))
        run = self._folder / turn.planned.cell.run
        reranker.keep(run.with_name(f"{run.name}.journal"))
        job = Job(
            source, source.judgements(), run, run.with_name(f"{run.name}.jsonl"), depth=settings.depth,
            top_k=settings.top_k, truncate=settings.truncate,
        )  # fmt: skip
        return perform(reranker, job, bar)

    def _reranker(self, turn: CellState, shelf: LoadedModels, bar: ProgressBar | None) -> Reranker:
        planned = turn.planned
        asked = planned.settings
        batch = ModelSpec.parse(planned.model).options.get("batch") == "true"
        recipe = Recipe(
            strategy=planned.stage, model=planned.model, instruction=asked.instruction,
            passage_tokens=asked.max_passage_tokens, demonstrations=asked.demonstrations, depth=asked.depth,
            driver="rounds" if batch else None, per_query=self._per_query, calibration=asked.calibration,
            cutoff=asked.cutoff, profile=asked.profile,
        )  # fmt: skip
        return Reranker.from_recipe(recipe, self._budget, observer=bar, shelf=shelf)


def _ended(cell: Cell, done: Done) -> Cell:
    failed, queries = len(done.failures), int(done.report["queries"])
    if not failed:
        return replace(cell, status="done")
    query_id, reason = next(iter(done.failures.items()))
    reason = f"{failed} of {queries} queries failed ({some(list(done.failures))}); {query_id}: {reason}"
    return replace(cell, status="failed" if failed == queries else "partial", reason=reason)


def _by_model(waiting: Sequence[CellState]) -> list[list[CellState]]:
    groups: dict[str, list[CellState]] = {}
    for turn in waiting:
        groups.setdefault(turn.planned.model, []).append(turn)
    return list(groups.values())


def _kept(journal: Path) -> tuple[int, int, float]:
    opened = Journal(journal, create=False)
    try:
        return opened.spent()
    finally:
        opened.close()


def _remove(run: Path) -> None:
    """Removes what was written with other settings; the journal stays, which answers what is asked again."""
    for path in (run, summary_beside(run), provenance.sidecar(run), run.with_name(f"{run.name}.jsonl")):
        path.unlink(missing_ok=True)
