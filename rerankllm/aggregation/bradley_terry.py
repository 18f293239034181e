"""Bradley–Terry strengths by Newman's iteration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rerankllm.aggregation.base import Vote
from rerankllm.errors import SpecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BradleyTerry:
    """Log-strengths that make the pairwise outcomes most likely: P(i beats j) = π_i / (π_i + π_j).

    Newman, "Efficient computation of rankings from pairwise comparisons", JMLR 24 (2023), equations 17 and 27: the
    iteration has Zermelo's fixed point and takes fewer sweeps. A vote counts as a win for each ordered pair in it and
    half a win each way for a tie. The prior is one win and one loss against an item of strength 1: it keeps unbeaten
    and winless items finite and disconnected groups comparable, and an item nobody compared stays at 0.

    Attributes:
        tolerance: The largest change of a log-strength in the last sweep.
        sweeps: Bound on the number of sweeps.
    """

    tolerance: float = 1e-8
    sweeps: int = 10_000

    def __post_init__(self) -> None:
        if self.tolerance <= 0 or self.sweeps < 1:
            raise SpecError("bradley_terry: tolerance should be above 0 and sweeps at least 1")

    def scores(self, items: Sequence[str], votes: Sequence[Vote]) -> list[float]:
        """Log-strengths in the order of `items`."""
        import numpy as np  # noqa: PLC0415

        wins = win_matrix(items, votes)
        log_strength = np.zeros(len(items))
        for _ in range(self.sweeps):
            before = log_strength.copy()
            for i in range(len(items)):
                mine, theirs = np.exp(log_strength[i]), np.exp(log_strength)
                share = 1.0 / (mine + theirs)
                above = (wins[i] * theirs * share).sum() + 1.0 / (mine + 1.0)
                below = (wins[:, i] * share).sum() + 1.0 / (mine + 1.0)
                log_strength[i] = np.log(above / below)
            if np.abs(log_strength - before).max(initial=0.0) <= self.tolerance:
                break
        return [float(value) for value in log_strength]


def win_matrix(items: Sequence[str], votes: Sequence[Vote]) -> "NDArray[np.float64]":
    """Weighted wins, shape (items, items): row beat column, ties half a win each way."""
    import numpy as np  # noqa: PLC0415

    index = {item: i for i, item in enumerate(items)}
    wins = np.zeros((len(items), len(items)))
    for vote in votes:
        above: list[int] = []
        for group in vote.groups:
            members = [index[item] for item in group]
            if above:
                wins[np.ix_(above, members)] += vote.weight
            ties = np.ix_(members, members)
            wins[ties] += vote.weight / 2
            wins[members, members] = 0.0
            above += members
    return wins
