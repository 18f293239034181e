"""Merges journals: copies rows from one to another, a few queries at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rerankllm.journal.store import Journal

Row: TypeAlias = tuple[Any, ...]
CALL = (
    "key, step, item, content, judgement, model, prompt, outcome, status, repairs, prompt_tokens, completion_tokens, "
    "attempts, cost_usd, at"
)
FAILURE = "key, step, item, judgement, model, reason, attempts, at"
TOGETHER = 20
"""Queries in a parcel."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that a journal holds of a few queries, as rows of its tables.

    Attributes:
        queries: The queries.
        calls: Completed calls, without the numbers that they have in their file.
        failures: Failed calls.
        answers: Judgements with their answers, each with the text that describes its judge.
    """

    queries: Sequence[Row]
    calls: Sequence[Row]
    failures: Sequence[Row]
    answers: Sequence[Row]


def parcels(journal: Journal, keys: Sequence[str] | None = None) -> Iterator[Parcel]:
    """What a journal holds of the queries with these keys, or of all queries; keys that it does not know are ignored.

    Raises:
        InputError: The file is damaged.
    """
    wanted = keys if keys is not None else [key for (key,) in list(journal.rows("SELECT key FROM queries"))]
    for start in range(0, len(wanted), TOGETHER):
        some = wanted[start : start + TOGETHER]
        those = f"IN ({', '.join('?' * len(some))})"
        queries = list(journal.rows(f"SELECT * FROM queries WHERE key {those}", some))  # noqa: S608
        if queries:
            yield Parcel(
                queries,
                list(journal.rows(f"SELECT {CALL} FROM calls WHERE key {those} ORDER BY id", some)),  # noqa: S608
                list(journal.rows(f"SELECT {FAILURE} FROM failures WHERE key {those} ORDER BY id", some)),  # noqa: S608
                list(
                    journal.rows(
                        "SELECT key, step, item, judges.judge, record FROM answers "  # noqa: S608
                        f"JOIN judges ON judges.id = answers.judge WHERE key {those}",
                        some,
                    )
                ),
            )


def absorb(journal: Journal, parcel: Parcel) -> None:
    """Copies a parcel into a journal; rows that are there already stay as they are.

    Raises:
        InputError: The file cannot be written.
    """
    call = f"INSERT OR IGNORE INTO calls ({CALL}) VALUES ({_marks(CALL)})"  # noqa: S608
    failure = (
        f"INSERT INTO failures ({FAILURE}) SELECT {_marks(FAILURE)} "  # noqa: S608
        "WHERE NOT EXISTS (SELECT 1 FROM failures WHERE key = ? AND step = ? AND item = ? AND at = ?)"
    )
    answer = "INSERT OR IGNORE INTO answers SELECT ?, ?, ?, id, ? FROM judges WHERE judge = ?"
    judges = dict.fromkeys(judge for _, _, _, judge, _ in parcel.answers)
    journal.take_over(
        [
            *(("INSERT OR IGNORE INTO queries VALUES (?, ?, ?, ?)", row) for row in parcel.queries),
            *((call, row) for row in parcel.calls),
            *((failure, (*row, *row[:3], row[-1])) for row in parcel.failures),
            *(("INSERT OR IGNORE INTO judges (judge) VALUES (?)", (judge,)) for judge in judges),
            *((answer, (key, step, item, record, judge)) for key, step, item, judge, record in parcel.answers),
        ]
    )


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(", ")))
