"""The journals of workers: each writes its own on its node's disk, and all are merged into one."""

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
"""Seconds to wait for workers that are ending to unlock their journals."""
SUFFIX = ".journal"


def local_folder(folder: str) -> Path:
    """The folder on this node, made if it is not there. Variables such as `$SCRATCH` are the node's.

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
    """Opens and locks the journal of a worker until the process ends; also says whether the file is new on this node.

    Raises:
        InputError: It cannot be written.
    """
    path = local_folder(folder) / f"{worker}{SUFFIX}"
    held = _lock_of(path).open("w")
    _locked(held, path)
    _held.append(held)
    new = not path.exists()
    return Journal(path), new


_held: list[Any] = []
"""Lock files, kept open until the process ends."""


def left(folder: str, worker: str | None = None) -> Iterator[tuple[str, Parcel | None]]:
    """Reads the journals in the folder on this node: yields a name with each parcel, and with None at a journal's end.

    Args:
        folder: The folder.
        worker: Reads only the journal of this worker, whose process is dead. None reads all, and waits until they are
            unlocked.

    Raises:
        InputError: A worker still writes one, or one is damaged.
    """
    for path in sorted(local_folder(folder).glob(f"{worker or '*'}{SUFFIX}")):
        with _free(path) if worker is None else nullcontext():
            journal = Journal(path, create=False)
            try:
                for parcel in parcels(journal):
                    yield path.name, parcel
            finally:
                journal.close()
        yield path.name, None


def discard(folder: str, names: Sequence[str]) -> None:
    """Removes journals that have been merged, and the folder if it is then empty."""
    path = local_folder(folder)
    for name in names:
        for each in (path / name, _lock_of(path / name), path / f"{name}-wal", path / f"{name}-shm"):
            each.unlink(missing_ok=True)
    if not any(path.iterdir()):
        path.rmdir()


def gather(main: Journal, folder: str) -> int:
    """Merges the journals of workers on all nodes into one; returns how many there were.

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
    """Merges what a worker's earlier process kept on other nodes, as far as these are still there.

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
    """The ids of the nodes that are alive."""
    import ray  # noqa: PLC0415

    return [node["NodeID"] for node in ray.nodes() if node["Alive"]]


def _at(node: str, function: Any, *arguments: Any) -> Iterator[Any]:
    """Runs a generator on a node; in this process if it is on that node and the folder is the same for both."""
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
    """Locks a journal for the time of the context, once the worker that writes it has ended."""
    with _lock_of(path).open("w") as held:
        _locked(held, path)
        yield


def _locked(held: TextIO, path: Path) -> None:
    try:
        lock(held.fileno(), PATIENCE)
    except BlockingIOError:
        raise InputError(f"{path} is in use: another run is writing it") from None
