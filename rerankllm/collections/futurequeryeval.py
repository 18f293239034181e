"""FutureQueryEval: 148 questions about events after April 2025 (Abdallah et al. 2025, arXiv 2508.16757).

`abdoelsayed/FutureQueryEval` on the hub is three files without one shape that datasets reads, so they are fetched by
huggingface_hub: `corpus.tsv` {doc id, text}, `queries.tsv` {query id, text} and `qrels.txt`, which is the file of
github.com/DataScienceUIBK/Rankify, examples/custom_datasets (2,938 judgements with grades 0 to 2). A first line of
column names is skipped. Candidates are BM25's, as in the paper.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from rerankllm.collections.base import CacheLocation, Collection, fetching
from rerankllm.collections.memory import Held
from rerankllm.data import Document
from rerankllm.errors import InputError
from rerankllm.formats.lines import expected, read_lines
from rerankllm.formats.trec import read_qrels

REPOSITORY = "abdoelsayed/FutureQueryEval"
NAMES = ("futurequeryeval",)
_FILES = ("corpus.tsv", "queries.tsv", "qrels.txt")
_HEADS = frozenset({"doc_id", "docid", "query_id", "qid", "id", "_id"})


def place(name: str) -> CacheLocation:  # noqa: ARG001 - there is one
    """Where huggingface_hub keeps its files."""
    try:
        from huggingface_hub import constants, try_to_load_from_cache  # noqa: PLC0415
    except ImportError:
        return CacheLocation("the cache of huggingface_hub", cached=False)
    found = [try_to_load_from_cache(REPOSITORY, file, repo_type="dataset") for file in _FILES]
    folder = Path(constants.HF_HUB_CACHE) / "datasets--abdoelsayed--FutureQueryEval"
    return CacheLocation(str(folder), all(isinstance(path, str) for path in found))


def load(name: str) -> Collection:
    """Opens it.

    Raises:
        InputError: A file has another form, or judged documents or queries have no text.
    """
    with fetching(name, place(name)):
        from huggingface_hub import hf_hub_download  # noqa: PLC0415

        corpus, queries, judged = (Path(hf_hub_download(REPOSITORY, file, repo_type="dataset")) for file in _FILES)
    documents = {doc_id: Document(doc_id, text) for doc_id, text in _rows(corpus)}
    texts, qrels = dict(_rows(queries)), read_qrels(judged)
    for what, wanted, there in (
        ("queries", qrels, texts),
        ("documents", {doc for found in qrels.values() for doc in found}, documents),
    ):
        if missing := [one for one in wanted if one not in there]:
            raise InputError(
                f"{name}: {len(missing)} judged {what} have no text, such as {missing[0]}; has it changed?"
            )
    return Collection(
        name, f"huggingface.co/datasets/{REPOSITORY}@{corpus.parent.name}",
        {query_id: texts[query_id] for query_id in qrels}, qrels, Held(documents), ("nDCG@10",),
    )  # fmt: skip


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Ids and texts, which are quoted as in CSV where they hold line ends."""
    lines = [f"{line}\n" for _, line in read_lines(path)]
    quoted = not all("\t" in line for line in lines)
    rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    for number, row in enumerate(rows, 1):
        if len(row) != 2:  # noqa: PLR2004
            raise expected(path, number, "an id and a text, with a tab between them", "\t".join(row))
        if number > 1 or row[0].lower() not in _HEADS:
            yield row[0], " ".join(row[1].split())
