"""`rerankllm judge-profile`: what a judge is like, fitted on answers that are there already."""

from pathlib import Path
from typing import Annotated

import typer

from rerankllm.calibration.judge_profile import Fitted, JudgeProfile
from rerankllm.cli.console import check_paths, say
from rerankllm.notes import tell

EXAMPLES = """
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --model openai:NAME --strategy active
  --output a.txt --journal a.journal
rerankllm judge-profile a.journal --run bm25.txt --output judge.json
# trust is measured
rerankllm judge-profile recording.jsonl --run bm25.txt --qrels qrels.txt --output judge.json
rerankllm rerank --run other.txt --queries queries.tsv --corpus corpus.jsonl --model openai:NAME --strategy active
  --profile judge.json --output b.txt
# the spec with the numbers in it
rerankllm plan --strategy active --profile judge.json

--run is the first stage that was reranked, for a journal and a recording know which documents were shown and not from
which list. Fit on other queries than those you go on to measure.
"""
MEANINGS = {
    "trust": "share of relevance in what it sees; the rest is error that it repeats",
    "scale": "how far apart documents are for it, in its own noise; 1 is an average judge",
    "sharpness": "the same in the noise of its scores, beside its orders",
    "position": "by how much the first place looks better than the last, in its noise; learnt anew for each query",
}
FEW = 10


def command(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…", help="Journals, or recordings that `rerankllm journal --export` wrote, all of one model."
        ),
    ],
    run: Annotated[Path, typer.Option(help="TREC run of the first stage that was reranked (may be .gz).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The profile to write, as JSON.")],
    qrels: Annotated[
        Path | None, typer.Option(help="Judgements of these queries, by which trust is measured, not inferred.")
    ] = None,
    depth: Annotated[int, typer.Option(min=2, help="Candidates a query that were read.")] = 100,
    stage: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="Of a journal only what this stage asked, as its totals print it."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Of a journal only what this model answered, as it prints it.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the intervals, which draw queries.")] = 0,
) -> None:
    """Measures how a model errs, from its answers in journals: noise, preference for places, repeated errors.

    Orders, selections, comparisons and scores are read; anything else is left out and counted.
    """
    from rerankllm.analysis.judge_profile.judge_profile import judge_profile  # noqa: PLC0415  # loads NumPy

    check_paths({**{f"FILE {file}": file for file in files}, "--run": run, "--qrels": qrels}, {"--output": output})
    found = judge_profile(files, run, qrels=qrels, depth=depth, stage=stage, model=model, seed=seed)
    found.save(output)
    _show(found, output)


def _show(found: JudgeProfile, output: Path) -> None:
    from rerankllm.analysis.judge_profile.fitting import SCALE_GRID  # noqa: PLC0415  # loads NumPy

    for name, meaning in MEANINGS.items():
        value: Fitted | None = getattr(found, name)
        if value is not None:
            say(f"{name}\t{value}\t{meaning}")
    counted = ", ".join(f"{count} {kind}" for kind, count in found.answers.items())
    say(f"fitted on\t{found.queries} queries: {counted}")
    say(f"use\t--profile {output}\nor\t--strategy '{found.spec}'")
    if found.ignored:
        tell(f"left out: {', '.join(f'{count} {reason}' for reason, count in found.ignored.items())}")
    if found.trust_from == "evidence":
        tell("trust is inferred from how steeply worth falls with the first stage's rank, as if that were as good as "
             "BM25 on TREC-DL; with --qrels it is measured")  # fmt: skip
    if found.scale.value in (least := SCALE_GRID[0], most := SCALE_GRID[-1]):
        tell(f"scale is at the end of what `active` goes by, {least:g} to {most:g}")
    if found.queries < FEW:
        tell(f"{found.queries} queries are few: see the intervals" if found.trust.low is not None else
             f"{found.queries} queries are too few for intervals")  # fmt: skip
