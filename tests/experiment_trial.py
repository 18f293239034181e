"""A small experiment on the sample, with models that need no weights, and what tests look at in its folder."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

import yaml

from rerankllm.experiments.folder import read_manifest
from rerankllm.sample import path as sample

SAMPLE = {
    "run": str(sample("run.txt")), "queries": str(sample("queries.tsv")), "corpus": str(sample("corpus.jsonl")),
    "qrels": str(sample("qrels.txt")), "first_stages": {"bm25": "own"},
}  # fmt: skip
SLOW = {"pairs": "prp(sort=allpair)", "heap": {"spec": "prp(sort=heap)", "top_k": 10}}
"""Thousands of calls: all pairs of eight queries, which are one batch of 3040, and then some at a time."""
MIDDLE = 3200
STOPS = f"""
import itertools, sys
from rerankllm.backends.simulated import Simulated
from rerankllm.cli import main

answer, made = Simulated.answer, itertools.count()

def stops(self, judgement):
    if next(made) == {MIDDLE}:
        print("in the middle", flush=True)
        sys.stdin.read()
    return answer(self, judgement)

Simulated.answer = stops
main()
"""


@contextmanager
def stopped(*arguments):
    """The command as a process that has made `MIDDLE` calls, and goes on when its standard input ends."""
    command = [sys.executable, "-c", STOPS, "experiment", *arguments, "--quiet"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:
        try:
            assert process.stdout.readline() == "in the middle\n", process.stderr.read()
            yield process
        finally:
            process.kill()


def write_config(file, **more):
    """Writes a configuration; more keys are put in, or put in place of others."""
    content = {
        "datasets": {"sample": SAMPLE},
        "strategies": {"sliding": "sliding(window=8, stride=4)"},
        "models": {"mild": "simulated:{qrels}?world=mild", "best": "oracle:{qrels}"},
        "references": ["oracle"],
        "statistics": {"resamples": 10000},
    } | more
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def calls(folder):
    """Every call the journals hold: journal, place, and the number it got when it was made."""
    found = set()
    for path in folder.glob("runs/*/*/*.journal"):
        with closing(sqlite3.connect(path)) as database:
            rows = database.execute("SELECT key, step, item, id, at FROM calls").fetchall()
        found |= {(path.name, *row) for row in rows}
    return found


def outputs(folder):
    """Runs and tables, but for what was measured."""
    paths = [*folder.glob("runs/*/*/*.txt"), folder / "results.md", *folder.glob("data/*/*")]
    return {path.relative_to(folder): path.read_bytes() for path in paths}


def cells(folder):
    return {(c.dataset, c.first_stage, c.system, c.seed): c for c in read_manifest(folder).cells}


def summary(folder, run):
    return json.loads((folder / f"{run}.summary.json").read_text())
