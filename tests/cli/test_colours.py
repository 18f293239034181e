"""Escape codes: on a terminal that shows them and wants them, and nowhere else."""

import os
import pty
import subprocess
import sys

import pytest
from waiting import GUARD

from rerankllm.sample import path as sample

ORACLE = f"oracle:{sample('qrels.txt')}"
COMMANDS = {
    "help": ["--help"],
    "help of a command": ["rerank", "--help"],
    "progress": ["rerank", "--sample", "--model", ORACLE, "--strategy", "prp(sort=allpair)"],
    "usage": ["rerank", "--dpeth", "3"],
    "error": ["rerank", "--sample", "--model", "nonsense"],
    "table": ["recommend", "--max-calls", "20"],
    "list": ["strategies"],
}
PLAIN = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS"}}
TERMINAL = {**PLAIN, "TERM": "xterm-256color"}


def on_a_terminal(arguments, environment):
    """What a terminal is sent, stdout and stderr together."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "rerankllm", *arguments]
    with subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=environment) as process:
        os.close(there)
        parts = []
        while True:
            try:
                part = os.read(here, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            parts.append(part)
        process.wait(GUARD)
    os.close(here)
    return b"".join(parts)


UNWANTED = [(name, {"NO_COLOR": "1"}) for name in COMMANDS]
UNWANTED += [(name, {"TERM": "dumb"}) for name in ("help", "progress")]
UNWANTED += [(name, {"NO_COLOR": "1", "FORCE_COLOR": "1"}) for name in ("help", "progress")]


@pytest.mark.parametrize(("name", "said"), UNWANTED)
def test_none_where_they_are_not_wanted(name, said):
    assert b"\x1b" not in on_a_terminal(COMMANDS[name], {**TERMINAL, **said})


@pytest.mark.parametrize("name", COMMANDS)
def test_none_into_a_pipe(name):
    command = [sys.executable, "-m", "rerankllm", *COMMANDS[name]]
    done = subprocess.run(command, capture_output=True, env=TERMINAL, check=False)
    assert b"\x1b" not in done.stdout + done.stderr
    assert done.stdout + done.stderr


def test_some_on_a_terminal_and_where_they_are_forced():
    for name in ("help", "progress", "usage"):
        assert b"\x1b[" in on_a_terminal(COMMANDS[name], {**TERMINAL, "NO_COLOR": ""})
    command = [sys.executable, "-m", "rerankllm", "--help"]
    forced = subprocess.run(command, capture_output=True, env={**TERMINAL, "FORCE_COLOR": "1"}, check=True)
    assert b"\x1b[" in forced.stdout
