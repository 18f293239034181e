"""How far a judge's worth is to be shrunk towards the first stage, measured on grades."""

from collections.abc import Mapping, Sequence

import numpy as np

from rerankllm.analysis.judge_profile.answers import JudgeAnswers
from rerankllm.errors import InputError
from rerankllm.strategies.belief.plackett_luce import Matrix, Vector
from rerankllm.strategies.belief.posterior import Prior, posterior

Grades = Mapping[str, Mapping[str, int]]
LEAST = 0.05


class Regression:
    """Grades by least squares from the prior mean μ and the worth v of the documents that were shown.

    `active` orders by μ + λ(v − μ), which is (1 − λ)μ + λv. Where grades are best predicted by a·μ + b·v, that is so
    for λ = b / (a + b). Means of each query are taken off; a document without a grade counts as 0.

    Args:
        heard: What was answered.
        qrels: Grades by query and document.
        scale: The judge's.
        trust: What the prior goes by.
        sharpness: The judge's.

    Raises:
        InputError: No query has a grade above the lowest.
    """

    def __init__(
        self, heard: Sequence[JudgeAnswers], qrels: Grades, scale: float, trust: float, sharpness: float
    ) -> None:
        squares: list[Matrix] = []
        products: list[Vector] = []
        for each in heard:
            prior = Prior.of_ranks(len(each.doc_ids), scale, trust)
            worth = posterior(prior, each.evidence(sharpness)).mode
            columns = np.stack([prior.mean, worth], axis=1)[each.seen]
            columns = columns - columns.mean(axis=0)
            known = qrels.get(each.query_id)
            grades = np.array([known.get(each.doc_ids[i], 0) if known else 0 for i in each.seen], dtype=float)
            squares.append(columns.T @ columns * (known is not None))
            products.append(columns.T @ (grades - grades.mean()))
        self._squares, self._products = np.array(squares), np.array(products)
        if not self._products.any():
            raise InputError("the qrels have no grades for what was judged: look at the ids of both files")

    def trust(self, weight: Vector) -> float:
        """λ between LEAST and 1, with each query weighted."""
        square = np.einsum("q,qij->ij", weight, self._squares) + 1e-9 * np.eye(2)
        a, b = np.linalg.solve(square, weight @ self._products)
        if b <= 0:
            return LEAST
        return float(np.clip(b / (max(a, 0.0) + b), LEAST, 1.0))
