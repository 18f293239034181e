"""What systems made of several orders, from runs that are there, measured and shown.

`robustness.json` is this, with null for what is unknown or has no value:

```
{"version": 1, "results": [{
  "dataset", "first_stage", "system", "seed",   only of an experiment's folder
  "strategy", "model",                          absent for --ranked
  "seeds": {ORDER: SEED},                       of shuffles
  "failures": {ORDER: {QUERY: REASON}},         of the orders that were asked here
  "cost": {ORDER: {"calls", "rounds", "slots", "tokens", "seconds", "usd"} or null},
  "settings": {"measure", "depth", "persistence", "notable", "resamples", "seed", "relevant_from"},
  "judged": N,
  "orders": [{"name", "family", "same", "queries", "missing": [QUERY], "quality": ESTIMATE, "kept": ESTIMATE}],
  "families": [AGREEMENT], "pairs": [AGREEMENT],
  "same": VARIATION, "stages": VARIATION,
  "by_query": [{"query_id", "quality": {ORDER: X}, "range", "tau"}]}]}

ESTIMATE   {"mean", "low", "high"}, or null
AGREEMENT  {"first", "second", "queries", "documents", "ordered", "tau": ESTIMATE, "overlap", "rbo"}
VARIATION  {"orders": [ORDER], "queries", "means": {ORDER: X}, "range_of_means", "mean_range": ESTIMATE,
            "mean_deviation", "varying"}, or null
```

What the fields are is said in `rerankllm.analysis.robustness.results`.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import typer

from rerankllm.analysis.robustness.from_experiment import reorderings
from rerankllm.analysis.robustness.measure import robustness
from rerankllm.analysis.robustness.orders import RESULT
from rerankllm.analysis.robustness.results import OrderedRun, Robustness, Settings
from rerankllm.analysis.robustness.tables import notes, tables
from rerankllm.errors import InputError
from rerankllm.evaluation.cost import Cost
from rerankllm.evaluation.measures import Qrels, trec_order
from rerankllm.evaluation.tables import as_markdown, as_text
from rerankllm.experiments.folder import Manifest, read_manifest
from rerankllm.files import as_json, replacing
from rerankllm.formats import trec
from rerankllm.notes import tell
from rerankllm.runs.cost import cost_beside
from rerankllm.runs.source import read_judgements

VERSION = 1


@dataclass(frozen=True, slots=True)
class MeasuredOrders:
    """Rankings of one system under several orders, not measured yet.

    Attributes:
        labels: What tells it from others: `strategy` and `model`, or also the experiment's names.
        orders: The rankings.
        qrels: Judgements; None without any.
        costs: What a query cost, by order; None where nobody knows.
        seeds: Of the shuffles, by order.
        failures: Why queries failed, by order and query.
    """

    labels: Mapping[str, Any]
    orders: Sequence[OrderedRun]
    qrels: Qrels | None
    costs: Mapping[str, Cost | None]
    seeds: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def document(self, found: Robustness) -> dict[str, Any]:
        """One of the results of `robustness.json`."""
        costs = {name: None if cost is None else asdict(cost) for name, cost in self.costs.items()}
        return {**self.labels, "seeds": self.seeds, "failures": self.failures, "cost": costs, **asdict(found)}


def of_experiment(folder: Path) -> list[MeasuredOrders]:
    """Every system of an experiment that ran on several orders, or first stages.

    Raises:
        InputError: It is no folder of an experiment, or nothing of the kind has run in it.
    """
    found = found_in(folder, read_manifest(folder))
    if not found:
        raise InputError(
            f"{folder}: no system has run on two orders or first stages of a dataset; give its configuration first "
            "stages such as {of: bm25, order: reversed}"
        )
    return found


def found_in(folder: Path, manifest: Manifest) -> list[MeasuredOrders]:
    """The same; nothing where nothing of the kind has run.

    Raises:
        InputError: A file cannot be read.
    """
    found = []
    for each in reorderings(folder, manifest):
        names = ("dataset", "first_stage", "system", "seed", "strategy", "model")
        for order, reason in each.lacking.items():
            tell(f"{each.dataset}, {each.system}, seed {each.seed}: order {order} is left out ({reason})")
        costs = {name: cost_beside([path]) for name, path in each.runs.items()}
        found.append(
            MeasuredOrders({name: getattr(each, name) for name in names}, each.orders, each.qrels, costs, each.seeds)
        )
    return found


def of_runs(ranked: Sequence[str], other: Sequence[str], qrels: Path | None) -> MeasuredOrders:
    """Runs of one system, as `NAME=RUN[,CANDIDATES]` each.

    Raises:
        InputError: They do not read as such, or `other` names none of them.
    """
    files: dict[str, list[Path]] = {}
    for option in ranked:
        name, equals, rest = option.partition("=")
        paths = [Path(rest)] if Path(rest).is_file() else [Path(part) for part in rest.split(",")]
        if not (name and equals and rest) or len(paths) > 2 or name in files:  # noqa: PLR2004
            raise InputError(f"--ranked {option} should read NAME=RUN or NAME=RUN,CANDIDATES, each name once")
        files[name] = paths
    unknown = [name for name in other if name not in files]
    if unknown or len(files) < 2:  # noqa: PLR2004
        what = f"--other {unknown[0]} names no --ranked" if unknown else "one order shows nothing: give two --ranked"
        raise InputError(f"{what}; there are {', '.join(files)}")
    read = {name: [trec.read_run(path) for path in paths] for name, paths in files.items()}
    orders = [
        OrderedRun(
            name,
            _family(name),
            {query_id: trec_order(pairs) for query_id, pairs in run.items()},
            {query_id: [doc_id for doc_id, _ in pairs] for query_id, pairs in went_in[0].items()} if went_in else None,
            same=name not in other,
        )
        for name, (run, *went_in) in read.items()
    ]
    costs = {name: cost_beside(paths[:1]) for name, paths in files.items()}
    return MeasuredOrders({}, orders, None if qrels is None else read_judgements(qrels), costs)


def show(found: Sequence[MeasuredOrders], settings: Settings, form: str, folder: Path | None) -> None:
    """Measures, prints, and writes `robustness.json` into the folder, if there is one.

    Raises:
        InputError: It cannot be written, or orders of the same candidates hold different documents.
        MissingExtra: scipy is not installed.
    """
    measured = [(each, robustness(each.orders, each.qrels, settings)) for each in found]
    whole = as_json({"version": VERSION, "results": [each.document(result) for each, result in measured]}, indent=2)
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error
        with replacing(folder / RESULT) as file:
            file.write(f"{whole}\n")
    if form == "json":
        typer.echo(whole)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for i, (each, result) in enumerate(measured):
        heading = ", ".join(str(each.labels[name]) for name in ("dataset", "system") if name in each.labels)
        heading += f", seed {each.labels['seed']}" if each.labels.get("seed") else ""
        shown = tables(result, each.costs), notes(result)
        text = as_markdown(*shown) if form == "markdown" else as_text(*shown, width)
        typer.echo(("\n" if i else "") + (f"## {heading}\n\n" if heading else "") + text)


def _family(name: str) -> str:
    """`shuffled` of `shuffled-2`; a name without a number is a family by itself."""
    stem, dash, number = name.rpartition("-")
    return stem if dash and number.isdecimal() else name
