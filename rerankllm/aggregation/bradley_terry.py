"""Bradley–Terry strengths by Newman's iteration."""

import logging
from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation
from rerankllm.errors import SpecError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BradleyTerry(Aggregation):
    """Log-strengths that make the pairwise outcomes most likely: P(i beats j) = π_i / (π_i + π_j).

    Newman, "Efficient computation of rankings from pairwise comparisons", JMLR 24 (2023), equations 17 and 27: the
    iteration has Zermelo's fixed point and takes fewer sweeps. A vote counts as a win for each ordered pair in it and
    half a win each way for a tie; items it lacks it does not compare, unless it is a head. The prior is wins and
    losses against an item of strength 1: it keeps unbeaten and winless items finite and disconnected groups
    comparable, each around the middle, and an item nobody compared stays at 0.

    Attributes:
        prior: How many wins, and as many losses, every item is given; above 0.
        tolerance: The largest change of a log-strength in the last sweep.
        sweeps: Bound on the number of sweeps.
    """

    prior: float = 1.0
    tolerance: float = 1e-8
    sweeps: int = 10_000

    def __post_init__(self) -> None:
        check("bradley_terry", self.prior, self.tolerance, self.sweeps)

    def tally(self, profile: Ballots) -> Floats:
        """Log-strengths in the order of the items."""
        found, done = newman(profile.wins(), self.prior, self.tolerance, self.sweeps)
        tell_unfinished("bradley_terry", done, self.sweeps)
        return found


def check(name: str, prior: float, tolerance: float, sweeps: int) -> None:
    """Raises SpecError for parameters under which no iteration ends."""
    if prior <= 0:
        raise SpecError(f"{name}: prior should be above 0, or unbeaten items have no finite strength; found {prior}")
    if tolerance <= 0 or sweeps < 1:
        raise SpecError(f"{name}: tolerance should be above 0 and sweeps at least 1")


def tell_unfinished(name: str, done: int, sweeps: int) -> None:
    """Says that an iteration ended at its bound, so that strengths are not yet what they are called."""
    if done >= sweeps:
        log.warning("%s: %d sweeps were not enough for its tolerance; give more, or a larger prior", name, sweeps)


def newman(wins: Floats, prior: float, tolerance: float, sweeps: int) -> tuple[Floats, int]:
    """Newman's iteration, all items at once.

    One item's update always makes the outcomes more likely; all at once, they point uphill together but may go too
    far, as two items that only met each other do. A sweep that ends where the slope points back, more than half as
    steep as at its start, is therefore taken again, as far as the two slopes say. What all strengths have in common
    moves slowest, since the prior alone knows it: each sweep ends by shifting it to where the prior is most likely.

    Args:
        wins: Weighted wins, shape (n, n): row beat column; the diagonal is 0.
        prior: Wins, and losses, of each item against one of strength 1.
        tolerance: Largest change of a log-strength in the last sweep.
        sweeps: Bound on the number of sweeps.

    Returns:
        The log-strengths, and how many sweeps it took; those taken again count.
    """
    played = np.any(wins + wins.T > 0, axis=1)
    wins = wins[np.ix_(played, played)]
    n = len(wins)
    winner, loser = np.nonzero(wins)  # most pairs of many items never met
    won = wins[winner, loser]
    before = now = slope = np.zeros(n)
    done = 0
    while n and done < sweeps:
        done += 1
        strength = np.exp(now)
        shares = won / (strength[winner] + strength[loser])
        virtual = prior / (strength + 1.0)
        up = np.bincount(winner, shares * strength[loser], n) + virtual
        down = strength * (np.bincount(loser, shares, n) + virtual)
        move = now - before
        behind, ahead = slope @ move, (up - down) @ move
        if ahead < -behind / 2 and np.abs(move).max() > tolerance:
            now = before + move * behind / (behind - ahead)
            continue
        step = np.log(up / down)
        if np.abs(step).max() <= tolerance:
            break
        before, now, slope = now, _level(now + step), up - down
    strengths = np.zeros(len(played))
    strengths[played] = now
    return strengths, done


def _level(strengths: Floats) -> Floats:
    """The log-strengths shifted together to where as many wins as losses against strength 1 are most likely."""
    lead = np.tanh(strengths / 2)
    shifted: Floats = strengths - np.clip(2 * lead.sum() / (1 - lead**2).sum(), -1, 1)
    return shifted
