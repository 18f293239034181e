"""Makes the results of an experiment from its folder: results.json, results.csv and results.md."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm import provenance
from rerankllm.cli.contestants import FIRST, MINILM, Given, oracle, read_system
from rerankllm.cli.freezing import load
from rerankllm.cli.job import Job, perform
from rerankllm.cli.output import as_json, tell
from rerankllm.cli.progress import ProgressBar
from rerankllm.cli.spent import cost_beside
from rerankllm.errors import InputError, RerankError
from rerankllm.evaluation.comparison import Design, compare
from rerankllm.evaluation.cost import NOTHING
from rerankllm.evaluation.measures import parse_measures
from rerankllm.evaluation.systems import Pool
from rerankllm.experiments import table
from rerankllm.experiments.config import Config
from rerankllm.experiments.folder import Cell, Dataset, Manifest, replace_text, safe
from rerankllm.experiments.matrix import Planned
from rerankllm.formats import trec
from rerankllm.reranker import Reranker


@dataclass(frozen=True, slots=True)
class Tabulating:
    """The folder of an experiment, and what its table is to show.

    Attributes:
        config: The configuration.
        folder: The folder.
        manifest: What is in it.
        depth: The most candidates that any system reads, by dataset and first stage.
        quiet: Show no progress.
    """

    config: Config
    folder: Path
    manifest: Manifest
    depth: dict[tuple[str, str], int]
    quiet: bool = False

    def write(self) -> dict[str, Any]:
        """Writes the three files, and returns what results.json holds.

        Raises:
            InputError: A run cannot be read, or a measure not be computed.
        """
        groups = [
            self._group(*where) for where in dict.fromkeys((c.dataset, c.first_stage) for c in self.manifest.cells)
        ]
        results = table.document(groups, self.manifest.systems, self.config.measures)
        replace_text(self.folder / "results.json", f"{as_json(results, indent=2)}\n")
        page = io.StringIO()
        rows = table.flat(results)
        writer = csv.DictWriter(page, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        replace_text(self.folder / "results.csv", page.getvalue())
        replace_text(self.folder / "results.md", table.markdown(results))
        return results

    def _group(self, name: str, first: str) -> table.Group:
        dataset, config = self.manifest.datasets[name], self.config
        qrels = trec.read_qrels(self.folder / dataset.qrels)
        pool = Pool({name: qrels}, parse_measures(config.measures), dataset.relevant_from)
        candidates = Given(FIRST, name, (self.folder / dataset.first_stages[first],))
        found = [read_system(pool, [candidates], cost=NOTHING, reference=True)]
        cells: dict[str, list[Cell]] = {}
        for cell in self.manifest.cells:
            if (cell.dataset, cell.first_stage) == (name, first):
                cells.setdefault(cell.system, []).append(cell)
        notes, depth = list[str](), self.depth[name, first]
        for system, runs in cells.items():
            files = tuple(self.folder / cell.run for cell in runs if cell.status in {"done", "partial"})
            try:
                found += [read_system(pool, [Given(system, name, files)])] if files else []
            except InputError as error:  # such as that it ranks no judged query
                notes.append(f"No values of {system} on {name}, {first}: {error}")
        if "minilm" in config.references:
            run = self._minilm(name, dataset, first, depth)
            if isinstance(run, Path):
                found.append(read_system(pool, [Given(MINILM, name, (run,))], cost=cost_beside([run]), reference=True))
            else:
                notes.append(f"No {MINILM} row on {name}, {first}: {run}")
        if "oracle" in config.references:
            found.append(oracle(pool, [candidates], depth))
        design = Design(FIRST, resamples=config.resamples, seed=config.draws)
        return table.Group(name, first, compare(pool, found, design), cells, tuple(notes))

    def _minilm(self, name: str, dataset: Dataset, first: str, depth: int) -> Path | str:
        """all-MiniLM-L6-v2's run over the candidates, computed once; or why there is none."""
        run = self.folder / "references" / safe(name) / f"{safe(first)}.minilm.{depth}.txt"
        record = provenance.read(run) if run.is_file() else None
        if record is not None and record.sha256 == provenance.digest(run):
            return run
        run.parent.mkdir(parents=True, exist_ok=True)
        try:
            bar = ProgressBar(quiet=self.quiet)
            with Reranker("embed", "embed:minilm", depth=depth, observer=bar) as reranker:
                tell(f"{MINILM} on {name}, {first}")
                done = perform(reranker, Job(load(self.folder, dataset, first), output=run, depth=depth), bar)
        except RerankError as error:
            return str(error)
        if not done.failures:
            return run
        provenance.sidecar(run).unlink(missing_ok=True)
        return next(iter(done.failures.values()))


def depths(planned: Iterable[Planned]) -> dict[tuple[str, str], int]:
    """The most candidates that any cell reads, by dataset and first stage."""
    found: dict[tuple[str, str], int] = {}
    for each in planned:
        where = (each.cell.dataset, each.cell.first_stage)
        found[where] = max(found.get(where, 1), each.settings.depth)
    return found
