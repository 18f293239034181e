"""The Ray cluster: one that is there, or one on this machine for as long as it is needed."""

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rerankllm.errors import InputError, MissingExtra

STORE = 512 << 20
"""Bytes of the object store of a cluster of our own: shards pass through it, and what waits goes to disk."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def check_installed() -> None:
    """Raises MissingExtra where Ray is not installed."""
    if any(importlib.util.find_spec(package) is None for package in ("ray", "pyarrow")):
        raise MissingExtra("pip install 'rerankllm[ray]'")


@contextmanager
def connected(address: str | None, workers: int, gpus_per_worker: float = 0) -> Iterator[None]:
    """Meanwhile there is a cluster: the one this process is in already, the one at an address, or one of its own.

    Args:
        address: `host:port` or `auto`; None for `$RAY_ADDRESS`, else a cluster on this machine that ends with this.
        workers: How many workers are to fit in a cluster of its own.
        gpus_per_worker: GPUs of each.

    Raises:
        InputError: There is no such cluster, or this machine has too few GPUs.
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
        have = ray.cluster_resources().get("GPU", 0)
        if address is None and have < workers * gpus_per_worker:
            raise InputError(f"{workers} workers of {gpus_per_worker:g} GPUs do not fit: this machine has {have:g}")
        yield
    finally:
        ray.shutdown()


@contextmanager
def _muted() -> Iterator[None]:
    """Keeps what Ray's C++ part says while it starts from stderr; what goes wrong is raised all the same."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
