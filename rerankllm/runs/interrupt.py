"""Ctrl-C: the first ends a run in order, the second at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rerankllm.drivers.ranker import Ranker
from rerankllm.notes import tell

REASON = "interrupted"
GRACE = 10.0
"""Seconds that running calls have to finish; after that it is as if Ctrl-C was pressed again."""


class Interruption:
    """Whether Ctrl-C was pressed during a run."""

    def __init__(self) -> None:
        self.happened = False


@contextmanager
def stop_in_order(reranker: Ranker) -> Iterator[Interruption]:
    """While it lasts, Ctrl-C or SIGTERM stops the reranker: nothing more is sent, and running calls may finish.

    Signals reach the main thread only; in another thread nothing changes.
    """
    seen = Interruption()
    patience = threading.Timer(GRACE, _interrupt)
    patience.daemon = True

    def stop(signum: int, frame: FrameType | None) -> None:
        if seen.happened:
            signal.default_int_handler(signum, frame)
        seen.happened = True
        reranker.stop(REASON)
        tell(f"interrupted: waiting up to {GRACE:g} s for the calls under way; Ctrl-C again to leave them")
        patience.start()

    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    kept = [(number, signal.signal(number, stop)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield seen
    finally:
        patience.cancel()
        for number, handler in kept:
            signal.signal(number, handler)


def _interrupt() -> None:
    """Ctrl-C, from another thread."""
    if sys.platform == "win32":  # where os.kill would end the process on the spot
        signal.raise_signal(signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)
