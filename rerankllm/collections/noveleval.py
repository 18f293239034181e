"""NovelEval-2306: 21 questions about events after GPT-4's training, 20 passages each (Sun et al. 2023, section 4.2).

The files of github.com/sunnweiwei/RankGPT, folder NovelEval, at the one commit they have: corpus.tsv {docid, content},
whose texts are quoted as in CSV, queries.tsv {qid, query}, qrels.txt. No library carries them, so they are kept in
rerankllm's own cache folder. Each question's candidates are its judged passages in the file's order, which is that of
the web search they came from.
"""

import csv
from pathlib import Path

from rerankllm.collections.base import CacheLocation, Collection, FirstStage
from rerankllm.collections.memory import Held
from rerankllm.data import Document
from rerankllm.formats.trec import read_qrels, read_topics

COMMIT = "da6632e1afe2c7348cf53fa571ebd3d5f3b73ad9"
URL = f"https://raw.githubusercontent.com/sunnweiwei/RankGPT/{COMMIT}/NovelEval"
NAMES = ("noveleval",)
_FILES = ("corpus.tsv", "queries.tsv", "qrels.txt")
_SECONDS = 30


def _folder() -> Path:
    from platformdirs import user_cache_path  # noqa: PLC0415

    return user_cache_path("rerankllm") / "noveleval"


def place(name: str) -> CacheLocation:  # noqa: ARG001 - there is one
    """Where its files are kept."""
    folder = _folder()
    return CacheLocation(str(folder), all((folder / file).is_file() for file in _FILES))


def _fetch(folder: Path) -> None:
    from urllib.request import urlopen  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    for file in _FILES:
        if not (folder / file).is_file():
            with urlopen(f"{URL}/{file}", timeout=_SECONDS) as answer:  # noqa: S310 - https, and ours
                part = folder / f"{file}.part"
                part.write_bytes(answer.read())
                part.replace(folder / file)


def load(name: str) -> Collection:
    """Opens it."""
    folder = _folder()
    _fetch(folder)
    with (folder / "corpus.tsv").open(encoding="utf-8", newline="") as file:
        documents = [Document(doc_id, text) for doc_id, text in csv.reader(file, delimiter="\t")]
    qrels = read_qrels(folder / "qrels.txt")
    run = {
        query_id: [(doc_id, 1 / rank) for rank, doc_id in enumerate(judged, 1)] for query_id, judged in qrels.items()
    }
    return Collection(
        name, f"github.com/sunnweiwei/RankGPT@{COMMIT[:8]} NovelEval", read_topics(folder / "queries.tsv"), qrels,
        Held({one.doc_id: one for one in documents}), ("nDCG@1", "nDCG@5", "nDCG@10"),
        first_stage=FirstStage(run, "web search, as collected by NovelEval"),
    )  # fmt: skip
