"""Tokens drawn by chance, in engines that compute in this process."""

from typing import Any, TypeAlias

import numpy as np

from rerankllm.calls import Draw, Sample

Logits: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]


class Chance:
    """Draws the tokens of one answer, one after the other, always the same ones for a seed and the same logits.

    Args:
        want: What is asked for.
    """

    def __init__(self, want: Sample) -> None:
        self._generator = np.random.default_rng(want.seed)
        self._temperature, self._top_p = (want.temperature, want.top_p) if isinstance(want, Draw) else (1.0, 1.0)

    def next(self, logits: Logits) -> int:
        """The next token, drawn from the softmax: the largest of logits with Gumbel noise is such a draw."""
        scaled = logits / self._temperature
        if self._top_p < 1:
            scaled = np.where(_nucleus(scaled, self._top_p), scaled, -np.inf)
        return int(np.argmax(scaled + self._generator.gumbel(size=logits.shape)))


def _nucleus(logits: Logits, top_p: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which tokens are among the fewest, likeliest first, that together have this probability."""
    order = np.argsort(-logits, kind="stable")
    likely = np.exp(logits[order].astype(np.float64) - float(logits.max()))
    before = np.cumsum(likely) - likely
    kept = np.zeros(logits.shape, dtype=bool)
    kept[order[before < top_p * likely.sum()]] = True
    return kept
