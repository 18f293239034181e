"""Sets of queries that a student is measured on."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rerankllm.data import Document, Query
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import Qrels
from rerankllm.files import as_json, replace_text, replacing
from rerankllm.formats import trec
from rerankllm.runs.source import Source
from rerankllm.training.proof import System, ndcg
from rerankllm.training.student import Student
from rerankllm.training.teacher import TeacherList

MEASURED = "measured"
"""The folder that holds a folder for each set of queries: texts, grades and runs."""
GRADED = 10
"""Documents that the teacher's order gives a grade to, where there are no qrels."""


def run_name(system: str) -> str:
    """The name of the file that holds a ranker's run."""
    return f"{system.replace(' ', '-')}.txt"


@dataclass(frozen=True, slots=True)
class Measured:
    """Queries to measure on.

    Attributes:
        name: For people.
        queries: With their candidates in the first stage's order.
        qrels: Grades of these queries.
        teacher: The teacher's orders by query id; empty where it ranked none of these queries.
    """

    name: str
    queries: Sequence[tuple[Query, Sequence[Document]]]
    qrels: Qrels
    teacher: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of_lists(cls, name: str, some: Sequence[TeacherList], judged: Qrels | None) -> Self:
        """Lists of the teacher's.

        Args:
            name: For people.
            some: The lists.
            judged: Qrels; None takes grades 10 to 1 for the teacher's first ten.

        Raises:
            InputError: There are qrels, and none is about these queries.
        """
        queries = []
        for each in some:
            known = {document.doc_id: document for document in each.documents}
            queries.append((each.query, [known[doc_id] for doc_id in each.first_stage]))
        orders = {each.query.query_id: each.doc_ids for each in some}
        if judged is None:
            grades = {query_id: {doc_id: GRADED - place for place, doc_id in enumerate(ids[:GRADED])}
                      for query_id, ids in orders.items()}  # fmt: skip
            return cls(f"{name}, against the teacher's order", queries, grades, orders)
        known_grades = {query_id: judged[query_id] for query_id in orders if query_id in judged}
        if not known_grades:
            raise InputError(f"the qrels judge none of the {name.lower()}: give those of the data, or leave them out")
        return cls(name, queries, known_grades, orders)

    @classmethod
    def of_source(cls, name: str, source: Source) -> Self:
        """Other data.

        Raises:
            InputError: It has no qrels.
        """
        judged = source.judgements()
        if judged is None:
            raise InputError(f"measure_on: {name} has no qrels: give `qrels`")
        queries = [(query, [each.document for each in candidates]) for query, candidates in source.queries]
        return cls(name, queries, judged)

    @property
    def first_stage(self) -> dict[str, list[str]]:
        """The first stage's orders."""
        return {query.query_id: [document.doc_id for document in own] for query, own in self.queries}

    def orders_of(self, student: Student) -> tuple[Mapping[str, Sequence[str]], float]:
        """The student's orders as it is now, and its seconds per query."""
        began = time.perf_counter()
        orders = student.orders(self.queries)
        return orders, (time.perf_counter() - began) / len(self.queries)

    def kept_orders_of(self, student: Student, path: Path) -> tuple[Mapping[str, Sequence[str]], float]:
        """What `orders_of` gives, kept in a file, so that a training that goes on does not rank again what it ranked.

        What was kept of other queries or documents is not taken.
        """
        ranked = hashlib.sha256(as_json(self.queries).encode()).hexdigest()
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["ranked_sha256"] == ranked:
                return kept["orders"], float(kept["seconds"])
        except (OSError, ValueError, KeyError, TypeError):  # none, or not whole
            pass
        orders, seconds = self.orders_of(student)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, as_json({"ranked_sha256": ranked, "orders": orders, "seconds": seconds}) + "\n")
        return orders, seconds

    def write(self, folder: Path, systems: Sequence[System]) -> None:
        """Writes texts, grades and every ranker's run, as `rerankllm report` and `compare` read them."""
        folder.mkdir(parents=True, exist_ok=True)
        known = {document.doc_id: document for _, own in self.queries for document in own}
        rows = [{"_id": query.query_id, "text": query.text} for query, _ in self.queries]
        documents = [{"_id": each.doc_id, "title": each.title, "text": each.text} for each in known.values()]
        for name, some in (("queries.jsonl", rows), ("corpus.jsonl", documents)):
            replace_text(folder / name, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in some))
        grades = (f"{query_id} 0 {doc_id} {grade}\n" for query_id, own in self.qrels.items()
                  for doc_id, grade in own.items())  # fmt: skip
        replace_text(folder / "qrels.txt", "".join(grades))
        for system in systems:
            with replacing(folder / run_name(system.name)) as file:
                for query_id, doc_ids in system.orders.items():
                    trec.write_run(file, query_id, doc_ids, system.name.replace(" ", "-"))

    def quality(self, student: Student) -> float:
        """The student's mean nDCG@10."""
        return float(ndcg(self.orders_of(student)[0], self.qrels).mean())
