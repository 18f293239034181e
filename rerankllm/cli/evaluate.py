"""`rerankllm eval`: how good runs are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rerankllm.cli.output import as_json, tell
from rerankllm.cli.source import read_judgements
from rerankllm.evaluation.measures import (
    DEFAULT_MEASURES,
    at_level,
    mean,
    parse_measures,
    per_query,
    relevant_from,
    trec_order,
)
from rerankllm.formats import trec

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm eval --run reranked.txt --qrels qrels.txt\n
rerankllm eval --run bm25.txt --run reranked.txt --qrels qrels.txt --measure nDCG@10 --measure 'RR(rel=2)@10' --json
"""


def command(
    *,
    run: Annotated[list[Path], typer.Option(help="A TREC run; repeat for several.")],
    qrels: Annotated[Path, typer.Option(help="TREC or BEIR qrels, or a BEIR folder.")],
    measure: Annotated[
        list[str] | None,
        typer.Option(help="In ir-measures' notation, such as nDCG@10 or RR(rel=2)@10; repeatable."),
    ] = None,
    per_query_values: Annotated[bool, typer.Option("--per-query", help="A line for every query, too.")] = False,
    json_document: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Evaluates runs against qrels: the mean over the judged queries each run has, ties broken as trec_eval does."""
    judgements = read_judgements(qrels)
    measures = told_level(parse_measures(measure or DEFAULT_MEASURES), relevant_from(judgements))
    report: list[dict[str, Any]] = []
    for path in run:
        rankings = {query_id: trec_order(scored) for query_id, scored in trec.read_run(path).items()}
        values = per_query(judgements, rankings, measures)
        missing = [query_id for query_id in judgements if query_id not in rankings]
        if missing:
            tell(f"{path} lacks {len(missing)} of {len(judgements)} judged queries ({', '.join(missing[:3])})")
        report.append(
            {
                "run": str(path),
                "queries": len(values),
                "missing_queries": missing,
                "mean": {str(m): mean(values, m) for m in measures},
                "per_query": values,
            }
        )
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
    changed = at_level(measures, level)
    names = [str(after) for before, after in zip(measures, changed, strict=True) if before != after]
    if names:
        tell(
            f"grades 0 to 3 as in TREC-DL, where relevant is {level} and above: measuring {', '.join(names)}; "
            "a measure that says rel= itself keeps it"
        )
    return changed
