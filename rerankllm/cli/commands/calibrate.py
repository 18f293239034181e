"""`rerankllm calibrate`: what a strategy's scores mean, fitted on judged queries."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rerankllm.calibration.crossfit import cross_fitted
from rerankllm.calibration.fitting import Method
from rerankllm.calibration.relevance import Calibration
from rerankllm.cli.console import check_paths
from rerankllm.errors import InputError
from rerankllm.evaluation.calibration import calibration_error
from rerankllm.formats.results import read_scores
from rerankllm.notes import tell
from rerankllm.runs.source import read_judgements
from rerankllm.version import __version__

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm rerank --run train.txt … --strategy pointwise --output t.txt --jsonl t.jsonl --summary t.json\n
rerankllm calibrate --jsonl t.jsonl --summary t.json --qrels train-qrels.txt --output calibration.json\n
rerankllm calibrate --jsonl t.jsonl --qrels dl19.txt --relevance-level 2 --method isotonic --output calibration.json\n
rerankllm rerank --run test.txt … --strategy pointwise --calibration calibration.json --cutoff auto --output best.txt\n
Scores are taken from --jsonl, where they are the strategy's own: those of a TREC run only say the order.
"""
FOLDS = 5


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
    """Fits how likely a result is relevant by its score, for `rerank --calibration`.

    Ungraded results count as not relevant. Fit on other queries than those you go on to rank: the calibration names
    the ones it has seen, and rerank says when they come again.
    """
    check_paths({"--jsonl": jsonl, "--qrels": qrels, "--summary": summary}, {"--output": output})
    strategy, model = _source(summary) if summary is not None else ("", "")
    scored, judgements = read_scores(jsonl), read_judgements(qrels)
    found = Calibration.fit(
        scored,
        judgements,
        level=relevance_level,
        method=method,
        strategy=strategy,
        model=model,
        source={"jsonl": jsonl.name, "qrels": qrels.name},
    )
    found.save(output, __version__)
    graded = sum(doc_id in judgements[query_id] for query_id in found.queries for doc_id, _ in scored[query_id])
    tell(
        f"{method} fit on {found.results} results of {len(found.queries)} queries: "
        f"{sum(map(len, found.relevant.values()))} have grade {relevance_level} or more, "
        f"{found.results - graded} have no grade and count as not relevant"
    )
    if len(found.queries) >= FOLDS:
        held_out = cross_fitted(scored, judgements, level=relevance_level, method=method, folds=FOLDS)
        error = calibration_error([chance for chance, _ in held_out], [good for _, good in held_out])
        tell(f"expected calibration error {error:.4f} on held-out queries ({FOLDS} folds)")


def _source(path: Path) -> tuple[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return str(found["strategy"]), str(found["model"])
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is no summary: it should be what rerank --summary wrote") from None
