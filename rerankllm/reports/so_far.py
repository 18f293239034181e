"""Runs that are still being written: what can be compared so far."""

from collections.abc import Mapping, Sequence

from rerankllm.errors import InputError
from rerankllm.evaluation.systems import Pool
from rerankllm.runs.systems import Given, ranked_so_far


def so_far(pool: Pool, runs: Mapping[str, Sequence[Given]]) -> tuple[Pool, list[str]]:
    """The queries that every run in progress has ranked, and sentences that say so; the pool where none is.

    A query that a finished run lacks failed there, and stays.

    Args:
        pool: All judged queries.
        runs: The runs of each system, by its name.

    Raises:
        InputError: A run in progress has ranked no query yet, or no query is ranked by all of them.
    """
    keys, said = set(pool.keys), list[str]()
    for name, parts in runs.items():
        for given in parts:
            for path in given.files:
                found = ranked_so_far(pool, given, path)
                if found is None:
                    continue
                ranked = {(collection, query_id) for collection, ids in found.items() for query_id in ids}
                of = {key for key in pool.keys if key[0] in found}
                if not ranked:
                    raise InputError(f"{path} has no judged query yet: make the report when it has, or leave it out")
                keys -= of - ranked
                said.append(f"{name} has ranked {len(ranked)} of {len(of)} queries ({path.name}).")
    if not said:
        return pool, []
    if not keys:
        raise InputError("no query is ranked by all of the runs in progress yet: make the report when one is")
    many = f"{len(keys)} queries that all" if len(keys) > 1 else "one query that all"
    return pool.only(keys), ["So far: " + " ".join(said) + f" All numbers here are of the {many} have ranked."]
