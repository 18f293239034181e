"""Makes the results of an experiment from the runs in its folder."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rerankllm.errors import InputError
from rerankllm.evaluation.comparison import Design, compare
from rerankllm.evaluation.cost import NOTHING
from rerankllm.evaluation.measures import parse_measures
from rerankllm.evaluation.systems import Pool, System
from rerankllm.experiments import table
from rerankllm.experiments.config import Config, Published
from rerankllm.experiments.folder import Cell, Manifest
from rerankllm.experiments.references import minilm_run
from rerankllm.experiments.results import Results
from rerankllm.formats import trec
from rerankllm.runs.cost import cost_beside
from rerankllm.runs.systems import FIRST, MINILM, Given, oracle, read_system


def published(figure: Published, rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What became of a published figure: an entry for each row of its system that has a mean."""
    for row in rows:
        value = row["measures"][figure.measure]
        if row["system"] != figure.system or value is None:
            continue
        here = value["mean"]
        complete = row["status"] == "done" and row["answered"] == row["queries"]
        same = complete and abs(here - figure.figure) <= figure.tolerance
        stated = f"{figure.figure:.4f} ± {figure.tolerance:g} published ({figure.source})"
        verdict = "reproduced" if same else "not reproduced" if complete else "not all queries were ranked"
        note = f"{figure.system}: {figure.measure} {here:.4f} here, {stated}: {verdict}."
        yield {**asdict(figure), "dataset": row["dataset"], "here": here, "reproduced": same, "note": note}


@dataclass(frozen=True, slots=True)
class Tabulator:
    """Measures what an experiment's folder holds.

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

    def tabulate(self) -> Results:
        """The results of all cells, also written to the folder.

        Raises:
            InputError: A run cannot be read, or a measure cannot be computed.
            Interrupted: Ctrl-C, while a reference was made.
        """
        stages = dict.fromkeys((cell.dataset, cell.first_stage) for cell in self.manifest.cells)
        groups = [self._group(dataset, first) for dataset, first in stages]
        document = table.document(groups, self.manifest.systems, self.config.measures)
        if self.config.published is not None:
            document["published"] = list(published(self.config.published, document["rows"]))
            document["notes"] += [each["note"] for each in document["published"]]
        results = Results(document)
        results.write(self.folder)
        return results

    def _group(self, name: str, first: str) -> table.Group:
        """All systems and references on one first stage of one dataset."""
        dataset, config = self.manifest.datasets[name], self.config
        qrels = trec.read_qrels(self.folder / dataset.qrels)
        pool = Pool({name: qrels}, parse_measures(config.measures), dataset.relevant_from)
        candidates = Given(FIRST, name, (self.folder / dataset.first_stages[first],))
        cells: dict[str, list[Cell]] = {}
        for cell in self.manifest.cells:
            if (cell.dataset, cell.first_stage) == (name, first):
                cells.setdefault(cell.system, []).append(cell)
        notes = list[str]()
        found = [read_system(pool, [candidates], cost=NOTHING, reference=True)]
        for system, own in cells.items():
            files = tuple(self.folder / cell.run for cell in own if cell.status in {"done", "partial"})
            try:
                found += [read_system(pool, [Given(system, name, files)])] if files else []
            except InputError as error:  # such as a run that ranks no judged query
                notes.append(f"No values of {system} on {name}, {first}: {error}")
        found += self._references(pool, candidates, name, first, notes)
        design = Design(FIRST, resamples=config.resamples, seed=config.draws)
        return table.Group(name, first, compare(pool, found, design), cells, tuple(notes))

    def _references(self, pool: Pool, candidates: Given, name: str, first: str, notes: list[str]) -> list[System]:
        """The rows beside the systems that the configuration wants; `notes` gets why one is not there."""
        found = []
        if "minilm" in self.config.references:
            run = minilm_run(self.folder, self.manifest, name, first, quiet=self.quiet)
            if isinstance(run, Path):
                found.append(read_system(pool, [Given(MINILM, name, (run,))], cost=cost_beside([run]), reference=True))
            else:
                notes.append(f"No {MINILM} row on {name}, {first}: {run}")
        if "oracle" in self.config.references:
            found.append(oracle(pool, [candidates], self.manifest.depth(name, first)))
        return found
