"""Reading how likely each label is off the log-probabilities that an API sent. Pure."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rerankllm.backends.openai.completion import UnusableError
from rerankllm.backends.remote import Host
from rerankllm.calls import Reading, log_sum_exp

BRACKETS = "[](){}<>"
LEAST_MASS = 1e-6
"""Probability that is left at least: log-probabilities are rounded on their way."""
MOST = 0.1
"""What is above this is no log-probability, however it was rounded."""


class NoLogprobsError(UnusableError):
    """A good answer, without the log-probabilities it was asked for: the host does not tell any."""


def label_logprobs(positions: Sequence[Any], labels: Sequence[str]) -> tuple[tuple[float, ...], float]:
    """The log-probability of each label where the model began to spell one, and a bound for those not reported.

    That is the first generated token which, white space and brackets around it aside, is a label and no part
    of a longer word. Each label's value sums over the alternatives there that spell it; NaN if none does. Where a
    host reports NaN or infinity for a label, nothing there is an answer: all are NaN, the bound too.

    Args:
        positions: `Completion.positions`.
        labels: Label texts, distinct. Case counts only where they differ by nothing else.

    Raises:
        NoLogprobsError: No log-probabilities, or no alternatives.
        UnusableError: No label among the tokens.
    """
    for reading in _readings(positions, labels):
        return reading.logprobs, reading.floor
    raise UnusableError("none of the labels was generated; use / text", "".join(map(_spelled, positions)))


def readings(positions: Sequence[Any], labels: Sequence[str], text: str) -> tuple[Reading, ...]:
    """Every label that the model wrote into `text`, as `label_logprobs` reads the first.

    Args:
        positions: `Completion.positions`: of the text, and on some hosts of what was thought before it and of the
            token that ended it.
        labels: Label texts, distinct.
        text: `Completion.text`; what cannot be found in it is left out.

    Raises:
        NoLogprobsError: No log-probabilities, or no alternatives.
    """
    if not text:
        return ()
    written = [_written(position) for position in positions]
    start = b"".join(written).decode("utf-8", "replace").rfind(text)
    found: list[Reading] = []
    for reading in _readings(positions, labels, pieces=True):
        at = len(b"".join(written[: reading.at]).decode("utf-8", "replace")) - start
        if start >= 0 and at >= 0:
            found.append(reading._replace(at=at))
    return tuple(found)


def _readings(positions: Sequence[Any], labels: Sequence[str], *, pieces: bool = False) -> Iterator[Reading]:
    """The labels among the tokens; `at` is the token's number. With `pieces`, the 1 and 0 of the label 10 too."""
    if not positions:
        raise NoLogprobsError("this server returned no logprobs; use / text")
    fold = _folding(labels)
    wanted = [fold(label) for label in labels]
    spelled = list(map(_spelled, positions))
    for index, token in enumerate(spelled):
        alone = not _inside_word(spelled, index) or (pieces and _word(spelled, index) in labels)
        if fold(token) in wanted and alone:
            found = _alternatives(positions[index])
            if not found:
                raise NoLogprobsError("this server returned no top_logprobs beside the chosen token; use / text")
            sums = {label: [value for text, value in found if fold(text) == label] for label in wanted}
            values = tuple(log_sum_exp(sums[label]) if sums[label] else math.nan for label in wanted)
            floor = _bound(positions[index], found, sum(map(math.isnan, values)))
            if any(math.isnan(value) for label in wanted for value in sums[label]):
                values, floor = (math.nan,) * len(wanted), math.nan
            yield Reading(index, wanted.index(fold(token)), values, floor)


def _bound(position: Any, found: Sequence[tuple[str, float]], unreported: int) -> float:
    """What a label that was not reported can have at most.

    The labels that were not reported share the probability that is left. And a host lists the likeliest tokens, so none
    of them is likelier than the last of its list.
    """
    told = [value for _, value in found if not math.isnan(value)]
    left = max(1 - math.fsum(map(math.exp, told)), LEAST_MASS)
    listed = [value for value in map(_value, _mapping(position)["top_logprobs"]) if math.isfinite(value)]
    return min([math.log(left / max(unreported, 1)), *listed])


def _spelled(position: Any) -> str:
    return str(_mapping(position).get("token", ""))


def _written(position: Any) -> bytes:
    """The bytes of a token, which may be part of a character; as it is shown where the host does not tell them."""
    told = _mapping(position).get("bytes")
    if isinstance(told, list) and all(type(byte) is int and 0 <= byte < 256 for byte in told):  # noqa: PLR2004
        return bytes(told)
    return _spelled(position).encode("utf-8", "replace")


def _bare(token: str) -> str:
    """A token without what surrounds its word; some hosts show a leading space as a mark of its own."""
    return token.strip("\u2581\u0120").strip().strip(BRACKETS).strip()


def _folding(labels: Sequence[str]) -> Callable[[str], str]:
    """The most forgiving way to compare tokens that still tells the labels apart."""
    ways: tuple[Callable[[str], str], ...] = (lambda token: _bare(token).casefold(), _bare, str.strip)
    for way in ways:
        folded = {way(label) for label in labels}
        if len(folded) == len(labels) and "" not in folded:
            return way
    raise UnusableError(f"the labels {', '.join(labels)} cannot be told apart", host=Host.UNKNOWN)


def _inside_word(tokens: Sequence[str], index: int) -> bool:
    """Whether the word of this token goes on in the one before or after: "No" in "Nothing", "1" in "10"."""
    before, token, after = "".join(tokens[:index]), tokens[index], "".join(tokens[index + 1 :])
    return any(
        left[-1:].isalnum() and right[:1].isalnum() and (left[-1:] + right[:1]).isascii()
        for left, right in ((before, token), (token, after))
    )


def _word(tokens: Sequence[str], index: int) -> str:
    """The word that a token is part of."""
    inside = re.search(r"\w", tokens[index])
    start = len("".join(tokens[:index])) + (inside.start() if inside else 0)
    words = re.finditer(r"\w+", "".join(tokens))
    return next((word.group() for word in words if word.start() <= start < word.end()), "")


def _alternatives(position: Any) -> list[tuple[str, float]]:
    """Tokens and log-probabilities at a position: the alternatives, and the token itself if they lack it.

    NaN where the host gives no number that a log-probability can be. Tokens that cannot come (-inf) are left out.
    """
    entries = _mapping(position).get("top_logprobs")
    if not isinstance(entries, list) or not entries:
        return []
    top = [_mapping(entry) for entry in entries]
    if all(entry.get("token") != position["token"] for entry in top):
        top.append(position)
    found = [(str(entry.get("token", "")), _value(entry)) for entry in top]
    return [(token, value) for token, value in found if value != -math.inf]


def _value(entry: Any) -> float:
    value: Any = _mapping(entry).get("logprob")
    return float(value) if type(value) in (int, float) and value < MOST else math.nan


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
