"""The one shape of evidence every aggregation takes, and what every aggregation is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rerankllm.aggregation.votes import Vote

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rerankllm.aggregation.ballots import Ballots, Stakes


class Aggregation(ABC):
    """A rule: many votes, one score an item.

    Rules differ in what they read: places (Borda, reciprocal ranks), scores (CombSUM), or who beat whom (Copeland,
    Bradley–Terry). A vote serves all three: places and scores follow from one another, and a place beats those below
    it. So any rule takes any votes, and one that reads more than the votes say, works with what follows.
    """

    __slots__ = ()

    def scores(self, items: Sequence[str], votes: Iterable[Vote]) -> list[float]:
        """Scores, larger is better, one for each of `items`, in their order.

        Args:
            items: Every item, once; those that no vote names included.
            votes: Any number; one of weight 0 counts for nothing.
        """
        from rerankllm.aggregation.ballots import Ballots  # noqa: PLC0415

        return [float(score) for score in self.tally(Ballots.of(items, votes))]

    @abstractmethod
    def tally(self, profile: "Ballots") -> "NDArray[np.float64]":
        """The same over numbered items, shape (items,)."""

    def stakes(self, profile: "Ballots") -> "Stakes | None":  # noqa: ARG002
        """What each vote gives each item, and could give it, where the rule adds that up; None where it does not."""
        return None
