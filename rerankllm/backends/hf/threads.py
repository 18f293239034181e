"""Threads that compute at the same time, each with a share of the cores.

Small operations on all cores at once wait for the slowest core at the end of each. Threads with cores of their own wait
for nobody.
"""

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class AtOnce:
    """Some threads of torch.

    Args:
        cores: Of each, as many threads as there are numbers.
    """

    def __init__(self, cores: Sequence[int]) -> None:
        import torch  # noqa: PLC0415

        before = torch.get_num_threads()
        self._pools = [ThreadPoolExecutor(1, thread_name_prefix="rerankllm-hf") for _ in cores]
        for pool, count in zip(self._pools, cores, strict=True):
            pool.submit(torch.set_num_threads, count).result()
        torch.set_num_threads(before)  # that of one thread is also what threads to come begin with

    def run(self, works: Sequence[tuple[K, Generator[V, None, None]]]) -> Iterator[tuple[K, V]]:
        """What the generators yield, as it comes, each with its key; one a thread at most.

        When nobody asks any more, or one of them raises, the others are closed after what they are at.
        """
        found: queue.Queue[tuple[K, V] | BaseException | None] = queue.Queue(len(works))
        stop = threading.Event()

        def drain(key: K, values: Generator[V, None, None]) -> None:
            try:
                for value in values:
                    found.put((key, value))
                    if stop.is_set():
                        break
            except BaseException as error:  # noqa: BLE001 - raised by who asks
                found.put(error)
            finally:
                values.close()
                found.put(None)

        for pool, (key, values) in zip(self._pools, works, strict=False):
            pool.submit(drain, key, values)
        left = len(works)
        try:
            while left:
                each = found.get()
                if isinstance(each, BaseException):
                    raise each
                if each is None:
                    left -= 1
                else:
                    yield each
        finally:
            stop.set()
            while left:
                left -= found.get() is None
