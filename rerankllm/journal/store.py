"""Keeps every completed call on disk, so that no call is paid for twice.

A journal is one SQLite file in WAL mode. A call is kept under its place: the key of its query, the step of the
strategy, and the number of the judgement in that step. A run is resumed by running the same strategy again: calls whose
place the journal holds are answered from it, so the run goes on where it was killed. The same rows are the trace of a
run, the record of its costs, and a cache: a call that another strategy made in exactly the same words is found by its
content.

A journal holds prompts and answers, but no API keys or headers.
"""

import datetime as dt
import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rerankllm.calls import Backend, CallFailed, Outcome, Work
from rerankllm.data import Document, Query
from rerankllm.errors import InputError
from rerankllm.formats.lines import storable
from rerankllm.journal.codec import digest, dump, load, shown
from rerankllm.journal.database import Database, bytes_used
from rerankllm.judgements import Judgement, ParseReport
from rerankllm.notes import tell

AGAIN = 1 << 32
"""More than the judgements of any batch."""
TRIM_EVERY, KEPT = 64, 0.9
"""Calls between two looks at the size of a journal that has a limit, and the part of its calls that is kept then."""
HEAD = "key, step, item, judgement, model"
SPENT = """
SELECT count(*), coalesce(sum(prompt_tokens + completion_tokens), 0), coalesce(sum(cost_usd), 0.0),
    coalesce(sum(
        CASE WHEN judgement = 'Score' AND json_valid(outcome) THEN json_extract(outcome, '$.usage[3]') END
    ), 0.0)
FROM calls
"""


@dataclass(frozen=True, slots=True)
class CallPlace:
    """The place of a call in a run.

    Attributes:
        key: The key of its query, from `Journal.enter`.
        step: How many batches the strategy had asked for before.
        item: The number of the judgement in its batch, raised by `AGAIN` where it is asked a second time.
    """

    key: str
    step: int
    item: int

    def second_try(self) -> "CallPlace":
        """The place of the same judgement, asked once more."""
        return replace(self, item=AGAIN + self.item)

    def __str__(self) -> str:
        again = ", asked again" if self.item >= AGAIN else ""
        return f"step {self.step} item {self.item % AGAIN}{again}"


@dataclass(frozen=True, slots=True)
class Completed:
    """A call that was answered, to be kept.

    Attributes:
        judgement: The judgement.
        work: What the backend was sent.
        backend: The backend.
        outcome: What the backend answered.
        report: How the answer was read.
    """

    judgement: Judgement
    work: Work
    backend: Backend
    outcome: Outcome
    report: ParseReport


class Journal:
    """An open journal. It may be used from any thread, and several processes may share the file.

    A row is written before an answer is used, and is kept however the process ends. If the machine itself crashes, the
    last few rows are as safe as SQLite's `synchronous=NORMAL` makes them.

    Args:
        path: The file.
        create: Whether to make the file if there is none.
        limit: Bytes that what it holds may take: the oldest calls are forgotten for new ones. None for no limit.

    Raises:
        InputError: The file is no journal, or cannot be written.
    """

    def __init__(self, path: str | Path, *, create: bool = True, limit: int | None = None) -> None:
        self.path = Path(path)
        self._limit, self._since_trim = limit, TRIM_EVERY
        self._file = Database(self.path, create=create)

    def begin(self, folder: str, options: Mapping[str, Any], version: str) -> None:
        """Notes that a run begins.

        Args:
            folder: The folder that relative paths among the options start from.
            options: The options of the command line, for `resume`.
            version: The version of this package.
        """
        with self._file.writing() as file:
            file.execute(
                "INSERT INTO runs (started, version, folder, options) VALUES (?, ?, ?, ?)",
                (_now(), version, json.dumps(folder), json.dumps(options)),
            )

    def command(self) -> tuple[str, dict[str, Any]]:
        """Folder and options of the last run that `begin` noted.

        Raises:
            InputError: There was none.
        """
        with self._file.reading() as file:
            row = file.execute("SELECT folder, options FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        if row is None:
            raise InputError(f"{self.path} holds no command to repeat: give the same Reranker this journal again")
        try:
            folder, options = json.loads(row[0]), json.loads(row[1])
        except (TypeError, ValueError, RecursionError):
            folder, options = None, None
        if not isinstance(folder, str) or not isinstance(options, dict):
            raise InputError(f"the command that {self.path} notes cannot be read: give the options again")
        return folder, options

    def enter(self, query: Query, documents: Sequence[Document], stage: str, context: Sequence[Any]) -> str:
        """Notes a query, and returns its key.

        Args:
            query: The query.
            documents: What is ranked, in the first stage's order.
            stage: The spec of the complete stage.
            context: What else the calls depend on: models, templates, settings.
        """
        key = digest(stage, list(context), query, list(documents))
        with self._file.writing() as file:
            file.execute(
                "INSERT OR IGNORE INTO queries VALUES (?, ?, ?, ?)",
                tuple(map(storable, (key, query.query_id, query.text, stage))),
            )
        return key

    def recall(
        self, place: CallPlace, content: str, work: Work, reused: set[int], *, elsewhere: bool = True
    ) -> Outcome | None:
        """The outcome of a call if it was completed before: in this place, or in another ranking.

        A call of another ranking is used once in a ranking, so that two judges of one model get an answer each. A row
        that cannot be read is said and passed over.

        Args:
            place: The place of the call.
            content: `content_of` the work.
            work: What would be sent.
            reused: The numbers of the calls of other rankings that this one has used; one that is found is added.
            elsewhere: Whether calls of other rankings count.
        """
        with self._file.reading() as file:
            rows = file.execute(
                "SELECT id, outcome, key = ? AS own FROM calls WHERE content = ? "
                "AND (key != ? OR (step = ? AND item = ?)) ORDER BY own DESC, id",
                (place.key, content, place.key, place.step, place.item),
            ).fetchall()
        for number, outcome, own in rows:
            if not own and (not elsewhere or number in reused):
                continue
            try:
                found = load(outcome, work)
            except Exception as error:  # noqa: BLE001  # whatever a damaged row makes of itself, it is no answer
                tell(f"{self.path}: call {number} cannot be read ({type(error).__name__}); it is asked again")
                continue
            reused.add(number)
            return found
        return None

    def spent(self, key: str | None = None) -> tuple[int, int, float, float]:
        """Calls, tokens, dollars and search units that one query, or all queries together, have taken so far."""
        statement, values = (SPENT, ()) if key is None else (f"{SPENT} WHERE key = ?", (key,))
        with self._file.reading() as file:
            calls, tokens, cost, searches = file.execute(statement, values).fetchone()
        return calls, tokens, cost, searches

    def record(self, place: CallPlace, content: str, call: Completed) -> None:
        """Keeps the outcome of a call.

        Raises:
            InputError: The file cannot be written any more.
        """
        with self._file.writing() as file:
            _insert(file, place, content, call)
            self._since_trim += 1
            if self._limit is not None and self._since_trim >= TRIM_EVERY:
                self._since_trim = 0
                _trim(file, self._limit)

    def hear(self, place: CallPlace, judge: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        """Keeps a judgement with its answer, of which recordings are made, even if no call was paid for it.

        Args:
            place: The place of the judgement; an answer that is kept there already stays.
            judge: The judge: model, elicitation and so on.
            record: The judgement with its answer, from `formats.recordings.to_record`.

        Raises:
            InputError: The file cannot be written any more.
        """
        name = json.dumps(judge, sort_keys=True)
        with self._file.writing() as file:
            file.execute("INSERT OR IGNORE INTO judges (judge) VALUES (?)", (name,))
            file.execute(
                "INSERT OR IGNORE INTO answers SELECT ?, ?, ?, id, ? FROM judges WHERE judge = ?",
                (place.key, place.step, place.item, storable(json.dumps(record, ensure_ascii=False)), name),
            )

    def purge(self, query_id: str | None = None) -> int:
        """Deletes the calls of one query, or all; returns how many. Nothing of them is left in the file."""
        with self._file.writing() as file:
            keys = "SELECT key FROM queries WHERE ? IS NULL OR query_id = ?"
            gone = file.execute(f"DELETE FROM calls WHERE key IN ({keys})", (query_id, query_id)).rowcount  # noqa: S608
            for table in ("failures", "answers"):
                file.execute(f"DELETE FROM {table} WHERE key IN ({keys})", (query_id, query_id))  # noqa: S608
            file.execute("DELETE FROM queries WHERE ? IS NULL OR query_id = ?", (query_id, query_id))
            if query_id is None:
                file.execute("DELETE FROM runs")
            file.execute("VACUUM")
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def close(self) -> None:
        """Writes the WAL back into the file and closes it."""
        self._file.close()

    def take_over(self, rows: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Executes statements, each with its values, in one transaction.

        Raises:
            InputError: The file cannot be written any more.
        """
        with self._file.transaction() as file:
            for statement, values in rows:
                file.execute(statement, values)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """Reads the tables.

        Raises:
            InputError: The file is damaged.
        """
        return self._file.rows(statement, values)


def content_of(work: Work, backend: Backend) -> str:
    """A hash of the model and of all that it is sent: the same for the same call in any ranking."""
    return digest(backend.model, backend.revision, work)


def _trim(file: sqlite3.Connection, limit: int) -> None:
    """Forgets the oldest calls, and queries without calls, until what is left fits the limit.

    SQLite uses the room again, so that the file stays about as large as it was at its largest.
    """
    while bytes_used(file) > limit:
        (calls,) = file.execute("SELECT count(*) FROM calls").fetchone()
        gone = max(1, int(calls * (1 - KEPT)))
        file.execute("BEGIN IMMEDIATE")
        file.execute("DELETE FROM calls WHERE id IN (SELECT id FROM calls ORDER BY id LIMIT ?)", (gone,))
        for table in ("answers", "failures"):
            file.execute(
                f"DELETE FROM {table} WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.key = {table}.key)"  # noqa: S608
            )
        file.execute("DELETE FROM queries WHERE key NOT IN (SELECT key FROM calls)")
        file.execute("COMMIT")
        if calls <= 1:
            return


def _insert(file: sqlite3.Connection, place: CallPlace, content: str, call: Completed) -> None:
    outcome, backend = call.outcome, call.backend
    head = (place.key, place.step, place.item, type(call.judgement).__name__, backend.model)
    if isinstance(outcome, CallFailed):
        file.execute(
            f"INSERT INTO failures ({HEAD}, reason, attempts, at) VALUES (?,?,?,?,?,?,?,?)",  # noqa: S608
            (*head, outcome.reason, outcome.attempts, _now()),
        )
        return
    text = shown(call.work, backend)
    file.execute(
        f"INSERT OR REPLACE INTO calls ({HEAD}, content, prompt, outcome, status, repairs, "  # noqa: S608
        "prompt_tokens, completion_tokens, attempts, cost_usd, at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *head,
            content,
            zlib.compress(text.encode("utf-8", "replace"), 1),
            dump(outcome),
            call.report.status.value,
            json.dumps(dict(call.report.repairs)),
            outcome.usage.prompt_tokens,
            outcome.usage.completion_tokens,
            outcome.attempts,
            backend.cost(outcome.usage),
            _now(),
        ),
    )


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
