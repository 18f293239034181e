"""`rerankllm report`: a comparison, its rankings and its calls as one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from rerankllm.cli.console import check_paths
from rerankllm.errors import InputError
from rerankllm.notes import tell

EXAMPLES = """
rerankllm report EXPERIMENT -o report.html
rerankllm report --qrels qrels.txt --first-stage bm25.txt --run sliding=a.txt --run prp=b.txt --queries queries.tsv
  --corpus corpus.jsonl -o report.html
rerankllm report TRAINING -o student.html
rerankllm report EXPERIMENT --calls failed --queries-shown 50 -o small.html

The page needs nothing but a browser. What its sections say: docs/report.md.
"""
Calls: TypeAlias = Literal["all", "failed", "none"]
Kind: TypeAlias = Literal["calls", "rounds", "slots", "tokens", "seconds", "usd"]
Qrels: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="[NAME=]PATH", help="TREC or BEIR qrels; repeat to pool collections.")
]
Runs: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILE[,FILE…]",
        help="A system: its TREC run, or one for each seed, as for `compare`. Its journal is found beside it.",
    ),
]
FirstStage: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="[COLLECTION=]FILE", help="The run all reranked.")
]
MiniLM: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="[COLLECTION=]FILE", help="A run of all-MiniLM-L6-v2.")
]
Queries: TypeAlias = Annotated[list[str] | None, typer.Option(metavar="[COLLECTION=]PATH", help="Query texts.")]
Corpus: TypeAlias = Annotated[list[str] | None, typer.Option(metavar="[COLLECTION=]PATH", help="Document texts.")]
Depth: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Candidates that the oracle reorders; default: as in the experiment's table, or 100.",
        rich_help_panel="Input",
    ),
]
Baseline: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Compare with this one; default: first stage, else first run.")
]
Measures: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MEASURE",
        help="In ir-measures' notation; repeatable, the main one first. The experiment's table's, else nDCG@10.",
    ),
]
RelevantFrom: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="GRADE", help="What binary measures count, as for `compare`.")
]
Resamples: TypeAlias = Annotated[
    int | None,
    typer.Option(min=10_000, help="Of bootstrap and randomization test; the experiment's table's, else 20000."),
]
Seed: TypeAlias = Annotated[
    int | None,
    typer.Option(min=0, help="Of both; the experiment's table's, else 0.", rich_help_panel="Statistics"),
]
CostAxis: TypeAlias = Annotated[
    Kind | None, typer.Option(help="What quality is shown against first; default: tokens, or slots where none.")
]
Robustness: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="robustness.json of `rerankllm robustness`: a section on the candidates' order, which an experiment "
        "with several has by itself.",
    ),
]
Attacks: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="What `rerankllm attack --json FILE` wrote: a section on documents that were written to rise; repeatable.",
    ),
]


def command(
    *,
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of an experiment or of a training; or name runs.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The page to write.")],
    qrels: Qrels = None,
    run: Runs = None,
    first_stage: FirstStage = None,
    minilm: MiniLM = None,
    queries: Queries = None,
    corpus: Corpus = None,
    depth: Depth = None,
    baseline: Baseline = None,
    measure: Measures = None,
    relevant_from: RelevantFrom = None,
    resamples: Resamples = None,
    seed: Seed = None,
    cost: CostAxis = None,
    robustness: Robustness = None,
    attacks: Attacks = None,
    calls: Annotated[
        Calls, typer.Option(help="Calls to put in: all, those repaired or failed, or none. Most of the size is theirs.")
    ] = "all",
    queries_shown: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Queries to browse, those on which systems differ most; default: all."),
    ] = None,
    max_size: Annotated[
        float,
        typer.Option(
            min=1,
            metavar="MB",
            help="Of the page. Beyond it, calls of the queries on which systems agree are left out.",
        ),
    ] = 15,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Reranking report",
) -> None:
    """Writes one HTML file that opens offline: summary, cost, tests, consistency, and every query to browse."""
    from rerankllm.reports.page import size_of  # noqa: PLC0415
    from rerankllm.reports.report import report  # noqa: PLC0415 - loads NumPy
    from rerankllm.runs.systems import FIRST, MINILM, parse_reference, parse_run, read_collections  # noqa: PLC0415

    named = {"--qrels": qrels, "--run": run, "--first-stage": first_stage, "--minilm": minilm, "--queries": queries,
             "--corpus": corpus}  # fmt: skip
    _check(folder, [option for option, values in named.items() if values])
    given = [parse_run(option) for option in run or ()]
    read = {f"--run {option}": path for option, each in zip(run or (), given, strict=True) for path in each.files}
    read |= {f"--attacks {path}": path for path in attacks or ()}
    check_paths({"FOLDER": folder, "--robustness": robustness, **read}, {"--output": output})
    page = report(
        folder or given, qrels=read_collections(qrels) if qrels else None, output=output, calls=calls,
        queries=queries_shown, max_size=max_size, title=title,
        first_stage=[parse_reference(FIRST, option) for option in first_stage or ()],
        minilm=[parse_reference(MINILM, option) for option in minilm or ()],
        query_texts=[parse_reference("--queries", option) for option in queries or ()],
        corpus=[parse_reference("--corpus", option) for option in corpus or ()],
        depth=depth, baseline=baseline, measures=measure or (), relevant_from=relevant_from, resamples=resamples,
        seed=seed, cost=cost, robustness=robustness, attacks=attacks or (),
    )  # fmt: skip
    tell(f"wrote {output} ({size_of(page.size)})")
    for line in page.content.left_out:
        tell(line)


def _check(folder: Path | None, given: Sequence[str]) -> None:
    """Refuses anything but a folder, or runs with their judgements.

    Args:
        folder: An experiment's folder.
        given: The options that name files of runs.
    """
    if (folder is None) == (not given) or (folder is None and not {"--qrels", "--run"} <= set(given)):
        raise InputError(
            "give an experiment's folder, or --qrels and --run; "
            + (f"found {folder} and {given[0]}" if folder else f"found {', '.join(given) or 'neither'}")
        )
