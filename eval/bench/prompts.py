"""What building prompts takes: tokens encoded over tokens sent, and microseconds a prompt.

python eval/bench/prompts.py [--docs 100]

Every strategy runs over one query with documents of short, long and mixed lengths; nothing computes, the answers are
made up. Encoded is every token that the tokenizer gives for a text: passages, queries, the templates' own words, and
what labels are checked by. Sent are the tokens of all prompts. Two tokenizers: the embedded model's GGUF file, and the
same as transformers reads it. Needs the extras embedded and hf. Writes results/prompts.md.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rerankllm.calls import Capabilities, Request, Tokenizer, TokenPrompt
from rerankllm.data import Candidate, Document, Query
from rerankllm.elicitation.base import Elicitor, PromptSettings
from rerankllm.judgements import Judgement, Permute, Score, WeakOrder
from rerankllm.registry import ELICITATIONS
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

LIMIT = 1.05
RESULTS = Path(__file__).parent / "results" / "prompts.md"
STRATEGIES = {
    "pointwise": "labels",
    "prp(sort=heap)": "labels",
    "prp(sort=allpair)": "labels",
    "sliding(window=20, stride=10)": "text",
    "full": "text",
}
WORDS = {"short": (20, 40), "long": (800, 3000), "mixed": (5, 1500)}
"""Words a passage; templates cut at 128 to 512 tokens."""
QUERY = Query("q", "how long do fleas live without a host")


class Counting:
    """A tokenizer that counts what it is given."""

    def __init__(self, inner: Tokenizer) -> None:
        self._inner = inner
        self.tokens = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """The inner one's, counted."""
        ids = self._inner.encode(text, special=special)
        self.tokens += len(ids)
        return ids


def documents(kind: str, n: int) -> list[Candidate]:
    """Passages of made-up prose."""
    chance = random.Random(kind)
    words = [line for line in Path(__file__).read_text(encoding="utf-8").split() if line.isalpha()]
    low, high = WORDS[kind]
    texts = (" ".join(chance.choices(words, k=chance.randint(low, high))) for _ in range(n))
    return [Candidate(Document(f"d{i}", text)) for i, text in enumerate(texts)]


def answer(judgement: Judgement) -> Any:
    """An answer by the documents' numbers."""
    numbers = [int(doc.doc_id[1:]) * 7919 % 1009 for doc in judgement.docs]
    if isinstance(judgement, Permute):
        ordered = sorted(range(len(numbers)), key=numbers.__getitem__)
        return WeakOrder(tuple((judgement.docs[i].doc_id,) for i in ordered))
    return float(numbers[0]) if isinstance(judgement, Score) else float(numbers[0] < numbers[1])


def measured(
    spec: str, elicitation: str, tokenizer: Tokenizer, docs: Sequence[Candidate]
) -> tuple[int, int, int, float]:
    """Calls, tokens sent, tokens encoded, and seconds of CPU for the prompts."""
    counting = Counting(tokenizer)
    can = Capabilities(generate=True, token_prompts=True, label_logprobs=100)
    elicitors: dict[type, Elicitor] = {}
    counting.tokens = calls = sent = 0
    taken = 0.0
    steps = Stage.parse(spec).strategy.rank(QUERY, docs)
    batch = next(steps)
    while True:
        answers = []
        for judgement in batch.judgements:
            started = time.process_time()
            kind = type(judgement)
            if kind not in elicitors:
                elicitors[kind] = ELICITATIONS[elicitation]().bind(kind, counting, can, PromptSettings())
            request = elicitors[kind].prepare(judgement)
            taken += time.process_time() - started
            assert isinstance(request, Request)  # noqa: S101
            assert isinstance(request.prompt, TokenPrompt)  # noqa: S101
            calls, sent = calls + 1, sent + len(request.prompt.ids)
            answers.append(answer(judgement))
        try:
            batch = steps.send(answers)
        except StopIteration:
            return calls, sent, counting.tokens, taken


def tokenizers() -> dict[str, Tokenizer]:
    """Those of the embedded model, by where they come from."""
    import packaged_model  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    from rerankllm.backends.hub_tokenizer import HubTokenizer  # noqa: PLC0415

    hub = AutoTokenizer.from_pretrained(packaged_model.converted())
    return {"GGUF": Reranker("pointwise", "llamacpp:smollm2").backend.tokenizer, "HF": HubTokenizer(hub, "smollm2")}


def main() -> None:
    """Prints and writes the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--docs", type=int, default=100)
    given = parser.parse_args()
    lines = [
        "# Building prompts: tokens encoded over tokens sent",
        "",
        made_by(f"bench/prompts.py --docs {given.docs}", "transformers", "tokenizers"),
        f"One query, {given.docs} documents. Limit: {LIMIT}. The first call of a strategy also pays for its template.",
        "",
        "| tokenizer | passages | strategy | calls | tokens sent | encoded | encoded / sent | within | µs a prompt |",
        "|---|---|---|---:|---:|---:|---:|---|---:|",
    ]
    for name, tokenizer in tokenizers().items():
        assert tokenizer.words_apart  # noqa: S101 - looked up before the clock starts
        for kind in WORDS:
            docs = documents(kind, given.docs)
            for spec, elicitation in STRATEGIES.items():
                calls, sent, encoded, taken = measured(spec, elicitation, tokenizer, docs)
                ratio = f"{encoded / sent:.3f} | {'yes' if encoded <= LIMIT * sent else 'no'}"
                counts = f"{calls:,} | {sent:,} | {encoded:,}"
                lines.append(f"| {name} | {kind} | {spec} | {counts} | {ratio} | {1e6 * taken / calls:,.0f} |")
                print(lines[-1], flush=True)
    RESULTS.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
