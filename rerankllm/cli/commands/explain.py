"""`rerankllm explain`: why a document stands where it does."""

import shutil
import textwrap
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from rerankllm.analysis.explain.answers import Answers
from rerankllm.analysis.explain.document import _document, _pair
from rerankllm.analysis.explain.evidence import Evidence
from rerankllm.analysis.explain.explanation import explain
from rerankllm.analysis.explain.find import RankedQuery, find_ranked
from rerankllm.analysis.explain.text import facts, line, said_of, told
from rerankllm.files import as_json
from rerankllm.notes import tell

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
