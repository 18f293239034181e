"""Reading what an OpenAI-compatible API sent back. Pure: text in, values out.

Hosts lie: they answer 200 with an error, a web page or half a document. All of it is checked before it counts
as a model's answer; what does not count is an `UnusableError`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerankllm.backends.openai.message import finish_reason, read_message
from rerankllm.backends.openai.request import Api
from rerankllm.backends.remote import Host
from rerankllm.data import Usage
from rerankllm.elicitation.reading.characters import unescaped

_OVERFLOW = re.compile(
    "context_length_exceeded|exceed_context_size|maximum context length|max_model_len|exceeds? the available context"
    "|exceeds? (?:the )?(?:model'?s? )?(?:maximum )?context (?:length|size|window)|prompt is too long",
    re.IGNORECASE,
)

CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
"""What DeepSeek, Moonshot and Anthropic call prompt tokens that were found in their cache."""
TIMINGS = "timings"
"""Where llama.cpp's server tells of its cache in builds whose usage does not."""


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
    """One completion.

    Attributes:
        text: What the model wrote.
        finish_reason: Why it stopped.
        usage: Tokens, None where the host does not say.
        positions: One entry a generated token, as chat APIs send them; empty where there are none.
        reasoning: What the model thought, "" where the host hides it; None where it is part of the text, if anywhere.
    """

    text: str
    finish_reason: str
    usage: Usage | None
    positions: Sequence[Any]
    reasoning: str | None = None


def check(path: str, body: str) -> None:
    """Whether a body of status 200 can be what this route answers.

    Raises:
        UnusableError: It cannot, and asking again may help.
    """
    if path.endswith("/completions"):
        try:
            read_completion(body, "chat" if path.endswith("/chat/completions") else "completions")
        except UnusableError as error:
            if error.host is Host.FAILS:
                raise
    elif not path.endswith("/content"):
        _json(body)


def read_completion(body: str, api: Api = "chat") -> Completion:
    """The model's answer in `body`.

    Raises:
        UnusableError: There is none: no completion, an error posing as one, a refusal, a content filter.
    """
    payload = _mapping(_json(body))
    choice = _first(payload.get("choices"))
    message = None if choice is None else _message(choice, api)
    failed = payload.get("error") or (choice or {}).get("error")
    if choice is None or message is None or failed:
        what = "an error" if failed else "something that is no completion"
        said = json.dumps({"error": failed}) if failed else body
        raise UnusableError(f"answered 200 with {what}", said, Host.UNKNOWN if _is_final(failed) else Host.FAILS)
    told, ended = read_message(message), finish_reason(choice.get("finish_reason"))
    if ended == "content_filter":
        raise UnusableError("withheld the answer: content filter")
    if told is not None and told.refusal:
        raise UnusableError("the model refused", told.refusal)
    if told is None or ended is None:
        raise UnusableError("answered 200 with a completion of unknown shape", body, Host.FAILS)
    return Completion(
        text=told.text,
        finish_reason=ended,
        usage=_usage(payload.get("usage"), _mapping(payload.get(TIMINGS))),
        positions=_positions(choice.get("logprobs")),
        reasoning=_hidden(payload.get("usage")) if told.thought is None else told.thought,
    )


def overflows(body: str) -> bool:
    """Whether an error body says that the prompt is longer than the model's context."""
    return _OVERFLOW.search(body) is not None


def excerpt(text: str, limit: int = 200) -> str:
    """`text` on one line, markup removed, cut at `limit` characters."""
    line = " ".join(unescaped(re.sub(r"<[^<>]*>", " ", text[: 20 * limit])).split())
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


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnusableError("answered 200 with something that is no JSON", body, Host.FAILS) from None


def _message(choice: Mapping[str, Any], api: Api) -> Mapping[str, Any] | None:
    """The answer in a choice, in the chat API's shape; None where there is none."""
    if api == "completions":
        return {"content": choice["text"]} if "text" in choice else None
    message = choice.get("message")
    return message if isinstance(message, dict) else None


def _is_final(error: Any) -> bool:
    """Whether an error posing as an answer has a code that asking again does not help against."""
    code = _mapping(error).get("code")
    return type(code) is int and 400 <= code < 500 and code not in {408, 409, 429}  # noqa: PLR2004


def _hidden(usage: Any) -> str | None:
    """An empty thought where one is counted and not shown; None where there is none."""
    thought = _mapping(_mapping(usage).get("completion_tokens_details")).get("reasoning_tokens")
    return "" if type(thought) is int and thought > 0 else None


def _positions(logprobs: Any) -> Sequence[Any]:
    """One entry a generated token, in the chat API's shape."""
    given = _mapping(logprobs)
    content = given.get("content")
    if isinstance(content, list):
        return content
    tokens, values, tops = (given.get(key) for key in ("tokens", "token_logprobs", "top_logprobs"))
    if not (isinstance(tokens, list) and isinstance(values, list) and isinstance(tops, list)):
        return ()
    return [
        {
            "token": token,
            "logprob": value,
            "top_logprobs": [{"token": text, "logprob": logprob} for text, logprob in _mapping(top).items()],
        }
        for token, value, top in zip(tokens, values, tops, strict=False)
    ]


def _first(choices: Any) -> dict[str, Any] | None:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _usage(value: Any, timings: Mapping[str, Any]) -> Usage | None:
    """Tokens, and how many of the prompt's were cached, by whatever name."""
    told = _mapping(value)
    prompt, completion = (_count(told.get(key)) for key in ("prompt_tokens", "completion_tokens"))
    if prompt is None or completion is None:
        return None
    cached = (
        _mapping(told.get("prompt_tokens_details")).get("cached_tokens"),
        *map(told.get, CACHED),
        timings.get("cache_n"),
    )
    return Usage(prompt, completion, next((n for n in map(_count, cached) if n), 0))


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
