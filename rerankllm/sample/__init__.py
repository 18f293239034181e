"""A small judged collection written for this project: 8 queries, 160 passages, graded, with a BM25 run."""

from importlib import resources
from pathlib import Path


def path(name: str) -> Path:
    """Where `run.txt`, `queries.tsv`, `corpus.jsonl` or `qrels.txt` of the sample lies."""
    return Path(str(resources.files(__name__) / name))
