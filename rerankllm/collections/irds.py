"""TREC Deep Learning and BEIR, through ir_datasets.

Ids, splits and documents are those of ir_datasets 0.6.3 (`ir_datasets/datasets/msmarco_passage.py`,
`msmarco_passage_v2.py`, `beir.py`). TREC DL: the judged queries of each year. Passages are binary from grade 2, since
grade 1 is "related", which NIST says is not relevant (trec.nist.gov/data/deep2022.html). The judgements of dl22 and
dl23 are its files `…withDupes.txt`: the grade of a passage is also that of its near-duplicates. BEIR: the test split
where there is one, for MS MARCO dev as in the BEIR paper (table 1), Touché in its second version.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Collection as Ids
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rerankllm.collections.base import OWN_ID, CacheLocation, Collection, fetching, own_ids
from rerankllm.data import Document

FORUMS = (
    "android", "english", "gaming", "gis", "mathematica", "physics",
    "programmers", "stats", "tex", "unix", "webmasters", "wordpress",
)  # fmt: skip
"""The sub-forums of CQADupStack."""
_BEIR = {
    "arguana": "", "climate-fever": "", "dbpedia-entity": "/test", "fever": "/test", "fiqa": "/test",
    "hotpotqa": "/test", "msmarco": "/dev", "nfcorpus": "/test", "nq": "", "quora": "/test", "scidocs": "",
    "scifact": "/test", "trec-covid": "", "webis-touche2020": "/v2",
    **{f"cqadupstack/{forum}": "" for forum in FORUMS},
}  # fmt: skip
_DL = {"dl19": "2019", "dl20": "2020", "dl21": "2021", "dl22": "2022", "dl23": "2023"}
_SECOND = ("dl21", "dl22", "dl23")
_WITH_COPIES = ("dl22", "dl23")
_COPIES = "near-duplicates of a judged passage carry its grade (NIST's withDupes file)"
_DL_MEASURES = ("nDCG@10", "AP(rel=2)@100", "RR(rel=2)@10", "R(rel=2)@100")


def dataset_id(name: str) -> str:
    """The id in ir_datasets."""
    if name in _DL:
        return f"msmarco-passage{'-v2' if name in _SECOND else ''}/trec-dl-{_DL[name]}/judged"
    return name + _BEIR[name.removeprefix("beir/")]


NAMES = (*_DL, *(f"beir/{name}" for name in _BEIR))


def place(name: str) -> CacheLocation:
    """The folder in which ir_datasets keeps it, and whether all parts are there; told without importing it."""
    home = Path(os.environ.get("IR_DATASETS_HOME") or Path.home() / ".ir_datasets")
    base, _, split = dataset_id(name).partition("/trec-dl-")
    if name in _DL:
        year = f"trec-dl-{_DL[name]}"
        queries = f"{year}/queries.tsv.gz" if name == "dl20" else f"{year}/queries.tsv"
        qrels = f"{year}/qrels.withDupes.txt" if name in _WITH_COPIES else f"{year}/qrels"
        store = "msmarco_v2_passage.tar.extracted/_built" if name in _SECOND else "collection.tsv.pklz4/bin.pos"
        parts = (store, queries, qrels)
    else:
        base, split = base.removesuffix("/test").removesuffix("/dev"), "dev" if base.endswith("/dev") else "test"
        parts = ("docs.pklz4/bin.pos", "queries.json", f"{split}.qrels")
    return CacheLocation(str(home / base), all((home / base / part).is_file() for part in parts))


@dataclass(frozen=True, slots=True)
class IrDocuments:
    """The docstore, which ir_datasets builds on first use.

    Attributes:
        name: The collection's.
        dataset: From ir_datasets.
        place: Where it is kept, by name.
    """

    name: str
    dataset: Any
    place: Callable[[str], CacheLocation]

    def __len__(self) -> int:
        with fetching(self.name, self.place(self.name)):
            return int(self.dataset.docs_store().count())

    def __iter__(self) -> Iterator[Document]:
        with fetching(self.name, self.place(self.name)):
            yield from map(_document, self.dataset.docs_store())

    def many(self, doc_ids: Ids[str]) -> dict[str, Document]:
        with fetching(self.name, self.place(self.name)):
            found = self.dataset.docs_store().get_many_iter(list(doc_ids))
            return {doc.doc_id: _document(doc) for doc in found}


def _document(doc: Any) -> Document:
    return Document(doc.doc_id, doc.text, getattr(doc, "title", ""))


def load(name: str) -> Collection:
    """Opens a collection: its queries and judgements now, documents when asked for."""
    import ir_datasets  # noqa: PLC0415

    dataset = ir_datasets.load(dataset_id(name))
    qrels = qrels_of(dataset)
    queries = {query.query_id: query.text for query in dataset.queries_iter() if query.query_id in qrels}
    origin = f"ir_datasets {version('ir_datasets')} {dataset_id(name)}"
    documents = IrDocuments(name, dataset, place)
    if name in _DL:
        return Collection(name, origin, queries, qrels, documents, _DL_MEASURES, relevant_from=2,
                          notes=(_COPIES,) if name in _WITH_COPIES else ())  # fmt: skip
    return Collection(name, origin, queries, qrels, documents, ("nDCG@10", "R@100"),
                      excluded=own_ids(queries), excluded_because=OWN_ID)  # fmt: skip


def qrels_of(dataset: Any) -> Mapping[str, dict[str, int]]:
    """The judgements of a data set of ir_datasets."""
    qrels: dict[str, dict[str, int]] = {}
    for judged in dataset.qrels_iter():
        qrels.setdefault(judged.query_id, {})[judged.doc_id] = judged.relevance
    return qrels
