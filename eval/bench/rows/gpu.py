"""The same on a GPU, with the share of its peak: needs one."""

from collections.abc import Sequence
from dataclasses import replace

from eval.bench.harness import models
from eval.bench.harness.measure import apart
from eval.bench.harness.row import Line, NotHereError, Outcome, Row, Setting
from eval.bench.rows.local import HALF_AGAIN, PLAIN, RATE, Task, beside

DATA_SHEETS = {"H100": 989_400.0, "H200": 989_400.0, "A100": 312_000.0}
"""GFLOP/s of dense bfloat16 products, of NVIDIA's data sheets for the SXM cards."""


def measure(shape: str, setting: Setting) -> Outcome:
    """Prompt tokens a second, and the share of the rate of matrix products (the card's own, measured)."""
    card = apart(_card)
    if card is None:
        raise NotHereError("no GPU here, or no torch that sees it")
    folder = models.random(shape, setting)
    found = beside(Task("pointwise / labels", 40, 10), folder, {PLAIN: HALF_AGAIN}, replace(setting, device="cuda"))
    lines = [*found.lines, *_utilization(found.lines, card)]
    return replace(found, lines=lines, notes=[*found.notes, f"{card}."])


def _utilization(lines: Sequence[Line], card: str) -> list[Line]:
    """The same operations a second beside the data sheet's, of cards known here: model FLOPs utilization."""
    rates = next(line.ours for line in lines if line.unit == RATE)
    return [Line("MFU", RATE, rates, "data sheet", (peak,)) for name, peak in DATA_SHEETS.items() if name in card]


def _card() -> str | None:
    """The name of the GPU; None without one. torch is large: this is for a process of its own."""
    try:
        import torch  # noqa: PLC0415
    except ImportError:
        return None
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


ROWS = (
    Row(
        "gpu-0.6b", 3, "a GPU, random weights of Qwen3-0.6B's shape", 3, lambda setting: measure("qwen3-0.6b", setting)
    ),
    Row("gpu-8b", 3, "a GPU, random weights of Qwen3-8B's shape", 6, lambda setting: measure("qwen3-8b", setting)),
)
"""What a machine with a GPU adds to items 3 and 4."""
