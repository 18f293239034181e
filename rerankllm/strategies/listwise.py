"""What strategies that ask for orders of documents have in common."""

import random
from collections.abc import Sequence

from rerankllm.data import Document, Query
from rerankllm.judgements import WeakOrder


def in_order(order: WeakOrder, docs: Sequence[Document]) -> list[Document]:
    """The documents as `order` has them; ties, and at the end the omitted, as they come in `docs`."""
    place = {doc.doc_id: i for i, doc in enumerate(docs)}
    return [docs[i] for group in (*order.groups, order.omitted) for i in sorted(place[doc_id] for doc_id in group)]


def evenly(docs: Sequence[Document], size: int) -> list[tuple[Document, ...]]:
    """As few neighbouring groups of at most `size` as it takes, of equal length as nearly as can be."""
    count = -(-len(docs) // size)
    cuts = [len(docs) * i // count for i in range(count + 1)] if count else [0]
    return [tuple(docs[start:stop]) for start, stop in zip(cuts, cuts[1:], strict=False)]


def seeded(seed: int, query: Query) -> random.Random:
    """Chance that is the same for the same seed and query, and another for each query of a run."""
    return random.Random(f"{seed} {query.query_id}")  # noqa: S311
