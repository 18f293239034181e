"""`rerankllm explain`: why a document stands where it does."""

import shutil
import textwrap
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from rerankllm.analysis.explain.explain import TOP, PairExplanation, explain, quoted
from rerankllm.cli.console import say
from rerankllm.files import as_json
from rerankllm.notes import tell

EXAMPLES = """
# a run that keeps its judgements
rerankllm rerank --sample -o out.txt --journal out.txt.journal
# its place, every judgement that showed it, its neighbours
rerankllm explain out.txt q1 d112
# what tells the two apart
rerankllm explain out.txt q1 d112 --compare d039
# the same, with what the documents say
rerankllm explain out.txt q1 d112 --corpus corpus.jsonl
rerankllm explain out.txt q1 d112 --journal calls.db --first-stage bm25.txt --format json
"""
Format: TypeAlias = Literal["text", "json"]


def command(
    *,
    run: Annotated[Path, typer.Argument(help="What `rerankllm rerank` wrote.")],
    query: Annotated[str, typer.Argument(help="The query's id.")],
    doc: Annotated[str, typer.Argument(help="The document's id.")],
    compare: Annotated[
        str | None, typer.Option(metavar="DOC2", help="Say instead why one of the two documents is above the other.")
    ] = None,
    journal: Annotated[Path | None, typer.Option(help="The run's journal; RUN.journal when left out.")] = None,
    first_stage: Annotated[
        Path | None, typer.Option(metavar="RUN", help="What was reranked; as the journal says when left out.")
    ] = None,
    stage: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Of several stages in the journal, the one that made the run.")
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The documents, to quote those that are named; an experiment's has its own."),
    ] = None,
    top_k: Annotated[
        int,
        typer.Option(
            min=1,
            help="Where answers are counted together: say how many could have been others before the document came "
            "into the first so many, or out of them.",
        ),
    ] = TOP,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "text",
) -> None:
    """Says why a document is where it is: each judgement that showed it, what was answered, and how it moved.

    It is read off the journal; no model is called. A journal tells what was asked and answered and not how a strategy
    went on from there, so moves are shown only where they account for the whole ranking.
    """
    found = explain(
        run,
        query,
        doc,
        against=compare,
        journal=journal,
        first_stage=first_stage,
        stage=stage,
        corpus=corpus,
        top_k=top_k,
    )
    for note in found.notes:
        tell(note)
    if form == "json":
        say(as_json(found.to_dict(), indent=2))
        return
    if isinstance(found, PairExplanation):
        for rank in found.ranks:
            say(rank)
        _paragraph(found.verdict)
    else:
        for fact in found.facts:
            _paragraph(fact)
    for text in quoted(found.texts):
        say("")
        _paragraph(text, "  ")
    if found.judgements and (found.texts or not isinstance(found, PairExplanation)):
        say("")
    for judgement in found.judgements:
        _paragraph(f"- {judgement}", "  ")


def _paragraph(text: str, indent: str = "") -> None:
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    say(textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False))
