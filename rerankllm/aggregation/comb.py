"""What CombSUM and CombMNZ share: scores of different lists on one scale."""

from typing import Literal, TypeAlias

import numpy as np

from rerankllm.aggregation.ballots import Ballot, Floats

Scale: TypeAlias = Literal["minmax", "zscore"]
"""The unit of a list's scores: its range, or its standard deviation."""


def on_scale(ballot: Ballot, scale: Scale) -> Floats:
    """How far each item's score is above the lowest of its list, in units of `scale`.

    A list without scores has its ranks for them. With `minmax` the best has 1 and the last 0. With `zscore` this is
    the z-score less the list's lowest. In a list whose scores are all equal every item has 1.
    """
    scores = -ballot.ranks if ballot.scores is None else ballot.scores
    largest = np.abs(scores).max(initial=0.0)
    scores = scores / largest if largest > 0 else scores  # scores far apart would differ by more than a float holds
    above = scores - scores.min(initial=np.inf)
    unit = above.max(initial=0.0) if scale == "minmax" else above.std() if len(above) else 0.0
    return above / unit if unit > 0 else np.ones(len(above))
