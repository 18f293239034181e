"""What a strategy's scores mean: how likely a result is relevant by its score, fitted on judged queries."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from rerankllm.calibration.crossfit import cross_fitted
from rerankllm.calibration.fitting import Method
from rerankllm.calibration.relevance import Calibration, Scored
from rerankllm.errors import InputError
from rerankllm.evaluation.calibration import calibration_error
from rerankllm.evaluation.measures import Qrels
from rerankllm.formats.results import read_scores
from rerankllm.notes import tell
from rerankllm.runs.source import read_judgements

FilePath: TypeAlias = str | PathLike[str]
FOLDS = 5


def calibrate(
    scores: FilePath | Scored,
    qrels: FilePath | Qrels,
    *,
    relevance_level: int = 1,
    method: Method = "logistic",
    summary: FilePath | None = None,
) -> Calibration:
    """Fits how likely a result is relevant by its score.

    Results without a grade count as not relevant. Fit on other queries than those you go on to rank. Where there are
    enough queries, a note says the expected calibration error on queries held out of the fit.

    Args:
        scores: What `rerank --jsonl` wrote, or the scores of documents by query.
        qrels: Grades: TREC or BEIR qrels, a BEIR folder, or a mapping.
        relevance_level: The lowest grade that is relevant.
        method: `logistic`, two numbers, fits on little; `isotonic`, any rising curve, needs 1,000 results.
        summary: What `rerank --summary` wrote of the same run: notes whose scores these are.

    Returns:
        The calibration: give it to `Reranker(calibration=…)`, or save it with `save`.

    Raises:
        InputError: A file cannot be read, or no query has both scores and grades.
        MissingExtra: The method needs a package that is not installed.
    """
    strategy, model = ("", "") if summary is None else _ranker(Path(summary))
    scored = scores if isinstance(scores, Mapping) else read_scores(scores)
    grades = qrels if isinstance(qrels, Mapping) else read_judgements(Path(qrels))
    given = {"jsonl": scores, "qrels": qrels}
    source = {name: Path(each).name for name, each in given.items() if not isinstance(each, Mapping)}
    found = Calibration.fit(
        scored, grades, level=relevance_level, method=method, strategy=strategy, model=model, source=source
    )
    graded = sum(doc_id in grades[query_id] for query_id in found.queries for doc_id, _ in scored[query_id])
    tell(
        f"{method} fit on {found.results} results of {len(found.queries)} queries: "
        f"{sum(map(len, found.relevant.values()))} have grade {relevance_level} or more, "
        f"{found.results - graded} have no grade and count as not relevant"
    )
    if len(found.queries) >= FOLDS:
        held_out = cross_fitted(scored, grades, level=relevance_level, method=method, folds=FOLDS)
        error = calibration_error([chance for chance, _ in held_out], [good for _, good in held_out])
        tell(f"expected calibration error {error:.4f} on held-out queries ({FOLDS} folds)")
    return found


def _ranker(path: Path) -> tuple[str, str]:
    """The strategy and the model that a summary names."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return str(found["strategy"]), str(found["model"])
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is no summary: it should be what rerank --summary wrote") from None
