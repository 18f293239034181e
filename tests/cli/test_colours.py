"""Escape codes: on a terminal that shows them and wants them, and nowhere else."""

import json
import os
import pty
import subprocess
import sys

import pytest
from waiting import GUARD

from rerankllm.sample import path as sample

pytestmark = pytest.mark.slow

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


ONE_BY_ONE = """
import json, sys
from rerankllm.cli import main

for arguments in json.loads(sys.argv.pop()):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    print("\\0", end="", flush=True)
"""
"""Several commands in one process, for the time it takes to start one; each ends with a NUL."""


def one_by_one(names):
    return [sys.executable, "-c", ONE_BY_ONE, json.dumps([COMMANDS[name] for name in names])]


def by_name(names, sent):
    """What each of the commands sent."""
    *parts, rest = sent.split(b"\0")
    assert not rest.strip(), rest
    return dict(zip(names, parts, strict=True))


def on_a_terminal(names, environment):
    """What a terminal is sent by each of these commands, stdout and stderr together."""
    here, there = pty.openpty()
    command = one_by_one(names)
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
    return by_name(names, b"".join(parts))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (list(COMMANDS), {"NO_COLOR": "1"}),
        (["help", "progress"], {"TERM": "dumb"}),
        (["help", "progress"], {"NO_COLOR": "1", "FORCE_COLOR": "1"}),
    ],
)
def test_none_where_they_are_not_wanted(names, said):
    for name, sent in on_a_terminal(names, {**TERMINAL, **said}).items():
        assert sent, name
        assert b"\x1b" not in sent, name


def test_none_into_a_pipe():
    command = one_by_one(COMMANDS)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=TERMINAL, check=True)
    for name, sent in by_name(COMMANDS, done.stdout).items():
        assert sent, name
        assert b"\x1b" not in sent, name


def test_some_on_a_terminal_and_where_they_are_forced():
    for name, sent in on_a_terminal(["help", "progress", "usage"], {**TERMINAL, "NO_COLOR": ""}).items():
        assert b"\x1b[" in sent, name
    command = [sys.executable, "-m", "rerankllm", "--help"]
    forced = subprocess.run(command, capture_output=True, env={**TERMINAL, "FORCE_COLOR": "1"}, check=True)
    assert b"\x1b[" in forced.stdout
