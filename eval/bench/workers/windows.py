"""Ours: one window of some queries each, all live at once, answered in one of several ways.

The job: model, data (a folder), queries, passages and cut (tokens of a passage), way (`free`: text as the model writes
it; `held`: text held to labels; `first`: the likelihoods of the first label; `prompt`: the prompts of both texts, and
nothing written). Loading the model is not in the seconds; a window of its own warms it up. Nothing is remembered of any
of the others. Seconds are of CPU: what else runs on the machine would hit the long answers most.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from rerankllm.calls import ReadContinuation, Request, Response
from rerankllm.data import Document, Query
from rerankllm.elicitation.base import PromptSettings
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.judgements import Permute, Status, WeakOrder
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

FREE = "text(constrained=false)"
WAYS = {"free": FREE, "held": "text(constrained=true)", "first": "labels", "prompt": FREE}


def asked(job: dict[str, Any]) -> list[Permute]:
    """The windows."""
    data = Path(job["data"])
    run, texts = list(read_run(data / "run.txt").items())[: job["queries"]], read_queries(data / "queries.tsv")
    corpus = read_corpus(data / "corpus.jsonl", {doc for _, ranked in run for doc, _ in ranked[: job["passages"]]})
    return [
        Permute(Query(query_id, texts[query_id]), tuple(corpus[doc] for doc, _ in ranked[: job["passages"]]))
        for query_id, ranked in run
    ]


async def measured(job: dict[str, Any]) -> dict[str, Any]:
    """Seconds and answers."""
    backend: Any = ModelSpec.parse(job["model"]).load()
    settings = PromptSettings(passage_tokens=job["cut"])
    elicitation: Any = Stage.parse(f"full / {WAYS[job['way']]}").elicitation
    elicitor = elicitation.bind(Permute, backend.tokenizer, backend.capabilities, settings)
    docs = tuple(Document(f"w{i}", f"{i} words that no query is shown") for i in range(3))
    await backend.complete(elicitor.prepare(Permute(Query("warm", "what warms a machine up"), docs)))
    judgements = asked(job)
    requests = [elicitor.prepare(judgement) for judgement in judgements]
    if job["way"] == "prompt":
        requests = [Request(request.prompt, ReadContinuation((0,))) for request in requests]
    started = time.process_time()
    responses = await backend.complete_all(requests)
    seconds = time.process_time() - started
    if not all(isinstance(response, Response) for response in responses):
        raise SystemExit(f"a call failed: {responses}")
    orders, formed = [], []
    for judgement, response in zip(judgements, responses, strict=True) if job["way"] != "prompt" else ():
        found, report = elicitor.read(judgement, response)
        orders.append(list(found.ranked) if isinstance(found, WeakOrder) else [])
        formed.append(report.status is Status.PARSED)
    await backend.aclose()
    return {
        "seconds": seconds,
        "windows": len(requests),
        "tokens": sum(len(request.prompt.ids) for request in requests),
        "generated": sum(response.usage.completion_tokens for response in responses),
        "orders": orders,
        "formed": formed,
    }


def main() -> None:
    """Measures, and prints what it took."""
    print(json.dumps(asyncio.run(measured(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))))


if __name__ == "__main__":
    main()
