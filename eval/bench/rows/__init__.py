"""The rows, in the order of the list of aims."""

from eval.bench.harness.row import Row
from eval.bench.rows import big, commands, gpu, llamacpp, local, vllm, windows

ROWS: tuple[Row, ...] = tuple(
    sorted(
        (*commands.ROWS, *local.ROWS, *gpu.ROWS, *llamacpp.ROWS, *big.ROWS, *vllm.ROWS, *windows.ROWS),
        key=lambda row: row.item,
    )
)
"""All of them."""
