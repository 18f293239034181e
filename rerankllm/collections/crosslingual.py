"""MIRACL and NeuCLIR, through ir_datasets: search in other languages than English, and across them.

Ids, splits and documents are those of ir_datasets 0.6.3 (`ir_datasets/datasets/miracl.py`, `neuclir.py`). MIRACL
(Zhang et al. 2023, TACL 11): queries and Wikipedia passages in one of 18 languages, the development split, whose
judgements are public. NeuCLIR (Lawrie et al. 2023, arXiv 2304.12367): English queries, by their titles, and news in
Chinese, Persian or Russian; grades 0, 1 and 3, binary from 1. The queries are those of TREC 2022 and 2023. Of 2023,
that version of ir_datasets keeps in each language those only that have the ids of 2022, which are none; hence they are
taken from its `neuclir/1/multi/trec-2023`, which has them all.
"""

import os
from importlib.metadata import version
from pathlib import Path

from rerankllm.collections import irds
from rerankllm.collections.base import CacheLocation, Collection

MIRACL = ("ar", "bn", "de", "en", "es", "fa", "fi", "fr", "hi", "id", "ja", "ko", "ru", "sw", "te", "th", "yo", "zh")
_NEUCLIR = {"fa": "fas", "ru": "rus", "zh": "zho"}
NAMES = (
    *(f"miracl/{language}" for language in MIRACL),
    *(f"neuclir/{year}/{language}" for year in ("2022", "2023") for language in _NEUCLIR),
)


def dataset_id(name: str) -> str:
    """The id in ir_datasets."""
    language = name.rpartition("/")[2]
    return f"miracl/{language}/dev" if name.startswith("miracl/") else f"neuclir/1/{language}/trec-{_year(name)}"


def _year(name: str) -> str:
    return name.split("/")[1]


def place(name: str) -> CacheLocation:
    """The folder in which ir_datasets keeps it, and whether all parts are there; told without importing it."""
    home = Path(os.environ.get("IR_DATASETS_HOME") or Path.home() / ".ir_datasets")
    language = name.rpartition("/")[2]
    if name.startswith("miracl/"):
        folder = home / "miracl" / "v1.0" / language
        files = ("docs.pklz4/bin.pos", "dev/topics.tsv", "dev/qrels.tsv")
    else:
        folder = home / "neuclir"
        store, year = f"1/{_NEUCLIR[language]}/docs.jsonl.gz.pklz4/bin.pos", f"trec-{_year(name)}"
        files = (store, f"{year}/topics.jsonl", f"{year}/{'qrels' if _year(name) == '2022' else 'qrels.tar.gz'}")
    return CacheLocation(str(folder), all((folder / file).is_file() for file in files))


def load(name: str) -> Collection:
    """Opens a collection: its queries and judgements now, documents when asked for."""
    import ir_datasets  # noqa: PLC0415

    dataset = ir_datasets.load(dataset_id(name))
    qrels = irds.qrels_of(dataset)
    asked = ir_datasets.load("neuclir/1/multi/trec-2023") if name.startswith("neuclir/2023/") else dataset
    queries = {query.query_id: query.default_text() for query in asked.queries_iter() if query.query_id in qrels}
    language = name.rpartition("/")[2]
    within = name.startswith("miracl/")
    return Collection(
        name, f"ir_datasets {version('ir_datasets')} {dataset_id(name)}", queries, qrels,
        irds.IrDocuments(name, dataset, place), ("nDCG@10", "R@100") if within else ("nDCG@20", "AP"),
        language=language if within else f"en-{language}",
    )  # fmt: skip
