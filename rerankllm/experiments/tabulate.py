"""Makes the results of an experiment from its folder: results.json, results.csv and results.md."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm.errors import InputError
from rerankllm.evaluation.comparison import Design, compare
from rerankllm.evaluation.cost import NOTHING
from rerankllm.evaluation.measures import parse_measures
from rerankllm.evaluation.systems import Pool
from rerankllm.experiments import table
from rerankllm.experiments.config import Config
from rerankllm.experiments.folder import RESULTS, Cell, Manifest
from rerankllm.experiments.references import minilm_run
from rerankllm.files import as_json, replace_text
from rerankllm.formats import trec
from rerankllm.runs.cost import cost_beside
from rerankllm.runs.systems import FIRST, MINILM, Given, oracle, read_system


@dataclass(frozen=True, slots=True)
class Tabulating:
    """The folder of an experiment, and what its table is to show.

    Attributes:
        config: The configuration.
        folder: The folder.
        manifest: What is in it.
        quiet: Show no progress.
    """

    config: Config
    folder: Path
    manifest: Manifest
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
        replace_text(self.folder / RESULTS, f"{as_json(results, indent=2)}\n")
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
        notes, depth = list[str](), self.manifest.depth(name, first)
        for system, runs in cells.items():
            files = tuple(self.folder / cell.run for cell in runs if cell.status in {"done", "partial"})
            try:
                found += [read_system(pool, [Given(system, name, files)])] if files else []
            except InputError as error:  # such as that it ranks no judged query
                notes.append(f"No values of {system} on {name}, {first}: {error}")
        if "minilm" in config.references:
            run = minilm_run(self.folder, self.manifest, name, first, quiet=self.quiet)
            if isinstance(run, Path):
                found.append(read_system(pool, [Given(MINILM, name, (run,))], cost=cost_beside([run]), reference=True))
            else:
                notes.append(f"No {MINILM} row on {name}, {first}: {run}")
        if "oracle" in config.references:
            found.append(oracle(pool, [candidates], depth))
        design = Design(FIRST, resamples=config.resamples, seed=config.draws)
        return table.Group(name, first, compare(pool, found, design), cells, tuple(notes))
