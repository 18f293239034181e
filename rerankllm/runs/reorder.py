"""reorder."""

import random
from collections.abc import Sequence
from typing import Literal, TypeAlias

from rerankllm.data import Candidate

Order: TypeAlias = Literal["reversed", "shuffled"]


def reordered(candidates: Sequence[Candidate], order: Order, query_id: str, seed: int = 0) -> list[Candidate]:
    """One query's candidates, as a first stage would hand them out that had found them in another order.

    Scores fall with the new order: strategies that take the first stage's word for something take it for this one. A
    shuffle is by the seed and the query's id, whatever other queries there are.
    """
    found = list(reversed(candidates))
    if order == "shuffled":
        random.Random(f"{seed} {query_id}").shuffle(found)  # noqa: S311
    return [Candidate(each.document, float(len(found) - place)) for place, each in enumerate(found)]
