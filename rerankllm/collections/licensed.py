"""The BEIR sets that may not be passed on: Signal-1M, TREC-NEWS, Robust04 and BioASQ, from a folder that you make.

Who has their documents makes BEIR's folder of them, corpus.jsonl, queries.jsonl and qrels/test.tsv, as BEIR's own
scripts do (github.com/beir-cellar/beir, `examples/dataset`), and puts it where `rerankllm datasets` says. Everything
else is as for the other BEIR sets.
"""

from collections.abc import Collection as Ids
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rerankllm.collections.base import OWN_ID, CacheLocation, Collection, own_ids
from rerankllm.data import Document
from rerankllm.errors import InputError
from rerankllm.formats.beir import BeirFolder, document_of, read_corpus, read_folder, read_queries
from rerankllm.formats.columns import Columns
from rerankllm.formats.tables import read_rows
from rerankllm.formats.trec import read_qrels

NEEDS = {
    "beir/bioasq": "BioASQ's documents, for which one registers at participants-area.bioasq.org",
    "beir/robust04": "TREC disks 4 and 5 without the Congressional Record, licensed by NIST",
    "beir/signal1m": "Signal Media's one million articles, licensed by them, and the tweets, which are fetched by id",
    "beir/trec-news": "the TREC Washington Post collection, licensed by NIST",
}
NAMES = tuple(NEEDS)


def place(name: str) -> CacheLocation:
    """Where its folder has to be."""
    from platformdirs import user_cache_path  # noqa: PLC0415

    folder = user_cache_path("rerankllm") / name
    return CacheLocation(str(folder), any(folder.glob("qrels/test.tsv*")))


@dataclass(frozen=True, slots=True)
class _Documents:
    """The corpus, read from the start whenever some are wanted."""

    path: Path

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Document]:
        columns = Columns()
        for number, record in read_rows(self.path, columns, ("id", "text"), "jsonl"):
            yield document_of(self.path, number, record, columns)

    def many(self, doc_ids: Ids[str]) -> dict[str, Document]:
        return read_corpus(self.path, doc_ids)


def load(name: str) -> Collection:
    """Opens it.

    Raises:
        InputError: The folder is not there; the line says what it takes to make it.
    """
    where = place(name)
    if not where.cached:
        raise InputError(
            f"{name} may not be passed on: it takes {NEEDS[name]}. Make BEIR's folder of them (its scripts are in "
            f"github.com/beir-cellar/beir, examples/dataset), with qrels/test.tsv, as {where.path}"
        )
    folder: BeirFolder = read_folder(where.path)
    qrels = read_qrels(folder.split("test"))
    queries = {query_id: text for query_id, text in read_queries(folder.queries).items() if query_id in qrels}
    return Collection(
        name, f"BEIR's folder {where.path}", queries, qrels, _Documents(folder.corpus), ("nDCG@10", "R@100"),
        excluded=own_ids(queries), excluded_because=OWN_ID,
    )  # fmt: skip
