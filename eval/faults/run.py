"""What a flaky host costs: thousands of calls of which every attempt fails with a probability of a fifth.

    python eval/faults/run.py                                  # 100 queries, 100 documents each, pointwise by labels
    python eval/faults/run.py --strategy "prp / text" --docs 10

A server on this machine answers 5 % of requests each with 429 and a Retry-After, with 500, never, and with garbage
(half a document, a web page, JSON of another shape, by turns); which ones, the seed says, from each prompt and how
often it came. Prints what became of the run, checks that the ledger counts what the server counted, and writes
results.md.
"""

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from scripted_server import Action, Answer, Garbage, Hang, ScriptedServer, Status

from rerankllm.data import Candidate, Document, Query
from rerankllm.drivers.results import Run
from rerankllm.reranker import Reranker

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

SHARE = 0.05
RETRY_AFTER = "0.2"
GARBAGE = (
    Garbage('{"id": "chatcmpl-1", "choices": [{"message": {"content": "Ye'),
    Garbage("<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html"),
    Garbage('{"choices": [{"message": "Yes"}]}'),
)
RESULTS = Path(__file__).parent / "results.md"


class Flaky:
    """The script, and its own count of what it did. Called on the server's one thread.

    Args:
        seed: Decides which requests fail.
        share: The share of each of the four faults.
    """

    def __init__(self, seed: int, share: float = SHARE) -> None:
        self.did: Counter[str] = Counter()
        self.prompt_tokens = self.completion_tokens = 0
        self._seed, self._share = seed, share
        self._came: Counter[bytes] = Counter()

    def __call__(self, body: dict[str, Any], number: int) -> Action:
        """What becomes of a request."""
        del number
        prompt = body["messages"][-1]["content"]
        key = hashlib.sha256(prompt.encode()).digest()
        drawn = hashlib.sha256(b"%d %d " % (self._seed, self._came[key]) + key).digest()
        self._came[key] += 1
        place = int.from_bytes(drawn[:8], "big") / 2**64 / self._share
        fault = ("429", "500", "hang", "garbage")[int(place)] if place < 4 else "answer"  # noqa: PLR2004
        self.did[fault] += 1
        match fault:
            case "429":
                return Status(429, {"error": {"message": "slow down"}}, {"Retry-After": RETRY_AFTER})
            case "500":
                return Status(500, {"error": {"message": "internal error"}})
            case "hang":
                return Hang()
            case "garbage":
                return GARBAGE[self.did["garbage"] % len(GARBAGE)]
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": 1 + drawn[8] % 3}
        self.prompt_tokens += usage["prompt_tokens"]
        self.completion_tokens += usage["completion_tokens"]
        yes = -0.01 - drawn[9] / 64
        label, other = ("A", "B") if "[A]" in prompt else ("Yes", "No")
        return Answer(label, logprobs=[(label, {label: yes, other: -4.5})], usage=usage)


def queries(count: int, docs: int) -> list[tuple[Query, list[Candidate]]]:
    """Made-up queries with documents of their own."""
    filler = "It says this and that. " * 4
    texts = [[Document(f"d{d}", f"Passage {d} on subject {q}. {filler}") for d in range(docs)] for q in range(count)]
    return [
        (Query(f"q{q}", f"what is known of subject {q}"), [Candidate(document) for document in documents])
        for q, documents in enumerate(texts)
    ]


def compare(run: Run, flaky: Flaky) -> list[tuple[str, int, int]]:
    """What the ledger says beside what the server counted."""
    ledger = run.ledger
    return [
        ("attempts", ledger.attempts, sum(flaky.did.values())),
        ("calls answered", ledger.calls, flaky.did["answer"]),
        ("prompt tokens of answers", ledger.usage.prompt_tokens, flaky.prompt_tokens),
        ("completion tokens of answers", ledger.usage.completion_tokens, flaky.completion_tokens),
    ]


def report(options: argparse.Namespace, run: Run, flaky: Flaky, seconds: float) -> str:
    """The results in Markdown."""
    total = run.ledger.calls + run.ledger.failed
    rows = "\n".join(f"| {name} | {mine} | {theirs} |" for name, mine, theirs in compare(run, flaky))
    reasons = Counter(failure.reason for failure in run.failures)
    named = "\n".join(f"- {count} × {reason}" for reason, count in reasons.most_common()) or "- none"
    return f"""# A flaky host

{made_by("faults/run.py", "openai", "httpx2", seeds=[options.seed])}

{options.queries} queries of {options.docs} documents, `{options.strategy}`, concurrency {options.concurrency},
timeout {options.timeout:g} s, {options.retries} retries, seed {options.seed}. Of {sum(flaky.did.values())} requests
the server answered {flaky.did["answer"]}, failed {flaky.did["429"]} with 429 (Retry-After {RETRY_AFTER} s) and
{flaky.did["500"]} with 500, left {flaky.did["hang"]} hanging, and sent garbage to {flaky.did["garbage"]}.

- wall time: {seconds:.1f} s
- queries ranked: {len(run.rankings)}; failed, by name: {len(run.failures)}
- calls: {total}, of which without an answer: {run.ledger.failed}

| | ledger | server |
|---|---:|---:|
{rows}

Queries failed:

{named}
"""


def execute(options: argparse.Namespace) -> tuple[Run, Flaky, float]:
    """The run: everything through the same door as a user's."""
    flaky = Flaky(options.seed, options.share)
    given = {"timeout": options.timeout, "retries": options.retries, "concurrency": options.concurrency}
    with ScriptedServer(flaky) as server:
        asked = {"base_url": server.url, **{key: str(value) for key, value in given.items()}}
        with Reranker(options.strategy, "openai:scripted", options=asked) as reranker:
            started = time.perf_counter()
            run = Run.of(reranker.stream(queries(options.queries, options.docs)))
            seconds = time.perf_counter() - started
    return run, flaky, seconds


def main() -> None:
    """Runs, prints, checks and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", default="pointwise / labels")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--docs", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--timeout", type=float, default=1.5)
    parser.add_argument("--retries", type=int, default=4)
    parser.add_argument("--share", type=float, default=SHARE, help="of each of the four faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    run, flaky, seconds = execute(options)
    text = report(options, run, flaky, seconds)
    options.output.write_text(text, encoding="utf-8")
    print(text)
    print(json.dumps({"did": flaky.did, "seconds": round(seconds, 1)}))
    wrong = [name for name, mine, theirs in compare(run, flaky) if mine != theirs]
    if wrong:
        raise SystemExit(f"the ledger differs from the server's count: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
