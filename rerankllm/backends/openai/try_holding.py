"""Finding out by which means a host that is not known holds answers to a form."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from rerankllm.backends.openai.completion import UnusableError, read_completion
from rerankllm.backends.openai.holding import MEANS, PROBE, PROBE_PROMPT, PROBE_TOKENS, holds
from rerankllm.backends.openai.request import Poster
from rerankllm.calls import ChatPrompt, Generate, Message, Request
from rerankllm.errors import CapabilityError

log = logging.getLogger(__name__)


async def try_means(poster: Poster, post: Callable[[dict[str, Any]], Awaitable[str]], host: str) -> None:
    """Tries one means after the other, and leaves the one that works in `poster.means`: none does so by accident.

    Args:
        poster: Words the requests.
        post: Sends a body and returns the answer's; raises where there is none.
        host: To name in messages.

    Raises:
        CapabilityError: None works.
    """
    import openai  # noqa: PLC0415

    asked = Request(ChatPrompt((Message("user", PROBE_PROMPT),)), Generate(PROBE_TOKENS, form=PROBE))
    for means in MEANS:
        poster.means = means
        try:
            if holds(means, PROBE, read_completion(await post(poster.body(asked)), "chat").text):
                log.warning("%s holds answers to labels by %s", host, means)
                return
        except (openai.APIStatusError, openai.APIConnectionError, UnusableError) as error:
            log.debug("%s does not take %s: %s", host, means, error)
    poster.means = None
    raise CapabilityError(
        f"{host} does not hold answers to a form by any of {', '.join(MEANS)}: use text(constrained=auto)"
    )
