"""T2Ranking's development queries: Chinese web search with four grades (Xie et al. 2023, arXiv 2304.03679).

`THUIR/T2Ranking` on the hub is TSV files behind a loading script, which datasets no longer runs (since 4.0), so the
files are fetched by huggingface_hub and read as that script does (`T2Ranking.py`: a header, tabs, quotes literal):
`data/collection.tsv` {pid, text}, `queries.dev.tsv` {qid, text}, `qrels.dev.tsv` {qid, -, pid, rel}. Grades 0 to 3,
binary from 2 as in the repository's README. The test judgements are not public.
"""

from collections.abc import Collection as Ids
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rerankllm.collections.base import CacheLocation, Collection, fetching
from rerankllm.data import Document
from rerankllm.formats.lines import expected, read_lines

REPOSITORY = "THUIR/T2Ranking"
NAMES = ("t2ranking",)
_SIZE = 2_303_643
"""Passages, by the README."""


def place(name: str) -> CacheLocation:  # noqa: ARG001 - there is one
    """Where huggingface_hub keeps the passages."""
    try:
        from huggingface_hub import constants, try_to_load_from_cache  # noqa: PLC0415
    except ImportError:
        return CacheLocation("the cache of huggingface_hub", cached=False)
    found = try_to_load_from_cache(REPOSITORY, "data/collection.tsv", repo_type="dataset")
    folder = Path(constants.HF_HUB_CACHE) / "datasets--THUIR--T2Ranking"
    return CacheLocation(str(folder), cached=isinstance(found, str))


def _file(name: str, file: str) -> Path:
    with fetching(name, place(name)):
        from huggingface_hub import hf_hub_download  # noqa: PLC0415

        return Path(hf_hub_download(REPOSITORY, f"data/{file}", repo_type="dataset"))


def _rows(path: Path, *columns: str) -> Iterator[list[str]]:
    """The rows of a TSV file below its header."""
    header = "\t".join(columns)
    for number, line in read_lines(path):
        row = line.split("\t", len(columns) - 1)
        if len(row) != len(columns):
            raise expected(path, number, f"{len(columns)} columns ({header})", line)
        if number > 1:
            yield row


@dataclass(frozen=True, slots=True)
class _Documents:
    """The passages, 3.7 GB of text: read from the start whenever some are wanted."""

    name: str

    def __len__(self) -> int:
        return _SIZE

    def __iter__(self) -> Iterator[Document]:
        for pid, text in _rows(_file(self.name, "collection.tsv"), "pid", "text"):
            yield Document(pid, text)

    def many(self, doc_ids: Ids[str]) -> dict[str, Document]:
        wanted = frozenset(doc_ids)
        return {document.doc_id: document for document in self if document.doc_id in wanted}


def load(name: str) -> Collection:
    """Opens it."""
    qrels: dict[str, dict[str, int]] = {}
    for query_id, _, doc_id, grade in _rows(_file(name, "qrels.dev.tsv"), "qid", "-", "pid", "rel"):
        qrels.setdefault(query_id, {})[doc_id] = int(grade)
    texts = dict(_rows(_file(name, "queries.dev.tsv"), "qid", "text"))
    queries = {query_id: text for query_id, text in texts.items() if query_id in qrels}
    return Collection(
        name, f"huggingface.co/datasets/{REPOSITORY} dev", queries, qrels, _Documents(name),
        ("nDCG@10", "RR(rel=2)@10", "R(rel=2)@100"), relevant_from=2, language="zh",
    )  # fmt: skip
