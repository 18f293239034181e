"""What strategies that ask for orders of documents have in common."""

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from rerankllm.aggregation.votes import Vote
from rerankllm.data import Document, Query
from rerankllm.judgements import WeakOrder

T = TypeVar("T")


def in_order(order: WeakOrder, docs: Sequence[Document]) -> list[Document]:
    """The documents as `order` has them; ties, and at the end the omitted, as they come in `docs`."""
    place = {doc.doc_id: i for i, doc in enumerate(docs)}
    return [docs[i] for group in (*order.groups, order.omitted) for i in sorted(place[doc_id] for doc_id in group)]


def vote_of(order: WeakOrder) -> Vote:
    """The evidence in an order: its omitted documents are tied, behind the others."""
    return Vote((*order.groups, order.omitted) if order.omitted else order.groups)


def evenly(items: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """As few groups of neighbours, of at most `size`, as it takes; their lengths differ by 1 at most."""
    count = -(-len(items) // size)
    cuts = [len(items) * i // count for i in range(count + 1)] if count else [0]
    return [tuple(items[start:stop]) for start, stop in pairwise(cuts)]


def seeded(seed: int, query: Query) -> random.Random:
    """Chance that is the same for the same seed and query, and another for each query of a run."""
    return random.Random(f"{seed} {query.query_id}")  # noqa: S311
