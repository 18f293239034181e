"""Calls and their outcomes as JSON, and the digests by which a journal finds them."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rerankllm.calls import (
    Backend,
    EncoderPrompt,
    Outcome,
    Reading,
    Reply,
    Request,
    Response,
    TextPrompt,
    TokenPrompt,
    VectorPrompt,
    Work,
)
from rerankllm.data import Document, Query, Usage
from rerankllm.judgements import (
    Answer,
    Assess,
    Assessment,
    Criterion,
    Embed,
    Failure,
    ParseReport,
    Status,
    Unanswered,
    WeakOrder,
    Write,
)


def digest(*values: Any) -> str:
    """SHA-256, in hexadecimal, of the values' canonical JSON.

    There a document is its id and content, a query its id and text, and any other dataclass its name and fields,
    without hints and what is unsaid. Keys of journals are made of it: none of these names may change.
    """
    text = json.dumps(values, default=_fields, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def shown(work: Work, backend: Backend) -> str:
    """The prompt of a call as text, for people to read."""
    if not isinstance(work, Request):
        texts = (f"[{doc.doc_id}] {doc.content}" for doc in work.docs)
        return "\n".join((f"{type(work).__name__}: {work.query.text}", *texts))
    if isinstance(work.prompt, TokenPrompt):
        return backend.tokenizer.decode(work.prompt.ids)
    if isinstance(work.prompt, EncoderPrompt):
        return "\n".join(map(backend.tokenizer.decode, filter(None, (*work.prompt.texts, work.prompt.opening))))
    if isinstance(work.prompt, VectorPrompt):
        return "\n".join((shown(replace(work, prompt=work.prompt.prompt), backend), *work.prompt.passages))
    if isinstance(work.prompt, TextPrompt):
        return work.prompt.text
    return "\n".join(f"<{message.role}>\n{message.content}" for message in work.prompt.messages)


def dump(outcome: Response | Reply) -> str:
    """An outcome as JSON."""
    values = {f.name: getattr(outcome, f.name) for f in dataclasses.fields(outcome)}
    usage = outcome.usage
    told = [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.searches, usage.remembered_tokens]
    values["usage"] = told if told[4] else told[:4] if any(told[2:]) else told[:2]
    if not values.get("adapted"):
        values.pop("adapted", None)
    if isinstance(outcome, Reply):
        report = outcome.report
        values["answer"] = _dump_answer(outcome.answer)
        if outcome.attempts == 1:
            del values["attempts"]
        values["report"] = [report.status.value, dict(report.repairs), *([report.form] if report.form else [])]
    return json.dumps(values)


def load(text: str, work: Work) -> Outcome:
    """The outcome that `dump` wrote for `work`. Raises some exception where it did not write it so."""
    values = json.loads(text)
    values["usage"] = Usage(*map(_count, values["usage"]))
    _count(values.get("attempts", 1))
    if isinstance(work, Request):
        values["logprobs"] = tuple(values["logprobs"])
        readings = values.get("readings", ())
        values["adapted"] = tuple(values.get("adapted", ()))
        values["readings"] = tuple(Reading(at, label, tuple(found), floor) for at, label, found, floor in readings)
        if not isinstance(values["text"], str):
            raise TypeError("the text of an answer should be text")
        return Response(**values)
    status, repairs, *form = values["report"]
    values["answer"] = _load_answer(values["answer"], work)
    report = ParseReport(Status(status), repairs, *form)
    return Reply(values["answer"], report, values["usage"], values.get("attempts", 1))


def _count(value: Any) -> Any:
    if not isinstance(value, int | float) or not 0 <= value < math.inf:  # search units come in parts
        raise TypeError(f"{value!r} counts nothing")
    return value


def _fields(value: Any) -> Any:
    if isinstance(value, Document):
        return [value.doc_id, value.content]
    if isinstance(value, Query):
        return [value.query_id, value.text]
    if dataclasses.is_dataclass(value):
        fields: Mapping[str, Any] = {
            f.name: getattr(value, f.name) for f in dataclasses.fields(value) if _asks(f, value)
        }
        return {type(value).__name__: fields}
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


def _asks(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field says what is asked."""
    unsaid = field.metadata.get("unsaid") and getattr(value, field.name) == field.default
    return not (unsaid or field.metadata.get("hint"))


def _dump_answer(answer: Answer) -> Any:
    if isinstance(answer, WeakOrder):
        return [answer.groups, answer.omitted]
    if isinstance(answer, Assessment):
        return [answer.grades, answer.rationales]
    if isinstance(answer, tuple) and answer and isinstance(answer[0], Criterion):
        return [[criterion.text, criterion.weight] for criterion in answer]
    if isinstance(answer, Unanswered):
        return {"reason": answer.reason, "failure": answer.failure.value}
    return answer.tolist() if hasattr(answer, "tolist") else answer


def _load_answer(value: Any, work: Work) -> Answer:
    if isinstance(value, dict):
        return Unanswered(value["reason"], Failure(value["failure"]))
    if isinstance(work, Embed):
        import numpy as np  # noqa: PLC0415

        return np.asarray(value, dtype=np.float32)
    if isinstance(work, Write):
        return tuple(Criterion(*criterion) for criterion in value)
    if isinstance(work, Assess):
        return Assessment(*map(tuple, value))
    if isinstance(value, list) and value and isinstance(value[0], list):
        return WeakOrder(tuple(map(tuple, value[0])), tuple(value[1]))
    return tuple(value) if isinstance(value, list) else value
