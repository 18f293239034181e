"""What is said of a document, or of two, as JSON has it."""

from collections.abc import Mapping
from typing import Any

from rerankllm.analysis.answers import Answers
from rerankllm.analysis.explain.evidence import Pair
from rerankllm.analysis.explain.history import DocumentHistory
from rerankllm.analysis.explain.text import said_of


def history_dict(found: DocumentHistory) -> dict[str, Any]:
    """Every judgement that showed a document, and what tells it from its neighbours."""
    record, doc_id = found.record, found.doc_id
    return {
        "doc_id": doc_id,
        "rank": found.rank,
        "first_rank": found.first_rank,
        "standing": found.standing,
        "judgements": [
            {
                **_judgement(each.heard),
                "shown_as": each.shown,
                "place": each.place,
                "said": said_of(each.heard, each.shown),
                "moved": moved,
            }
            for each in found.appearances
            for moved in [
                None if each.stretch is None else _moved(each.stretch.move(doc_id), each.stretch.passed(doc_id))
            ]
        ],
        "comparisons": None if record is None else {name: getattr(record, name) for name in record.__slots__},
        "scores": [dict(zip(("score", "rank", "of"), row, strict=True)) for row in found.scores],
        "above": None if found.above is None else pair_dict(found.above),
        "below": None if found.below is None else pair_dict(found.below),
    }


def _moved(places: tuple[int, int], passed: tuple[tuple[str, ...], tuple[str, ...]]) -> Mapping[str, Any]:
    return {"from": places[0], "to": places[1], "passed": passed[0], "passed_by": passed[1]}


def _judgement(heard: Answers) -> dict[str, Any]:
    """One judgement with its answer, but for the vectors of Embed, which say nothing to a reader."""
    names = ("call", "round", "kind", "docs", "parameters", "answer", "reason", "status", "repairs", "model")
    return {name: getattr(heard, name) for name in names if (heard.kind, name) != ("Embed", "answer")}


def pair_dict(pair: Pair) -> dict[str, Any]:
    """What is known of two documents."""
    return {
        "one": pair.one,
        "other": pair.other,
        "ground": pair.ground,
        "better": pair.better,
        "together": [{**_judgement(each), "verdict": verdict} for each, verdict in pair.together],
        "scores": pair.scores,
        "chain": pair.chain,
        "both_orders": dict(zip(("agree", "disagree"), pair.orders, strict=True)),
    }
