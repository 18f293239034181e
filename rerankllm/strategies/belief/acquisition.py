"""Which documents to show together next, and what is still at stake."""

import math

import numpy as np
from numpy.typing import NDArray

from rerankllm.strategies.belief.plackett_luce import Matrix, Vector

PENDING = 0.25
"""What a pair still counts that is already being asked about."""


def discounts(n: int, k: int) -> Vector:
    """DCG's, 1 / log2(place + 1) for the first k places and 0 behind them."""
    found = np.zeros(n)
    found[:k] = 1 / np.log2(np.arange(2, min(n, k) + 2))
    return found


def regret(samples: Matrix, k: int) -> float:
    """Share of DCG@k that the order by mean is expected to lose against the true order.

    DCG is counted from that of a random order, so that neither the unit nor the origin of utilities matters.

    Args:
        samples: Equally likely utilities, shape (samples, n).
        k: Depth of DCG.
    """
    discount = discounts(samples.shape[1], k)
    order = np.argsort(-samples.mean(axis=0), kind="stable")
    ideal = float((-np.sort(-samples, axis=1) @ discount).mean())
    chance = float(samples.mean() * discount.sum())
    lost = ideal - float((samples[:, order] @ discount).mean())
    return lost / (ideal - chance) if lost > 0 else 0.0


def pair_losses(samples: Matrix, k: int) -> Matrix:
    """What each pair is expected to cost in DCG@k by being the wrong way round in the order by mean.

    E[(m_j − m_i)⁺] · |discount_i − discount_j| for i placed before j; shape (n, n), symmetric.
    """
    n = samples.shape[1]
    order = np.argsort(-samples.mean(axis=0), kind="stable")
    discount = discounts(n, k)
    losses = np.zeros((n, n))
    for place, i in enumerate(order[:k]):
        behind = order[place + 1 :]
        wrong = np.maximum(samples[:, behind] - samples[:, [i]], 0).mean(axis=0)
        losses[i, behind] = losses[behind, i] = wrong * (discount[place] - discount[place + 1 :])
    return losses


def window(losses: Matrix, size: int) -> list[int]:
    """The worst pair, then again and again the document that has most at stake with those chosen."""
    chosen = [int(i) for i in np.unravel_index(np.argmax(losses), losses.shape)]
    if chosen[0] == chosen[1]:  # nothing is at stake anywhere
        chosen = [0, 1]
    stake = losses[chosen].sum(axis=0)
    while len(chosen) < size:
        stake[chosen] = -1.0
        chosen.append(int(np.argmax(stake)))
        stake += losses[chosen[-1]]
    return chosen


def pending(losses: Matrix, members: list[int]) -> None:
    """Lets the pairs among `members` count less from now on."""
    losses[np.ix_(members, members)] *= PENDING


def gain(mean: Vector, covariance: Matrix, members: NDArray[np.intp], precision: Matrix, k: int) -> float:
    """What answers are expected to win of DCG@k by putting pairs right that stand the wrong way round.

    Raiffa and Schlaifer 1961, section 5.4: answers take away so much of the variance of a difference, so the mean that
    they lead to is normal with that variance, and a change of mind pays what it exceeds today's difference by. Pairs
    are taken by themselves, each as far as its places' discounts differ.

    Args:
        mean: Of utilities, shape (n,).
        covariance: Theirs, shape (n, n).
        members: Documents that the answers tell of, shape (m,).
        precision: What they are expected to tell, as a precision, shape (m, m).
        k: Depth of DCG.
    """
    across = covariance[:, members]
    within = np.eye(len(members)) + precision @ covariance[np.ix_(members, members)]
    taken = across @ np.linalg.solve(within, precision) @ across.T
    order = np.argsort(-mean, kind="stable")
    discount = discounts(len(mean), k)
    own, total = np.diag(taken), 0.0
    for place, i in enumerate(order[:k]):
        behind = order[place + 1 :]
        deviation = np.sqrt(np.maximum(own[i] + own[behind] - 2 * taken[i, behind], 1e-18))
        away = (mean[i] - mean[behind]) / deviation
        density = np.exp(-(away**2) / 2) / math.sqrt(2 * math.pi)
        loss = deviation * (density - away * _above(away))
        total += float(loss @ (discount[place] - discount[place + 1 :]))
    return total


def chances(samples: Matrix, k: int) -> Vector:
    """How likely each document is among the k best: how often it is among those of the samples."""
    n = samples.shape[1]
    if k >= n:
        return np.ones(n)
    best: NDArray[np.intp] = np.argpartition(-samples, k - 1, axis=1)[:, :k]
    return np.bincount(best.ravel(), minlength=n) / len(samples)


def _above(x: Vector) -> Vector:
    """How likely a standard normal variable lies above."""
    return np.array([math.erfc(value / math.sqrt(2)) / 2 for value in x])
