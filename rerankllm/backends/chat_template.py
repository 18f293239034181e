"""`?thinking=` and `?template_kwargs=`: what a chat template is told. Pure."""

import json
from typing import Any

from rerankllm.errors import InputError

LEVELS = ("low", "medium", "high")


def checked(thinking: str | None) -> str | None:
    """The option `thinking`, if it can be one.

    Raises:
        InputError: It is none of on, off, a level or a number of tokens.
    """
    known = thinking in {None, "on", "off", *LEVELS} or (thinking or "").isdecimal()
    if not known or thinking == "0":
        raise InputError(f"thinking should be on, off, {', '.join(LEVELS)} or a number of tokens, not {thinking}")
    return thinking


def kwargs_of(text: str | None) -> dict[str, Any]:
    """The option `template_kwargs`: arguments for the chat template, given as a JSON object.

    Raises:
        InputError: It is none.
    """
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError(f'template_kwargs should be a JSON object, such as {{"enable_thinking": false}}, not {text}')
    return value


def arguments_of(thinking: str | None, template_kwargs: str | None = None) -> dict[str, Any]:
    """What the chat template is told, by both options; what is said by `template_kwargs` wins.

    Thinking is told in the names that the templates of Qwen and GLM, DeepSeek and Granite, gpt-oss and Seed-OSS have
    for it. A template does not mind arguments that it has no use for.

    Raises:
        InputError: One of the options cannot be.
    """
    return for_template(checked(thinking)) | kwargs_of(template_kwargs)


def for_template(thinking: str | None) -> dict[str, Any]:
    """The arguments by which chat templates are told how much to think."""
    if thinking is None:
        return {}
    arguments: dict[str, Any] = {"enable_thinking": thinking != "off", "thinking": thinking != "off"}
    if thinking in LEVELS:
        arguments["reasoning_effort"] = thinking
    if thinking.isdecimal():
        arguments["thinking_budget"] = int(thinking)
    return arguments
