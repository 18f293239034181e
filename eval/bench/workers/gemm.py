"""The rate of matrix products at a model's shapes: operations a second, the mean over its matrices by their work.

The job: matrices (inputs and outputs of each, all layers), tokens, dtype, device, seconds.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path

import torch


def main() -> None:
    """Measures, and prints the rate."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    shapes = Counter(map(tuple, job["matrices"]))
    dtype, device, tokens = getattr(torch, job["dtype"]), job["device"], job["tokens"]

    def finish() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    spent = 0.0
    for (inputs, outputs), count in shapes.items():
        left = torch.randn(tokens, inputs, dtype=dtype, device=device)
        layer = torch.nn.Linear(inputs, outputs, bias=False, dtype=dtype, device=device)
        with torch.inference_mode():
            for _ in range(3):
                layer(left)
            finish()
            best = float("inf")
            for _ in range(5):
                times, started = 0, time.perf_counter()
                while time.perf_counter() - started < job["seconds"] / (5 * len(shapes)):
                    layer(left)
                    finish()
                    times += 1
                best = min(best, (time.perf_counter() - started) / times)
        spent += count * best
    work = sum(2 * tokens * inputs * outputs * count for (inputs, outputs), count in shapes.items())
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    print(json.dumps({"flops": work / spent, "device": name, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
