"""What strategies that ask for orders of documents have in common."""

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from rerankllm.aggregation.votes import Vote
from rerankllm.data import Document, Query
from rerankllm.judgements import WeakOrder

T = TypeVar("T")
NO_EVIDENCE = "orders without evidence"
"""The note of a ranking that is the order in which its documents were given, since no answer could be used."""


def in_order(order: WeakOrder, docs: Sequence[Document]) -> list[Document]:
    """The documents as `order` has them; ties, and at the end the omitted, as they come in `docs`."""
    place = {doc.doc_id: i for i, doc in enumerate(docs)}
    return [docs[i] for group in (*order.groups, order.omitted) for i in sorted(place[doc_id] for doc_id in group)]


def vote_of(order: WeakOrder) -> Vote:
    """The evidence in an order: its omitted documents are tied, behind the others."""
    return Vote((*order.groups, order.omitted) if order.omitted else order.groups)


def by_score(scores: Sequence[float]) -> list[int]:
    """Places by falling score, equal ones as they are; what has no score (NaN) keeps its place."""
    scored = iter(sorted((i for i, score in enumerate(scores) if not math.isnan(score)), key=lambda i: -scores[i]))
    return [i if math.isnan(score) else next(scored) for i, score in enumerate(scores)]


def shown_scores(scores: Sequence[float], order: Sequence[int]) -> list[float | None]:
    """The scores in this order; None for NaN."""
    return [None if math.isnan(scores[i]) else scores[i] for i in order]


def evenly(items: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """As few groups of neighbours, of at most `size`, as it takes; their lengths differ by 1 at most."""
    count = -(-len(items) // size)
    cuts = [len(items) * i // count for i in range(count + 1)] if count else [0]
    return [tuple(items[start:stop]) for start, stop in pairwise(cuts)]


def seeded(seed: int, query: Query) -> random.Random:
    """Chance that is the same for the same seed and query, and another for each query of a run."""
    return random.Random(f"{seed} {query.query_id}")  # noqa: S311
