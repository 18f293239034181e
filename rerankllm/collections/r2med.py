"""R2MED: medical queries that need reasoning, eight tasks (Li et al. 2025, arXiv 2505.14558).

`R2MED/<task>` on the hub. Configurations, splits and fields are those that MTEB's loader reads (mteb 2.26,
`tasks/retrieval/eng/r2_med_retrieval.py`): `corpus` and `query` {id, text}, `qrels` {q_id, p_id, score}.
"""

from rerankllm.collections import hub
from rerankllm.collections.base import CacheLocation, Collection

_TASKS = {
    "biology": "Biology", "bioinformatics": "Bioinformatics", "medical-sciences": "Medical-Sciences",
    "medxpertqa-exam": "MedXpertQA-Exam", "medqa-diag": "MedQA-Diag", "pmc-treatment": "PMC-Treatment",
    "pmc-clinical": "PMC-Clinical", "iiyi-clinical": "IIYi-Clinical",
}  # fmt: skip
NAMES = tuple(f"r2med/{task}" for task in _TASKS)


def repository(name: str) -> str:
    """The repository on the hub."""
    return f"R2MED/{_TASKS[name.removeprefix('r2med/')]}"


def place(name: str) -> CacheLocation:
    """Where its repository is kept."""
    return hub.place(repository(name), "corpus", "query", "qrels")


def load(name: str) -> Collection:
    """Opens one task."""
    at = repository(name)
    corpus, texts = (hub.load(at, config, config, "id", "text") for config in ("corpus", "query"))
    qrels: dict[str, dict[str, int]] = {}
    for row in hub.load(at, "qrels", "qrels", "q_id", "p_id", "score"):
        qrels.setdefault(hub.token(row["q_id"]), {})[hub.token(row["p_id"])] = int(row["score"])
    queries = {hub.token(row["id"]): row["text"] for row in texts if hub.token(row["id"]) in qrels}
    return Collection(name, hub.origin(at, corpus), queries, qrels, hub.HubDocuments(corpus, "id", "text"))
