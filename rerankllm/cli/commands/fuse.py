"""`rerankllm fuse`: one run of several."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from rerankllm.cli import completion as completing
from rerankllm.cli import options
from rerankllm.cli.console import check_paths
from rerankllm.errors import InputError
from rerankllm.files import replacing
from rerankllm.formats import trec
from rerankllm.notes import tell
from rerankllm.runs.fuse import RunReader, check_runs, fuse_queries, open_run
from rerankllm.runs.writer import TAG
from rerankllm.spec.stage import parse_aggregation

EXAMPLES = """
rerankllm fuse --run bm25.txt --run dense.txt --output fused.txt
rerankllm fuse --run bm25.txt --run dense.txt --weight 1 --weight 2 --method 'combsum(scale=zscore)' -o fused.txt
rerankllm fuse --run a.txt --run b.txt --run c.txt --method bradley_terry --depth 100 --output fused.txt

`rerankllm aggregations` lists the methods. Those that compare documents pair by pair take time and memory of the square
of their number: `--depth 100` keeps them quick.
"""


def command(
    *,
    run: Annotated[
        list[Path], typer.Option(help="A TREC run (may be .gz), or castorini JSONL (.jsonl); repeat for each.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The TREC run to write.")],
    method: Annotated[
        str,
        typer.Option(
            metavar="SPEC",
            autocompletion=completing.aggregations,
            help="The aggregation, such as 'rrf(k=60)'; see `rerankllm aggregations`.",
        ),
    ] = "rrf",
    weight: Annotated[
        list[float] | None, typer.Option(help="How much a run counts; once for each --run, in their order.")
    ] = None,
    depth: Annotated[int | None, typer.Option(min=1, metavar="N", help="Read only the first N of each list.")] = None,
    truncate: options.Truncate = None,
) -> None:
    """Merges runs into one. A document that a run lacks counts as ranked behind all that the run lists."""
    rule = parse_aggregation(method)
    if len({path.resolve() for path in run}) < len(run):
        raise InputError("--run names one file twice: leave one out, or give it a --weight of 2")
    check_paths({f"--run {path}": path for path in run}, {"--output": output})
    with ExitStack() as files:
        sources = [open_run(path, files) for path in run]
        query_ids = check_runs(sources, list(map(str, run)), weight or None)
        _tell_missing(run, sources, query_ids)
        queries = documents = tied = 0
        file = files.enter_context(replacing(output))
        for fused in fuse_queries(sources, query_ids, rule, weights=weight or None, depth=depth):
            doc_ids = fused.doc_ids[:truncate]
            trec.write_run(file, fused.query_id, doc_ids, TAG)
            queries, documents, tied = queries + 1, documents + len(doc_ids), tied + fused.tied
    tell(f"{queries} queries of {len(run)} runs fused, {documents} documents, into {output}")
    if tied:
        tell(f"{tied} times a document shared its score in a run with others, and so its rank")


def _tell_missing(run: list[Path], sources: list[RunReader], query_ids: list[str]) -> None:
    """Says which queries some run lacks."""
    for path, source in zip(run, sources, strict=True):
        there = set(source.query_ids)
        missing = [query_id for query_id in query_ids if query_id not in there]
        if missing:
            shown = ", ".join(missing[:3])
            tell(f"{path} lacks {len(missing)} of {len(query_ids)} queries ({shown}): they are fused from the others")
