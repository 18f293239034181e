"""A small experiment on the sample, with models that need no weights, and what tests look at in its folder."""

import json
import sqlite3
from contextlib import closing

import yaml

from rerankllm.experiments.folder import read_manifest
from rerankllm.sample import path as sample

SAMPLE = {
    "run": str(sample("run.txt")), "queries": str(sample("queries.tsv")), "corpus": str(sample("corpus.jsonl")),
    "qrels": str(sample("qrels.txt")), "first_stages": {"bm25": "own"},
}  # fmt: skip
SLOW = {"pairs": "prp(sort=allpair)", "heap": {"spec": "prp(sort=heap)", "top_k": 10}}
"""Thousands of calls, so that there is a middle to be killed in."""


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
        with closing(sqlite3.connect(path, timeout=30)) as database:
            try:
                rows = database.execute("SELECT key, step, item, id, at FROM calls").fetchall()
            except sqlite3.OperationalError:  # its tables are being made
                rows = []
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
