"""Bradley–Terry strengths by Zermelo's iteration."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.bradley_terry import check, tell_unfinished


@dataclass(frozen=True, slots=True)
class Zermelo(Aggregation):
    """The same strengths as `bradley_terry`, by the oldest iteration for them: slow, sure, and its check.

    Zermelo, "Die Berechnung der Turnier-Ergebnisse als ein Maximumproblem der Wahrscheinlichkeitsrechnung",
    Mathematische Zeitschrift 29 (1929); with a prior it is the MM algorithm of Hunter, "MM algorithms for generalized
    Bradley–Terry models", Annals of Statistics 32 (2004), section 2. Missing items, ties and disconnected comparisons
    as in `bradley_terry`.

    Attributes:
        prior: How many wins, and as many losses, every item is given; above 0.
        tolerance: The largest change of a log-strength in the last sweep.
        sweeps: Bound on the number of sweeps.
    """

    prior: float = 1.0
    tolerance: float = 1e-8
    sweeps: int = 100_000

    def __post_init__(self) -> None:
        check("zermelo", self.prior, self.tolerance, self.sweeps)

    def tally(self, profile: Ballots) -> Floats:
        """Log-strengths in the order of the items."""
        found, done = zermelo(profile.wins(), self.prior, self.tolerance, self.sweeps)
        tell_unfinished("zermelo", done, self.sweeps)
        return found


def zermelo(wins: Floats, prior: float, tolerance: float, sweeps: int) -> tuple[Floats, int]:
    """Zermelo's iteration; arguments and result as those of `bradley_terry.newman`."""
    games, won = wins + wins.T, wins.sum(axis=1) + prior
    strength = np.ones(len(wins))
    done = 0
    while len(wins) and done < sweeps:
        done += 1
        before = strength
        strength = won / ((games / (strength[:, None] + strength)).sum(axis=1) + 2 * prior / (strength + 1.0))
        if np.abs(np.log(strength / before)).max() <= tolerance:
            break
    return np.log(strength), done
