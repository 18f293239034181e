"""compare."""

from pathlib import Path

from rerankllm.evaluation.systems import Pool, System
from rerankllm.notes import tell
from rerankllm.runs.systems import Given


def _systems(
    pool: "Pool",
    given: "list[Given]",
    first_stage: list[str],
    minilm_runs: list[str],
    *,
    queries: Path | None,
    corpus: Path | None,
    depth: int,
) -> "list[System]":
    """First stage, runs, MiniLM and oracle: those that can be had; says which cannot, and why."""
    from rerankllm.evaluation.cost import NOTHING  # noqa: PLC0415
    from rerankllm.runs.systems import (  # noqa: PLC0415
        FIRST,
        MINILM,
        by_name,
        minilm,
        oracle,
        parse_reference,
        read_system,
    )

    first = [parse_reference(FIRST, option) for option in first_stage]
    found = [read_system(pool, first, cost=NOTHING, reference=True)] if first else []
    found += [read_system(pool, parts) for parts in by_name(given).values()]
    if minilm_runs:
        found.append(read_system(pool, [parse_reference(MINILM, o) for o in minilm_runs], reference=True))
    elif first and queries is not None and corpus is not None:
        computed = minilm(pool, first[0], queries, corpus, depth)
        found += [computed] if computed is not None else []
    else:
        tell(f"no {MINILM} row: give --minilm RUN, or --first-stage, --queries and --corpus")
    if first:
        found.append(oracle(pool, first, depth))
    else:
        tell("no first stage and no oracle row: give --first-stage RUN")
    return found
