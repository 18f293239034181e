"""NanoBEIR: 50 queries and some thousand documents of each of 13 BEIR sets, `zeta-alpha-ai/Nano…` on the hub.

Repositories and fields are those that sentence-transformers' NanoBEIREvaluator reads: `corpus` and `queries` {_id,
text}, `qrels` {query-id, corpus-id}, each with the split `train`; every judged document has grade 1. BEIR's rule of
identical ids is kept (that evaluator has none, which matters for arguana).
"""

from rerankllm.collections import hub
from rerankllm.collections.base import OWN_ID, CacheLocation, Collection, own_ids

_REPOSITORIES = {
    "arguana": "NanoArguAna", "climate-fever": "NanoClimateFEVER", "dbpedia-entity": "NanoDBPedia",
    "fever": "NanoFEVER", "fiqa": "NanoFiQA2018", "hotpotqa": "NanoHotpotQA", "msmarco": "NanoMSMARCO",
    "nfcorpus": "NanoNFCorpus", "nq": "NanoNQ", "quora": "NanoQuoraRetrieval", "scidocs": "NanoSCIDOCS",
    "scifact": "NanoSciFact", "webis-touche2020": "NanoTouche2020",
}  # fmt: skip
NAMES = tuple(f"nanobeir/{name}" for name in _REPOSITORIES)


def repository(name: str) -> str:
    """The repository on the hub."""
    return f"zeta-alpha-ai/{_REPOSITORIES[name.removeprefix('nanobeir/')]}"


def place(name: str) -> CacheLocation:
    """Where its repository is kept."""
    return hub.place(repository(name), "corpus", "queries", "qrels")


def load(name: str) -> Collection:
    """Opens one set."""
    at = repository(name)
    corpus, texts = (hub.load(at, config, "train", "_id", "text") for config in ("corpus", "queries"))
    judged = hub.load(at, "qrels", "train", "query-id", "corpus-id")
    qrels: dict[str, dict[str, int]] = {}
    for row in judged:
        qrels.setdefault(hub.token(row["query-id"]), {})[hub.token(row["corpus-id"])] = 1
    queries = {hub.token(row["_id"]): row["text"] for row in texts if hub.token(row["_id"]) in qrels}
    return Collection(
        name, hub.origin(at, corpus), queries, qrels, hub.HubDocuments(corpus, "_id", "text"),
        excluded=own_ids(queries), excluded_because=OWN_ID,
    )  # fmt: skip
