"""MTEB's reranking tasks on texts, with the candidates that they rerank (Muennighoff et al. 2023, arXiv 2210.07316).

Repositories `mteb/<task>`, splits, measures and fields are those of mteb 2.26 (`tasks/reranking`,
`abstasks/retrieval_dataset_loaders.py`): `corpus` and `queries` {_id or id, text}, the judgements as `default` or
`qrels` {query-id, corpus-id, score}, and `top_ranked` {query-id, corpus-ids}: the documents to be put in order. Where a
task has languages, the configurations begin with them: `de-corpus`, …, `de-qrels`. A configuration with one split is
read whatever that is called, as there.

MTEB made these lists of pairs of relevant and other documents, the relevant first. So as a first stage they are put
into an order that a hash of the ids draws, which is chance.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rerankllm.collections import hub
from rerankllm.collections.base import CacheLocation, Collection, FirstStage

MAP, NDCG, MRR = ("AP@1000", "nDCG@10"), ("nDCG@10", "AP@1000"), ("RR@10", "AP@1000")
CHANCE = "MTEB's candidates, which are in an order drawn by chance"


@dataclass(frozen=True, slots=True)
class _Task:
    """A task.

    Attributes:
        repository: On the hub.
        split: That is evaluated.
        measures: The main one first.
        language: Of the texts.
        config: What configurations begin with, in tasks of several languages.
    """

    repository: str
    split: str = "test"
    measures: tuple[str, ...] = MAP
    language: str = "en"
    config: str = ""

    def named(self, part: str) -> str:
        """A configuration."""
        return f"{self.config}-{part}" if self.config else part


_MIRACL = ("ar", "bn", "de", "en", "es", "fa", "fi", "fr", "hi", "id", "ja", "ko", "ru", "sw", "te", "th", "yo", "zh")
_WIKIPEDIA = ("bg", "bn", "cs", "da", "de", "en", "fa", "fi", "hi", "it", "nl", "no", "pt", "ro", "sr", "sv")
_TASKS = {
    "askubuntu": _Task("AskUbuntuDupQuestions"),
    "builtbench": _Task("BuiltBenchReranking"),
    "scidocs": _Task("SciDocsRR"),
    "stackoverflow": _Task("StackOverflowDupQuestions"),
    "alloprof": _Task("AlloprofReranking", language="fr"),
    "syntec": _Task("SyntecReranking", language="fr"),
    "rubq": _Task("RuBQReranking", language="ru"),
    "namaa-mrtydi": _Task("NamaaMrTydiReranking", language="ar"),
    "jacwir-lite": _Task("JaCWIRRerankingLite", measures=NDCG, language="ja"),
    "jqara-lite": _Task("JQaRARerankingLite", measures=NDCG, language="ja"),
    "mmarco-ja": _Task("VoyageMMarcoReranking", language="ja"),
    "mmarco-zh": _Task("MMarcoReranking", "dev", language="zh"),
    "t2": _Task("T2Reranking", "dev", language="zh"),
    "cmedqa-v1": _Task("CMedQAv1-reranking", language="zh"),
    "cmedqa-v2": _Task("CMedQAv2-reranking", language="zh"),
    **{f"miracl/{code}": _Task("MIRACLReranking", "dev", NDCG, code, code) for code in _MIRACL},
    **{f"wikipedia/{code}": _Task("WikipediaRerankingMultilingual", "test", MAP, code, code) for code in _WIKIPEDIA},
    **{
        f"weblinx/{split.removeprefix('test_')}": _Task("WebLINXCandidatesReranking", split, MRR)
        for split in ("validation", "test_iid", "test_cat", "test_geo", "test_vis", "test_web")
    },
    **{
        f"esci/{code}": _Task("ESCIReranking", "test", MAP, language, code)
        for code, language in (("us", "en"), ("es", "es"), ("jp", "ja"))
    },
}
NAMES = tuple(f"mteb/{task}" for task in _TASKS)


def repository(name: str) -> str:
    """The repository on the hub."""
    return f"mteb/{_TASKS[name.removeprefix('mteb/')].repository}"


def place(name: str) -> CacheLocation:
    """Where its repository is kept."""
    task = _TASKS[name.removeprefix("mteb/")]
    return hub.place(repository(name), *map(task.named, ("corpus", "queries", "top_ranked")))


def load(name: str) -> Collection:
    """Opens one task."""
    at, task = repository(name), _TASKS[name.removeprefix("mteb/")]
    qrels: dict[str, dict[str, int]] = {}
    for row in _judged(at, task):
        qrels.setdefault(hub.token(row["query-id"]), {})[hub.token(row["corpus-id"])] = int(row["score"])
    texts = hub.load(at, task.named("queries"), task.split, "text", alone=True)
    own = "_id" if "_id" in texts.column_names else "id"
    queries = {hub.token(row[own]): row["text"] for row in texts if hub.token(row[own]) in qrels}
    run = {
        hub.token(row["query-id"]): drawn(hub.token(row["query-id"]), map(hub.token, row["corpus-ids"]))
        for row in hub.load(at, task.named("top_ranked"), task.split, "query-id", "corpus-ids", alone=True)
    }
    corpus = hub.load(at, task.named("corpus"), task.split, "text", alone=True)
    return Collection(
        name, hub.origin(at, corpus), queries, qrels,
        hub.HubDocuments(corpus, "_id" if "_id" in corpus.column_names else "id", "text", "title"), task.measures,
        first_stage=FirstStage({key: found for key, found in run.items() if key in queries}, "MTEB's top_ranked"),
        language=task.language, notes=(CHANCE,),
    )  # fmt: skip


def drawn(query_id: str, doc_ids: Iterable[str]) -> list[tuple[str, float]]:
    """Candidates of a query as a run, in the order of a hash."""
    order = sorted(doc_ids, key=lambda doc_id: hashlib.sha256(f"{query_id}\t{doc_id}".encode()).digest())
    return [(doc_id, 1 / rank) for rank, doc_id in enumerate(order, 1)]


def _judged(at: str, task: _Task) -> Any:
    """The judgements, by the name they have in this repository."""
    columns = ("query-id", "corpus-id", "score")
    if task.config:
        return hub.load(at, task.named("qrels"), task.split, *columns, alone=True)
    try:
        return hub.load(at, "default", task.split, *columns, alone=True)
    except ValueError:  # no such configuration
        return hub.load(at, "qrels", task.split, *columns, alone=True)
