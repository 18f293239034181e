"""A system's runs on several orders of its candidates, read from an experiment's folder or from run files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rerankllm.analysis.certified import Certified
from rerankllm.analysis.robustness.from_experiment import reorderings
from rerankllm.analysis.robustness.results import OrderedRun
from rerankllm.errors import InputError
from rerankllm.evaluation.cost import Cost
from rerankllm.evaluation.measures import Qrels, trec_order
from rerankllm.experiments.folder import Manifest, read_manifest
from rerankllm.formats import trec
from rerankllm.notes import tell
from rerankllm.runs.cost import cost_beside
from rerankllm.runs.source import read_judgements

CERTIFIED = 3
"""First places that are certified where none are asked for."""


@dataclass(frozen=True, slots=True)
class SystemRuns:
    """The runs of one system, one for each order of its candidates.

    Attributes:
        labels: What the system is: `strategy` and `model`, or also the names that an experiment gives.
        orders: The rankings.
        qrels: Judgements; None without any.
        costs: What a query cost, by order; None where that is not known.
        seeds: Of the shuffles, by order.
        failures: Why queries failed, by order and query.
        certified: How many answers could have been others before the first `certified_top` of the first order changed,
            by query, or why that is not known; empty where nobody looked.
        certified_top: How many first places that is about.
    """

    labels: Mapping[str, Any]
    orders: Sequence[OrderedRun]
    qrels: Qrels | None
    costs: Mapping[str, Cost | None]
    seeds: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    certified: Mapping[str, Certified] = field(default_factory=dict)
    certified_top: int = CERTIFIED


def of_experiment(folder: Path) -> list[SystemRuns]:
    """Every system of an experiment that ran on several orders, or first stages.

    Raises:
        InputError: It is no folder of an experiment, or nothing of the kind has run in it.
    """
    found = systems_in(folder, read_manifest(folder))
    if not found:
        raise InputError(
            f"{folder}: no system has run on two orders or first stages of a dataset; give its configuration first "
            "stages such as {of: bm25, order: reversed}"
        )
    return found


def systems_in(folder: Path, manifest: Manifest) -> list[SystemRuns]:
    """Like `of_experiment`, for a manifest; empty where no system has run on several orders.

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
            SystemRuns({name: getattr(each, name) for name in names}, each.orders, each.qrels, costs, each.seeds)
        )
    return found


def of_runs(ranked: Sequence[str], other: Sequence[str], qrels: Path | None) -> SystemRuns:
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
    return SystemRuns({}, orders, None if qrels is None else read_judgements(qrels), costs)


def _family(name: str) -> str:
    """`shuffled` of `shuffled-2`; a name without a number is a family by itself."""
    stem, dash, number = name.rpartition("-")
    return stem if dash and number.isdecimal() else name
