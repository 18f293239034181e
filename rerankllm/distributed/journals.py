"""The journals of workers: each writes its own, on its node's disk, and all become one."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO

from rerankllm.distributed.cluster import said_plainly
from rerankllm.errors import InputError
from rerankllm.files import lock
from rerankllm.journal.merge import Parcel, absorb, parcels
from rerankllm.journal.store import Journal

PATIENCE = 60.0
"""Seconds to wait for workers that are ending to let go of their journals."""
SUFFIX = ".journal"


def place(folder: str) -> Path:
    """The folder on this node, its variables (`$SCRATCH`) being the node's; made if it is not there.

    Raises:
        InputError: It cannot be made.
    """
    path = Path(os.path.expandvars(folder)).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot keep journals in {path}: {error.strerror}") from error
    return path


def own(folder: str, worker: str) -> tuple[Journal, bool]:
    """The journal of a worker, which nobody else opens while this one lives, and whether it is a new one here.

    Raises:
        InputError: It cannot be written.
    """
    path = place(folder) / f"{worker}{SUFFIX}"
    held = _lock_of(path).open("w")
    _locked(held, path)
    _held.append(held)
    new = not path.exists()
    return Journal(path), new


_held: list[Any] = []
"""Locks, until the process ends."""


def left(folder: str, worker: str | None = None) -> Iterator[tuple[str, Parcel | None]]:
    """What journals in the folder on this node hold: the name of each with its parcels, None at its end.

    Args:
        folder: The folder.
        worker: Of which to read the journal alone, its process being dead; None for all, once they are let go.

    Raises:
        InputError: A worker still writes one, or one is damaged.
    """
    for path in sorted(place(folder).glob(f"{worker or '*'}{SUFFIX}")):
        with _free(path) if worker is None else nullcontext():
            journal = Journal(path, create=False)
            try:
                for parcel in parcels(journal):
                    yield path.name, parcel
            finally:
                journal.close()
        yield path.name, None


def discard(folder: str, names: Sequence[str]) -> None:
    """Removes journals that are in another by now, and the folder if that was all."""
    path = place(folder)
    for name in names:
        for each in (path / name, _lock_of(path / name), path / f"{name}-wal", path / f"{name}-shm"):
            each.unlink(missing_ok=True)
    if not any(path.iterdir()):
        path.rmdir()


def gather(main: Journal, folder: str) -> int:
    """Takes what workers kept, on whichever nodes, into one journal; returns how many journals that were.

    Raises:
        InputError: A journal is damaged, or still written to.
    """
    taken = 0
    for node in nodes():
        names = []
        for name, parcel in _at(node, left, folder):
            if parcel is None:
                names.append(name)
            else:
                absorb(main, parcel)
        if names:
            list(_at(node, _discarding, folder, names))
        taken += len(names)
    return taken


def inherit(journal: Journal, folder: str, worker: str) -> None:
    """Takes what a worker's earlier process kept on other nodes, as far as they are still there.

    Raises:
        InputError: A journal is damaged.
    """
    import ray  # noqa: PLC0415

    for node in nodes():
        if node != ray.get_runtime_context().get_node_id():
            for _, parcel in _at(node, left, folder, worker):
                if parcel is not None:
                    absorb(journal, parcel)


def nodes() -> list[str]:
    """The nodes that are there."""
    import ray  # noqa: PLC0415

    return [node["NodeID"] for node in ray.nodes() if node["Alive"]]


def _at(node: str, function: Any, *arguments: Any) -> Iterator[Any]:
    """What a generator yields on a node: in this process where that is its node, and the folder the same for both."""
    import ray  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    if node == ray.get_runtime_context().get_node_id() and not arguments[0].startswith(("$", "~")):
        yield from function(*arguments)
        return
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(function).options(num_cpus=0, num_returns="streaming", scheduling_strategy=strategy)
    for reference in task.remote(*arguments):
        with said_plainly():
            yield ray.get(reference)


def _discarding(folder: str, names: Sequence[str]) -> Iterator[None]:
    discard(folder, names)
    yield None


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


@contextmanager
def _free(path: Path) -> Iterator[None]:
    """Waits until the worker that writes a journal has ended, and keeps others away meanwhile."""
    with _lock_of(path).open("w") as held:
        _locked(held, path)
        yield


def _locked(held: TextIO, path: Path) -> None:
    try:
        lock(held.fileno(), PATIENCE)
    except BlockingIOError:
        raise InputError(f"{path} is in use: another run is writing it") from None
