"""`rerankllm calibrate`: what a strategy's scores mean, fitted on judged queries."""

from pathlib import Path
from typing import Annotated

import typer

from rerankllm.calibration.fitting import Method
from rerankllm.cli.console import check_paths

EXAMPLES = """
rerankllm rerank --run train.txt --queries queries.tsv --corpus corpus.jsonl --strategy pointwise --output t.txt
  --jsonl t.jsonl --summary t.json
rerankllm calibrate --jsonl t.jsonl --summary t.json --qrels train-qrels.txt --output calibration.json
rerankllm calibrate --jsonl t.jsonl --qrels dl19.txt --relevance-level 2 --method isotonic --output calibration.json
rerankllm rerank --run test.txt --queries queries.tsv --corpus corpus.jsonl --strategy pointwise
  --calibration calibration.json --cutoff auto --output best.txt

Scores are taken from --jsonl, where they are the strategy's own: those of a TREC run only say the order.
"""


def command(
    *,
    jsonl: Annotated[Path, typer.Option(help="Results with the strategy's own scores: what rerank --jsonl wrote.")],
    qrels: Annotated[Path, typer.Option(help="TREC or BEIR qrels, or a BEIR folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The calibration to write, as JSON.")],
    relevance_level: Annotated[
        int, typer.Option(min=1, metavar="GRADE", help="The lowest grade that is relevant; 2 for TREC Deep Learning.")
    ] = 1,
    method: Annotated[
        Method,
        typer.Option(help="logistic: two numbers, fits on little. isotonic: any rising curve, needs 1,000 results."),
    ] = "logistic",
    summary: Annotated[
        Path | None,
        typer.Option(help="What rerank --summary wrote of the same run: notes whose scores these are."),
    ] = None,
) -> None:
    """Learns from judgements how likely a result with a given score is relevant, for `rerank --calibration`.

    Ungraded results count as not relevant. Fit on other queries than those you go on to rank: the calibration names
    the ones it has seen, and rerank says when they come again.
    """
    from rerankllm.analysis.calibrate import calibrate  # noqa: PLC0415 - loads NumPy

    check_paths({"--jsonl": jsonl, "--qrels": qrels, "--summary": summary}, {"--output": output})
    found = calibrate(jsonl, qrels, relevance_level=relevance_level, method=method, summary=summary)
    found.save(output)
