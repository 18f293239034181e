"""`rerankllm eval`: how good runs are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from rerankllm.cli.commands.datasets import Dataset, allowed, open_dataset
from rerankllm.cli.console import tell
from rerankllm.collections.base import Collection
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import (
    DEFAULT_MEASURES,
    Qrels,
    at_level,
    mean,
    relevant_from,
    trec_order,
)
from rerankllm.evaluation.subtopics import Subtopics, needs_subtopics, parse, per_query_with
from rerankllm.files import as_json
from rerankllm.runs.provenance import differences
from rerankllm.runs.source import read_judgements

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm eval --run reranked.txt --qrels qrels.txt\n
rerankllm eval --run bm25.txt --run reranked.txt --qrels qrels.txt --measure nDCG@10 --measure 'RR(rel=2)@10' --json\n
rerankllm eval --run bm25.txt --run reranked.txt --dataset dl19  # by the measures its papers report
"""


def command(
    *,
    run: Annotated[list[Path], typer.Option(help="A TREC run; repeat for several.")],
    qrels: Annotated[Path | None, typer.Option(help="TREC or BEIR qrels, or a BEIR folder.")] = None,
    dataset: Dataset = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="In ir-measures' notation, such as nDCG@10 or RR(rel=2)@10, or Coverage@20; repeatable. "
            "The default is nDCG@10, or what the papers of the dataset report."
        ),
    ] = None,
    per_query_values: Annotated[bool, typer.Option("--per-query", help="A line for every query, too.")] = False,
    json_document: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Evaluates runs: the mean over the judged queries each run has, ties broken as trec_eval does."""
    judged = _judged(qrels, dataset)
    named = parse(measure or (judged.collection.measures if judged.collection else DEFAULT_MEASURES))
    measures = told_level(named, judged.level)
    report = [judged.report(path, measures) for path in run]
    for line in differences(run):
        tell(f"compare with care: {line}")
    if json_document:
        shown = report if per_query_values else [{k: v for k, v in r.items() if k != "per_query"} for r in report]
        typer.echo(as_json(shown, indent=2))
        return
    for entry in report:
        if per_query_values:
            for query_id, by_measure in entry["per_query"].items():
                for name, value in by_measure.items():
                    typer.echo(f"{entry['run']}\t{name}\t{query_id}\t{value:.4f}")
        for name, value in entry["mean"].items():
            typer.echo(f"{entry['run']}\t{name}\tall\t{value:.4f}")


def told_level(measures: Sequence[Any], level: int) -> list[Any]:
    """The measures at the grade that counts as relevant; says on stderr which change by it."""
    changed = [m if needs_subtopics(m) else at_level([m], level)[0] for m in measures]
    names = [str(after) for before, after in zip(measures, changed, strict=True) if before != after]
    if names:
        tell(
            f"relevant is grade {level} and above here, as in TREC-DL: measuring {', '.join(names)}; "
            "a measure that says rel= itself keeps it"
        )
    return changed


AT_A_TIME = 1000
"""Queries of a run that are measured together."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """Judgements, and the rules of the collection they are of."""

    qrels: Qrels
    collection: Collection | None = None
    subtopics: Subtopics = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def level(self) -> int:
        """The lowest grade that binary measures count as relevant."""
        return relevant_from(self.qrels) if self.collection is None else self.collection.relevant_from

    def report(self, path: Path, measures: Sequence[Any]) -> dict[str, Any]:
        """What there is to say of one run."""
        from rerankllm.formats.runfile import Lists  # noqa: PLC0415

        run: Mapping[str, Sequence[tuple[str, float]]] = Lists(path)
        if self.collection is not None:
            run = allowed(self.collection, run, str(path))
        values = self._values(run, measures)
        missing = [query_id for query_id in self.qrels if query_id not in run]
        if missing:
            tell(f"{path} lacks {len(missing)} of {len(self.qrels)} judged queries ({', '.join(missing[:3])})")
        return {
            "run": str(path),
            "queries": len(values),
            "missing_queries": missing,
            "mean": {str(m): mean(values, m, self.parts) for m in measures},
            "per_query": values,
        }

    def _values(
        self, run: Mapping[str, Sequence[tuple[str, float]]], measures: Sequence[Any]
    ) -> dict[str, dict[str, float]]:
        """The value of every measure for every judged query of the run, in the judgements' order; few are held."""
        found: dict[str, dict[str, float]] = {}
        left = iter(run.items())
        while some := dict(islice(left, AT_A_TIME)):
            rankings = {query_id: trec_order(scored) for query_id, scored in some.items()}
            judged = {query_id: self.qrels[query_id] for query_id in some if query_id in self.qrels}
            found |= per_query_with(judged, self.subtopics, rankings, measures)
        return {query_id: found[query_id] for query_id in self.qrels if query_id in found}


def _judged(qrels: Path | None, dataset: str | None) -> _Judged:
    if (qrels is None) == (dataset is None):
        raise InputError("give the judgements once: --qrels with a file, or --dataset with a name")
    if qrels is not None:
        return _Judged(read_judgements(qrels))
    collection = open_dataset(str(dataset))
    return _Judged(collection.qrels, collection, collection.subtopics, collection.parts)
