"""Worked examples: lines of their own, or the judged queries of a collection."""

from pathlib import Path

from rerankllm.calibration.demonstrations import Demonstration, draw
from rerankllm.errors import InputError
from rerankllm.formats import beir, trec
from rerankllm.formats.lines import FilePath, excerpt_of, expected, read_objects, storable

TEXTS = ("query", "better", "worse")


def read_demonstrations(path: FilePath) -> tuple[Demonstration, ...]:
    """Reads worked examples of comparisons.

    Args:
        path: JSON lines, `{"query", "better", "worse"}` each, with the query's `query_id` if it has one; or a folder
            with judged queries to draw them from: a BEIR folder, whose split is `train` if it has one, or
            queries.tsv, qrels.txt and corpus.jsonl.

    Raises:
        InputError: It cannot be read, or there is no example in it.
    """
    found = _drawn(Path(path)) if Path(path).is_dir() else _listed(path)
    if not found:
        wanted = "judged query with two documents of different grades" if Path(path).is_dir() else "example"
        raise InputError(f"{path}: holds no {wanted}")
    return found


def _listed(path: FilePath) -> tuple[Demonstration, ...]:
    found: list[Demonstration] = []
    for number, record in read_objects(path):
        texts = {name: record.get(name) for name in TEXTS}
        if not all(isinstance(text, str) and text.strip() for text in texts.values()):
            raise expected(path, number, '"query", "better" and "worse" to be texts', excerpt_of(record))
        found.append(
            Demonstration(**{k: storable(str(v)) for k, v in texts.items()}, query_id=str(record.get("query_id", "")))
        )
    return tuple(found)


def _drawn(folder: Path) -> tuple[Demonstration, ...]:
    if (folder / "qrels.txt").is_file():
        queries, corpus, qrels = folder / "queries.tsv", folder / "corpus.jsonl", folder / "qrels.txt"
    else:
        found = beir.read_folder(folder)
        if not found.qrels:
            raise InputError(f"{folder}: has no qrels/<split>.tsv, so nothing says which documents are better")
        queries, corpus = found.queries, found.corpus
        qrels = found.qrels.get("train") or next(iter(found.qrels.values()))
    grades = trec.read_qrels(qrels)
    judged = {doc_id for per_query in grades.values() for doc_id in per_query}
    return draw(beir.read_queries(queries), grades, beir.read_corpus(corpus, judged))
