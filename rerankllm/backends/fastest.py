"""Which of several ways of computing is the fastest on this machine: measured once, and remembered.

What is fastest depends on the CPU: the type of the weights, how attention is computed, how many threads. An engine that
has such a choice, and was not told, measures all of them for a moment when it first loads a model here, and takes that
choice from then on. The file also says what was measured: `rerankllm doctor` prints it. Deleting it measures anew.
"""

import contextlib
import functools
import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rerankllm.backends.cpus import cpus
from rerankllm.errors import InputError
from rerankllm.files import as_json, lock, replace_text

log = logging.getLogger(__name__)

MARGIN = 0.05
"""How much faster than the first way another has to be: what is alike should not depend on the moment."""
PATIENCE = 60.0
"""Seconds to wait for another process that measures."""
EMULATED = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
"""Variables that have libraries compute as on another CPU."""
Ways = Mapping[str, Callable[[], float]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one choice.

    Attributes:
        choice: What was to be chosen, such as `llamacpp: type`.
        subject: For which model, as far as its speed goes.
        package: What computes, with its version.
        machine: The CPU, and how many of it may be used.
        seconds: Of each way; those that do not work here are left out.
        taken: The way that was chosen.
    """

    choice: str
    subject: str
    package: str
    machine: str
    seconds: Mapping[str, float]
    taken: str

    def __str__(self) -> str:
        """One line, such as `llamacpp: type of smollm2 (llama-cpp-python 0.3.36): f16 0.21 s, bf16 0.30 s`."""
        order = sorted(self.seconds.items(), key=lambda each: (each[0] != self.taken, each[1]))
        return f"{self.choice} of {self.subject} ({self.package}): " + ", ".join(f"{n} {s:.3g} s" for n, s in order)


def fastest(choice: str, subject: str, package: str, ways: Ways) -> str:
    """The fastest of several ways, as it was measured here before, else measured now.

    Args:
        choice: As `Measured` has it.
        subject: Likewise.
        package: The name of the distribution that computes.
        ways: For each name what tells its seconds; the first is taken unless another is faster by more than `MARGIN`.
            One that raises cannot be used here.

    Raises:
        Exception: What the first way raised, where none can be used.
    """
    computes = f"{package} {metadata.version(package)}"
    key = hashlib.sha256("\n".join((choice, subject, computes, _machine(), *ways)).encode()).hexdigest()[:16]
    known = _read().get(key)
    if known is None:
        with _alone():
            known = _read().get(key) or _found(key, Measured(choice, subject, computes, machine(), *_measured(ways)))
    return known.taken


def remembered() -> list[Measured]:
    """All that was measured on this machine with the packages that are installed."""
    return [found for found in _read().values() if found.machine == machine() and _installed(found.package)]


def seconds(compute: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """What something takes: the lesser of two times, after once that does not count."""
    compute()
    taken = []
    for _ in range(2):
        started = clock()
        compute()
        taken.append(clock() - started)
    return min(taken)


@functools.cache
def machine() -> str:
    """The CPU in words, and how many of it may be used."""
    name, flags = _cpu()
    level = next((level for level in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if level in flags), "")
    emulated = [f"{name}={os.environ[name]}" for name in EMULATED if os.environ.get(name)]
    return ", ".join(filter(None, (name, level, f"{cpus()} CPU{'s' if cpus() > 1 else ''}", *emulated)))


def _machine() -> str:
    """All that tells one machine from another here."""
    return f"{machine()} {' '.join(sorted(_cpu()[1]))}"


@functools.cache
def _cpu() -> tuple[str, frozenset[str]]:
    """The CPU's name and flags."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine(), frozenset()
    lines = (line.partition(":") for line in told.partition("\n\n")[0].splitlines())
    facts = {name.strip(): value.strip() for name, _, value in lines}
    flags = frozenset(facts.get("flags", facts.get("Features", "")).split())
    return facts.get("model name") or platform.machine(), flags


def _found(key: str, found: Measured) -> Measured:
    """What was measured just now, remembered and said."""
    log.info("measured: %s", found)
    _write(key, found)
    return found


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Waits while another process measures: it would have disturbed it, and might choose otherwise."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # a folder that cannot be written, or a file system without locks
            path().parent.mkdir(parents=True, exist_ok=True)
            lock(held.enter_context(path().with_suffix(".lock").open("ab")).fileno(), PATIENCE)
        yield


def _measured(ways: Ways) -> tuple[dict[str, float], str]:
    """The seconds of each way, and the one to take."""
    found, failed = dict[str, float](), list[Exception]()
    for name, measure in ways.items():
        try:
            found[name] = measure()
        except Exception as error:  # noqa: BLE001 - whatever it is, there are other ways
            failed.append(error)
            log.info("%s cannot be used here: %s", name, error)
    if not found:
        raise failed[0]
    first, best = next(iter(found)), min(found, key=found.__getitem__)
    return found, best if found[best] < (1 - MARGIN) * found[first] else first


def _installed(package: str) -> bool:
    name, _, version = package.rpartition(" ")
    try:
        return metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return False


def path() -> Path:
    """The file that it is remembered in."""
    from platformdirs import user_cache_path  # noqa: PLC0415

    return user_cache_path("rerankllm") / "fastest.json"


def _read() -> dict[str, Measured]:
    """What is remembered; nothing where the file is not there, or is none of ours."""
    try:
        told = json.loads(path().read_text(encoding="utf-8"))
        return {key: Measured(**found) for key, found in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(key: str, found: Measured) -> None:
    """Remembers it beside all else."""
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        replace_text(path(), as_json({name: asdict(each) for name, each in (_read() | {key: found}).items()}, indent=1))
    except (OSError, InputError) as error:
        log.info("cannot remember it in %s: %s", path(), error)
