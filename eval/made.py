"""How a results file says where it comes from: command, versions, machine, seeds."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

MANY = 5
"""Seeds in a range are listed up to so many."""


def made_by(command: str, *packages: str, seeds: Sequence[int] | None = None) -> str:
    """One sentence: the command, the versions of rerankllm, of `packages` and of Python, the machine, and the seeds.

    Args:
        command: As it is typed, below eval/, such as `frontier/run.py`; or a module, such as `-m eval.bench`.
        packages: That the numbers may depend on.
        seeds: The seeds of everything drawn; None where nothing is.
    """
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("rerankllm", *packages))
    shown = ", ".join(map(str, seeds or ()))
    if isinstance(seeds, range) and len(seeds) > MANY:
        shown = f"{seeds[0]} to {seeds[-1]}"
    drawn = "nothing is drawn" if seeds is None else f"seeds {shown}"
    typed = command if command.startswith("-m ") else f"eval/{command}"
    return f"Written by `python {typed}`; {versions}; Python {platform.python_version()}; {machine()}; {drawn}."


WIDEST = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 and bfloat16", "avx512f": "AVX-512", "avx2": "AVX2"}
"""What a processor computes with, by its flag, the widest first."""
EMULATED = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
"""Variables that have libraries compute as on another one."""


def machine() -> str:
    """The processor and what it computes with, and how many cores this may use."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").split("\n") if info.is_file() else []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    flags = facts.get("flags", "").split()
    widest = next((f", with {name}" for flag, name in WIDEST.items() if flag in flags), "")
    told = "".join(f", {name}={os.environ[name]}" for name in EMULATED if os.environ.get(name))
    name = facts.get("model name") or platform.processor()
    count = len(os.sched_getaffinity(0))
    return f"{count} core{'s' if count > 1 else ''} of {name}{widest}{told}"
