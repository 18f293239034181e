"""Castorini's JSONL, as rank_llm exchanges it: one query with its candidates and their texts a line."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, TextIO

from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.formats.columns import NAMES, Columns
from rerankllm.formats.lines import (
    FilePath,
    excerpt_of,
    expected,
    identifier,
    read_objects,
    some,
    storable,
)
from rerankllm.formats.trec import written_scores

_TEXT_FIELDS = tuple(dict.fromkeys(("contents", "segment", *NAMES["text"])))  # castorini's own come first
_COLUMNS = Columns()


def read_requests(path: FilePath) -> Iterator[tuple[Query, list[Candidate]]]:
    """Queries with their candidates, `{"query": {"qid", "text"}, "candidates": [{"docid", "score", "doc"}]}`.

    One query a line. A text is the first of doc's contents, segment, text, passage, body, content that is not
    blank; the other fields, but the title, become the document's metadata. The file is read as the caller
    advances, so an error in line n is met after the queries before it.

    Yields:
        Each query in file order, with its candidates by score descending, ties in file order; where none of
        them has a score, in file order.

    Raises:
        InputError: The file cannot be read, a line has another shape, a query's text is empty, a candidate
            has neither text nor title, only some candidates have a score, a score is no finite number, a
            docid comes twice for a query, or a qid twice.
    """
    seen: set[str] = set()
    for number, record in read_objects(path):
        query = _query(path, number, record.get("query"))
        if query.query_id in seen:
            raise expected(path, number, "each qid once", query.query_id)
        seen.add(query.query_id)
        yield query, _candidates(path, number, record.get("candidates"))


def _query(path: FilePath, number: int, found: Any) -> Query:
    if not isinstance(found, dict):
        raise expected(path, number, '"query" to be an object with qid and text', excerpt_of(found))
    query_id = identifier(path, number, _COLUMNS.find("query_id", found) or "qid", found)
    text = found.get("text")
    if not isinstance(text, str) or not text.strip():
        raise expected(path, number, f'"text" of query {query_id} not to be empty', excerpt_of(found))
    return Query(query_id, storable(text))


def _candidates(path: FilePath, number: int, found: Any) -> list[Candidate]:
    if not isinstance(found, list):
        raise expected(path, number, '"candidates" to be a list', excerpt_of(found))
    candidates = [_candidate(path, number, item) for item in found]
    counts = Counter(candidate.doc_id for candidate in candidates)
    repeated = [doc_id for doc_id, count in counts.items() if count > 1]
    if repeated:
        what = f"each docid once among the candidates, {len(repeated)} come more often"
        raise expected(path, number, what, some(repeated))
    unscored = [candidate.doc_id for candidate in candidates if candidate.score is None]
    if unscored and len(unscored) < len(candidates):
        what = f"a score for all candidates or for none, {len(unscored)} of {len(candidates)} have none"
        raise expected(path, number, what, some(unscored))
    return candidates if unscored else sorted(candidates, key=lambda candidate: -(candidate.score or 0.0))


def _candidate(path: FilePath, number: int, found: Any) -> Candidate:
    if not isinstance(found, dict):
        raise expected(path, number, "a candidate to be an object with docid, score and doc", excerpt_of(found))
    doc_id = identifier(path, number, _COLUMNS.find("id", found) or "docid", found)
    return Candidate(_document(path, number, doc_id, found.get("doc")), _score(path, number, doc_id, found))


def _document(path: FilePath, number: int, doc_id: str, found: Any) -> Document:
    fields = found if isinstance(found, dict) else {}
    texts = {name: fields[name] for name in _TEXT_FIELDS if isinstance(fields.get(name), str)}
    name = next((name for name, text in texts.items() if text.strip()), next(iter(texts), ""))
    title = "" if fields.get("title") is None else fields["title"]
    if not isinstance(title, str):
        raise expected(path, number, f'"title" of candidate {doc_id} to be a string', excerpt_of(title))
    if not texts and not title.strip():
        what = f"a text in the doc of candidate {doc_id} ({', '.join(_TEXT_FIELDS)})"
        raise expected(path, number, what, excerpt_of(found))
    rest = {key: value for key, value in fields.items() if key not in {name, "title"}}
    return Document(doc_id, storable(texts.get(name, "")), storable(title), rest)


def _score(path: FilePath, number: int, doc_id: str, found: dict[str, Any]) -> float | None:
    value = found.get("score")
    if value is None:
        return None
    try:
        score = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, OverflowError):
        score = math.nan
    if not math.isfinite(score):
        raise expected(path, number, f"a finite number as score of candidate {doc_id}", excerpt_of(value))
    return score


def write_ranking(file: TextIO, ranking: Ranking) -> None:
    """Writes one ranking as a line that `read_requests` reads back in the same order.

    Scores are those of `rerankllm.formats.trec.write_run`: n down to 1. A doc has its text as "contents", its
    title where there is one, and the document's metadata; metadata JSON has no form for is written as its
    `str`.

    Args:
        file: Open for writing, as UTF-8.
        ranking: One query's documents.

    Raises:
        InputError: There are more than 2**24 documents.
    """
    scores = written_scores(len(ranking))
    line = {
        "query": {"text": ranking.query.text, "qid": ranking.query.query_id},
        "candidates": [
            {"docid": result.doc_id, "score": float(score), "doc": _doc(result.document)}
            for result, score in zip(ranking, scores, strict=True)
        ],
    }
    file.write(storable(json.dumps(line, ensure_ascii=False, default=str)) + "\n")


def _doc(document: Document) -> dict[str, Any]:
    """The document's fields; a blank text must not be read back from metadata of a text field's name."""
    taken = {"contents", "title"} if document.text.strip() else {*_TEXT_FIELDS, "title"}
    rest = {name: value for name, value in document.metadata.items() if name not in taken}
    return {"contents": document.text} | ({"title": document.title} if document.title else {}) | rest
