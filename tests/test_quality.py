"""What CI holds the source to, so that the test command is all there is to run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


COMMANDS = [
    ["ruff", "check"],
    ["ruff", "format", "--check"],
    pytest.param(["mypy"], marks=pytest.mark.slow(seconds=30)),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_lint_format_and_types(command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_and_ci_run_the_same_commands():
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    for command in ("pip install '.[embedded]'", "rerankllm rerank --sample", "python tests"):
        assert command in readme, command
        assert command.replace("pip install", "pip install --quiet") in ci, command
