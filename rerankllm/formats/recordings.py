"""Recordings: judgements with their answers as JSON lines, so that strategies run again without the model.

docs/recordings.md says what stands in them.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from rerankllm.data import Document, Query, Usage
from rerankllm.errors import InputError
from rerankllm.formats.lines import FilePath, expected, opened, parse_object, read_lines
from rerankllm.judgements import (
    Answer,
    Assess,
    Assessment,
    Compare,
    Criterion,
    Draft,
    Embed,
    Ends,
    Failure,
    Grade,
    Judgement,
    ParseReport,
    Permute,
    Score,
    Select,
    Status,
    Unanswered,
    WeakOrder,
    Write,
)

FORMAT, VERSION = "rerankllm-recording", 1
DIGITS = 16
"""Of a text's SHA-256, in hexadecimal: enough to tell that it is another."""

Record: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[str, str, str, tuple[tuple[str, str], ...], str]
"""A judgement: its kind, the query's id and hash, the documents' ids and hashes in the order shown, the rest."""

_SQLITE = b"SQLite format 3\0"
_SHOWN = {"query", "doc", "docs", "first", "second"}


@dataclass(frozen=True, slots=True)
class Header:
    """The first line.

    Attributes:
        strategies: Specs of what asked, without elicitations and models.
        stages: The same with them.
        judges: Who answered, by the kind of judgement: model, revision, elicitation, template.
        made_by: The version that wrote it.
    """

    strategies: tuple[str, ...]
    stages: tuple[str, ...]
    judges: Mapping[str, Any]
    made_by: str


def hash_of(text: str) -> str:
    """What a text is told from another by."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:DIGITS]


def key_of(judgement: Judgement) -> Key:
    """What is compared: two judgements with the same key are the same."""
    fields = dataclasses.fields(judgement)
    rest = {f.name: getattr(judgement, f.name) for f in fields if f.name not in _SHOWN}
    docs = tuple((doc.doc_id, hash_of(doc.content)) for doc in judgement.docs)
    query = judgement.query
    return (
        type(judgement).__name__,
        query.query_id,
        hash_of(query.text),
        docs,
        json.dumps(rest, sort_keys=True, default=dataclasses.asdict),
    )


def to_record(judgement: Judgement, answer: Answer | Unanswered, report: ParseReport, usage: Usage) -> Record:
    """A judgement and its answer as a line has them."""
    kind, query_id, query, docs, rest = key_of(judgement)
    return {
        "judgement": kind,
        "query_id": query_id,
        "query": query,
        "docs": docs,
        "parameters": json.loads(rest),
        **({"reason": answer.reason} if isinstance(answer, Unanswered) else {"answer": _plain(answer)}),
        "status": report.status.value,
        "repairs": dict(report.repairs),
        **({"form": report.form} if report.form else {}),
        "tokens": [usage.prompt_tokens, usage.completion_tokens],
    }


def from_record(record: Record, judgement: Judgement) -> tuple[Answer | Unanswered, ParseReport, Usage]:
    """What the line says was answered to this judgement."""
    report = ParseReport(Status(record["status"]), record["repairs"], record.get("form"))
    usage = Usage(*record["tokens"])
    if "reason" in record:
        return Unanswered(record["reason"], Failure.ANSWER), report, usage
    return _READERS.get(type(judgement), _as_is)(record["answer"]), report, usage


def judgement_of(record: Record, query: Query, docs: Iterable[Document]) -> Judgement:
    """The judgement that a record is of.

    Args:
        record: Of a kind that shows documents and has nothing but numbers as parameters.
        query: Its query.
        docs: Its documents, as shown.
    """
    kind, shown = KINDS[record["judgement"]], tuple(docs)
    listed = any(field.name == "docs" for field in dataclasses.fields(kind))
    judgement: Judgement = kind(query, *([shown] if listed else shown), **record["parameters"])
    return judgement


def write(file: TextIO, header: Header, records: Iterable[str]) -> None:
    """Writes a recording from records that are JSON already."""
    opening = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(header)}
    file.writelines(f"{line}\n" for line in (json.dumps(opening, ensure_ascii=False), *records))


def is_journal(path: FilePath) -> bool:
    """Whether a file is a journal (`rerankllm.journal`), of which a recording can be made."""
    if not Path(path).is_file():
        return False
    with opened(path) as file:
        return file.read(len(_SQLITE)) == _SQLITE


def read(path: FilePath) -> tuple[Header, dict[Key, list[Record]]] | None:
    """A recording: its header, and the records of every judgement in the order they were heard; None for other files.

    Raises:
        InputError: It is of a version that is not known here, a line is not what it should be, or it is a journal.
    """
    if is_journal(path):
        raise InputError(
            f"{path} is a journal, not a recording: `rerankllm journal {path} --export FILE` makes a recording of it"
        )
    header: Header | None = None
    records: dict[Key, list[Record]] = {}
    for number, line in read_lines(path):
        if header is not None:
            record = parse_object(path, number, line)
            records.setdefault(_key(path, number, line, record), []).append(record)
        elif f'"{FORMAT}"' in line:
            header = _header(path, number, line)
        else:
            return None
    return None if header is None else (header, records)


def _header(path: FilePath, number: int, line: str) -> Header:
    found = parse_object(path, number, line)
    if found.get("version") != VERSION:
        raise InputError(
            f"{path}: is a recording of version {found.get('version')}, and this rerankllm reads version {VERSION}: "
            "export it again, or use the rerankllm it names as made_by"
        )
    try:
        judges = dict(found["judges"])
        return Header(tuple(found["strategies"]), tuple(found["stages"]), judges, str(found["made_by"]))
    except (KeyError, TypeError, ValueError):
        raise expected(path, number, "a header with strategies, stages, judges and made_by", line) from None


def _key(path: FilePath, number: int, line: str, record: Record) -> Key:
    try:
        kind, docs = record["judgement"], tuple((str(doc_id), str(text)) for doc_id, text in record["docs"])
        parameters = json.dumps(record["parameters"], sort_keys=True)
        Status(record["status"])
        prompt, completion = record["tokens"]
        counts = (prompt, completion, *record["repairs"].values())
        if not all(type(count) is int and count >= 0 for count in counts) or type(record.get("reason", "")) is not str:
            raise ValueError  # noqa: TRY301
        answers = KINDS[kind], [doc_id for doc_id, _ in docs], record["parameters"]
        if "reason" not in record and not _answers(record["answer"], *answers):
            raise expected(path, number, f"the answer to {kind}", json.dumps(record["answer"]))
        return kind, str(record["query_id"]), str(record["query"]), docs, parameters
    except (KeyError, TypeError, ValueError, AttributeError):
        what = "judgement, query_id, query, docs, parameters, answer or reason, status, repairs and tokens"
        raise expected(path, number, what, line) from None


def _answers(value: Any, kind: type, docs: Sequence[str], parameters: Any) -> bool:
    """Whether it answers a judgement of this kind on these documents, in the form that the docs give."""
    try:
        return bool(_RIGHT[kind](value, docs, parameters))
    except (KeyError, TypeError, AttributeError):
        return False


def _all_numbers(values: Any, count: int, *, gaps: bool = False) -> bool:
    numbers = [value for value in values if not (gaps and value is None)]
    return type(values) is list and len(values) == count and all(type(value) in {int, float} for value in numbers)


def _plain(answer: Answer) -> Any:
    if isinstance(answer, WeakOrder):
        return {"groups": answer.groups, "omitted": answer.omitted}
    if isinstance(answer, Assessment):
        return {"grades": _plain(answer.grades), "rationales": answer.rationales}
    if isinstance(answer, Criterion):
        return dataclasses.asdict(answer)
    if hasattr(answer, "tolist"):
        return answer.tolist()
    if isinstance(answer, tuple):
        return [None if isinstance(value, float) and math.isnan(value) else _plain(value) for value in answer]
    return answer


def _as_is(value: Any) -> Answer:
    return tuple(value) if isinstance(value, list) else value


def _grades(value: Any) -> tuple[float, ...]:
    return tuple(math.nan if grade is None else float(grade) for grade in value)


def _vectors(value: Any) -> Answer:
    import numpy as np  # noqa: PLC0415

    return np.asarray(value, dtype=np.float32)


_READERS: Mapping[type, Callable[[Any], Answer]] = {
    Permute: lambda value: WeakOrder(tuple(map(tuple, value["groups"])), tuple(value["omitted"])),
    Grade: _grades,
    Write: lambda value: tuple(Criterion(**criterion) for criterion in value),
    Assess: lambda value: Assessment(_grades(value["grades"]), tuple(value["rationales"])),
    Embed: _vectors,
}

_RIGHT: Mapping[type, Callable[[Any, Sequence[str], Any], bool]] = {
    Score: lambda value, docs, _: _all_numbers([value], len(docs)),
    Compare: lambda value, *_: _all_numbers([value], 1) and 0 <= value <= 1,
    Select: lambda value, docs, _: type(value) is list and len(set(value)) == len(value) and set(value) <= set(docs),
    Ends: lambda value, docs, _: (
        type(value) is list and len(value) == 2 == len(set(value)) and set(value) <= set(docs)  # noqa: PLR2004
    ),
    Permute: lambda value, docs, _: (
        {*map(type, (value["groups"], *value["groups"], value["omitted"]))} == {list}
        and sorted([*chain(*value["groups"]), *value["omitted"]]) == sorted(docs)
    ),
    Grade: lambda value, docs, _: _all_numbers(value, len(docs), gaps=True),
    Write: lambda value, *_: (
        value and all(type(each["text"]) is str and len(each) == 2 and each["weight"] > 0 for each in value)  # noqa: PLR2004
    ),
    Draft: lambda value, *_: type(value) is str and bool(value.strip()),
    Assess: lambda value, _, parameters: (
        _all_numbers(value["grades"], len(parameters["criteria"]), gaps=True)
        and len(value["rationales"]) == len(value["grades"])
        and {*map(type, value["rationales"])} <= {str}
    ),
    Embed: lambda value, docs, _: (
        len(value) == len(docs) + 1 and all(_all_numbers(vector, len(value[0])) for vector in value)
    ),
}
KINDS = {kind.__name__: kind for kind in _RIGHT}
"""The judgements that can be recorded, by name."""
