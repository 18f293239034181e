"""`rerankllm eval`: how good runs are."""

from pathlib import Path
from typing import Annotated

import typer

from rerankllm.cli.commands.datasets import Dataset
from rerankllm.cli.console import say
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.runs.evaluate import evaluate_runs
from rerankllm.runs.source import open_dataset

EXAMPLES = """
rerankllm eval --run reranked.txt --qrels qrels.txt
rerankllm eval --run bm25.txt --run reranked.txt --qrels qrels.txt --measure nDCG@10 --measure 'RR(rel=2)@10' --json
# by the measures its papers report
rerankllm eval --run bm25.txt --run reranked.txt --dataset dl19
"""


def command(
    *,
    run: Annotated[list[Path], typer.Option(help="A TREC run; repeat for several.")],
    qrels: Annotated[Path | None, typer.Option(help="TREC or BEIR qrels, or a BEIR folder.")] = None,
    dataset: Dataset = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE",
            help="In ir-measures' notation, such as nDCG@10 or RR(rel=2)@10, or Coverage@20; repeatable. "
            "The default is nDCG@10, or what the papers of the dataset report.",
        ),
    ] = None,
    per_query_values: Annotated[bool, typer.Option("--per-query", help="A line for every query, too.")] = False,
    json_document: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Evaluates runs: the mean over the judged queries each run has, ties broken as trec_eval does."""
    if qrels is not None and dataset is None:
        found = evaluate_runs(run, qrels, measures=measure)
    elif dataset is not None and qrels is None:
        found = evaluate_runs(run, open_dataset(dataset), measures=measure)
    else:
        raise InputError("give the judgements once: --qrels with a file, or --dataset with a name")
    if json_document:
        say(as_json(found.to_list(per_query=per_query_values), indent=2))
        return
    for line in found.lines(per_query=per_query_values):
        say(line)
