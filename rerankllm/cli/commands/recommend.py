"""`rerankllm recommend`: which strategy for this budget and this model."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import typer

from rerankllm.analysis.recommend.advice import Advice
from rerankllm.analysis.recommend.options import PASSAGE_TOKENS, Axis
from rerankllm.analysis.recommend.recommend import PLACEHOLDERS, Recommender
from rerankllm.cli import options
from rerankllm.cli.commands.datasets import Dataset
from rerankllm.cli.console import say, terminal_width
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.runs.source import read_source

EXAMPLES = """
# one query of 100 candidates, no model in particular
rerankllm recommend --max-calls 20 --max-rounds 5
rerankllm recommend --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --model openai:gpt-5-mini --max-cost 2
rerankllm recommend --model openai:qwen3 --base-url http://localhost:8000/v1 --number 500 --max-seconds 600
  --seconds-per-call .2 --tokens-per-second 8000
# five small calls
rerankllm recommend --sample --model llamacpp:smollm2 --max-seconds 60 --measure

What the numbers are and are not: docs/choosing.md.
"""
Format: TypeAlias = Literal["table", "json"]


Amount: TypeAlias = Annotated[float | None, typer.Option(min=0, metavar="N", help="Budget of the whole run.")]
Dollars: TypeAlias = Annotated[float | None, typer.Option(min=0, metavar="USD", help="Budget of the whole run.")]
Seconds: TypeAlias = Annotated[float | None, typer.Option(min=0, metavar="S", help="Budget of the whole run.")]
Slots: TypeAlias = Annotated[
    float | None, typer.Option(min=0, metavar="N", help="Budget of the whole run: passages sent.")
]
Rounds: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--max-rounds", "--rounds", min=0, metavar="N", help="Budget of one query: calls that wait for one another."
    ),
]
Judge: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="good|poor|fitted|small|FILE",
        help="Which simulated judge is most like your model (fitted: one that errs like RankVicuna; small: like "
        "Qwen2.5-Coder-1.5B), or a profile that `rerankllm judge-profile` wrote. The first three count alike when left "
        "out.",
    ),
]
Depth: TypeAlias = Annotated[
    int, typer.Option("--depth", "-n", min=1, help="Candidates a query; of longer lists, the first so many.")
]
Number: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Queries, where none are given; 1 when left out.")
]
TextTokens: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Of a passage, where no texts are given; 136 when left out.")
]
SecondsPerCall: TypeAlias = Annotated[
    float | None, typer.Option(min=0, metavar="S", help="Seconds that every call takes, however short.")
]
TokensPerSecond: TypeAlias = Annotated[
    float | None, typer.Option(min=1e-9, metavar="N", help="Tokens that one call reads or writes in a second.")
]


def command(
    *,
    max_cost: Dollars = None,
    max_seconds: Seconds = None,
    max_tokens: Amount = None,
    max_slots: Slots = None,
    max_calls: Amount = None,
    max_rounds: Rounds = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    concurrency: options.Concurrency = None,
    judge: Judge = None,
    sample: Annotated[bool, typer.Option("--sample", help="For the sample collection that ships.")] = False,
    dataset: Dataset = None,
    run: options.Run = None,
    queries: options.Queries = None,
    corpus: options.Corpus = None,
    requests: options.Requests = None,
    depth: Depth = 100,
    number: Number = None,
    passage_tokens: TextTokens = None,
    max_passage_tokens: options.PassageTokens = None,
    seconds_per_call: SecondsPerCall = None,
    tokens_per_second: TokensPerSecond = None,
    timed: Annotated[bool, typer.Option("--measure", help="Measure the model's speed with five small calls.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Print every strategy, not the best and the Pareto front.")
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "table",
) -> None:
    """Recommends a strategy for a budget and a model, from measurements with simulated judges.

    Of all that fits the budget it takes the cheapest that does about as well as the best. Nothing is sent to the model
    unless --measure is given.
    """
    caps: dict[Axis, float | None] = {
        "cost": max_cost, "seconds": max_seconds, "tokens": max_tokens, "slots": max_slots, "calls": max_calls,
        "rounds": max_rounds,
    }  # fmt: skip
    limits = {axis: cap for axis, cap in caps.items() if cap is not None}
    given: dict[str, Any] = {"dataset": dataset, "run": run, "queries": queries, "corpus": corpus, "requests": requests}
    recommender = Recommender(
        model, judge, base_url, concurrency, max_passage_tokens,
        options.model_options(model, base_url=base_url, concurrency=concurrency) if model else {},
        seconds_per_call, tokens_per_second, timed,
    )  # fmt: skip
    recommender.check(limits)
    source = None
    if sample or any(value is not None for value in given.values()):
        if number is not None or passage_tokens is not None:
            raise InputError("--number and --passage-tokens are for when no queries are given: leave them out")
        source = read_source(sample=sample, qrels=None, skip_missing=True, depth=depth, **given)
    found = recommender.recommend(
        limits, source, depth=depth, number=number or 1, text_tokens=passage_tokens or PASSAGE_TOKENS,
        source_options=["--sample"] if sample else _options(given) or PLACEHOLDERS,
    )  # fmt: skip
    _print(found, form, every=every)


def _print(found: Advice, form: Format, *, every: bool) -> None:
    if form == "json":
        say(as_json(found.to_dict(), indent=2))
        return
    say(found.text(every=every, width=terminal_width()))


def _options(values: Mapping[str, Any]) -> list[str]:
    """The options that were given, as on a command line."""
    named = {name: value for name, value in values.items() if value is not None}
    return [word for name, value in named.items() for word in (f"--{name.replace('_', '-')}", str(value))]
