"""`?thinking=`: whether, and how much, a model should think, in the words of each host. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from rerankllm.backends.chat_template import LEVELS, for_template
from rerankllm.backends.openai.hosts import Manners
from rerankllm.errors import InputError

OF_LEVEL = {"low": 1024, "medium": 4096, "high": 16384}
"""Tokens to think where a host takes a number and the user gave a level."""
_CLOSED = re.compile(r"<(think|thinking|thought|reasoning)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)


def fields(manners: Manners, thinking: str | None, template: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent along to a host.

    Raises:
        InputError: This host knows no budgets.
    """
    if manners.thinking == "template":
        arguments = {**for_template(thinking), **template}
        return {"chat_template_kwargs": arguments} if arguments else {}
    sent: dict[str, Any] = {"chat_template_kwargs": dict(template)} if template else {}
    return sent if thinking is None else sent | _own(manners, thinking)


def _own(manners: Manners, thinking: str) -> dict[str, Any]:
    """The host's own field."""
    tokens = int(thinking) if thinking.isdecimal() else None
    if manners.thinking == "effort" and tokens:
        raise InputError(f"this host ({manners.name}) takes no number of tokens to think; use low, medium or high")
    on, level = thinking != "off", thinking in LEVELS
    budget = tokens or OF_LEVEL.get(thinking)
    effort = {"reasoning_effort": thinking if level else "medium" if on else "none"}
    told: dict[str, Any] = {"type": "enabled" if on else "disabled"}
    if manners.name == "Anthropic" and on:
        told["budget_tokens"] = budget or OF_LEVEL["medium"]
    openrouter = {"effort": thinking} if level else {"max_tokens": tokens} if tokens else {"enabled": on}
    own: dict[str, dict[str, Any]] = {
        "effort": effort,
        "think": {"think": thinking if level else on, **effort},
        "openrouter": {"reasoning": openrouter},
        "thinking": {"thinking": told},
        "enable_thinking": {"enable_thinking": on, **({"thinking_budget": budget} if budget else {})},
    }
    return own[manners.thinking]


def thoughts_in(text: str) -> bool:
    """Whether a text holds a thought that is not empty; templates that think not often write an empty one."""
    return any(thought.strip() for _, thought in _CLOSED.findall(text))
