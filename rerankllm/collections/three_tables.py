"""NanoBEIR and R2MED: sets of three tables on the hub, one of documents, one of queries and one of judgements.

NanoBEIR: 50 queries and some thousand documents of each of 13 BEIR sets, `zeta-alpha-ai/Nano…`. Repositories and fields
are those that sentence-transformers' NanoBEIREvaluator reads; every judged document has grade 1. BEIR's rule of
identical ids is kept (that evaluator has none, which matters for arguana).

R2MED: medical queries that need reasoning, eight tasks (Li et al. 2025, arXiv 2505.14558), `R2MED/<task>`.
Configurations, splits and fields are those that MTEB's loader reads (mteb 2.26,
`tasks/retrieval/eng/r2_med_retrieval.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rerankllm.collections import hub
from rerankllm.collections.base import OWN_ID, CacheLocation, Collection, own_ids


@dataclass(frozen=True, slots=True)
class _Family:
    """Sets of one shape.

    Attributes:
        organisation: On the hub.
        repositories: There, by the set's name.
        queries: The configuration that holds the queries; the others are `corpus` and `qrels`.
        split: Of all configurations; None where each has one of its own name.
        key: The column of ids; that of texts is `text`.
        judged: The columns of judgements: query, document, and grade where there are grades.
        own: Whether a query's own text, under its id, is left out.
    """

    organisation: str
    repositories: Mapping[str, str]
    queries: str
    split: str | None
    key: str
    judged: tuple[str, ...]
    own: bool = False

    @property
    def configs(self) -> tuple[str, str, str]:
        """Documents, queries, judgements."""
        return "corpus", self.queries, "qrels"


_FAMILIES = {
    "nanobeir": _Family(
        "zeta-alpha-ai",
        {
            "arguana": "NanoArguAna", "climate-fever": "NanoClimateFEVER", "dbpedia-entity": "NanoDBPedia",
            "fever": "NanoFEVER", "fiqa": "NanoFiQA2018", "hotpotqa": "NanoHotpotQA", "msmarco": "NanoMSMARCO",
            "nfcorpus": "NanoNFCorpus", "nq": "NanoNQ", "quora": "NanoQuoraRetrieval", "scidocs": "NanoSCIDOCS",
            "scifact": "NanoSciFact", "webis-touche2020": "NanoTouche2020",
        },
        "queries", "train", "_id", ("query-id", "corpus-id"), own=True,
    ),
    "r2med": _Family(
        "R2MED",
        {
            "biology": "Biology", "bioinformatics": "Bioinformatics", "medical-sciences": "Medical-Sciences",
            "medxpertqa-exam": "MedXpertQA-Exam", "medqa-diag": "MedQA-Diag", "pmc-treatment": "PMC-Treatment",
            "pmc-clinical": "PMC-Clinical", "iiyi-clinical": "IIYi-Clinical",
        },
        "query", None, "id", ("q_id", "p_id", "score"),
    ),
}  # fmt: skip
NAMES = tuple(f"{prefix}/{name}" for prefix, family in _FAMILIES.items() for name in family.repositories)


def _family(name: str) -> tuple[_Family, str]:
    prefix, _, own = name.partition("/")
    family = _FAMILIES[prefix]
    return family, f"{family.organisation}/{family.repositories[own]}"


def repository(name: str) -> str:
    """The repository on the hub."""
    return _family(name)[1]


def place(name: str) -> CacheLocation:
    """Where its repository is kept."""
    family, at = _family(name)
    return hub.place(at, *family.configs)


def load(name: str) -> Collection:
    """Opens one set."""
    family, at = _family(name)
    columns = (family.key, "text"), (family.key, "text"), family.judged
    corpus, texts, judged = (
        hub.load(at, config, family.split or config, *wanted)
        for config, wanted in zip(family.configs, columns, strict=True)
    )
    query, doc, *grade = family.judged
    qrels: dict[str, dict[str, int]] = {}
    for row in judged:
        qrels.setdefault(hub.token(row[query]), {})[hub.token(row[doc])] = int(row[grade[0]]) if grade else 1
    ids = {hub.token(row[family.key]): row["text"] for row in texts}
    queries = {query_id: text for query_id, text in ids.items() if query_id in qrels}
    return Collection(
        name, hub.origin(at, corpus), queries, qrels, hub.HubDocuments(corpus, family.key, "text"),
        excluded=own_ids(queries) if family.own else {}, excluded_because=OWN_ID if family.own else "",
    )  # fmt: skip
