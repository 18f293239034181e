"""Runs the cells of an experiment, one after another."""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rerankllm.backends.loaded import LoadedModels
from rerankllm.drivers.budget import Amount, Budget
from rerankllm.drivers.events import Event
from rerankllm.drivers.recipe import Recipe
from rerankllm.drivers.task import Observer
from rerankllm.errors import InputError, RerankError
from rerankllm.experiments.config import Config
from rerankllm.experiments.folder import Cell, Manifest
from rerankllm.experiments.forecast import CellForecast
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
    """A cell as the configuration wants it, beside what the folder holds of it.

    Attributes:
        planned: The cell.
        source: Its queries.
        settings: The digest of all that its rankings depend on.
        before: What the manifest says of it; None where it is new.
    """

    planned: Planned
    source: Source
    settings: str
    before: Cell | None

    @property
    def changed(self) -> bool:
        """Whether the folder's run was made with other settings."""
        return self.before is not None and self.before.settings not in {"", self.settings}

    def done(self, folder: Path) -> bool:
        """Whether the folder holds its run, unchanged and made with these settings."""
        if self.before is None or self.before.status != "done" or self.changed:
            return False
        run = folder / self.planned.cell.run
        try:
            record = provenance.read(run) if run.is_file() else None
            return record is not None and record.sha256 == digest(run) and summary_of(run) is not None
        except InputError:  # its summary or its provenance record is damaged
            return False

    @property
    def waiting(self) -> Cell:
        """What the manifest says of the cell until it has run."""
        if self.before is None or (self.before.status == "done" and not self.changed):
            return self.planned.cell
        if self.changed:  # the old digest stays until it has run again, also if that is cut
            return replace(self.planned.cell, settings=self.before.settings, reason="its settings have changed")
        return self.before


def states(planned: Iterable[Planned], folder: Path, manifest: Manifest) -> list[CellState]:
    """The state of each cell.

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
        observer: Called with every event while queries run, on another thread.
        quiet: Show no progress.
        origins: Which files or environment variables set the options that nobody typed, for the provenance records.

    Attributes:
        interrupted: Whether Ctrl-C ended a cell.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        *,
        observer: Observer | None = None,
        quiet: bool,
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self._folder, self._observer, self._quiet, self._origins = folder, observer, quiet, origins or {}
        self._budget, self._per_query = Budget(config.limits), config.per_query
        self.interrupted = False

    def spent(self, cells: Iterable[Cell]) -> None:
        """Counts the calls in the journals of these cells: the budget is the whole experiment's."""
        if self._budget.counts:
            for path in (self._folder / cell.journal for cell in cells if cell.journal is not None):
                if path.is_file():
                    self._budget.spend(Amount.of(*_kept(path)))

    def run(self, waiting: Sequence[CellState], save: Callable[[Cell], None]) -> None:
        """Runs these cells, grouped by model: each model is loaded once.

        Args:
            waiting: The cells.
            save: Called with a cell whenever its status changes.
        """
        number = itertools.count(1)
        for group in _by_model(waiting):
            with LoadedModels() as shelf:
                for state in group:
                    if self._budget.stopped:
                        return
                    again = ": its settings have changed" if state.changed else ""
                    tell(f"cell {next(number)} of {len(waiting)}: {state.planned.label}{again}")
                    save(replace(state.waiting, status="missing", reason="it was cut while it ran"))
                    save(self._run(state, shelf))

    def forecast(self, waiting: Sequence[CellState]) -> Iterator[CellForecast]:
        """What each cell will take, or why it cannot run."""
        for group in _by_model(waiting):
            with LoadedModels() as shelf:
                for state in group:
                    path = self._folder / f"{state.planned.cell.run}.journal"
                    kept = _kept(path)[0] if path.is_file() else 0
                    try:
                        with self._reranker(state, shelf, None) as reranker:
                            top_k = state.planned.settings.top_k
                            found = Forecast.of(reranker, state.source.queries, top_k)
                        yield CellForecast(state.planned.label, found, kept=kept)
                    except RerankError as error:
                        yield CellForecast(state.planned.label, None, str(error), kept)

    def _run(self, state: CellState, shelf: LoadedModels) -> Cell:
        """Runs one cell; an error fails this cell only."""
        run = self._folder / state.planned.cell.run
        run.parent.mkdir(parents=True, exist_ok=True)
        cell = replace(state.planned.cell, settings=state.settings)
        if state.changed:
            _remove(run)
        try:
            bar = ProgressBar(quiet=self._quiet)
            with self._reranker(state, shelf, self._observing(bar)) as reranker:
                cell = replace(cell, strategy=str(reranker.stage))
                done = self._perform(reranker, state, bar)
        except RerankError as error:
            tell(f"{state.planned.label} failed: {error}")
            return replace(cell, status="failed", reason=" ".join(str(error).split()))
        except Exception as error:  # an engine's own, such as out of memory: the other cells go on
            log.exception("%s failed", state.planned.label)
            return replace(cell, status="failed", reason=" ".join(repr(error).split()))
        tell_summary(done.report)
        self.interrupted = self.interrupted or done.interrupted
        return _ended(cell, done)

    def _perform(self, reranker: Reranker, state: CellState, bar: ProgressBar) -> Done:
        settings, source = state.planned.settings, state.source
        tell_fit(reranker, (query.query_id for query, _ in source.queries))
        longest = max(len(candidates) for _, candidates in source.queries)
        tell_notes(reranker, settings.top_k, min(settings.depth, longest), scored=source.scored)
        if reranker.paid:
            bar.announce(str(Forecast.of(reranker, source.queries, settings.top_k)))
        run = self._folder / state.planned.cell.run
        reranker.keep(run.with_name(f"{run.name}.journal"))
        job = Job(
            source, source.judgements(), run, run.with_name(f"{run.name}.jsonl"), depth=settings.depth,
            top_k=settings.top_k, truncate=settings.truncate, origins=self._origins,
        )  # fmt: skip
        return perform(reranker, job, bar)

    def _observing(self, bar: ProgressBar) -> Observer:
        """What passes every event to the progress bar and to the observer, if there is one."""
        other = self._observer
        if other is None:
            return bar

        def both(event: Event) -> None:
            bar(event)
            other(event)

        return both

    def _reranker(self, state: CellState, shelf: LoadedModels, observer: Observer | None) -> Reranker:
        planned = state.planned
        asked = planned.settings
        batch = ModelSpec.parse(planned.model).options.get("batch") == "true"
        recipe = Recipe(
            strategy=planned.stage, model=planned.model, instruction=asked.instruction,
            passage_tokens=asked.max_passage_tokens, demonstrations=asked.demonstrations, depth=asked.depth,
            driver="rounds" if batch else None, per_query=self._per_query, calibration=asked.calibration,
            cutoff=asked.cutoff, profile=asked.profile, unusable=asked.unusable,
        )  # fmt: skip
        return Reranker.from_recipe(recipe, self._budget, observer=observer, shelf=shelf)


def _ended(cell: Cell, done: Done) -> Cell:
    """The cell with the status that its run gave it."""
    failed, queries = len(done.failures), int(done.report["queries"])
    if not failed:
        return replace(cell, status="done")
    query_id, reason = next(iter(done.failures.items()))
    reason = f"{failed} of {queries} queries failed ({some(list(done.failures))}); {query_id}: {reason}"
    return replace(cell, status="failed" if failed == queries else "partial", reason=reason)


def _by_model(waiting: Sequence[CellState]) -> list[list[CellState]]:
    """The cells, grouped by model."""
    groups: dict[str, list[CellState]] = {}
    for state in waiting:
        groups.setdefault(state.planned.model, []).append(state)
    return list(groups.values())


def _kept(journal: Path) -> tuple[int, int, float, float]:
    """Calls, tokens, US dollars and search units in a journal."""
    opened = Journal(journal, create=False)
    try:
        return opened.spent()
    finally:
        opened.close()


def _remove(run: Path) -> None:
    """Removes what was written with other settings. The journal stays: what it holds is not asked again."""
    for path in (run, summary_beside(run), provenance.sidecar(run), run.with_name(f"{run.name}.jsonl")):
        path.unlink(missing_ok=True)
