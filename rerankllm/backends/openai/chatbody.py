"""Reading what a chat completions API sent back. Pure: text in, values out.

Hosts lie: they answer 200 with an error, a web page or half a document. All of it is checked before it counts
as a model's answer; what does not count is an `UnusableError`.
"""

import html
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerankllm.backends.base import log_sum_exp
from rerankllm.backends.remote import Host
from rerankllm.data import Usage

BRACKETS = "[](){}<>"


class UnusableError(Exception):
    """A body without a usable answer.

    Args:
        reason: One line of this package's own words.
        said: What the host said, as it came: not for showing before it is searched for secrets.
        host: What that tells about the host.
    """

    def __init__(self, reason: str, said: str = "", host: Host = Host.SERVES) -> None:
        super().__init__(reason)
        self.reason = reason
        self.said = said
        self.host = host


@dataclass(frozen=True, slots=True)
class Completion:
    """One chat completion.

    Attributes:
        text: What the model wrote.
        finish_reason: Why it stopped.
        usage: Tokens, None where the host does not say.
        positions: One entry a generated token, as the host sent them; empty where it sent none.
    """

    text: str
    finish_reason: str
    usage: Usage | None
    positions: Sequence[Any]


def read_completion(body: str) -> Completion:
    """The model's answer in `body`.

    Raises:
        UnusableError: There is none: no chat completion, an error posing as one, a refusal, a content filter.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise UnusableError("answered 200 with something that is no JSON", body, Host.FAILS) from None
    payload = payload if isinstance(payload, dict) else {}
    choice = _first(payload.get("choices"))
    message = choice.get("message") if choice else None
    failed = payload.get("error") or (choice or {}).get("error")
    if choice is None or not isinstance(message, dict) or failed:
        what = "an error" if failed else "something that is no chat completion"
        said = json.dumps({"error": failed}) if failed else body
        raise UnusableError(f"answered 200 with {what}", said, Host.FAILS)
    text, refusal, finish_reason = message.get("content"), message.get("refusal"), choice.get("finish_reason")
    if finish_reason == "content_filter":
        raise UnusableError("withheld the answer: content filter")
    if refusal:
        raise UnusableError("the model refused", str(refusal))
    if not isinstance(text, str | None) or not isinstance(finish_reason, str | None):
        raise UnusableError("answered 200 with a completion of unknown shape", body, Host.FAILS)
    logprobs = choice.get("logprobs")
    positions = logprobs.get("content") if isinstance(logprobs, dict) else None
    return Completion(
        text=text or "",
        finish_reason=finish_reason or "stop",
        usage=_usage(payload.get("usage")),
        positions=positions if isinstance(positions, list) else (),
    )


def label_logprobs(positions: Sequence[Any], labels: Sequence[str]) -> tuple[tuple[float, ...], float]:
    """The log-probability of each label where the model began to spell one, and the least of all reported there.

    That is the first generated token which, white space and brackets around it aside, is a label and no part
    of a longer word. Each label's value sums over the alternatives there that spell it; NaN if none does.

    Args:
        positions: `Completion.positions`.
        labels: Label texts, distinct. Case counts only where they differ by nothing else.

    Raises:
        UnusableError: No log-probabilities, no alternatives, or no label among the tokens.
    """
    if not positions:
        raise UnusableError("this server returned no logprobs; use / text")
    fold = _folding(labels)
    wanted = [fold(label) for label in labels]
    spelled = [str(_mapping(position).get("token", "")) for position in positions]
    for index, token in enumerate(spelled):
        if fold(token) in wanted and not _inside_word(spelled, index):
            found = _alternatives(positions[index])
            if not found:
                raise UnusableError("this server returned no top_logprobs beside the chosen token; use / text")
            sums = {label: [value for text, value in found if fold(text) == label] for label in wanted}
            values = tuple(log_sum_exp(sums[label]) if sums[label] else math.nan for label in wanted)
            return values, min(value for _, value in found)
    raise UnusableError("none of the labels was generated; use / text", "".join(spelled))


def excerpt(text: str, limit: int = 200) -> str:
    """`text` on one line, markup removed, cut at `limit` characters."""
    line = " ".join(html.unescape(re.sub(r"<[^<>]*>", " ", text[: 20 * limit])).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def server_message(body: str) -> str:
    """What an error body says, in one line: its message if it is JSON of a known shape, else an excerpt."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return excerpt(body) or "no message"
    for _ in range(3):
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict):
            value = next((value[key] for key in ("error", "message", "detail", "msg") if value.get(key)), value)
    return excerpt(value if isinstance(value, str) else json.dumps(value)) or "no message"


def _first(choices: Any) -> dict[str, Any] | None:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _usage(value: Any) -> Usage | None:
    counts = [_mapping(value).get(key) for key in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (count if type(count) is int and count >= 0 else None for count in counts)
    return None if prompt is None or completion is None else Usage(prompt, completion)


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


def _alternatives(position: Any) -> list[tuple[str, float]]:
    """Tokens and log-probabilities at a position: the alternatives, and the token itself if they lack it."""
    entries = _mapping(position).get("top_logprobs")
    if not isinstance(entries, list) or not entries:
        return []
    top = [_mapping(entry) for entry in entries]
    if all(entry.get("token") != position["token"] for entry in top):
        top.append(position)
    return [
        (str(entry.get("token", "")), float(entry["logprob"]))
        for entry in top
        if type(entry.get("logprob")) in (int, float) and not math.isnan(entry["logprob"])
    ]
