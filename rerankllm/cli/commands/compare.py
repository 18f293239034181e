"""`rerankllm compare`: systems side by side, how they differ, and what each costs."""

import csv
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from rerankllm.cli.console import check_paths
from rerankllm.errors import InputError
from rerankllm.files import as_json, open_for_writing
from rerankllm.notes import tell
from rerankllm.runs.compare import _systems
from rerankllm.runs.notices import tell_levels

if TYPE_CHECKING:
    from rerankllm.evaluation.comparison import Comparison

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm compare --qrels qrels.txt --first-stage bm25.txt --run sliding=a.txt --run prp=b.txt\n
rerankllm compare --qrels qrels.txt --run old=a.txt --run new=b1.txt,b2.txt,b3.txt --baseline old
 --measure nDCG@10 --measure 'RR(rel=2)@10' --family new --family nDCG@10\n
rerankllm compare --qrels qrels.txt --run exact=a.txt --run cheap=b.txt --alternative equivalence --margin .01\n
rerankllm compare --qrels dl19=q19.txt --qrels dl20=q20.txt --run A=a.txt --run B@dl19=b19.txt
 --run B@dl20=b20.txt --format markdown --plot plots\n
How to read what it prints: docs/evaluation.md.
"""
Alternative: TypeAlias = Literal["two-sided", "equivalence"]
Correction: TypeAlias = Literal["holm", "bonferroni"]
Format: TypeAlias = Literal["table", "json", "markdown", "latex", "csv"]
Kind: TypeAlias = Literal["calls", "rounds", "slots", "tokens", "seconds", "usd"]


def command(
    *,
    qrels: Annotated[
        list[str], typer.Option(metavar="[NAME=]PATH", help="TREC or BEIR qrels; repeat to pool collections.")
    ],
    run: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=FILE[,FILE…]",
            help="A system: its TREC run, or one for each seed. NAME@COLLECTION=FILE where query ids do not tell.",
        ),
    ],
    first_stage: Annotated[
        list[str] | None,
        typer.Option(metavar="[COLLECTION=]FILE", help="The run all reranked: a row, and the ideal order of it one."),
    ] = None,
    minilm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[COLLECTION=]FILE", help="A run of all-MiniLM-L6-v2, the row that costs next to nothing."
        ),
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="Query texts, to compute that row (extra `embed`).")] = None,
    corpus: Annotated[Path | None, typer.Option(help="Document texts, likewise.")] = None,
    depth: Annotated[
        int, typer.Option(min=1, help="First-stage candidates that were read: what oracle and MiniLM reorder.")
    ] = 100,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compare with this one; default: first stage, else first run.")
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(help="In ir-measures' notation, such as nDCG@10 or RR(rel=2)@10; repeatable, the main one first."),
    ] = None,
    relevant_from: Annotated[
        int | None,
        typer.Option(min=1, metavar="GRADE", help="What binary measures count; default: 2 on TREC-DL's scale, else 1."),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A system or measure that you set out to test; repeatable. Default: all runs, all measures.",
        ),
    ] = None,
    correction: Annotated[Correction, typer.Option(help="Of p for the tests of the family.")] = "holm",
    alternative: Annotated[
        Alternative, typer.Option(help="Whether systems differ, or are as good within --margin (TOST).")
    ] = "two-sided",
    margin: Annotated[
        float | None, typer.Option(metavar="X", help="The difference that would not matter, in the measure's units.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=10_000, help="Of bootstrap and randomization test.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Of both.")] = 0,
    resample_runs: Annotated[
        bool, typer.Option("--resample-runs", help="Intervals over seeds, too, instead of their average.")
    ] = False,
    cost: Annotated[
        Kind | None, typer.Option(help="What the Pareto front is drawn over; default: tokens, or slots where none.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "table",
    per_query: Annotated[Path | None, typer.Option(help="Write every query's values here, as CSV.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw intervals.png and queries.png there (extra `plots`).")
    ] = None,
) -> None:
    """Compares runs on the same queries: quality, differences and their chance, cost. Missing queries count as 0."""
    from rerankllm.evaluation.as_tables import usual_axis  # noqa: PLC0415
    from rerankllm.evaluation.comparison import Design, compare  # noqa: PLC0415
    from rerankllm.evaluation.measures import DEFAULT_MEASURES, parse_measures  # noqa: PLC0415
    from rerankllm.evaluation.systems import Pool  # noqa: PLC0415
    from rerankllm.runs.systems import parse_run, read_collections  # noqa: PLC0415

    if (alternative == "equivalence") != (margin is not None):
        raise InputError("equivalence is within a margin: give --alternative equivalence and --margin .01, say, both")
    given = [parse_run(option) for option in run]
    check_paths({f"--run {g.name}": path for g in given for path in g.files}, {"--per-query": per_query})
    collections = read_collections(qrels)
    pool = Pool(collections, parse_measures(measure or DEFAULT_MEASURES), relevant_from)
    tell_levels(pool, asked=relevant_from is not None)
    systems = _systems(pool, given, first_stage or [], minilm or [], queries=queries, corpus=corpus, depth=depth)
    design = Design(
        baseline or systems[0].name, tuple(family or ()), correction, margin, resamples, seed, resample_runs
    )
    comparison = compare(pool, systems, design)
    if plot is not None:
        _draw(comparison, plot)
    if per_query is not None:
        from rerankllm.evaluation.as_json import by_query  # noqa: PLC0415

        with open_for_writing(per_query) as file:
            _write_csv(file, by_query(comparison))
    _print(comparison, form, cost or usual_axis(systems))


def _draw(comparison: "Comparison", folder: Path) -> None:
    from rerankllm.evaluation.plots import plot  # noqa: PLC0415

    if not comparison.differences:
        raise InputError("--plot draws differences: give another --run, or --first-stage")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error
    for path in plot(comparison, folder):
        tell(f"wrote {path}")


def _print(comparison: "Comparison", form: Format, axis: str) -> None:
    from rerankllm.evaluation import as_json as document  # noqa: PLC0415
    from rerankllm.evaluation import as_tables as report  # noqa: PLC0415
    from rerankllm.evaluation import tables  # noqa: PLC0415

    if form == "json":
        typer.echo(as_json(document.document(comparison, axis), indent=2))
        return
    if form == "csv":
        _write_csv(sys.stdout, document.flat(comparison, axis))
        return
    shown, notes = report.tables(comparison, axis), report.notes(comparison)
    if form == "table":
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        typer.echo(tables.as_text(shown, notes, width))
    else:
        typer.echo((tables.as_markdown if form == "markdown" else tables.as_latex)(shown, notes))


def _write_csv(file: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
