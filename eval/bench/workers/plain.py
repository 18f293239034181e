"""The peer that everybody writes first: transformers, batches of eight in the order given, padded on the left.

The job: folder, prompts (a file that reranking.py recorded), dtype, device, batch. The head is computed at the last
position only, as its `generate` does it. Says the first label's log-probability less the second's for every prompt.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM


def margins(logits: Any, labels: list[list[int]]) -> float:
    """The first label's score less the second's, over all tokens that spell them."""
    first, second = (float(torch.logsumexp(logits[ids], 0)) for ids in labels[:2])
    return first - second


def compute(model: Any, batch: list[dict[str, Any]]) -> list[float]:
    """One padded batch."""
    width = max(len(one["ids"]) for one in batch)
    ids = torch.tensor([[0] * (width - len(one["ids"])) + one["ids"] for one in batch], device=model.device)
    mask = torch.tensor([[0] * (width - len(one["ids"])) + [1] * len(one["ids"]) for one in batch], device=model.device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.inference_mode():
        logits = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=1
        ).logits[:, -1].float()  # fmt: skip
    return [margins(row, one["labels"]) for row, one in zip(logits, batch, strict=True)]


def main() -> None:
    """Measures, and prints what it took."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rounds = json.loads(Path(job["prompts"]).read_text(encoding="utf-8"))
    model = AutoModelForCausalLM.from_pretrained(job["folder"], dtype=getattr(torch, job["dtype"]))
    model = model.to(job["device"]).eval()
    size = job["batch"]
    compute(model, rounds[0][:2])
    started = time.perf_counter()
    found = [
        value
        for prompts in rounds
        for start in range(0, len(prompts), size)
        for value in compute(model, prompts[start : start + size])
    ]
    seconds = time.perf_counter() - started
    tokens = sum(len(one["ids"]) for prompts in rounds for one in prompts)
    print(json.dumps({"seconds": seconds, "tokens": tokens, "margins": found, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
