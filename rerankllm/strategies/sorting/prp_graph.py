"""PRP-Graph: a graph of comparisons, and who its links lead to."""

from collections.abc import Sequence

import numpy as np

from rerankllm.aggregation.pagerank import pagerank
from rerankllm.data import Candidate, float32
from rerankllm.judgements import Steps
from rerankllm.strategies.blocks.swiss_pairing import swiss_pairs
from rerankllm.strategies.questions.pairs import Pairs


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
    return [float32(share) for share in pagerank(weights, np.array(_first_stage(candidates)))]


def _first_stage(candidates: Sequence[Candidate]) -> list[float]:
    """The first stage's scores; by rank where there are none, or some are negative."""
    scores = [candidate.score for candidate in candidates]
    known = [score for score in scores if score is not None and score >= 0]
    if len(known) == len(scores) and any(known):
        return known
    return [1 - i / len(scores) for i in range(len(scores))]
