"""FreshStack: questions about young software, judged by nuggets (Thakur et al. 2025, arXiv 2504.13128).

`freshstack/queries-oct-2024` and `freshstack/corpus-oct-2024` on the hub, one configuration a topic. Fields and
measures are those of FreshStack's own code (github.com/fresh-stack/freshstack, `datasets/data_loader.py` and
`retrieval/metrics.py`): a query is its title and text; each of its nuggets names the documents that support it and
those that do not. Reported are alpha-nDCG@10 (alpha 0.5, by ndeval), Coverage@20, which is the share of a query's
nuggets that some document among the first 20 supports, and recall at 50 of documents that support any. A document's
grade for other measures is the number of nuggets it supports.
"""

from rerankllm.collections import hub
from rerankllm.collections.base import CacheLocation, Collection

QUERIES, CORPUS = "freshstack/queries-oct-2024", "freshstack/corpus-oct-2024"
NAMES = tuple(f"freshstack/{topic}" for topic in ("angular", "godot", "langchain", "laravel", "yolo"))


def place(name: str) -> CacheLocation:
    """Where the corpus is kept, or the queries if only those are missing."""
    topic = name.removeprefix("freshstack/")
    corpus, queries = hub.place(CORPUS, topic), hub.place(QUERIES, topic)
    return queries if corpus.cached else corpus


def load(name: str) -> Collection:
    """Opens one topic."""
    topic = name.removeprefix("freshstack/")
    asked = hub.load(QUERIES, topic, "test", "query_id", "query_title", "query_text", "nuggets")
    corpus = hub.load(CORPUS, topic, "train", "_id", "text")
    queries: dict[str, str] = {}
    subtopics: dict[str, dict[str, dict[str, int]]] = {}
    for row in asked:
        query_id = hub.token(row["query_id"])
        queries[query_id] = f"{row['query_title']} {row['query_text']}"
        subtopics[query_id] = {
            str(nugget["_id"]): {hub.token(doc_id): 0 for doc_id in nugget["non_relevant_corpus_ids"]}
            | {hub.token(doc_id): 1 for doc_id in nugget["relevant_corpus_ids"]}
            for nugget in row["nuggets"]
        }
    return Collection(
        name, hub.origin(CORPUS, corpus), queries, {key: _summed(nuggets) for key, nuggets in subtopics.items()},
        hub.HubDocuments(corpus, "_id", "text", "title"), ("alpha_nDCG@10", "Coverage@20", "R@50"), subtopics=subtopics,
    )  # fmt: skip


def _summed(nuggets: dict[str, dict[str, int]]) -> dict[str, int]:
    grades: dict[str, int] = {}
    for judged in nuggets.values():
        for doc_id, grade in judged.items():
            grades[doc_id] = grades.get(doc_id, 0) + grade
    return grades
