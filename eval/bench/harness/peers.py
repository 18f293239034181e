"""The peers' environments: each has its own, made once and used again."""

import hashlib
import os
import subprocess
import sys

from eval.bench.harness.measure import ROOT
from eval.bench.harness.row import NotHereError, Setting

TORCH = "torch==2.13.0"
PEERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "sentence-transformers": ((TORCH,), ("sentence-transformers==6.2.0", "transformers==5.23.0")),
    "ranx": (("ranx==0.3.21",),),
    "pandas": (("pandas==3.1.1",),),
}
"""What is installed for a peer, one call of pip after another. torch comes first: what needs it then takes this one."""
VLLM_RECIPE = ROOT / "tests" / "backends" / "vllm" / "environment"


def environment_of(peer: str) -> dict[str, str]:
    """Variables that a peer is given: vLLM computes on every core there is, as the others do, and compiles nothing."""
    if peer != "vllm":
        return {}
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    return {"VLLM_CPU_OMP_THREADS_BIND": cores, "VLLM_CPU_KVCACHE_SPACE": "1", "TORCH_COMPILE_DISABLE": "1",
            "HF_HUB_OFFLINE": "1"}  # fmt: skip


def python_of(peer: str, setting: Setting) -> str:
    """The interpreter of a peer's environment, which is made where it is not there.

    Raises:
        NotHereError: It cannot be installed.
    """
    folder = setting.cache / "peers" / peer
    if peer == "vllm":
        _call(["bash", str(VLLM_RECIPE), str(folder)], peer)  # leaves one that is there as it is
        return str(folder / "bin" / "python")
    recipe = hashlib.sha256(repr(PEERS[peer]).encode()).hexdigest()
    python, stamp = folder / "bin" / "python", folder / "recipe"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != recipe:
        print(f"  installing {peer} into {folder}", file=sys.stderr, flush=True)
        _call([sys.executable, "-m", "venv", "--clear", str(folder)], peer)
        for packages in PEERS[peer]:
            _call([str(python), "-m", "pip", "install", "--quiet", *packages], peer)
        stamp.write_text(recipe, encoding="utf-8")
    return str(python)


def _call(command: list[str], peer: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing said"]
        raise NotHereError(f"{peer} cannot be installed here: {said[-1]}")
