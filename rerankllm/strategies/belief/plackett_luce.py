"""The Plackett–Luce likelihood of orders that may tie, omit, and prefer a place in the prompt."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rerankllm.judgements import WeakOrder

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Choices(NamedTuple):
    """An answer as choices made one after the other: each named document was chosen over all that follow it.

    Attributes:
        shown: Index of each document of the prompt, in the order shown, shape (m,).
        place: Where each was shown, from −½ for the first place to ½ for the last, shape (m,); 0 where there are none.
        chosen: Which of those shown was chosen, one a choice, shape (c,).
        among: Whether a document could be chosen, itself included, shape (c, m).
        weight: How often each choice was made, shape (c,); parts of one where a judge gave probabilities.
        sharpness: How large differences of worth are in this kind of answer, measured in its noise.
    """

    shown: NDArray[np.intp]
    place: Vector
    chosen: NDArray[np.intp]
    among: NDArray[np.bool_]
    weight: Vector
    sharpness: float = 1.0


def choices(shown: Sequence[int], ids: Sequence[str], order: WeakOrder) -> Choices:
    """What an answer says.

    Luce 1959, Plackett 1975: a ranking is a sequence of choices among what is left. It is truncated where the answer
    stops naming documents: what was omitted is behind all that were named, and nothing is said of its own order. Nor
    is anything said of the order within a tie: each of its documents was chosen over all behind the tie.

    Args:
        shown: Index of each document of the prompt, in the order shown.
        ids: Their ids.
        order: The answer.
    """
    at = {doc_id: i for i, doc_id in enumerate(ids)}
    left = np.ones(len(ids), dtype=bool)
    chosen: list[int] = []
    among: list[NDArray[np.bool_]] = []
    for group in order.groups:
        members = [at[doc_id] for doc_id in group]
        left[members] = False
        if not left.any():
            break
        for member in members:
            could = left.copy()
            could[member] = True
            chosen.append(member)
            among.append(could)
    m = len(ids)
    return Choices(
        np.array(shown, dtype=np.intp),
        np.arange(m) / max(m - 1, 1) - 0.5,
        np.array(chosen, dtype=np.intp),
        np.array(among, dtype=bool).reshape(len(chosen), m),
        np.ones(len(chosen)),
    )


def compared(first: int, second: int, wins: float) -> Choices:
    """What a comparison says: the first was chosen `wins` times of one, the second the rest of it.

    Args:
        first: Index of the document shown first.
        second: Index of the other.
        wins: p(the first wins).
    """
    shown, place = np.array([first, second]), np.array([-0.5, 0.5])
    return Choices(shown, place, np.arange(2), np.ones((2, 2), dtype=bool), np.array([wins, 1 - wins]))


def scored(scores: Mapping[int, float], sharpness: float) -> Choices:
    """What scores say of documents that were judged one by one: their order, no more, whatever scale they are on.

    Args:
        scores: Score by index.
        sharpness: How much more exact they are than orders.
    """
    groups: dict[float, list[str]] = {}
    for i in sorted(scores, key=lambda i: -scores[i]):
        groups.setdefault(scores[i], []).append(str(i))
    shown = list(scores)
    found = choices(shown, [str(i) for i in shown], WeakOrder(tuple(map(tuple, groups.values()))))
    return found._replace(place=np.zeros(len(shown)), sharpness=sharpness)


def log_likelihood(answer: Choices, worth: Vector, bias: float) -> tuple[float, Vector, Matrix]:
    """How likely an answer is by Σ weight · log(exp u_chosen / Σ_among exp u), u = sharpness · (worth − bias · place).

    Args:
        answer: What was chosen.
        worth: Utility of every document, those not shown too.
        bias: By how much the first place looks better than the last.

    Returns:
        The logarithm, its gradient by worth − bias · place, shape (m,), and minus its Hessian, shape (m, m), positive
        semi-definite.
    """
    u = answer.sharpness * (worth[answer.shown] - bias * answer.place)
    masked = np.where(answer.among, u, -np.inf)
    top = masked.max(axis=1, initial=-np.inf, keepdims=True)
    weights = np.exp(masked - top)
    total = weights.sum(axis=1, keepdims=True)
    share = weights / total
    value = float(answer.weight @ (u[answer.chosen] - (top + np.log(total))[:, 0]))
    expected = answer.weight @ share
    gradient = np.bincount(answer.chosen, answer.weight, minlength=len(u)) - expected
    curvature = np.diag(expected) - (share.T * answer.weight) @ share
    return value, answer.sharpness * gradient, answer.sharpness**2 * curvature
