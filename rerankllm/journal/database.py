"""The SQLite file of a journal: opened in WAL mode, with its tables, for any thread and several processes."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rerankllm.errors import InputError

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, started TEXT, version TEXT, folder TEXT, options TEXT);
CREATE TABLE IF NOT EXISTS queries (key TEXT PRIMARY KEY, query_id TEXT, text TEXT, stage TEXT);
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, key TEXT, step INTEGER, item INTEGER, content TEXT, judgement TEXT, model TEXT,
    prompt BLOB, outcome TEXT, status TEXT, repairs TEXT, prompt_tokens INTEGER, completion_tokens INTEGER,
    attempts INTEGER, cost_usd REAL, at TEXT, UNIQUE (key, step, item)
);
CREATE INDEX IF NOT EXISTS calls_by_content ON calls (content);
CREATE TABLE IF NOT EXISTS failures (
    id INTEGER PRIMARY KEY, key TEXT, step INTEGER, item INTEGER, judgement TEXT, model TEXT, reason TEXT,
    attempts INTEGER, at TEXT
);
CREATE TABLE IF NOT EXISTS judges (id INTEGER PRIMARY KEY, judge TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT, step INTEGER, item INTEGER, judge INTEGER, record TEXT, PRIMARY KEY (key, step, item)
);
"""
PATIENCE = 30.0
"""Seconds to wait for another process that is writing."""


class Database:
    """The file. Whatever SQLite has to say of it is an `InputError` that names it.

    Args:
        path: The file.
        create: Whether to make the file if there is none.

    Raises:
        InputError: The file is no journal, or cannot be written.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        if not create and not path.is_file():
            raise InputError(f"no journal {path}")
        try:
            self._connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            self._use_wal()
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._prepare()
        except sqlite3.Error as error:
            raise InputError(f"{path} cannot be used as a journal: {error}") from None
        self._lock = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; raises InputError where the file cannot be written any more."""
        with self._guarded("written"):
            yield self._connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; raises InputError where the file is damaged."""
        with self._guarded("read"):
            yield self._connection

    @contextmanager
    def _guarded(self, done: str) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise InputError(f"the journal {self.path} cannot be {done}: {error}") from None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """As `writing`; all that is executed is in the file at the end, or nothing where an error is raised."""
        with self.writing() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def rows(self, statement: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """Reads the tables, row by row.

        Raises:
            InputError: The file is damaged.
        """
        try:
            yield from self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise InputError(f"the journal {self.path} cannot be read: {error}") from None

    def close(self) -> None:
        """Writes the WAL back into the file and closes it."""
        with self._lock:
            self._connection.close()

    def _use_wal(self) -> None:
        """Switches to WAL; waits while another process does the same, which SQLite itself does not."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    def _prepare(self) -> None:
        """Makes the tables, or checks that they are there; one process at a time."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        (version,) = execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        known = not tables or (version == VERSION and tables >= {"runs", "queries", "calls", "failures"})
        if known and not tables >= {"judges", "answers"}:
            for statement in filter(str.strip, SCHEMA.split(";")):
                execute(statement)
            execute(f"PRAGMA user_version={VERSION}")
        execute("COMMIT")
        if not known:
            self._connection.close()
            raise InputError(f"{self.path} is no journal of this version of rerankllm: name another file")


def bytes_used(connection: sqlite3.Connection) -> int:
    """Bytes of the file that hold anything."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
