"""Completion, by the shells' own protocols: in a real bash, and as zsh and fish ask."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CASES = {
    "rerankllm re": {"rerank", "resume", "retrieve", "recommend", "report"},
    "rerankllm rerank --strategy s": {"samples", "setwise", "swiss", "sliding", "snow"},
    "rerankllm rerank --model l": {"litellm:", "llamacpp:"},
    "rerankllm rerank --dataset beir/sci": {"beir/scidocs", "beir/scifact"},
    "rerankllm rerank --max-c": {"--max-calls", "--max-cost"},
    "rerankllm rerank --on-error ": {"partial", "fallback", "raise"},
    "rerankllm diagnose --elicitation l": {"labels", "likelihood"},
    "rerankllm fuse --method c": {"combsum", "combmnz", "copeland", "condorcet"},
    "rerankllm doctor emb": {"embedded", "embed"},
    "rerankllm config rep": {"report"},
}
IN_BASH = ("rerankllm re", "rerankllm rerank --dataset beir/sci", "rerankllm rerank --on-error ")
SCRIPT = """
rerankllm --install-completion >&2
source "$HOME/.bashrc"
while IFS= read -r line; do
  read -ra COMP_WORDS <<< "$line"
  [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  _rerankllm_completion rerankllm
  echo "${COMPREPLY[@]}"
done
"""


@pytest.fixture
def shell(tmp_path):
    """An environment in which `rerankllm` is this checkout's."""
    command = tmp_path / "rerankllm"
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom rerankllm.cli import main\nmain()\n")
    command.chmod(0o755)
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": root, "HOME": str(tmp_path)}


@pytest.mark.parametrize("line", CASES)
def test_as_bash_asks(cli, monkeypatch, line):
    monkeypatch.setenv("_RERANKLLM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    assert set(cli()[1].split()) == CASES[line]


@pytest.mark.slow
def test_in_bash(shell):
    """Which starts the command for each line, so that three of them have to do."""
    cases = {line: CASES[line] for line in IN_BASH}
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    done = subprocess.run(
        [bash, "--norc", "-c", SCRIPT],
        input="\n".join(cases) + "\n", capture_output=True, text=True, env=shell,
        check=True,
    )  # fmt: skip
    offered = [set(line.split()) for line in done.stdout.splitlines()]
    assert dict(zip(cases, offered, strict=True)) == cases
    assert "bash completion installed" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("asking", ["zsh", "fish"])
def test_as_other_shells_ask(shell, asking):
    asked = {
        "_RERANKLLM_COMPLETE": f"complete_{asking}",
        "_TYPER_COMPLETE_ARGS": "rerankllm rerank --strategy s",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    out = ran(["rerankllm"], shell | asked)
    assert all(name in out for name in CASES["rerankllm rerank --strategy s"])
    assert "pointwise" not in out
    named = shell | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    assert "_TYPER_COMPLETE_ARGS" in ran(["rerankllm", "--show-completion", asking], named)


def ran(command, environment):
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout


@pytest.mark.slow
def test_offering_names_loads_nothing_heavy():
    code = (
        "import sys, rerankllm.cli.app; from rerankllm.cli import completion as c; "
        "[f('') for f in (c.strategies, c.models, c.elicitations, c.aggregations, c.datasets, c.prompts, c.extras)]; "
        "print([m for m in ('numpy', 'scipy', 'torch', 'openai', 'llama_cpp', 'ir_datasets', 'datasets', 'fastapi') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
