"""document."""

from collections.abc import Mapping
from typing import Any

from rerankllm.analysis.explain.answers import Answers
from rerankllm.analysis.explain.evidence import Pair
from rerankllm.analysis.explain.explanation import Explanation
from rerankllm.analysis.explain.text import said_of


def _document(explanation: Explanation) -> Mapping[str, Any]:
    record, doc_id = explanation.record, explanation.doc_id
    return {
        "doc_id": doc_id,
        "rank": explanation.rank,
        "first_rank": explanation.first_rank,
        "standing": explanation.standing,
        "judgements": [
            {
                **_heard(each.heard),
                "shown_as": each.shown,
                "place": each.place,
                "said": said_of(each.heard, each.shown),
                "moved": moved,
            }
            for each in explanation.appearances
            for moved in [
                None if each.stretch is None else _moved(each.stretch.move(doc_id), each.stretch.passed(doc_id))
            ]
        ],
        "comparisons": None if record is None else {name: getattr(record, name) for name in record.__slots__},
        "scores": [dict(zip(("score", "rank", "of"), row, strict=True)) for row in explanation.scores],
        "above": None if explanation.above is None else _pair(explanation.above),
        "below": None if explanation.below is None else _pair(explanation.below),
    }


def _moved(places: tuple[int, int], passed: tuple[tuple[str, ...], tuple[str, ...]]) -> Mapping[str, Any]:
    return {"from": places[0], "to": places[1], "passed": passed[0], "passed_by": passed[1]}


def _heard(heard: Answers) -> dict[str, Any]:
    """As JSON has it; vectors, which say nothing to a reader, are left out."""
    names = ("call", "round", "kind", "docs", "parameters", "answer", "reason", "status", "repairs", "model")
    return {name: getattr(heard, name) for name in names if (heard.kind, name) != ("Embed", "answer")}


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "one": pair.one,
        "other": pair.other,
        "ground": pair.ground,
        "better": pair.better,
        "together": [{**_heard(each), "verdict": verdict} for each, verdict in pair.together],
        "scores": pair.scores,
        "chain": pair.chain,
        "both_orders": dict(zip(("agree", "disagree"), pair.orders, strict=True)),
    }
