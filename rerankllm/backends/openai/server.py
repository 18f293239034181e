"""What a server says of itself before it is asked anything: one free look at its list of models."""

import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from rerankllm.backends.openai.endpoint import Endpoint, certificates, has_sdk
from rerankllm.backends.openai.hosts import SGLANG, UNKNOWN, VLLM, Manners, by_address, by_owner
from rerankllm.errors import AuthError

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
TEMPLATE_TOKENS = 64
"""What a host's chat template may add to a prompt that is counted without it."""
MOST_BYTES = 4_000_000
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Server:
    """What is known of a server.

    Attributes:
        manners: How it is asked, as far as its address and what it says of itself tell.
        context: Tokens that prompt and answer may have together, its chat template aside; None where it does not say.
        names: What the model is called besides the name that it is asked for by, such as its folder.
        lists: Whether the model is in its list, which it showed for this key, if not to anybody.
    """

    manners: Manners = UNKNOWN
    context: int | None = None
    names: tuple[str, ...] = ()
    lists: bool = False


def look(endpoint: Endpoint, model: str) -> Server:
    """Asks a server for its models. Not having such a list, not answering and not being there tell nothing.

    Not for OpenAI's own host, of which all is known.

    Raises:
        AuthError: It refuses the key, or is a vLLM server without that model.
    """
    status, body = _get(endpoint) if has_sdk() else (0, "")
    if status == UNAUTHORIZED:
        hint = f"check the key in ${endpoint.key_env}"
        raise AuthError(f"{endpoint.host} answered {status}: {endpoint.shown(body)}; {hint}")
    entries = _entries(body)
    told = [by_owner(entry.get("owned_by")) for entry in entries]
    manners = VLLM if VLLM in told else next((found for found in told if found is not UNKNOWN), UNKNOWN)
    manners = by_address(endpoint.url) if manners is UNKNOWN else manners
    mine = next((entry for entry in entries if entry.get("id") == model), None)
    if manners not in {VLLM, SGLANG} or (mine is None and manners is SGLANG):
        return Server(manners, lists=mine is not None)
    if mine is None:
        names = ", ".join(sorted(str(entry.get("id")) for entry in entries))
        raise AuthError(f"{endpoint.host} serves no model {model}; it serves {names}")
    context = mine.get("max_model_len") or entries[0].get("max_model_len")  # an adapter has that of its base
    fits = max(1, context - TEMPLATE_TOKENS) if type(context) is int else None
    root = mine.get("root")
    return Server(manners, context=fits, names=(root,) if isinstance(root, str) else (), lists=True)


def _get(endpoint: Endpoint) -> tuple[int, str]:
    """Status and body of the list of models; 0 where there is none to be had within `LOOK_SECONDS` or so."""
    import httpx2  # noqa: PLC0415

    give_up, body = time.monotonic() + LOOK_SECONDS, b""
    headers = {"Authorization": f"Bearer {endpoint.key}"}
    try:
        with httpx2.stream(
            "GET", f"{endpoint.url}/models", headers=headers, timeout=LOOK_SECONDS, verify=certificates()
        ) as response:
            for part in response.iter_bytes():
                body += part
                if time.monotonic() > give_up or len(body) > MOST_BYTES:
                    return 0, ""
            return response.status_code, body.decode("utf-8", "replace")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        log.debug("%s lists no models: %s", endpoint.host, type(error).__name__)
        return 0, ""


def _entries(body: str) -> list[dict[str, Any]]:
    try:
        listing = json.loads(body)
    except (ValueError, RecursionError):
        return []
    data = listing.get("data") if isinstance(listing, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
