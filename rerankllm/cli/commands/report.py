"""`rerankllm report`: a comparison, its rankings and its calls as one page."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from rerankllm.cli.console import check_paths
from rerankllm.errors import InputError
from rerankllm.files import replacing
from rerankllm.notes import tell

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm report EXPERIMENT -o report.html\n
rerankllm report --qrels qrels.txt --first-stage bm25.txt --run sliding=a.txt --run prp=b.txt
 --queries queries.tsv --corpus corpus.jsonl -o report.html\n
rerankllm report EXPERIMENT --calls failed --queries-shown 50 -o small.html\n
The page needs nothing but a browser. What its sections say: docs/report.md.
"""
Calls: TypeAlias = Literal["all", "failed", "none"]
Kind: TypeAlias = Literal["calls", "rounds", "slots", "tokens", "seconds", "usd"]
LARGE = 10_000_000
"""Bytes above which a page is slow to send and to open."""


def command(
    *,
    folder: Annotated[Path | None, typer.Argument(help="An experiment's folder; or name runs instead.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The page to write.")],
    qrels: Annotated[
        list[str] | None, typer.Option(metavar="[NAME=]PATH", help="TREC or BEIR qrels; repeat to pool collections.")
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE[,FILE…]",
            help="A system: its TREC run, or one for each seed, as for `compare`. Its journal is found beside it.",
        ),
    ] = None,
    first_stage: Annotated[
        list[str] | None, typer.Option(metavar="[COLLECTION=]FILE", help="The run all reranked.")
    ] = None,
    minilm: Annotated[
        list[str] | None, typer.Option(metavar="[COLLECTION=]FILE", help="A run of all-MiniLM-L6-v2.")
    ] = None,
    queries: Annotated[list[str] | None, typer.Option(metavar="[COLLECTION=]PATH", help="Query texts.")] = None,
    corpus: Annotated[list[str] | None, typer.Option(metavar="[COLLECTION=]PATH", help="Document texts.")] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Candidates that the oracle reorders; default: as in the experiment's table, or 100.",
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compare with this one; default: first stage, else first run.")
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="In ir-measures' notation; repeatable, the main one first. The experiment's table's, else nDCG@10."
        ),
    ] = None,
    relevant_from: Annotated[
        int | None, typer.Option(min=1, metavar="GRADE", help="What binary measures count, as for `compare`.")
    ] = None,
    resamples: Annotated[
        int | None,
        typer.Option(min=10_000, help="Of bootstrap and randomization test; the experiment's table's, else 20000."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of both; the experiment's table's, else 0.")] = None,
    cost: Annotated[
        Kind | None, typer.Option(help="What quality is shown against first; default: tokens, or slots where none.")
    ] = None,
    robustness: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="robustness.json of `rerankllm robustness`: a section on the candidates' order, which an experiment "
            "with several has by itself.",
        ),
    ] = None,
    calls: Annotated[
        Calls, typer.Option(help="Calls to put in: all, those repaired or failed, or none. Most of the size is theirs.")
    ] = "all",
    queries_shown: Annotated[
        int, typer.Option(min=0, metavar="N", help="Queries to browse: those on which systems differ most.")
    ] = 100,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Reranking report",
) -> None:
    """Writes one HTML file that opens offline: summary, cost, tests, consistency, and every query to browse."""
    from rerankllm.reports.content import content  # noqa: PLC0415
    from rerankllm.reports.from_experiment import from_folder  # noqa: PLC0415
    from rerankllm.reports.from_runs import ComparisonOptions, Files, from_files  # noqa: PLC0415
    from rerankllm.reports.page import page, size_of  # noqa: PLC0415
    from rerankllm.reports.robustness import with_robust  # noqa: PLC0415
    from rerankllm.reports.subject import Extent  # noqa: PLC0415
    from rerankllm.runs.systems import parse_run  # noqa: PLC0415
    from rerankllm.version import __version__  # noqa: PLC0415

    named = {"--qrels": qrels, "--run": run, "--first-stage": first_stage, "--minilm": minilm, "--queries": queries,
             "--corpus": corpus}  # fmt: skip
    given = [option for option, values in named.items() if values]
    if (folder is None) == (not given) or (folder is None and not {"--qrels", "--run"} <= set(given)):
        raise InputError(
            "give an experiment's folder, or --qrels and --run; "
            + (f"found {folder} and {given[0]}" if folder else f"found {', '.join(given) or 'neither'}")
        )
    read = {f"--run {option}": path for option in run or () for path in parse_run(option).files}
    check_paths({"FOLDER": folder, "--robustness": robustness, **read}, {"--output": output})
    wishes = ComparisonOptions(tuple(measure or ()), relevant_from, baseline, depth, resamples, seed, cost)
    if folder is not None:
        subjects = from_folder(folder, wishes, orders=robustness is None)
    else:
        files = Files(qrels or (), run or (), first_stage or (), minilm or (), queries or (), corpus or ())
        subjects = [from_files(files, wishes)]
    if robustness is not None:
        subjects = with_robust(subjects, robustness)
    made = page(content(title, subjects, Extent(calls, queries_shown), __version__))
    with replacing(output) as file:
        file.write(made)
    size = len(made.encode())
    tell(f"wrote {output} ({size_of(size)})")
    if size > LARGE:
        tell("it is large: --calls failed or --calls none, or a smaller --queries-shown, makes it smaller")
