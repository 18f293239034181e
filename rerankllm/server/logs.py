"""The server's log: a line a request, as text or as JSON. It holds no texts of queries or documents, and no keys."""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, TypeAlias

from rerankllm.notes import log as notes
from rerankllm.server.context import RequestContext

log = logging.getLogger("rerankllm.requests")

Format: TypeAlias = Literal["text", "json"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]
REASONS, LONGEST = 3, 200
"""Reasons of failed calls that a request logs, and their most characters."""
SERVER_ERROR = 500


@contextmanager
def printed(level: Level, form: Format) -> Iterator[None]:
    """Meanwhile prints on stderr what the server and the library log; in JSON, the command line's notes too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    uvicorn_level = level if level in {"debug", "error"} else "warning"
    with ExitStack() as stack:
        stack.enter_context(_to(logging.getLogger("rerankllm"), [handler], level))
        stack.enter_context(_to(logging.getLogger("uvicorn"), [handler], uvicorn_level))
        if form == "json":
            stack.enter_context(_to(notes, [handler], "info"))
        yield


@contextmanager
def _to(logger: logging.Logger, handlers: list[logging.Handler], level: str) -> Iterator[None]:
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = handlers, False
    logger.setLevel(level.upper())
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])


def told(context: RequestContext, status: int, seconds: float) -> None:
    """Logs a request that has been answered."""
    fields: dict[str, Any]
    for reason, count in context.failed_calls.most_common(REASONS):
        fields = {"id": context.id, "alias": context.alias, "calls": count, "reason": reason[:LONGEST]}
        log.warning("calls failed upstream", extra={"fields": fields})
    level = logging.WARNING if status >= SERVER_ERROR else logging.INFO if context.ranks else logging.DEBUG
    if log.isEnabledFor(level):
        fields = {
            "id": context.id,
            "route": context.route,
            "alias": context.alias,
            "status": status,
            "calls": context.calls,
            "prompt_tokens": context.prompt_tokens,
            "completion_tokens": context.completion_tokens,
            "seconds": round(seconds, 4),
            "client": context.client,
        }
        log.log(level, "request", extra={"fields": fields})


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    return getattr(record, "fields", {})


def _level(record: logging.LogRecord) -> str:
    """The record's level; notes of the command line are no warnings."""
    return "info" if record.name == notes.name else record.levelname.lower()


class _Json(logging.Formatter):
    """An object a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": _level(record),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


class _Text(logging.Formatter):
    """Moment, level, message, and fields as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        fields = "".join(f" {name}={_plain(value)}" for name, value in _fields(record).items())
        line = f"{moment} {_level(record)} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _plain(value: Any) -> str:
    text = "-" if value is None else str(value)
    return json.dumps(text) if " " in text else text
