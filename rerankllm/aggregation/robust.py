"""Robust consensus: votes count by how far they agree with the others."""

from dataclasses import dataclass, field, replace

import numpy as np

from rerankllm.aggregation.ballots import Ballot, Ballots, Floats
from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.borda import Borda
from rerankllm.errors import SpecError

ROUNDING = 1e-9
"""What may be left of a mean of 0."""


@dataclass(frozen=True, slots=True)
class Robust(Aggregation):
    """Another rule's order, in which each vote has the weight of its mean Kendall τ to the others.

    Our statement of the common remedy against outliers: the mean is weighted by the others' weights and taken again,
    so that agreeing with a vote nobody agrees with counts less each round; a mean below 0 is a weight of 0. τ is
    Kendall's τ-b over the items that both votes list, 0 where these leave no pair. Where no vote agrees with the
    others, all keep their weight. A vote's own weight multiplies what it gets.

    Missing items, ties and disconnected comparisons in the order itself as in the other rule. O(m²) for every two
    votes of m items.

    Attributes:
        rule: What makes one order of the weighted votes.
        rounds: How often the weights are taken, at least 1.
    """

    rule: Aggregation = field(default_factory=Borda)
    rounds: int = 3

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise SpecError(f"robust: rounds should be at least 1, found {self.rounds}")

    def tally(self, profile: Ballots) -> Floats:
        """The other rule's scores in the order of the items."""
        trust = agreement(profile.ballots, self.rounds)
        weighted = zip(profile.ballots, trust.tolist(), strict=True)
        ballots = (replace(ballot, weight=ballot.weight * share) for ballot, share in weighted if share > 0)
        return self.rule.tally(Ballots(profile.n, tuple(ballots)))


def agreement(ballots: tuple[Ballot, ...], rounds: int) -> Floats:
    """What each vote's weight is multiplied by, from 0 to 1, shape (votes,)."""
    own = np.array([ballot.weight for ballot in ballots])
    tau = np.zeros((len(ballots), len(ballots)))
    for i, one in enumerate(ballots):
        for j, other in enumerate(ballots[:i]):
            tau[i, j] = tau[j, i] = kendall_tau(one, other)
    trust = np.ones(len(ballots))
    for _ in range(rounds):
        weights = own * trust
        others = weights.sum() - weights
        agreed = np.divide(tau @ weights, others, out=np.zeros(len(ballots)), where=others > 0)
        trust = np.where(agreed > ROUNDING, agreed, 0.0)
        if not trust.any():
            return np.ones(len(ballots))
    return trust


def kendall_tau(one: Ballot, other: Ballot) -> float:
    """Kendall's τ-b of two votes over the items that both list."""
    _, mine, theirs = np.intersect1d(one.items, other.items, assume_unique=True, return_indices=True)
    a, b = (np.sign(r[:, None] - r) for r in (one.ranks[mine], other.ranks[theirs]))
    pairs = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / pairs) if pairs else 0.0
