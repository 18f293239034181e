"""Rank-biased precision, and how much of it nobody judged."""

from collections.abc import Mapping, Sequence


def rbp(doc_ids: Sequence[str], grades: Mapping[str, int], *, p: float = 0.8, level: int = 1) -> tuple[float, float]:
    """Rank-biased precision and its residual: the value lies between the first and the sum of both.

    Moffat and Zobel 2008, "Rank-biased precision for measurement of retrieval effectiveness".
    The residual is the weight of all places without a judged document: those unjudged, and those below the ranking.

    Args:
        doc_ids: Best first.
        grades: The judged documents.
        p: The chance that a reader goes on to the next place.
        level: The lowest grade that counts as relevant.
    """
    gained, unknown, weight = 0.0, 0.0, 1 - p
    for doc_id in doc_ids:
        if doc_id not in grades:
            unknown += weight
        elif grades[doc_id] >= level:
            gained += weight
        weight *= p
    return gained, unknown + p ** len(doc_ids)
