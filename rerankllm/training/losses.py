"""Losses by name: how far a student's scores of one list of documents are from what its teacher says of them.

Each takes the student's scores and the teacher's labels, both of shape (documents,), larger for better documents, and
gives a scalar; `soft_ranknet` also takes the teacher's probabilities. A list that teaches nothing, such as one whose
labels are all the same, gives 0 in the pairwise losses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

Loss: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"


def ranknet(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """RankNet (Burges et al. 2005): the mean over pairs with a better document of log(1 + exp(worse − better))."""
    better = _better(labels)
    return _softplus_of_pairs(scores)[better].sum() / better.sum().clamp(min=1)


def soft_ranknet(scores: "Tensor", labels: "Tensor", chances: "Tensor | None" = None) -> "Tensor":
    """RankNet whose targets are the teacher's probabilities (Burges et al. 2005, section 3): the mean cross-entropy.

    Args:
        scores: The student's.
        labels: The teacher's.
        chances: Row i, column j: how likely i is better than j; NaN for pairs that the teacher did not compare, of
            which the labels say who is better. None where it compared none: it is `ranknet` then.
    """
    better = _better(labels).to(scores.dtype)
    target = better if chances is None else better.where(chances.isnan(), chances)
    pairs = (target + target.T).sum() / 2
    return (_softplus_of_pairs(scores) * target).sum() / pairs.clamp(min=1)


def weighted_ranknet(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """RankNet whose pair of the teacher's ranks i and j weighs 1 / (i + j), as in FIRST (Reddy et al. 2024).

    It is the weighted mean over pairs. Documents with equal labels keep the order they are given in, and are no pair.
    """
    ranks = _ranks(labels)
    weights = _better(labels) / (ranks[:, None] + ranks[None, :])
    return (_softplus_of_pairs(scores) * weights).sum() / weights.sum().clamp(min=1e-12)


def listnet(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """ListNet (Cao et al. 2007): the cross-entropy of the softmax of scores to the softmax of labels."""
    return -(labels.softmax(0) * scores.log_softmax(0)).sum()


def listmle(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """ListMLE (Xia et al. 2008): minus the log-likelihood of the teacher's order under Plackett and Luce, per document.

    Documents with equal labels are taken in the order they are given in.
    """
    ordered = scores[labels.argsort(descending=True, stable=True)]
    return (ordered.flip(0).logcumsumexp(0).flip(0) - ordered).mean()


def pld(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """PLD (Bassam et al. 2025): `listmle`, each place of the order weighing the teacher's softmax of that document.

    The teacher's labels are the worths of a Plackett–Luce model. The paper puts the true class first; here there is
    none, and the order is the teacher's.
    """
    order = labels.argsort(descending=True, stable=True)
    ordered = scores[order]
    return (labels.softmax(0)[order] * (ordered.flip(0).logcumsumexp(0).flip(0) - ordered)).sum()


def lambda_loss(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """LambdaRank as a loss (Wang et al. 2018): RankNet whose pair weighs by how much swapping it changes nDCG.

    Gains are 2^label − 1, negative labels counting as 0; ranks are those of the student's scores.
    """
    ranks = _ranks(scores.detach())
    gains, best = _gains(labels)
    discounts = 1 / (ranks + 1).log2()
    weights = (gains[:, None] - gains[None, :]).abs() * (discounts[:, None] - discounts[None, :]).abs() / best
    better = _better(labels)
    return (_softplus_of_pairs(scores) * weights)[better].sum() / better.sum().clamp(min=1)


def margin_mse(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """Margin-MSE (Hofstätter et al. 2020): the mean over pairs of the squared difference of margins."""
    distance = scores - labels
    apart = (distance[:, None] - distance[None, :]) ** 2
    return apart.sum() / max(1, len(scores) * (len(scores) - 1))


def adr_mse(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """ADR-MSE (Schlatt et al. 2025): squared errors of approximate ranks, each discounted by log2(teacher's rank + 1).

    Documents with equal labels share the mean of their ranks.
    """
    higher = (labels[None, :] > labels[:, None]).sum(1)
    equal = (labels[None, :] == labels[:, None]).sum(1)
    ranks = higher + (equal + 1) / 2
    return ((ranks - _approximate_ranks(scores)) ** 2 / (ranks + 1).log2()).mean()


def approx_ndcg(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """ApproxNDCG (Qin et al. 2010): 1 less nDCG at approximate ranks. Gains are as `lambda_loss` has them."""
    gains, best = _gains(labels)
    return 1 - (gains / (_approximate_ranks(scores) + 1).log2()).sum() / best


def bce(scores: "Tensor", labels: "Tensor") -> "Tensor":
    """Pointwise: the mean binary cross-entropy of the scores as logits to labels between 0 and 1."""
    from torch.nn.functional import binary_cross_entropy_with_logits  # noqa: PLC0415

    return binary_cross_entropy_with_logits(scores, labels)


LOSSES: Mapping[str, Loss] = {
    "ranknet": ranknet,
    "soft-ranknet": soft_ranknet,
    "weighted-ranknet": weighted_ranknet,
    "listnet": listnet,
    "listmle": listmle,
    "pld": pld,
    "lambda": lambda_loss,
    "margin-mse": margin_mse,
    "adr-mse": adr_mse,
    "approx-ndcg": approx_ndcg,
    "bce": bce,
}
"""Every ranking loss by the name that configurations have."""
SOFT = "soft-ranknet"
"""The name of the loss that reads how likely the teacher took one document to be better than another."""
LANGUAGE_MODEL = "language-model"
"""The name of the loss of students that write: how unlikely the teacher's order is as text, per token."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimized: a sum of losses.

    Attributes:
        weights: What each loss is multiplied by, by its name.
        smoothing: Label smoothing of `language-model` and `bce`.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: {"ranknet": 1.0})
    smoothing: float = 0.0

    @property
    def language_model(self) -> float:
        """The weight of the language-model loss; 0 where it is not asked for."""
        return self.weights.get(LANGUAGE_MODEL, 0.0)

    @property
    def ranks(self) -> bool:
        """Whether there is a ranking loss in it."""
        return any(name != LANGUAGE_MODEL for name in self.weights)

    def ranking(self, scores: "Tensor", labels: "Tensor", chances: "Tensor | None" = None) -> "Tensor":
        """The ranking losses of one list, each times its weight; `chances` are as `soft_ranknet` has them."""
        total = scores.sum() * 0
        for name, weight in self.weights.items():
            if name == "bce":
                total = total + weight * bce(scores, labels * (1 - self.smoothing) + self.smoothing / 2)
            elif name == SOFT:
                total = total + weight * soft_ranknet(scores, labels, chances)
            elif name != LANGUAGE_MODEL:
                total = total + weight * LOSSES[name](scores, labels)
        return total

    def tokens(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        """The language-model loss of one answer, times its weight: the mean over its tokens.

        Args:
            logits: Of shape (tokens, vocabulary).
            target: The ids of the tokens.
        """
        from torch.nn.functional import cross_entropy  # noqa: PLC0415

        return self.language_model * cross_entropy(logits, target, label_smoothing=self.smoothing)


def _softplus_of_pairs(scores: "Tensor") -> "Tensor":
    """Row i, column j: log(1 + exp(s_j − s_i)), what it costs that i is not far above j."""
    from torch.nn.functional import softplus  # noqa: PLC0415

    return softplus(scores[None, :] - scores[:, None])


def _better(labels: "Tensor") -> "Tensor":
    """Row i, column j: whether i has the higher label."""
    return labels[:, None] > labels[None, :]


def _ranks(values: "Tensor") -> "Tensor":
    """Ranks from 1, the highest value first; equal ones in the order they are given in."""
    return values.argsort(descending=True, stable=True).argsort() + 1


def _approximate_ranks(scores: "Tensor") -> "Tensor":
    """1 plus, for every other document, the sigmoid of how far it is above."""
    above = (scores[None, :] - scores[:, None]).sigmoid()
    return above.sum(1) + 0.5  # a document is 0.5 above itself


def _gains(labels: "Tensor") -> "tuple[Tensor, Tensor]":
    """Gains, and the highest DCG that they allow."""
    import torch  # noqa: PLC0415

    gains = 2 ** labels.clamp(min=0) - 1
    places = torch.arange(2, len(labels) + 2, device=labels.device, dtype=labels.dtype).log2()
    return gains, (gains.sort(descending=True).values / places).sum().clamp(min=1e-12)
