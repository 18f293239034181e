"""Puts a query's candidates in another order: reversed or shuffled."""

import random
from collections.abc import Sequence
from typing import Literal, TypeAlias

from rerankllm.data import Candidate

Order: TypeAlias = Literal["reversed", "shuffled"]


def reordered(candidates: Sequence[Candidate], order: Order, query_id: str, seed: int = 0) -> list[Candidate]:
    """One query's candidates in another order, with scores as if the first stage had ranked them so.

    Scores fall with the new order, because some strategies read them. A shuffle depends on the seed and the query's id
    only, not on the other queries.
    """
    found = list(reversed(candidates))
    if order == "shuffled":
        random.Random(f"{seed} {query_id}").shuffle(found)  # noqa: S311
    return [Candidate(each.document, float(len(found) - place)) for place, each in enumerate(found)]
