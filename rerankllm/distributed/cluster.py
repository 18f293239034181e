"""Connects to a Ray cluster, or starts one on this machine for as long as it is needed."""

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rerankllm.errors import BackendError, InputError, MissingExtra, RerankError

log = logging.getLogger(__name__)
STORE = 512 << 20
"""Bytes of the object store of a cluster that is started here; shards that do not fit go to disk."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def check_installed() -> None:
    """Raises MissingExtra if Ray is not installed."""
    if any(importlib.util.find_spec(package) is None for package in ("ray", "pyarrow")):
        raise MissingExtra("pip install 'rerankllm[ray]'")


@contextmanager
def connected(address: str | None, workers: int, gpus_per_worker: float = 0) -> Iterator[None]:
    """Connects this process to a cluster for the time of the context, unless it is connected already.

    Args:
        address: `host:port` or `auto`; None for `$RAY_ADDRESS`, or else for a cluster on this machine that ends with
            the context.
        workers: How many workers have to fit into the cluster.
        gpus_per_worker: GPUs of each.

    Raises:
        InputError: There is no such cluster, or this machine has too few CPUs or GPUs.
        MissingExtra: Ray is not installed.
    """
    check_installed()
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray  # noqa: PLC0415

    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS")
    own = {"num_cpus": max(os.cpu_count() or 1, workers), "include_dashboard": False, "object_store_memory": STORE}
    try:
        with _muted():
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else own))
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"no Ray cluster at {address or 'this machine'}: {str(error).splitlines()[0]}") from None
    try:
        _check_room(workers, gpus_per_worker, grows=address is not None)
        yield
    finally:
        ray.shutdown()


@contextmanager
def said_plainly() -> Iterator[None]:
    """Raises the error of another process as that process raised it, and Ray's own errors in one line."""
    import ray  # noqa: PLC0415

    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, RerankError):
            raise type(error.cause)(str(error.cause)) from None
        raise BackendError(f"on Ray: {_last_line(error.cause or error)}") from None
    except ray.exceptions.RayError as error:
        raise BackendError(f"on Ray: {_last_line(error)}") from None


def _last_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[-1]}"


def _check_room(workers: int, gpus_per_worker: float, *, grows: bool) -> None:
    """Checks that the workers fit; only warns about a cluster that may grow.

    Raises:
        InputError: They do not fit, and the cluster is this machine.
    """
    import ray  # noqa: PLC0415

    for kind, each in (("CPU", 1.0), ("GPU", gpus_per_worker)):
        have = ray.cluster_resources().get(kind, 0)
        if have < workers * each:
            lack = f"{workers} workers of {each:g} {kind} do not fit: there are {have:g}"
            if not grows:
                raise InputError(f"{lack} on this machine")
            log.warning("%s now, and those that do not fit wait for more", lack)


@contextmanager
def _muted() -> Iterator[None]:
    """Discards what Ray's C++ code writes to stderr while it starts; errors are raised all the same."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
