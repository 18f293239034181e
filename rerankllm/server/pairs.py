"""Pairs of a query and a document that are scored each by itself: how they are asked, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.calibration.scale import Scale
from rerankllm.data import Usage
from rerankllm.reranker import Reranker


@dataclass(frozen=True, slots=True)
class PairScores:
    """Scores of pairs, in their order.

    Attributes:
        model: The model that the request named, or the alias that scored.
        values: The scores, from 0 to 1.
        scale: What the scores mean.
        usage: Tokens.
    """

    model: str
    values: tuple[float, ...]
    scale: Scale
    usage: Usage


def asked_together(reranker: Reranker, queries: Sequence[str]) -> list[list[int]]:
    """Places of the pairs that can be asked as one query, as theirs is the same; every pair is judged by itself anyway.

    Each is a query of its own where limits count by the query.
    """
    if reranker.session.opened_with.per_query is not None or reranker.cutoff is not None or reranker.depth is not None:
        return [[place] for place in range(len(queries))]
    places: dict[str, list[int]] = {}
    for place, query in enumerate(queries):
        places.setdefault(query, []).append(place)
    return list(places.values())
