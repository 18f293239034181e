"""The threshold rule: who comes last least often."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation


@dataclass(frozen=True, slots=True)
class Threshold(Aggregation):
    """The fewest last places win; among equals the fewest places before the last, and so on.

    Aleskerov, Chistyakov and Kalyagin, "The threshold aggregation", Economics Letters 107 (2010). Places count from
    the end of each vote, as shares of the votes that judge the item, so that one judged often does not lose by it.
    Tied items share the places they take. Votes that lack an item do not count for it, unless they are heads: then it
    shares their last places. Items that no vote judges come last, tied. Disconnected comparisons need no care.

    Memory is that of items × places.
    """

    def tally(self, profile: Ballots) -> Floats:
        """How many different counts are behind each item's, in the order of the items."""
        ballots = profile.full()
        length = max((len(ballot.items) for ballot in ballots), default=0)
        counts, judged = np.zeros((profile.n, length)), np.zeros(profile.n)
        for ballot in ballots:
            size = len(ballot.items)
            first, last = ballot.places
            for item, start, stop in zip(ballot.items, size - 1 - last, size - first, strict=True):
                counts[item, start:stop] += ballot.weight / (stop - start)
            judged[ballot.items] += ballot.weight
        counts[judged > 0] /= judged[judged > 0, None]
        counts[judged == 0] = 2.0
        ranked = np.round(counts, 9)
        order = np.lexsort(ranked.T[::-1]) if length else np.arange(profile.n)
        changes = np.any(ranked[order][1:] != ranked[order][:-1], axis=1)
        places = np.zeros(profile.n)
        places[order[1:]] = np.cumsum(changes)
        behind: Floats = places.max(initial=0.0) - places
        return behind
