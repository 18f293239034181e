"""Votes at random, for the tests of this folder."""

import numpy as np
from hypothesis import strategies as st

from rerankllm.aggregation.ballots import Ballots
from rerankllm.aggregation.votes import Vote

ITEMS = "abcdef"


def weak_orders(items=ITEMS, *, complete=False):
    """Any partition of any subset of the items, or of all of them, into ordered groups."""

    def build(places):
        groups = {}
        for item, place in zip(items, places, strict=True):
            if place:
                groups.setdefault(place, []).append(item)
        return tuple(tuple(groups[place]) for place in sorted(groups))

    return st.lists(st.integers(int(complete), 5), min_size=len(items), max_size=len(items)).map(build)


def votes(items=ITEMS, *, complete=False, min_size=0, max_size=6):
    vote = st.builds(Vote, weak_orders(items, complete=complete), st.sampled_from([0.25, 0.5, 1.0, 1.0, 1.0, 2.0]))
    return st.lists(vote, min_size=min_size, max_size=max_size)


def wins(items, cast):
    return Ballots.of(items, cast).wins()


def scores(rule, items, cast):
    return dict(zip(items, rule.scores(items, cast), strict=True))


def random_wins(rng, n, games=3):
    """Outcomes of up to so many games a pair, some pairs never meeting."""
    won = rng.integers(0, games + 1, (n, n)) * (rng.random((n, n)) < 0.7)
    return np.asarray(won - np.diag(np.diag(won)), dtype=float)
