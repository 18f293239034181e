"""What commands write: lines on stderr, rows of JSON, and files that are not lost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from rerankllm.data import Candidate, Cut, Query, Ranking, Result
from rerankllm.drivers.ranker import Ranker
from rerankllm.errors import InputError
from rerankllm.reranker import Reranker
from rerankllm.runs.forecast import Forecast


def tell(line: str) -> None:
    """A line on stderr."""
    typer.echo(f"rerankllm: {line}", err=True)


def tell_notes(reranker: Reranker, top_k: int | None, depth: int) -> None:
    """What the user should know before it starts.

    Args:
        reranker: What is about to run.
        top_k: How many first places matter.
        depth: Candidates of the longest list.
    """
    if reranker.defaulted:
        tell(f"strategy {reranker.stage} (the default of {reranker.backend.model})")
    tell_other_judge(reranker)
    tell_settled(reranker, top_k, depth)


def tell_settled(ranker: Ranker, top_k: int | None, depth: int) -> None:
    """Says so where the strategy cannot place as many as are wanted of `depth` candidates."""
    if top_k is not None:
        settled = ranker.stage.aiming(top_k).strategy.settles(depth)
        if settled is not None and settled < min(top_k, depth):
            tell(f"{ranker.stage} can place correctly only the best {settled} of {depth}, not {top_k}")


def tell_other_judge(ranker: Ranker) -> None:
    """Says so where the profile is of another model than those that judge."""
    differs = ranker.profile and ranker.profile.differs(ranker.models)
    if differs:
        tell(differs)


def estimate_line(reranker: Reranker, queries: Sequence[tuple[Query, Sequence[Candidate]]], top_k: int | None) -> str:
    """What the run will take, in a line."""
    return str(Forecast.of(reranker, queries, top_k))


def rows(ranking: Ranking) -> list[dict[str, Any]]:
    """A row a result; before them, where a cut-off was asked for, one on what it kept, which may be nothing."""
    return [
        *([] if ranking.cut is None else [_cut_row(ranking, ranking.cut)]),
        *result_rows(ranking),
    ]


def _cut_row(ranking: Ranking, cut: Cut) -> dict[str, Any]:
    return {
        "query_id": ranking.query.query_id,
        "cutoff": cut.rule,
        "kept": len(ranking),
        "dropped": cut.dropped,
        "expected_precision": cut.expected_precision,
        "expected_recall": cut.expected_recall,
    }


def result_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """One JSON-ready row a result, with probability, relevance and rationale where they are known."""
    return [_row(ranking.query.query_id, result) for result in ranking]


def _row(query_id: str, result: Result) -> dict[str, Any]:
    known = {name: getattr(result, name) for name in ("probability", "relevance", "rationale")}
    return {
        "query_id": query_id,
        "doc_id": result.doc_id,
        "rank": result.rank,
        "score": result.score,
        "provenance": result.provenance.value,
        **{name: value for name, value in known.items() if value is not None},
    }


def check_paths(read: Mapping[str, Path | None], written: Mapping[str, Path | None]) -> None:
    """Checks that nothing that is written overwrites something else of this command, and that it can be written.

    Args:
        read: Input files by option.
        written: Output files by option.

    Raises:
        InputError: Two options name one file, or its folder is not there.
    """
    taken = {path.resolve(): option for option, path in read.items() if path is not None}
    for option, path in written.items():
        if path is None:
            continue
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise InputError(f"{option} and {other} name the same file, {path}")
        if path.is_dir() or not path.parent.is_dir():
            raise InputError(f"cannot write {path}: {'it is a folder' if path.is_dir() else 'its folder is not there'}")
