"""One process at a time: a lock that ends with the process that holds it."""

import sys
import time

STEP = 0.1
"""Seconds between tries."""


def lock(file: int, patience: float = 0.0) -> None:
    """Locks an open file for as long as it is open.

    Args:
        file: Its descriptor.
        patience: Seconds to wait for a process that has it.

    Raises:
        BlockingIOError: Another process still has it.
    """
    until = time.monotonic() + patience
    while True:
        try:
            _try(file)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(STEP)
        else:
            return


def _try(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - not everywhere

        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            raise BlockingIOError from None
    else:
        import fcntl  # noqa: PLC0415 - not everywhere

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
