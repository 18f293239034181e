"""Ours: ranks some queries with `Reranker`, from the texts to the rankings.

The job: model, strategy, data (a folder), queries and depth (how much of it), record (a file for the prompts,
round by round as the engine got them, or null). Loading the model is not in the seconds; a query of its own, with
documents of its own, warms it up.
"""

import json
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rerankllm import Reranker
from rerankllm.calls import ReadLabels, Request, Response, TokenPrompt
from rerankllm.data import Candidate, Document, Query
from rerankllm.evaluation.measures import mean, parse_measures, per_query
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_qrels, read_run

Queries = list[tuple[Query, list[Candidate]]]


def read(data: Path, queries: int, depth: int) -> Queries:
    """The first queries with their first candidates."""
    run = {query_id: ranked[:depth] for query_id, ranked in list(read_run(data / "run.txt").items())[:queries]}
    wanted = {doc_id for ranked in run.values() for doc_id, _ in ranked}
    corpus = read_corpus(data / "corpus.jsonl", wanted)
    return join(run, read_queries(data / "queries.tsv"), corpus, skip_missing=False).queries


def recording(backend: Any, rounds: list[list[tuple[Request, Any]]]) -> None:
    """Has an engine note what it is given and what it answers, call by call."""
    inner = backend.run

    def run(works: Sequence[Request]) -> Any:
        outcomes = inner(works)
        rounds.append(list(zip_longest(works, outcomes)))  # vLLM's have been handed out already
        return outcomes

    backend.run = run


def as_json(work: Request, outcome: Any) -> dict[str, Any]:
    """A prompt, what is read after it, and by how much the first label won over the second."""
    if not isinstance(work.want, ReadLabels) or not isinstance(work.prompt, TokenPrompt):
        raise TypeError("only prompts after which labels are read can be given to the peers")
    margin = outcome.logprobs[0] - outcome.logprobs[1] if isinstance(outcome, Response) else None
    return {"ids": list(work.prompt.ids), "labels": [list(ids) for ids in work.want.ids], "margin": margin}


def finished(backend: Any) -> list[tuple[list[int], int]]:
    """What vLLM's engine finishes: each prompt, and how much of it was in the cache; of other engines nothing.

    A round that joins the running batch comes in no call of `run`, so what that is given is not all there is.
    """
    found = list[tuple[list[int], int]]()
    if backend.model.startswith("vllm:"):
        engine = backend._engine  # noqa: SLF001
        inner = engine.step

        def step() -> list[Any]:
            outputs: list[Any] = inner()
            found.extend((list(output.prompt_token_ids), output.num_cached_tokens or 0) for output in outputs)
            return outputs

        engine.step = step
    return found


def main() -> None:
    """Measures, and prints what it took."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    data = Path(job["data"])
    queries, rounds = read(data, job["queries"], job["depth"]), list[list[tuple[Request, Any]]]()
    with Reranker(job["strategy"], job["model"]) as reranker:
        backend: Any = reranker.backend
        warm = [Candidate(Document(f"w{i}", f"{i} words that no query is shown" * 8)) for i in range(4)]
        list(reranker.stream([(Query("warm", "what warms a machine up"), warm)]))
        recording(backend, rounds)
        told, before = finished(backend), getattr(backend, "computed", 0)
        started = time.perf_counter()
        outcomes = list(reranker.stream(queries))
        seconds = time.perf_counter() - started
        computed = getattr(backend, "computed", 0) - before
    if any(outcome.ledger.failed for outcome in outcomes):
        raise SystemExit("a call failed")
    kept = [[as_json(*one) for one in works] for works in rounds]
    if told:
        kept = [[{"ids": ids} for ids, _ in told]]
    if job.get("record"):
        Path(job["record"]).write_text(json.dumps(kept), encoding="utf-8")
    prompts = [one["ids"] for works in kept for one in works]
    rankings = {outcome.query.query_id: outcome.doc_ids for outcome in outcomes}  # type: ignore[union-attr]
    (measure,) = parse_measures(["nDCG@10"])
    found = {
        "seconds": seconds,
        "tokens": sum(map(len, prompts)),
        "prompts": len(prompts),
        "computed": computed or None,
        "cached": sum(cached for _, cached in told),
        "engine_calls": len(rounds),
        "rounds": max(outcome.ledger.rounds for outcome in outcomes),
        "ndcg": mean(per_query(read_qrels(data / "qrels.txt"), rankings, [measure]), measure),
        "rankings": rankings,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
