"""The shapes in which hosts put an answer: text, a list of parts, a call of a tool, a thought beside it. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

FINISHED = {
    "length": ("max_tokens", "model_length", "max_output_tokens", "token_limit", "max_length"),
    "stop": ("eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed", "end", "finished"),
    "content_filter": ("safety", "recitation", "blocklist", "prohibited_content", "spii", "sensitive", "refusal"),
}
"""What hosts call the reasons for which an answer ended."""
_REASON = {name: reason for reason, names in FINISHED.items() for name in names}
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought")
_TEXTS = {"text", "output_text"}
_THINKING = {"thinking", "reasoning", "thought", "reasoning.text", "reasoning.summary", "redacted_thinking"}


class Told(NamedTuple):
    """What a message says.

    Attributes:
        text: The answer.
        thought: What was thought before it; None where the message has none apart.
        refusal: Why it does not answer, where it says so.
    """

    text: str
    thought: str | None
    refusal: str | None


def read_message(message: Mapping[str, Any]) -> Told | None:
    """What a message of a chat says; None where it has a shape that no host is known to send.

    A thought with an answer that is empty, and a message with neither, are answers without text. The arguments of a
    tool that the model calls, though it was given none, are its text.
    """
    content, refusal = message.get("content"), message.get("refusal")
    thoughts = [_written(message.get(name)) for name in (*_THOUGHTS, "reasoning_details")]
    thought = next((found for found in thoughts if found is not None), None)
    if isinstance(content, list):
        parts = list(_parts(content))
        if not all(kind in {"text", "thought", "refusal"} for kind, _ in parts):
            return None
        text, inside, refused = (
            "".join(said for kind, said in parts if kind == wanted) for wanted in ("text", "thought", "refusal")
        )
        thought = thought if thought is not None else (inside or None)
        content, refusal = text, refusal or refused
    if content is not None and not isinstance(content, str):
        return None
    text = content or "".join(_arguments(message))
    return Told(text, thought, str(refusal) if refusal else None)


def finish_reason(told: Any) -> str | None:
    """Why an answer ended, in OpenAI's words where they are known; None where that is no reason at all."""
    if told is None:
        return "stop"
    if not isinstance(told, str):
        return None
    return _REASON.get(told.lower(), told.lower()) or "stop"


def _parts(content: list[Any]) -> Iterator[tuple[str, str]]:
    """What each part is and says; `unknown` for what no host is known to send."""
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, str):
            yield "text", part
        elif kind in _TEXTS or (kind is None and isinstance(part, dict) and isinstance(part.get("text"), str)):
            said = part.get("text")
            yield ("text", said) if isinstance(said, str) else ("unknown", "")
        elif kind == "refusal":
            yield "refusal", str(part.get("refusal"))
        elif kind in _THINKING:
            yield "thought", _written(part.get("thinking") or part.get("text") or part.get("summary")) or ""
        else:
            yield "unknown", ""


def _written(value: Any) -> str | None:
    """A thought: text, or a list of parts of it."""
    if isinstance(value, list) and value:
        return "".join(_written(part.get("text", "")) or "" if isinstance(part, dict) else str(part) for part in value)
    return value if isinstance(value, str) else None


def _arguments(message: Mapping[str, Any]) -> Iterator[str]:
    """The arguments of the tools that are called."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        given = function.get("arguments") if isinstance(function, dict) else None
        if given is not None:
            yield given if isinstance(given, str) else json.dumps(given)
