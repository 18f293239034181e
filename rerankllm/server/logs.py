"""The server's log: a line a request, as text or as JSON. It holds no texts of queries or documents, and no keys."""

import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from rerankllm.notes import log as notes
from rerankllm.server.context import RequestContext

log = logging.getLogger("rerankllm.requests")

Format: TypeAlias = Literal["text", "json"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]
REASONS, LONGEST = 3, 200
"""Reasons of failed calls that a request logs, and their most characters."""
SERVER_ERROR = 500


def set_up(level: Level, form: Format) -> None:
    """Prints what the server, the library and uvicorn log on stderr; in JSON, the command line's notes too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    for name in ("rerankllm", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level.upper())
    if form == "json":
        notes.handlers, notes.propagate = [], True


def told(context: RequestContext, status: int, seconds: float) -> None:
    """Logs a request that has been answered."""
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
