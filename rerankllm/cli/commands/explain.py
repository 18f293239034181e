"""`rerankllm explain`: why a document stands where it does."""

import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from rerankllm.analysis.explain.answers import Answers
from rerankllm.analysis.explain.evidence import Evidence, Pair
from rerankllm.analysis.explain.explanation import Explanation, explain
from rerankllm.analysis.explain.find import RankedQuery, find_ranked
from rerankllm.analysis.explain.text import facts, line, said_of, told
from rerankllm.cli.console import tell
from rerankllm.files import as_json

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm rerank --sample -o out.txt --journal out.txt.journal  # a run that keeps its judgements\n
rerankllm explain out.txt q1 d112  # its place, every judgement that showed it, its neighbours\n
rerankllm explain out.txt q1 d112 --compare d039  # what tells the two apart\n
rerankllm explain out.txt q1 d112 --journal calls.db --first-stage bm25.txt --format json
"""
Format: TypeAlias = Literal["text", "json"]


def command(
    *,
    run: Annotated[Path, typer.Argument(help="What `rerankllm rerank` wrote.")],
    query: Annotated[str, typer.Argument(help="The query's id.")],
    doc: Annotated[str, typer.Argument(help="The document's id.")],
    compare: Annotated[
        str | None, typer.Option(metavar="DOC2", help="Instead: what tells the document and this one apart.")
    ] = None,
    journal: Annotated[Path | None, typer.Option(help="The run's journal; RUN.journal when left out.")] = None,
    first_stage: Annotated[
        Path | None, typer.Option(metavar="RUN", help="What was reranked; as the journal says when left out.")
    ] = None,
    stage: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Of several stages in the journal, the one that made the run.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "text",
) -> None:
    """Why a document stands where it does: each judgement that showed it, what was answered, and how it moved.

    It is read off the journal; no model is called. A journal tells what was asked and answered and not how a strategy
    went on from there, so moves are shown only where they account for the whole ranking.
    """
    found = find_ranked(run, query, journal=journal, first_stage=first_stage, stage=stage)
    for doc_id in (doc, *([compare] if compare is not None else [])):
        found.check(doc_id)
    for note in found.notes:
        tell(note)
    if compare is not None:
        _compare(found, doc, compare, form)
        return
    explanation = explain(found.ranked, doc)
    if form == "json":
        typer.echo(as_json({**found.head(), **_document(explanation)}, indent=2))
        return
    for fact in facts(explanation, found.ranked):
        _paragraph(fact)
    if explanation.appearances:
        typer.echo("")
    for appearance in explanation.appearances:
        _paragraph(f"- {line(appearance, doc)}", "  ")


def _compare(found: RankedQuery, one: str, other: str, form: Format) -> None:
    """What tells two documents apart, the one that stands above first."""
    doc_ids = found.ranked.doc_ids
    if one in doc_ids and other in doc_ids and doc_ids.index(other) < doc_ids.index(one):
        one, other = other, one
    pair = Evidence(found.ranked.judgements).pair(one, other)
    if form == "json":
        ranks = {"ranks": {doc_id: found.places(doc_id) for doc_id in (one, other)}}
        typer.echo(as_json({**found.head(), **ranks, **_pair(pair)}, indent=2))
        return
    for doc_id in (one, other):
        typer.echo(found.standing(doc_id))
    _paragraph(told(pair))
    for each, verdict in pair.together:
        said = {1: f"for {one}", -1: f"for {other}", 0: "a tie"}.get(verdict or 0) if verdict is not None else "neither"
        parts = (*each.shown(one), *each.shown(other))
        places = "; ".join(f"{d} shown {each.docs.index(d) + 1}, {said_of(each, d)}" for d in parts)
        _paragraph(f"- round {each.round}, {_call(each)}: {each.kind} of {len(each.docs)}: {said}; {places}", "  ")


def _call(heard: Answers) -> str:
    return f"call {heard.call}" if heard.call is not None else "bought by another run"


def _paragraph(text: str, indent: str = "") -> None:
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    typer.echo(textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False))


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
