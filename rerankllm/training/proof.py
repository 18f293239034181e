"""What came of a training: first stage, base, student and teacher side by side on queries that were held out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rerankllm.evaluation.bootstrap import bootstrap
from rerankllm.evaluation.measures import Qrels, parse_measures, per_query
from rerankllm.evaluation.tables import Table

MEASURE = "nDCG@10"
LEAST = 2
"""Queries that an interval needs."""


@dataclass(frozen=True, slots=True)
class System:
    """Rankings of one ranker.

    Attributes:
        name: For people.
        orders: Document ids by query id, best first.
        seconds: Of this machine, per query; None where nobody timed it.
        usd: Money per query; None where it is unknown.
    """

    name: str
    orders: Mapping[str, Sequence[str]]
    seconds: float | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """How good one ranker is.

    Attributes:
        name: For people.
        mean: Of nDCG@10 over the queries.
        interval: Of the mean, at 95 %; None for a single query.
        against_base: How much more than the base's mean it is; None for the base itself.
        against_interval: Of that difference, at 95 %.
        seconds: As `System` has it.
        usd: As `System` has it.
    """

    name: str
    mean: float
    interval: tuple[float, float] | None
    against_base: float | None
    against_interval: tuple[float, float] | None
    seconds: float | None
    usd: float | None


@dataclass(frozen=True, slots=True)
class Proof:
    """The rankers on one set of queries.

    Attributes:
        queries: What they are, for people.
        count: How many of them have qrels.
        rows: One a ranker.
    """

    queries: str
    count: int
    rows: tuple[Row, ...]

    def table(self) -> Table:
        """As a table."""
        head = ("ranking", MEASURE, "95 % interval", "less base", "95 % interval", "seconds a query", "$ a query")
        rows = tuple(
            (row.name, _shown(row.mean), _span(row.interval), _shown(row.against_base, "+.4f"),
             _span(row.against_interval, "+.4f"), _shown(row.seconds, ".3f"), _shown(row.usd, ".6g"))
            for row in self.rows
        )  # fmt: skip
        return Table(f"{self.queries}: {self.count} queries", head, rows)


def prove(queries: str, systems: Sequence[System], qrels: Qrels) -> Proof:
    """Measures rankers on the queries that have qrels; a query without a ranking counts as 0."""
    values = {system.name: ndcg(system.orders, qrels) for system in systems}
    base = values["base"]
    rows = []
    for system in systems:
        own = values[system.name]
        several, other = len(own) >= LEAST, system.name != "base"
        rows.append(
            Row(
                system.name,
                float(own.mean()),
                bootstrap(own) if several else None,
                float((own - base).mean()) if other else None,
                bootstrap(own - base) if several and other else None,
                system.seconds,
                system.usd,
            )
        )
    return Proof(queries, len(qrels), tuple(rows))


def ndcg(orders: Mapping[str, Sequence[str]], qrels: Qrels) -> Any:
    """nDCG@10 of every query of the qrels, in their order."""
    found = per_query(qrels, {query_id: orders.get(query_id, ()) for query_id in qrels}, parse_measures([MEASURE]))
    return np.array([found[query_id][MEASURE] for query_id in qrels])


def pays_back(teacher: float | None, student: float, spent: float | None) -> int | None:
    """After how many queries the student has saved what it cost; None where that is unknown, or never happens.

    Args:
        teacher: The teacher's money per query.
        student: The student's money per query.
        spent: What the teacher's judgements and the training cost.
    """
    if teacher is None or spent is None or teacher <= student:
        return None
    return math.ceil(spent / (teacher - student))


def _shown(value: float | None, form: str = ".4f") -> str:
    return "–" if value is None else format(value, form)


def _span(value: tuple[float, float] | None, form: str = ".4f") -> str:
    return "–" if value is None else f"{value[0]:{form}} to {value[1]:{form}}"
