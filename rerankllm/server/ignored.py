"""The fields of requests that are not known and change nothing: the client is told, and the log once."""

import logging
from collections.abc import Iterable

from rerankllm.server.context import RequestContext

log = logging.getLogger(__name__)

SHOWN = 10
"""Fields that a warning names."""
LONGEST = 100
"""Characters of a name that are shown."""
REMEMBERED = 1000
"""Pairs of a client and a field that are logged."""


class IgnoredFields:
    """Tells of them."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def note(self, context: RequestContext, fields: Iterable[str]) -> None:
        """Warns the client of these, and logs those that are new of this client."""
        names = [name[:LONGEST] for name in fields]
        if not names:
            return
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        listed = ", ".join(names[:SHOWN])
        context.warnings.append(f"ignored, as this server does not know it: {listed}{more}")
        for name in names[:SHOWN]:
            told = (context.client, name)
            if told not in self._told and len(self._told) < REMEMBERED:
                self._told.add(told)
                log.warning("%s sends %r to %s, which is ignored (told once)", context.client, name, context.route)
