"""What a host refuses by name is left out, or called otherwise, from then on. Pure, but for what it remembers.

Hosts say in many shapes which field they do not take: in `error.param`, in `detail[].loc`, in `message.detail[]`, or
in words. A refusal that names no field that was sent, or that is about a value (a limit that is too high), teaches
nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

LIMITS = ("max_tokens", "max_completion_tokens")
ESSENTIAL = frozenset({"model", "messages", "prompt", "continue_final_message", "add_generation_prompt"})
LABELS = frozenset({"logprobs", "top_logprobs"})
"""Without these there is nothing to read labels off: they may be fewer, but are never left out."""
HOLDS = frozenset({"response_format", "structured_outputs", "regex", "grammar"})
_COMPLAINT = re.compile(
    r"unsupported|not support|un(?:known|recogni[sz]ed|expected)|extra|not permitted|not allowed|forbidden|instead"
    r"|cannot find field|deprecated|only (?:the default|\S+ is allowed|\S+ (?:is|are) supported)|not available"
    r"|additional propert|does not (?:exist|take|accept)|invalid (?:argument|parameter|field)",
    re.IGNORECASE,
)
_AT_MOST = re.compile(
    r"(?:at most|maximum|less than or equal to|<=|≤|between \d+ and|up to)\D{0,20}(\d+)", re.IGNORECASE
)


class Adaptation:
    """What requests to one host are changed by.

    Attributes:
        changes: What has been learnt, in words, in the order in which it was.
    """

    def __init__(self) -> None:
        self.changes: list[str] = []
        self._left_out: set[str] = set()
        self._renamed: dict[str, str] = {}
        self._capped: dict[str, int] = {}

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body as this host takes it."""
        adapted = {self._renamed.get(name, name): value for name, value in body.items()}
        for name, most in self._capped.items():
            if name in adapted and adapted[name] > most:
                adapted[name] = most
        return {name: value for name, value in adapted.items() if name not in self._left_out}

    def gave_up(self, names: frozenset[str]) -> bool:
        """Whether one of these fields is left out."""
        return bool(self._left_out & names)

    def leave_out(self, name: str, why: str) -> None:
        """Leaves a field out from now on."""
        if name not in self._left_out:
            self._left_out.add(name)
            self.changes.append(why)

    def learn(self, refusal: str, body: Mapping[str, Any]) -> None:
        """Learns from a refusal (status 400 or 422) of a body that was sent.

        Args:
            refusal: The error's body.
            body: What was refused.
        """
        for name in refused(refusal, body):
            other = next((limit for limit in LIMITS if name in LIMITS and limit != name), "")
            if other and other not in self._renamed and other not in body:
                self._renamed[name] = other
                self.changes.append(f"{name} is called {other}")
            elif name in LABELS:
                most = _AT_MOST.search(refusal)
                if most and int(most[1]) < body[name]:
                    self._capped[name] = int(most[1])
                    self.changes.append(f"{name} is {most[1]} at most")
            else:
                self.leave_out(name, f"{name} is left out")


def refused(refusal: str, body: Mapping[str, Any]) -> list[str]:
    """Which fields of a body a refusal names, those aside that no request can do without.

    Where the error says it in a field of its own, that counts; else its words do.
    """
    if not _COMPLAINT.search(refusal) and not _AT_MOST.search(refusal):
        return []
    try:
        told: Any = json.loads(refusal)
    except (ValueError, RecursionError):
        told = None
    sent = [name for name in body if name not in ESSENTIAL]
    if not _COMPLAINT.search(refusal):
        sent = [name for name in sent if name in LABELS]
    named = set(_places(told))
    return [name for name in sent if name in named] or [name for name in sent if _spoken(name, refusal)]


def _places(value: Any) -> Iterator[str]:
    """The fields that an error names by `param` or `loc`."""
    if isinstance(value, list):
        for each in value:
            yield from _places(each)
    if not isinstance(value, dict):
        return
    param, loc = value.get("param"), value.get("loc")
    if isinstance(param, str):
        yield re.split(r"[.\[]", param)[0]
    if isinstance(loc, list):
        yield from [part for part in loc if isinstance(part, str)]
    for key in ("error", "message", "detail", "details", "errors"):
        yield from _places(value.get(key))


def _spoken(name: str, text: str) -> bool:
    """Whether words name a field: any name with an underscore, a plain word only where it is marked as a name."""
    if "_" in name:
        return re.search(rf"(?<!\w){name}(?!\w)", text) is not None
    marked = (
        rf"(?:['\"`.]|\b(?:parameters?|fields?|arguments?|propert(?:y|ies)|supplied|name|invalid):?\s+){name}(?!\w)"
    )
    return re.search(marked, text) is not None
