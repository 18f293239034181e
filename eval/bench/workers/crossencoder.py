"""sentence-transformers' CrossEncoder over a causal model: its LogitScore reads the same labels off the same prompts.

The job: folder, prompts (a file that reranking.py recorded), dtype, device, batch. The prompts are handed over as texts
through a chat template that adds nothing; that their tokens are the same is checked. Its batches are of similar length.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore

AS_IT_IS = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def main() -> None:
    """Measures, and prints what it took."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    prompts = [one for works in json.loads(Path(job["prompts"]).read_text(encoding="utf-8")) for one in works]
    reader = Transformer(
        job["folder"], transformer_task="text-generation", model_kwargs={"dtype": getattr(torch, job["dtype"])}
    )
    reader.processor.chat_template = AS_IT_IS
    first, second = (ids[0] for ids in prompts[0]["labels"][:2])
    model = CrossEncoder(modules=[reader, LogitScore(first, second)], device=job["device"])
    pairs = [("", reader.tokenizer.decode(one["ids"])) for one in prompts]
    for pair, one in zip(pairs, prompts, strict=True):
        if model.preprocess([pair])["input_ids"][0].tolist() != one["ids"]:
            raise SystemExit("a prompt's tokens are not the same")
    identity = torch.nn.Identity()
    options = {"batch_size": job["batch"], "show_progress_bar": False, "activation_fn": identity}
    model.predict(pairs[:2], **options)
    started = time.perf_counter()
    found = model.predict(pairs, **options)
    seconds = time.perf_counter() - started
    tokens = sum(len(one["ids"]) for one in prompts)
    shown = f"sentence-transformers {version('sentence-transformers')}, torch {torch.__version__}"
    print(json.dumps({"seconds": seconds, "tokens": tokens, "margins": found.tolist(), "versions": shown}))


if __name__ == "__main__":
    main()
