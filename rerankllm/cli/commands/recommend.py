"""`rerankllm recommend`: which strategy for this budget and this model."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from rerankllm.analysis.recommend import advice
from rerankllm.analysis.recommend.choice import JUDGES, choose
from rerankllm.analysis.recommend.measurements import nearest, shipped
from rerankllm.analysis.recommend.options import PASSAGE_TOKENS, Axis, Prices, offers
from rerankllm.analysis.recommend.recommend import _lists, _measured, _stated, _weights
from rerankllm.cli import options
from rerankllm.cli.commands.datasets import Dataset
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.reranker import Reranker
from rerankllm.runs.source import read_source

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm recommend --max-calls 20 --max-rounds 5  # one query of 100 candidates, no model in particular\n
rerankllm recommend --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --model openai:gpt-5-mini --max-cost 2\n
rerankllm recommend --model openai:qwen3 --base-url http://localhost:8000/v1 --number 500 --max-seconds 600
 --seconds-per-call .2 --tokens-per-second 8000\n
rerankllm recommend --sample --model llamacpp:smollm2 --max-seconds 60 --measure  # five small calls\n
What the numbers are and are not: docs/choosing.md.
"""
Format: TypeAlias = Literal["table", "json"]
UNKNOWN: Mapping[Axis, str] = {
    "cost": "the model's prices are not known; give ?price_prompt=…&price_completion=… in --model",
    "tokens": "this model answers without prompts and counts none; give --max-slots or --max-calls",
}


def command(
    *,
    max_cost: Annotated[float | None, typer.Option(min=0, metavar="USD", help="Of the whole run.")] = None,
    max_seconds: Annotated[float | None, typer.Option(min=0, metavar="S", help="Of the whole run.")] = None,
    max_tokens: Annotated[float | None, typer.Option(min=0, metavar="N", help="Of the whole run.")] = None,
    max_slots: Annotated[
        float | None, typer.Option(min=0, metavar="N", help="Passages sent, of the whole run.")
    ] = None,
    max_calls: Annotated[float | None, typer.Option(min=0, metavar="N", help="Of the whole run.")] = None,
    max_rounds: Annotated[
        float | None,
        typer.Option(
            "--max-rounds", "--rounds", min=0, metavar="N", help="Calls of a query that wait for one another."
        ),
    ] = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    concurrency: options.Concurrency = None,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="good|poor|fitted|FILE",
            help="What the model is assumed to be like: a judge that was simulated (fitted: to RankVicuna's answers), "
            "or a profile that `rerankllm judge-profile` wrote. All three alike when left out.",
        ),
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="For the sample collection that ships.")] = False,
    dataset: Dataset = None,
    run: options.Run = None,
    queries: options.Queries = None,
    corpus: options.Corpus = None,
    requests: options.Requests = None,
    depth: Annotated[
        int, typer.Option("--depth", "-n", min=1, help="Candidates a query; of longer lists, the first so many.")
    ] = 100,
    number: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Queries, where none are given; 1 when left out.")
    ] = None,
    passage_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of a passage, where no texts are given; 136 when left out.")
    ] = None,
    max_passage_tokens: options.PassageTokens = None,
    seconds_per_call: Annotated[
        float | None, typer.Option(min=0, metavar="S", help="What a call takes whatever is in it.")
    ] = None,
    tokens_per_second: Annotated[
        float | None, typer.Option(min=1e-9, metavar="N", help="Tokens that one call reads or writes in a second.")
    ] = None,
    timed: Annotated[bool, typer.Option("--measure", help="Find both out with five small calls.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Print every strategy, not the best and the Pareto front.")
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "table",
) -> None:
    """Which strategy for a budget and a model: what each gave where it was measured, and would take here.

    Nothing is sent to the model, but for --measure. Of what fits the budget, the best is looked for, and then the
    cheapest that cannot be told from it.
    """
    caps: dict[Axis, float | None] = {
        "cost": max_cost, "seconds": max_seconds, "tokens": max_tokens, "slots": max_slots, "calls": max_calls,
        "rounds": max_rounds,
    }  # fmt: skip
    limits = {axis: cap for axis, cap in caps.items() if cap is not None}
    given: dict[str, Any] = {"dataset": dataset, "run": run, "queries": queries, "corpus": corpus, "requests": requests}
    stated = seconds_per_call is not None or tokens_per_second is not None
    _check(model, judge, limits, timed=timed, stated=stated)
    source = None
    if sample or any(value is not None for value in given.values()):
        if number is not None or passage_tokens is not None:
            raise InputError("--number and --passage-tokens are for when no queries are given: leave them out")
        source = read_source(sample=sample, qrels=None, skip_missing=True, depth=depth, **given)
    lists = _lists(source, depth, number or 1, passage_tokens or PASSAGE_TOKENS)
    if max(lists.lengths, default=0) < 2:  # noqa: PLR2004
        raise InputError("there is nothing to put in order: no list has two candidates; give a larger --depth, or "
                         "other queries")  # fmt: skip
    measured = nearest(shipped(), lists.middle)
    shares, why = _weights(measured, judge)
    told = options.model_options(model, base_url=base_url, concurrency=concurrency) if model else {}
    opened = Reranker(None, model, passage_tokens=max_passage_tokens, options=told) if model else None
    with opened or nullcontext():
        at_once = concurrency or (opened and opened.backend.capabilities.slots) or 1
        speed = _stated(seconds_per_call, tokens_per_second, at_once)
        if timed and opened is not None:
            speed = _measured(opened, source, lists, at_once)
        fused = source is None or all(c.score is not None for _, found in source.queries for c in found)
        prices = Prices(lists, measured.candidates, opened, speed)
        found, left_out = offers(measured, shares, prices, fused=fused)
    for axis, help_ in UNKNOWN.items():
        if axis in limits and not all(axis in offer.takes for offer in found):
            raise InputError(f"--max-{axis}: {help_}")
    choice = choose(measured, found, limits)
    settings = {"base_url": base_url, "concurrency": concurrency, "max_passage_tokens": max_passage_tokens}
    named = [] if source is None or not source.skipped else ["--skip-missing"]
    line = _command(
        choice.chosen.stage, given, {"model": model, **settings}, ["--depth", str(depth), *named], sample=sample
    )
    shown = advice.Advice(measured, shares, why, lists, found, left_out, limits, choice, speed, line)
    typer.echo(as_json(advice.document(shown), indent=2) if form == "json" else advice.text(shown, every=every))


def _check(model: str | None, judge: str | None, limits: Mapping[Axis, float], *, timed: bool, stated: bool) -> None:
    """What can be said before anything is read."""
    if model is None and (timed or "cost" in limits):
        raise InputError(f"{'--measure' if timed else '--max-cost'} needs --model")
    if timed and stated:
        raise InputError("--measure finds out what --seconds-per-call and --tokens-per-second state: leave one out")
    if "seconds" in limits and not (timed or stated):
        raise InputError("--max-seconds needs to know how fast the model is: give --seconds-per-call and "
                         "--tokens-per-second, or --measure")  # fmt: skip
    if judge is not None and judge not in JUDGES and not Path(judge).is_file():
        raise InputError(f"--judge {judge} should be one of {', '.join(JUDGES)}, or a profile's file")


def _command(
    stage: str, given: Mapping[str, Any], settings: Mapping[str, Any], more: Sequence[str], *, sample: bool
) -> str:
    """The command line that runs it; in capitals what is still to be filled in."""
    if not stage:
        return ""
    named = {name: value for name, value in given.items() if value is not None}
    source = (
        ["--sample"] if sample else _options(named) or ["--run", "RUN", "--queries", "QUERIES", "--corpus", "CORPUS"]
    )
    asked = _options({name: value for name, value in settings.items() if value is not None})
    rest = ["--strategy", stage, *more, "--output", "reranked.txt"]
    return shlex.join(["rerankllm", "rerank", *source, *asked, *rest])


def _options(values: Mapping[str, Any]) -> list[str]:
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
