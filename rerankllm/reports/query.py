"""One query of a report: its documents once, and rankings and calls that refer to them by number."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rerankllm.data import Document
from rerankllm.reports.calls import Call
from rerankllm.reports.subject import Calls, Key, Subject
from rerankllm.spec.model import without_folders
from rerankllm.web.prompts import pieces

Answers = Mapping[tuple[str, int], Mapping[Key, Sequence[Call]]]
"""Calls by system, number of the run, and query."""


class _Numbers:
    """Documents of one query, numbered as they are met."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}

    def __call__(self, doc_id: str) -> int:
        return self.of.setdefault(doc_id, len(self.of))


class _Texts(dict[str, str | None]):
    """What the documents of one query say, each folded when it is first asked for: a collection has many more."""

    def __init__(self, documents: Mapping[str, Document]) -> None:
        super().__init__()
        self._documents = documents

    def __missing__(self, doc_id: str) -> str | None:
        found = self._documents.get(doc_id)
        self[doc_id] = None if found is None else found.content
        return self[doc_id]


def query_data(subject: Subject, key: Key, heard: Answers, calls: Calls) -> dict[str, Any]:
    """All that the browser shows of a query, ready for JSON.

    Args:
        subject: Where it is from.
        key: Which query.
        heard: The calls that the journals hold.
        calls: Which of them to put in.
    """
    collection, query_id = key
    texts = _Texts(subject.documents.get(collection, {}))
    number = _Numbers()
    systems = {
        entrant.name: [
            _run(
                run.orders.get(collection, {}).get(query_id), _known(heard, entrant.name, i, key), number, texts, calls
            )
            for i, run in enumerate(entrant.runs)
        ]
        for entrant in subject.entrants
    }
    grades = subject.comparison.pool.qrels[collection][query_id]
    found = [{"id": doc_id, "grade": grades.get(doc_id), "text": texts[doc_id]} for doc_id in number.of]
    missed = [(grade, doc_id) for doc_id, grade in grades.items() if grade > 0 and doc_id not in number.of]
    return {"docs": found, "systems": systems, "missed": len(missed)}


def _known(heard: Answers, name: str, run: int, key: Key) -> Sequence[Call] | None:
    """The calls of a run for a query; None where it has no journal."""
    by_query = heard.get((name, run))
    return None if by_query is None else by_query.get(key, ())


def _run(
    order: Sequence[str] | None,
    known: Sequence[Call] | None,
    number: _Numbers,
    texts: Mapping[str, str | None],
    calls: Calls,
) -> dict[str, Any]:
    return {
        "order": None if order is None else [number(doc_id) for doc_id in order],
        "made": None if known is None else len(known),
        "calls": [_call(at, call, number, texts) for at, call in enumerate(known or ()) if _wanted(call, calls)],
    }


def _wanted(call: Call, calls: Calls) -> bool:
    return calls == "all" or (calls == "failed" and call.status != "parsed")


def _call(at: int, call: Call, number: _Numbers, texts: Mapping[str, str | None]) -> dict[str, Any]:
    outcome = call.outcome or {}
    fields = {
        "n": at + 1,
        "step": call.step,
        "kind": call.kind,
        "model": without_folders(call.model),
        "status": call.status,
        "repairs": dict(call.repairs),
        "docs": [number(doc_id) for doc_id in call.docs],
        "answer": _answer(call, number),
        "reason": call.reason,
        "prompt": None if call.prompt is None else pieces(call.prompt, [texts[doc_id] or "" for doc_id in call.docs]),
        "said": outcome.get("text") or None,
        "reasoning": outcome.get("reasoning") or None,
        "logprobs": outcome.get("logprobs") or None,
        "tokens": list(call.tokens) if any(call.tokens) else None,
        "usd": call.cost_usd,
    }
    return {name: value for name, value in fields.items() if value not in (None, {}, [])}


def _answer(call: Call, number: _Numbers) -> Any:
    """The answer with documents by number: groups and omitted, chosen, p, or value as JSON."""
    answer = call.answer
    if answer is None:
        return None
    if call.kind in {"Permute", "Ends"}:
        order = answer if call.kind == "Permute" else _between(call)
        groups = [[number(doc_id) for doc_id in group] for group in order["groups"]]
        return {"groups": groups, "omitted": [number(doc_id) for doc_id in order["omitted"]]}
    if call.kind == "Select":
        return {"chosen": [number(doc_id) for doc_id in answer]}
    if call.kind == "Embed":
        return {"vectors": len(answer)}
    if isinstance(answer, float) and not math.isfinite(answer):
        return None
    return {"p" if call.kind == "Compare" else "value": answer}


def _between(call: Call) -> dict[str, Any]:
    """The best and the worst as an order, all others tied between them."""
    best, worst = call.answer
    rest = [doc_id for doc_id in call.docs if doc_id not in {best, worst}]
    return {"groups": [[best], *([rest] if rest else []), [worst]], "omitted": []}
