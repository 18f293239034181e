"""PRP-Graph: a graph of comparisons, and who its links lead to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rerankllm.data import Candidate, float32
from rerankllm.judgements import Steps
from rerankllm.strategies.pairs import Pairs
from rerankllm.strategies.swiss_pairing import swiss_pairs

DAMPING = 0.85


def graph(judge: Pairs, candidates: Sequence[Candidate], rounds: int) -> Steps[list[float]]:
    """Compares neighbours in the standing for so many rounds and scores documents by PageRank.

    Strengths start at 1 − i/n and grow, in round r, by p(win) × the opponent's strength / r. Every comparison is an
    edge each way, from a document to its opponent with the probability that the opponent wins.
    """
    n = len(candidates)
    strength = [1 - i / n for i in range(n)]
    met: list[set[int]] = [set() for _ in candidates]
    weights = np.zeros((n, n))
    for number in range(1, rounds + 1):
        games = swiss_pairs(sorted(range(n), key=lambda i: -strength[i]), met)
        if not games:
            break
        wins = yield from judge.preferences([(candidates[a].document, candidates[b].document) for a, b in games])
        before = tuple(strength)
        for (a, b), win in zip(games, wins, strict=True):
            strength[a] += win * before[b] / number
            strength[b] += (1 - win) * before[a] / number
            weights[b, a], weights[a, b] = win, 1 - win
            met[a].add(b)
            met[b].add(a)
    return pagerank(weights, _first_stage(candidates))


def pagerank(weights: NDArray[np.float64], restart: Sequence[float]) -> list[float]:
    """The share of time at each node of a walk that follows edges by weight, or restarts with probability 0.15.

    Args:
        weights: Row i holds the edges out of node i; a node without any restarts.
        restart: Where a restart leads, by weight.
    """
    if not len(weights):
        return []
    home = np.asarray(restart) / np.sum(restart)
    out = weights.sum(axis=1, keepdims=True)
    moves = np.where(out > 0, weights / np.where(out > 0, out, 1), home)
    walk = DAMPING * moves.T + (1 - DAMPING) * home[:, None]
    share = home
    for _ in range(200):
        share = walk @ share
    return [float32(value) for value in share]


def _first_stage(candidates: Sequence[Candidate]) -> list[float]:
    """The first stage's scores; by rank where there are none, or some are negative."""
    scores = [candidate.score for candidate in candidates]
    known = [score for score in scores if score is not None and score >= 0]
    if len(known) == len(scores) and any(known):
        return known
    return [1 - i / len(scores) for i in range(len(scores))]
