"""`rerankllm compare`: systems side by side, how they differ, and what each costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from rerankllm.cli.console import check_paths, say, terminal_width
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import DEFAULT_MEASURES
from rerankllm.evaluation.tables import write_csv
from rerankllm.files import as_json, open_for_writing
from rerankllm.notes import tell

if TYPE_CHECKING:
    from rerankllm.runs.compare import RunComparison

EXAMPLES = """
rerankllm compare --qrels qrels.txt --first-stage bm25.txt --run sliding=a.txt --run prp=b.txt
rerankllm compare --qrels qrels.txt --run old=a.txt --run new=b1.txt,b2.txt,b3.txt --baseline old --measure nDCG@10
  --measure 'RR(rel=2)@10' --family new --family nDCG@10
rerankllm compare --qrels qrels.txt --run exact=a.txt --run cheap=b.txt --alternative equivalence --margin .01
rerankllm compare --qrels dl19=q19.txt --qrels dl20=q20.txt --run A=a.txt --run B@dl19=b19.txt --run B@dl20=b20.txt
  --format markdown --plot plots
rerankllm compare --qrels qrels.txt --first-stage bm25.txt --run A=a.txt --run B=b.txt --format latex --against A

How to read what it prints: docs/evaluation.md.
"""
Alternative: TypeAlias = Literal["two-sided", "equivalence"]
Correction: TypeAlias = Literal["holm", "bonferroni"]
Format: TypeAlias = Literal["table", "json", "markdown", "latex", "paper", "csv"]
Kind: TypeAlias = Literal["calls", "rounds", "slots", "tokens", "seconds", "usd"]

Qrels: TypeAlias = Annotated[
    list[str], typer.Option(metavar="[NAME=]PATH", help="TREC or BEIR qrels; repeat to pool collections.")
]
Runs: TypeAlias = Annotated[
    list[str],
    typer.Option(
        metavar="NAME=FILE[,FILE…]",
        help="A system: its TREC run, or one for each seed. NAME@COLLECTION=FILE where query ids do not tell.",
    ),
]
FirstStage: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[COLLECTION=]FILE",
        help="The run that all systems reranked. It gets a row, and so does its ideal order (`oracle`).",
    ),
]
MiniLM: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="[COLLECTION=]FILE", help="A run of all-MiniLM-L6-v2, a small embedder, to compare with."),
]
Queries: TypeAlias = Annotated[
    Path | None, typer.Option(help="Query texts, to compute the MiniLM row instead (extra `embedded`).")
]
Corpus: TypeAlias = Annotated[Path | None, typer.Option(help="Document texts, to compute the MiniLM row.")]
Depth: TypeAlias = Annotated[
    int,
    typer.Option(min=1, help="How many first-stage candidates oracle and MiniLM reorder.", rich_help_panel="Input"),
]
Baseline: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Compare with this one; default: first stage, else first run.")
]
Measures: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MEASURE",
        help="In ir-measures' notation, such as nDCG@10 or RR(rel=2)@10; repeatable, the main one first.",
    ),
]
RelevantFrom: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="GRADE",
        help="Lowest grade that binary measures count as relevant; default: 2 on TREC-DL's scale, else 1.",
    ),
]
Family: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A system or measure to test; repeatable. p is adjusted for the number of tests. Default: all of them.",
    ),
]
Margin: TypeAlias = Annotated[
    float | None, typer.Option(metavar="X", help="The difference that would not matter, in the measure's units.")
]
Against: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="In `latex` and `paper`, mark what is significantly better than this system; repeatable. Default: all.",
    ),
]
CostAxis: TypeAlias = Annotated[
    Kind | None, typer.Option(help="Which cost the Pareto front uses; default: tokens, or slots if tokens are unknown.")
]
Plot: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Draw `intervals` and `queries` there, each as PNG, SVG and PDF (extra `plots`)."
    ),
]


def command(
    *,
    qrels: Qrels,
    run: Runs,
    first_stage: FirstStage = None,
    minilm: MiniLM = None,
    queries: Queries = None,
    corpus: Corpus = None,
    depth: Depth = 100,
    baseline: Baseline = None,
    measure: Measures = None,
    relevant_from: RelevantFrom = None,
    family: Family = None,
    correction: Annotated[Correction, typer.Option(help="How p is adjusted for the number of tests.")] = "holm",
    alternative: Annotated[
        Alternative, typer.Option(help="Whether systems differ, or are as good within --margin (TOST).")
    ] = "two-sided",
    margin: Margin = None,
    resamples: Annotated[
        int, typer.Option(min=10_000, help="How many resamples bootstrap and randomization test draw.")
    ] = 20_000,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of bootstrap and randomization test.", rich_help_panel="Statistics")
    ] = 0,
    resample_runs: Annotated[
        bool,
        typer.Option(
            "--resample-runs", help="Let intervals cover other seeds, too, instead of averaging the runs of a system."
        ),
    ] = False,
    cost: CostAxis = None,
    form: Annotated[
        Format, typer.Option("--format", help="What to print; `paper` is the first table of `latex` in Markdown.")
    ] = "table",
    against: Against = None,
    per_query: Annotated[
        Path | None, typer.Option(help="Write every query's values here, as CSV.", rich_help_panel="Output")
    ] = None,
    plot: Plot = None,
) -> None:
    """Compares runs on the same queries: quality, cost, and whether differences are more than chance.

    A query that a run lacks counts as 0.
    """
    from rerankllm.runs import compare as runs  # noqa: PLC0415 - loads NumPy
    from rerankllm.runs.systems import FIRST, MINILM, parse_reference, parse_run, read_collections  # noqa: PLC0415

    if (alternative == "equivalence") != (margin is not None):
        raise InputError("equivalence is within a margin: give --alternative equivalence and --margin .01, say, both")
    given = [parse_run(option) for option in run]
    check_paths({f"--run {g.name}": path for g in given for path in g.files}, {"--per-query": per_query})
    comparison = runs.compare(
        given, read_collections(qrels),
        first_stage=[parse_reference(FIRST, option) for option in first_stage or ()],
        minilm=[parse_reference(MINILM, option) for option in minilm or ()],
        queries=queries, corpus=corpus, depth=depth, baseline=baseline, measures=measure or DEFAULT_MEASURES,
        relevant_from=relevant_from, family=family or (), correction=correction, margin=margin, resamples=resamples,
        seed=seed, resample_runs=resample_runs, cost=cost,
    )  # fmt: skip
    if not first_stage:
        tell("no first stage and no oracle row: give --first-stage RUN")
    _write(comparison, per_query, plot)
    _print(comparison, form, against or ())


def _write(comparison: "RunComparison", per_query: Path | None, plots: Path | None) -> None:
    """Writes what was asked for beside what is printed."""
    if plots is not None:
        if not comparison.differences:
            raise InputError("--plot draws differences: give another --run, or --first-stage")
        for path in comparison.plot(plots):
            tell(f"wrote {path}")
    if per_query is not None:
        with open_for_writing(per_query) as file:
            write_csv(file, comparison.by_query())


def _print(comparison: "RunComparison", form: Format, against: Sequence[str]) -> None:
    """Prints the comparison in one of the formats."""
    if form == "json":
        say(as_json(comparison.to_dict(), indent=2))
    elif form == "csv":
        say(comparison.csv(), nl=False)
    elif form == "table":
        say(comparison.text(terminal_width()))
    elif form == "latex":
        say(comparison.latex(against))
    else:
        say(comparison.markdown() if form == "markdown" else comparison.paper(against).markdown())
