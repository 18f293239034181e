"""BRIGHT: queries that need reasoning, twelve tasks (Su et al. 2024, arXiv 2407.12883).

`xlangai/BRIGHT` on the hub. Configurations and fields are those that BRIGHT's own run.py reads (github.com/
xlang-ai/BRIGHT): `documents` {id, content}, `examples` {id, query, gold_ids, excluded_ids}, one split a task. A
query's `excluded_ids` may not be retrieved; `N/A` stands for none. Every gold document has grade 1.
"""

from rerankllm.collections import hub
from rerankllm.collections.base import CacheLocation, Collection

REPOSITORY = "xlangai/BRIGHT"
TASKS = (
    "biology", "earth_science", "economics", "psychology", "robotics", "stackoverflow", "sustainable_living",
    "pony", "leetcode", "aops", "theoremqa_theorems", "theoremqa_questions",
)  # fmt: skip
NAMES = tuple(f"bright/{task}" for task in TASKS)


def place(name: str) -> CacheLocation:  # noqa: ARG001 - one configuration holds all tasks
    """Where all tasks are kept."""
    return hub.place(REPOSITORY, "documents", "examples")


def load(name: str) -> Collection:
    """Opens one task."""
    task = name.removeprefix("bright/")
    examples = hub.load(REPOSITORY, "examples", task, "id", "query", "gold_ids", "excluded_ids")
    documents = hub.load(REPOSITORY, "documents", task, "id", "content")
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    excluded: dict[str, frozenset[str]] = {}
    for row in examples:
        query_id = hub.token(row["id"])
        queries[query_id] = row["query"]
        qrels[query_id] = {hub.token(doc_id): 1 for doc_id in row["gold_ids"]}
        excluded[query_id] = frozenset(hub.token(one) for one in row["excluded_ids"] or () if one != "N/A")
    return Collection(
        name, hub.origin(REPOSITORY, documents), queries, qrels, hub.HubDocuments(documents, "id", "content"),
        excluded=excluded, excluded_because="BRIGHT's excluded_ids",
    )  # fmt: skip
