"""The progress of a query as server-sent events (WHATWG HTML, section 9.2) with JSON data."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rerankllm.calibration.diagnostics import Share
from rerankllm.data import Ledger, Provenance, Ranking, Result
from rerankllm.drivers.events import Judged
from rerankllm.files import plain
from rerankllm.judgements import Compare, Embed, Ends, Select, Unanswered, WeakOrder
from rerankllm.plan import Plan
from rerankllm.web.prompts import Piece


def event(name: str, content: Mapping[str, Any]) -> bytes:
    """An event. JSON in ASCII has no line ends, so no text in it can end the event or begin another."""
    return f"event: {name}\ndata: {json.dumps(content, allow_nan=False)}\n\n".encode()


def plan(planned: Plan) -> dict[str, Any]:
    """The bounds of a plan: the least and the most of each quantity."""
    return {f.name: list(getattr(planned, f.name)) for f in dataclasses.fields(planned)}


def judged(number: int, at: float, one: Judged, prompt: Sequence[Piece]) -> dict[str, Any]:
    """A call that was answered: the documents in the order shown, and the answer.

    Args:
        number: The number of the call, from 1.
        at: Seconds since the query was submitted.
        one: The call.
        prompt: What was shown, its passages by their places in the order shown.
    """
    return {
        "n": number,
        "at": round(at, 3),
        "kind": type(one.judgement).__name__,
        "docs": [doc.doc_id for doc in one.judgement.docs],
        **({"reason": one.answer.reason} if isinstance(one.answer, Unanswered) else {"answer": _answer(one)}),
        "status": one.report.status.value,
        "repairs": dict(one.report.repairs),
        "tokens": [one.usage.prompt_tokens, one.usage.completion_tokens],
        "prompt": list(prompt),
    }


def finished(ranking: Ranking, contradicted: Share) -> dict[str, Any]:
    """A ranking, its cost, and how far its answers agree."""
    return {
        "results": [_result(result) for result in ranking],
        "ledger": ledger(ranking.ledger),
        "contradicted": [contradicted.count, contradicted.of],
    }


def ledger(spent: Ledger) -> dict[str, Any]:
    """The cost; null dollars if the price is not known."""
    return plain(spent)  # type: ignore[no-any-return]


def _result(result: Result) -> dict[str, Any]:
    return {
        "id": result.doc_id,
        "score": plain(result.score),
        "probability": plain(result.probability),
        "rationale": result.rationale,
        "read": result.provenance is Provenance.JUDGED,
    }


def _answer(one: Judged) -> dict[str, Any]:
    """An answer in the same shape as in reports."""
    answer: Any = one.answer
    if isinstance(answer, WeakOrder):
        return {"groups": plain(answer.groups), "omitted": list(answer.omitted)}
    match one.judgement:
        case Select():
            return {"chosen": list(answer)}
        case Ends(docs=docs) if answer:
            rest = [doc.doc_id for doc in docs if doc.doc_id not in answer]
            return {"groups": [[answer[0]], *([rest] if rest else []), [answer[1]]], "omitted": []}
        case Compare():
            return {"p": plain(answer)}
        case Embed():
            return {"vectors": len(answer)}
    return {"value": plain(answer)}
