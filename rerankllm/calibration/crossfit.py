"""Predictions for queries that were not fitted on."""

import random
from collections.abc import Iterator, Mapping, Sequence

from rerankllm.calibration.fitting import Method
from rerankllm.calibration.relevance import Calibration, Scored


def folds_of(queries: Sequence[str], folds: int, seed: int = 0) -> Iterator[tuple[list[str], list[str]]]:
    """Splits queries into parts of equal size, at random; yields (all others, part) for every part."""
    order = sorted(queries)
    random.Random(seed).shuffle(order)  # noqa: S311
    for fold in range(folds):
        part = order[fold::folds]
        yield [query_id for query_id in order if query_id not in set(part)], part


def cross_fitted(
    scored: Scored, qrels: Mapping[str, Mapping[str, int]], *, level: int, method: Method, folds: int, seed: int = 0
) -> list[tuple[float, bool]]:
    """How likely every result is relevant by a fit on the other parts' queries, and whether it is.

    Raises:
        InputError: As `Calibration.fit`, for one of the parts.
    """
    found: list[tuple[float, bool]] = []
    for others, part in folds_of([query_id for query_id in scored if query_id in qrels], folds, seed):
        calibration = Calibration.fit({q: scored[q] for q in others}, qrels, level=level, method=method)
        found += [
            (calibration.curve(score), qrels[query_id].get(doc_id, 0) >= level)
            for query_id in part
            for doc_id, score in scored[query_id]
        ]
    return found
