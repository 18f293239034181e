"""TREC's plain files: runs, qrels, topics."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from os import fspath
from typing import TextIO

from rerankllm.errors import InputError
from rerankllm.formats.lines import FilePath, expected, read_lines, some, storable

MOST_SCORES = 2**24
"""The longest ranking that can be written: float32 tells whole numbers apart up to here and no further."""

RUN_COLUMNS = 6
_RUN_LINE = "6 columns `qid Q0 docno rank score tag`"
_QREL_COLUMNS = 4
_QREL_LINE = "4 columns `qid 0 docno grade`"
_BEIR_HEADER = ["query-id", "corpus-id", "score"]
_BEIR_LINE = "3 columns `query-id<TAB>corpus-id<TAB>score`, as the header says"


def read_run(path: FilePath, *, unfinished: bool = False) -> dict[str, list[tuple[str, float]]]:
    """A run: `qid Q0 docno rank score tag` a line, in columns parted by white space.

    Args:
        path: The file.
        unfinished: Whether it is still being written, so that its last line may be half of one: it is left out.

    Returns:
        For each query id, in file order, its (doc_id, score) pairs: score descending, ties in file order. The
        rank column is not looked at; a query's lines may stand anywhere.

    Raises:
        InputError: The file cannot be read, a line has not 6 columns, a score is no finite number, or a
            document is listed more than once for a query.
    """
    run: dict[str, dict[str, float]] = {}
    repeated: list[str] = []
    lines = read_lines(path)
    for number, line in (one for one, _ in pairwise(lines)) if unfinished else lines:
        query_id, doc_id, score = run_line(path, number, line)
        scores = run.setdefault(query_id, {})
        if doc_id in scores:
            repeated.append(f"{doc_id} of query {query_id} in line {number}")
        scores[doc_id] = score
    if repeated:
        raise listed_again(path, repeated)
    return {
        query_id: sorted(scores.items(), key=lambda pair: -pair[1])  # stable: ties stay in file order
        for query_id, scores in run.items()
    }


def run_line(path: FilePath, number: int, line: str) -> tuple[str, str, float]:
    """The query id, doc_id and score of one line of a run.

    Raises:
        InputError: It has not 6 columns, or its score is no finite number.
    """
    columns = line.split()
    if len(columns) != RUN_COLUMNS:
        raise expected(path, number, _RUN_LINE, line)
    query_id, _, doc_id, _, score, _ = columns
    return query_id, doc_id, _score(path, number, score, line)


def listed_again(path: FilePath, repeated: Sequence[str]) -> InputError:
    """The error to raise for lines that repeat a document of their query."""
    return InputError(
        f"{fspath(path)}: {len(repeated)} lines repeat a document of their query ({some(repeated)}); "
        "a document may be listed once a query"
    )


def _score(path: FilePath, number: int, text: str, line: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise expected(path, number, "a finite number as score in column 5", line)
    return score


def read_qrels(path: FilePath) -> dict[str, dict[str, int]]:
    """Relevance grades: TREC's `qid 0 docno grade`, or BEIR's three tab-separated columns under their header.

    Returns:
        For each query id, in file order, the grade of each judged doc_id.

    Raises:
        InputError: The file cannot be read, a line has other columns, a grade is no whole number, or a
            document has two different grades for one query.
    """
    qrels: dict[str, dict[str, int]] = {}
    beir: bool | None = None
    for number, line in read_lines(path):
        if beir is None:
            beir = line.lower().split() == _BEIR_HEADER
            if beir:
                continue
        query_id, doc_id, grade = _judged(path, number, line, beir=beir)
        if qrels.setdefault(query_id, {}).setdefault(doc_id, grade) != grade:
            known = qrels[query_id][doc_id]
            raise expected(path, number, f"grade {known} again for the same query and document", line)
    return qrels


def _judged(path: FilePath, number: int, line: str, *, beir: bool) -> tuple[str, str, int]:
    columns = [column.strip() for column in line.split("\t")] if beir else line.split()
    shape = len(_BEIR_HEADER) if beir else _QREL_COLUMNS
    if len(columns) != shape or not all(columns):
        raise expected(path, number, _BEIR_LINE if beir else _QREL_LINE, line)
    try:
        return columns[0], columns[-2], int(columns[-1])
    except ValueError:
        raise expected(path, number, "a whole number as grade in the last column", line) from None


def read_topics(path: FilePath) -> dict[str, str]:
    """Query texts: `qid<TAB>text` a line.

    Returns:
        The text of each query id, in file order; it may be empty.

    Raises:
        InputError: The file cannot be read, a line has no tab or no id, or an id comes twice.
    """
    topics: dict[str, str] = {}
    for number, line in read_lines(path):
        query_id, tab, text = line.partition("\t")
        query_id = query_id.strip()
        if not tab or not query_id:
            raise expected(path, number, "`qid<TAB>text`", line)
        if query_id in topics:
            raise expected(path, number, "each query id once", line)
        topics[query_id] = text.strip()
    return topics


def written_scores(count: int) -> range:
    """The scores that a ranking of `count` documents is written with, best first: count, count - 1, …, 1.

    trec_eval reads scores as float32, sorts by them and breaks ties by docno, whatever the rank column says.
    Whole numbers up to 2**24 are exact in float32, so these never tie; a strategy's own scores may.

    Raises:
        InputError: There are more documents than that.
    """
    if count > MOST_SCORES:
        raise InputError(
            f"{count} documents for one query: a run file can keep {MOST_SCORES} apart; truncate the ranking"
        )
    return range(count, 0, -1)


def check_ids(query_id: str, doc_ids: Sequence[str]) -> None:
    """Checks that these can be written to a run file; worth calling before the ranking is paid for.

    Raises:
        InputError: An id is empty or holds white space, or a document comes twice.
    """
    _check_column("query id", query_id)
    together = " ".join(doc_ids)
    if together.split() != list(doc_ids) or storable(together) != together:
        for doc_id in doc_ids:
            _check_column(f"document id of query {query_id}", doc_id)
    if len(set(doc_ids)) < len(doc_ids):
        repeated = [doc_id for doc_id, count in Counter(doc_ids).items() if count > 1]
        raise InputError(
            f"query {query_id}: {len(repeated)} documents are listed more than once ({some(repeated)}); "
            "a run file has a document once a query"
        )


def _check_column(what: str, text: str) -> None:
    if text.split() != [text] or storable(text) != text:
        raise InputError(
            f"{what} {text!r} cannot be written to a run file, whose columns are parted by white space; "
            "use one that is not empty and has none, in characters UTF-8 can encode"
        )


def write_run(file: TextIO, query_id: str, doc_ids: Sequence[str], tag: str) -> None:
    """Writes one query's ranking, `qid Q0 docno rank score tag` a line; ranks start at 1.

    Args:
        file: Open for writing, as UTF-8.
        query_id: The query.
        doc_ids: Best first.
        tag: Name of the run.

    Raises:
        InputError: The query id, a document id or the tag is empty or holds white space, a document comes
            twice, or there are more than 2**24. Nothing is written then.
    """
    _check_column("tag", tag)
    check_ids(query_id, doc_ids)
    scores = written_scores(len(doc_ids))
    file.writelines(
        f"{query_id} Q0 {doc_id} {rank} {score} {tag}\n"
        for rank, (doc_id, score) in enumerate(zip(doc_ids, scores, strict=True), 1)
    )
