"""What two comparisons of the same pair, shown in both orders, mean together: one preference, whichever way one looks.

LLM-RankFusion (Zeng et al. 2024, section 4.2) has been published with three formulas. All say that the first document
wins when it is likelier shown first than the second is shown first; they differ in how strong they take that to be.
They leave ties only where the two orders cancel out exactly, as answers in words do that name a letter and no more.
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

TIE = 0.5
SUREST = 40.0
"""The largest margin, in nats: an answer in words, which is 1 or 0, counts as this sure. σ(40) is 1 in floats."""

Form: TypeAlias = Literal["logodds", "average", "softmax", "agree"]
"""How the two orders become one: the name of a function in here."""


def logodds(first_shown_first: float, second_shown_first: float) -> float:
    """σ(½(margin_ij − margin_ji)), a margin being the log-odds of the one shown first.

    The form of the paper's revision of 2026: what a judge prefers about a place, in log-odds, cancels out, and nothing
    is squeezed, so the preference can be added up as Bradley–Terry does. With only words to go by it is `agree`.

    Args:
        first_shown_first: p(the one shown first wins), with the first document first.
        second_shown_first: The same with the second document shown first.

    Returns:
        p(the first document wins).
    """
    return sigmoid((margin(first_shown_first) - margin(second_shown_first)) / 2)


def average(first_shown_first: float, second_shown_first: float) -> float:
    """(p_ij + 1 − p_ji) / 2, the form of the preprint. Arguments and result are those of `logodds`."""
    return (first_shown_first + 1 - second_shown_first) / 2


def softmax(first_shown_first: float, second_shown_first: float) -> float:
    """A softmax over (p_ij, p_ji), as in the paper's code: within 0.27 and 0.73. Arguments are those of `logodds`."""
    return sigmoid(first_shown_first - second_shown_first)


def agree(first_shown_first: float, second_shown_first: float) -> float:
    """1.0 or 0.0 where both orders name the same winner, else 0.5. Arguments are those of `logodds`.

    Pairwise ranking prompting (Qin et al. 2023, section 3.2): a document wins when it wins in both orders; anything
    else, a preference that follows the order included, is a tie.
    """
    if first_shown_first > TIE > second_shown_first:
        return 1.0
    if first_shown_first < TIE < second_shown_first:
        return 0.0
    return TIE


FORMS: Mapping[Form, Callable[[float, float], float]] = {
    "logodds": logodds,
    "average": average,
    "softmax": softmax,
    "agree": agree,
}


def margin(p: float) -> float:
    """The log-odds of a probability: how far the label of the first lies above that of the second, in nats."""
    less = min(p, 1 - p)
    size = SUREST if less <= 0 else min(SUREST, math.log1p(-less) - math.log(less))
    return math.copysign(size, p - TIE)


def sigmoid(x: float) -> float:
    """The probability with these log-odds; σ(x) + σ(−x) = 1."""
    return (1 + math.tanh(x / 2)) / 2
