"""The collection that ships: 8 queries, 20 candidates each (rerankllm/sample/README.md)."""

from rerankllm.collections.base import CacheLocation, Collection, FirstStage
from rerankllm.collections.memory import Held
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.sample import path

NAMES = ("sample",)


def place(name: str) -> CacheLocation:  # noqa: ARG001 - there is one
    """Where it lies, which is in the package."""
    return CacheLocation(str(path(".")), cached=True)


def load(name: str) -> Collection:
    """Opens it."""
    return Collection(
        name,
        "rerankllm",
        read_queries(path("queries.tsv")),
        read_qrels(path("qrels.txt")),
        Held(read_corpus(path("corpus.jsonl"))),
        first_stage=FirstStage(read_run(path("run.txt")), "BM25"),
    )
