"""A report's data as it stands in the page: JSON that no text can get out of, deflated where it is large."""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029\x7f"}
ELEMENT = 70
"""Bytes of the element around a script's text."""


def as_data(value: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element: no text in it can end the element, or a line of JavaScript."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPES).encode("utf-8", "replace").decode()


def packed(value: Mapping[str, Any]) -> str:
    """The same, deflated (RFC 1950) and in base64; the page unpacks it when it is wanted."""
    return base64.b64encode(zlib.compress(as_data(value).encode(), 9)).decode()


@dataclass(frozen=True, slots=True)
class Packed:
    """Queries, as many as there is room for.

    Attributes:
        queries: What the page holds of each, by name.
        scripts: The same as texts of elements, by the element's id: `query-NAME`, and `calls-NAME` where it has calls.
        without: Names of queries for which there was no room at all.
        silent: Names of those for whose calls there was none.
    """

    queries: Mapping[str, Mapping[str, Any]]
    scripts: Mapping[str, str]
    without: Sequence[str]
    silent: Sequence[str]


def pack(queries: Mapping[str, Mapping[str, Any]], room: int) -> Packed:
    """Packs the queries in their order: first the texts and rankings of all, then calls while there is room.

    Args:
        queries: By name, the most interesting first, as `query_data` makes them.
        room: Bytes.
    """
    scripts: dict[str, str] = {}

    def take(name: str, value: Mapping[str, Any]) -> bool:
        nonlocal room
        text = packed(value)
        if len(text) + ELEMENT > room:
            return False
        room -= len(text) + ELEMENT
        scripts[name] = text
        return True

    kept = {name: data for name, data in queries.items() if take(f"query-{name}", _without_calls(data))}
    if len(kept) < len(queries):
        room = 0  # rather a ranking than a call
    asked = [name for name, data in kept.items() if calls_of(data)]
    silent = [name for name in asked if not take(f"calls-{name}", calls_of(kept[name]))]
    kept |= {name: _silent(kept[name]) for name in silent}
    return Packed(kept, scripts, [name for name in queries if name not in kept], silent)


def calls_of(data: Mapping[str, Any]) -> dict[str, list[list[dict[str, Any]]]]:
    """The calls of a query, by system, a list a run; without the systems that have none."""
    found = {name: [run["calls"] for run in runs] for name, runs in data["systems"].items()}
    return {name: runs for name, runs in found.items() if any(runs)}


def _without_calls(data: Mapping[str, Any]) -> dict[str, Any]:
    bare = {
        name: [{key: value for key, value in run.items() if key != "calls"} for run in runs]
        for name, runs in data["systems"].items()
    }
    return {**data, "systems": bare}


def _silent(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "systems": {name: [{**run, "calls": []} for run in runs] for name, runs in data["systems"].items()}}
