"""The sample that ships, as adapters are given it, and a judge who knows its grades by position."""

import itertools
from dataclasses import dataclass
from pathlib import Path

from rerankllm.data import float32
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.sample import path


@dataclass(frozen=True)
class Judged:
    """A query of the sample.

    Attributes:
        query_id, query, doc_ids, texts: The query and its candidates, in BM25's order.
        grades: Of each candidate.
        qrels: A file with these grades, by position, of a query called "query".
    """

    query_id: str
    query: str
    doc_ids: list[str]
    texts: list[str]
    grades: list[int]
    qrels: Path

    @property
    def order(self) -> list[int]:
        """Positions by falling grade, equal ones as they were: what a perfect judge makes of it."""
        return sorted(range(len(self.texts)), key=lambda place: -self.grades[place])


def judged(folder: Path, query_id: str = "q1") -> Judged:
    """A query of the sample, with its grades written into a file in `folder`."""
    corpus, qrels = read_corpus(path("corpus.jsonl")), read_qrels(path("qrels.txt"))[query_id]
    doc_ids = [doc_id for doc_id, _ in read_run(path("run.txt"))[query_id]]
    grades = [qrels.get(doc_id, 0) for doc_id in doc_ids]
    file = folder / f"{query_id}.qrels"
    file.write_text("".join(f"query 0 {place} {grade}\n" for place, grade in enumerate(grades)))
    texts = [corpus[doc_id].content for doc_id in doc_ids]
    return Judged(query_id, read_queries(path("queries.tsv"))[query_id], doc_ids, texts, grades, file)


def falling(scores):
    """Whether scores are from 0 to 1 and strictly falling, in single precision too."""
    return all(0 <= score <= 1 for score in scores) and all(
        float32(a) > float32(b) for a, b in itertools.pairwise(scores)
    )
