"""Linear algebra of small matrices on one thread."""

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Keeps BLAS to one thread while it lasts, in this process.

    With matrices of a hundred rows its threads mostly wait for one another, and on a busy machine for the processor
    too; and the last bits of a result no longer depend on the number of cores.
    """
    limit: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limit


@lru_cache(maxsize=1)
def _libraries() -> Any:
    import numpy as np  # noqa: F401, PLC0415 - only what is loaded is found
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415

    return ThreadpoolController()
