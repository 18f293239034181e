"""Sets of queries that a student is measured on."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from rerankllm.data import Document, Query
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import Qrels
from rerankllm.runs.source import Source
from rerankllm.training.proof import ndcg
from rerankllm.training.student import Student
from rerankllm.training.teacher import TeacherList

GRADED = 10
"""Documents that the teacher's order gives a grade to, where there are no qrels."""


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

    def orders_of(self, student: Student) -> tuple[dict[str, list[str]], float]:
        """The student's orders as it is now, and its seconds per query."""
        began = time.perf_counter()
        orders = {query.query_id: student.rank(query.text, documents) for query, documents in self.queries}
        return orders, (time.perf_counter() - began) / len(self.queries)

    def quality(self, student: Student) -> float:
        """The student's mean nDCG@10."""
        return float(ndcg(self.orders_of(student)[0], self.qrels).mean())
