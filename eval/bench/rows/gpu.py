"""The same on a GPU, with the share of its peak: needs one."""

import importlib.util
from dataclasses import replace

from eval.bench.harness import models
from eval.bench.harness.row import NotHereError, Outcome, Row, Setting
from eval.bench.rows.local import HALF_AGAIN, PLAIN, Task, beside


def measure(shape: str, setting: Setting) -> Outcome:
    """Prompt tokens a second, and the share of the rate of matrix products (the card's own, measured)."""
    if importlib.util.find_spec("torch") is None:
        raise NotHereError("needs torch: pip install -e '.[dev]'")
    import torch  # noqa: PLC0415

    if not torch.cuda.is_available():
        raise NotHereError("no GPU here")
    folder = models.random(shape, setting)
    found = beside(Task("pointwise / labels", 40, 10), folder, {PLAIN: HALF_AGAIN}, replace(setting, device="cuda"))
    return replace(
        found, notes=[*found.notes, f"{torch.cuda.get_device_name()}; the peak is measured, not a data sheet's."]
    )


ROWS = (
    Row(
        "gpu-0.6b", 3, "a GPU, random weights of Qwen3-0.6B's shape", 3, lambda setting: measure("qwen3-0.6b", setting)
    ),
    Row("gpu-8b", 3, "a GPU, random weights of Qwen3-8B's shape", 6, lambda setting: measure("qwen3-8b", setting)),
)
"""What a machine with a GPU adds to items 3 and 4."""
