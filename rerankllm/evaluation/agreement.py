"""How far two rankings agree: over all of them, and at the top, where it counts."""

import math
from collections.abc import Sequence

from rerankllm.evaluation.extras import scipy_module

PERSISTENCE = 0.9
"""How likely a reader of rank-biased overlap goes on to the next place: the first ten then have 86 % of its weight."""
FEWEST = 2
"""What there has to be for an order, or a difference."""


def kendall_tau(one: Sequence[str], other: Sequence[str]) -> float:
    """Kendall's τ-b of the documents that both rank; NaN for fewer than two.

    Kendall 1945, "The treatment of ties in ranking problems". 1 is the same order, −1 the reverse; orders that have
    nothing to do with each other have 0 in the mean. Rankings have no ties, so that it is τ-a, too.

    Raises:
        MissingExtra: scipy is not installed.
    """
    places = {doc_id: place for place, doc_id in enumerate(other)}
    shared = [places[doc_id] for doc_id in one if doc_id in places]
    if len(shared) < FEWEST:
        return math.nan
    pairs = math.comb(len(shared), 2)
    tau = float(scipy_module("stats").kendalltau(range(len(shared)), shared).statistic)
    return round(tau * pairs) / pairs  # scipy's is a rounding off, and 1 should be 1


def top_overlap(one: Sequence[str], other: Sequence[str], depth: int) -> float:
    """The share of the first `depth` documents that both have there; NaN where neither ranks anything.

    Where the longer ranking is shorter than that, its length is the depth.
    """
    size = min(depth, max(len(one), len(other)))
    return len(set(one[:depth]) & set(other[:depth])) / size if size else math.nan


def rank_biased_overlap(one: Sequence[str], other: Sequence[str], p: float = PERSISTENCE) -> float:
    """Rank-biased overlap, extrapolated: the agreement of every depth, weighed by how many readers come so far.

    Webber, Moffat and Zobel 2010, "A similarity measure for indefinite rankings", equation 32. Below the end of the
    shorter ranking its agreement is taken to go on, and that of both below the longer. From 0, nothing in common, to 1,
    the same; NaN where neither ranks anything.

    Args:
        one: Document ids, best first.
        other: The same; it may be of another length and of other documents.
        p: How likely a reader goes on to the next place, above 0 and below 1.
    """
    short, long = sorted((one, other), key=len)
    s, n = len(short), len(long)
    if not s:
        return 0.0 if n else math.nan
    seen: tuple[set[str], set[str]] = set(), set()
    shared: list[int] = [0]
    for depth in range(n):
        gained = 0
        for own, others, ranking in ((seen[0], seen[1], short), (seen[1], seen[0], long)):
            if depth < len(ranking):
                own.add(ranking[depth])
                gained += ranking[depth] in others
        shared.append(shared[-1] + gained)
    total = sum(shared[d] / d * p**d for d in range(1, n + 1))
    total += sum(shared[s] * (d - s) / (s * d) * p**d for d in range(s + 1, n + 1))
    last = (shared[n] - shared[s]) / n + shared[s] / s
    return (1 - p) / p * total + last * p**n
