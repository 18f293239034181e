"""What computing shared beginnings once gains: prompt tokens a second of `hf:` with it and without.

python eval/bench/hf_prefix.py [hf:MODEL]

Prompts are those of the sample collection's candidates under each template, 64 of them, as a driver would hand them
over. Beside the two speeds stands the largest difference between any two log-probabilities.
"""

import sys
import time
from collections.abc import Sequence

from rerankllm.backends.base import Outcome, Request, Response
from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.data import Query
from rerankllm.elicitation.base import Settings
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.judgements import Score
from rerankllm.sample import path
from rerankllm.spec import ModelSpec, Stage

ELICITATIONS = (
    "likelihood(prompt=likelihood-chat)",
    "likelihood(prompt=likelihood-fewshot)",
    "labels",
    "labels(prompt=grades)",
)
PROMPTS = 64
RUNS = 2


def requests(backend: HuggingFace, elicitation: str) -> list[Request]:
    """Prompts of the first queries and all their candidates."""
    elicitor = Stage.parse(f"pointwise / {elicitation}").elicitation.bind(
        Score, backend.tokenizer, backend.capabilities, Settings()
    )
    queries, corpus = read_queries(path("queries.tsv")), read_corpus(path("corpus.jsonl"))
    pairs = [(qid, doc) for qid, ranked in read_run(path("run.txt")).items() for doc, _ in ranked][:PROMPTS]
    return [elicitor.prepare(Score(Query(qid, queries[qid]), corpus[doc])) for qid, doc in pairs]


def fastest(backend: HuggingFace, works: Sequence[Request]) -> tuple[float, Sequence[Outcome]]:
    """Seconds of the faster of some runs, and the outcomes."""
    seconds, outcomes = float("inf"), []
    for _ in range(RUNS):
        started = time.perf_counter()
        outcomes = backend.run(works)
        seconds = min(seconds, time.perf_counter() - started)
    return seconds, outcomes


def main() -> None:
    """Prints one row a template."""
    backend = ModelSpec.parse(sys.argv[1] if len(sys.argv) > 1 else "hf:smollm2").load()
    print(f"{backend.model}, {PROMPTS} prompts, faster of {RUNS} runs")
    print("| elicitation | prompt tokens | tokens/s, each alone | tokens/s, shared | ratio | largest difference |")
    print("|---|---|---|---|---|---|")
    engine = backend._engine  # noqa: SLF001 - there is no option to compute more than needed
    for elicitation in ELICITATIONS:
        works = requests(backend, elicitation)
        tokens = sum(len(work.prompt.ids) for work in works)
        rates, found = [], []
        for engine.shares in (False, True):
            seconds, outcomes = fastest(backend, works)
            rates.append(tokens / seconds)
            found.append([value for one in outcomes if isinstance(one, Response) for value in one.logprobs])
        difference = max(abs(a - b) for a, b in zip(*found, strict=True))
        shown = f"{rates[0]:.0f} | {rates[1]:.0f} | {rates[1] / rates[0]:.2f} | {difference:.1e}"
        print(f"| {elicitation} | {tokens} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
