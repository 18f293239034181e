"""The rows, in the order of the list of aims."""

from eval.bench.harness.row import Row
from eval.bench.rows import local

ROWS: tuple[Row, ...] = (*local.ROWS,)
