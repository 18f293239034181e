"""`rerankllm eval`: how good runs are."""

from pathlib import Path
from typing import Annotated

import typer

from rerankllm.cli.commands.datasets import Dataset
from rerankllm.evaluation.measures import (
    DEFAULT_MEASURES,
)
from rerankllm.evaluation.subtopics import parse
from rerankllm.files import as_json
from rerankllm.notes import tell
from rerankllm.runs.evaluate import _judged, told_level
from rerankllm.runs.provenance import differences

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
