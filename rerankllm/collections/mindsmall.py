"""MTEB's MindSmallReranking: news that readers were shown, by the headlines they had read (Wu et al. 2020, ACL).

`mteb/MindSmallReranking` on the hub, configuration `default`, split `test`: rows of `query`, the headlines that a
reader has read, `positive` and `negative`, those that were shown and clicked or not. As in mteb 2.26
(`tasks/reranking/eng/mind_small_reranking.py`) every headline read is a query, `test_query<row>_<headline>`, rows
without clicked or without other headlines are left out, and a headline that is both is not relevant. Ids of documents
are MD5 of their texts. MTEB reports AP after each document got its best score over the headlines of its row; means here
are over headlines.
"""

import hashlib

from rerankllm.collections import hub
from rerankllm.collections.base import CacheLocation, Collection, FirstStage
from rerankllm.collections.memory import Held
from rerankllm.collections.mteb import CHANCE, MAP, drawn
from rerankllm.data import Document

NAMES = ("mteb/mindsmall",)
_REPOSITORY = "mteb/MindSmallReranking"
_MERGED = (
    "MTEB's figure takes each document's best score over the headlines that a reader had read; here each is a query"
)


def repository(name: str) -> str:  # noqa: ARG001 - there is one
    """The repository on the hub."""
    return _REPOSITORY


def place(name: str) -> CacheLocation:  # noqa: ARG001
    """Where its repository is kept."""
    return hub.place(_REPOSITORY, "default")


def load(name: str) -> Collection:
    """Opens it; the headlines are held in memory."""
    rows = hub.load(_REPOSITORY, "default", "test", "query", "positive", "negative")
    documents: dict[str, Document] = {}
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    run: dict[str, list[tuple[str, float]]] = {}
    for number, row in enumerate(rows):
        if not row["positive"] or not row["negative"]:
            continue
        judged: dict[str, int] = {}
        for grade, texts in ((1, row["positive"]), (0, row["negative"])):
            for text in texts:
                doc_id = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
                documents[doc_id], judged[doc_id] = Document(doc_id, text), grade
        shown = drawn(f"test_query{number}", judged)
        for headline, text in enumerate(row["query"]):
            query_id = f"test_query{number}_{headline}"
            queries[query_id], qrels[query_id], run[query_id] = text, judged, shown
    return Collection(
        name, hub.origin(_REPOSITORY, rows), queries, qrels, Held(documents), MAP,
        first_stage=FirstStage(run, "MTEB's candidates"), notes=(CHANCE, _MERGED),
    )  # fmt: skip
