"""The measurements that ship: a JSON file a collection, written by eval/frontier/run.py and by nothing else."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Self

from rerankllm.errors import InputError

FORMAT, VERSION = "rerankllm-frontier", 1


@dataclass(frozen=True, slots=True)
class Character:
    """How a simulated judge errs.

    Attributes:
        belief: Deviation of the error that it repeats, in grades; likewise `noise`, of what changes from prompt to
            prompt, and `position`, by how much the first place looks better than the last.
        trust: What `rerankllm judge-profile` finds of it; likewise `scale`.
        alone: Deviation of what is added to the noise of a document shown alone.
        pair: How much better the first of two looks; none: as `position` says.
    """

    belief: float
    noise: float
    position: float
    trust: float
    scale: float
    alone: float = 0.0
    pair: float | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One stage with one judge.

    Attributes:
        judge: Which.
        stage: Its spec; "" is the first stage's order, for which nothing is asked.
        calls: Mean over queries and seeds; likewise `rounds` and `slots`.
        failed: Share of the queries that failed.
        by_query: nDCG@10 of each query, the mean over seeds; a query that failed has 0.
    """

    judge: str
    stage: str
    calls: float
    rounds: float
    slots: float
    failed: float
    by_query: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured on one collection.

    Attributes:
        name: The collection's, short.
        title: What it is.
        measure: What `by_query` holds.
        candidates: Documents of the longest list.
        seeds: How many, from 0.
        versions: Of packages, and of Python.
        student_t: The factor of a standard error in a 95 % interval over these queries.
        judges: By name.
        queries: Ids.
        entries: The measurements.
    """

    name: str
    title: str
    measure: str
    candidates: int
    seeds: int
    versions: Mapping[str, str]
    student_t: float
    judges: Mapping[str, Character]
    queries: tuple[str, ...]
    entries: tuple[Entry, ...]

    def interval(self, values: tuple[float, ...]) -> tuple[float, float]:
        """The mean over queries, and half of its 95 % interval."""
        return fmean(values), self.student_t * stdev(values) / math.sqrt(len(values))

    def save(self, path: Path) -> None:
        """Writes the measurements as JSON, one entry a line."""
        head = {"format": FORMAT, "version": VERSION, **asdict(self)}
        entries = ",\n".join(json.dumps(entry) for entry in head.pop("entries"))
        opening = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
        path.write_text(f'{opening},\n "entries": [\n{entries}\n]}}\n', encoding="utf-8")

    @classmethod
    def read(cls, text: str, where: str) -> Self:
        """What `save` wrote.

        Raises:
            InputError: It is something else.
        """
        try:
            found: dict[str, Any] = json.loads(text)
            if (found.pop("format"), found.pop("version")) != (FORMAT, VERSION):
                raise ValueError  # noqa: TRY301
            judges = {name: Character(**character) for name, character in found.pop("judges").items()}
            entries = tuple(Entry(**row | {"by_query": tuple(row["by_query"])}) for row in found.pop("entries"))
            return cls(**found | {"judges": judges, "entries": entries, "queries": tuple(found["queries"])})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{where} holds no measurements of this version: eval/frontier/run.py writes them"
            ) from None


def shipped() -> list[Measured]:
    """The measurements that come with this package, those of the longest lists first."""
    paths = [path for path in files(__package__).iterdir() if path.name.endswith(".json")]
    found = [Measured.read(path.read_text(encoding="utf-8"), path.name) for path in paths]
    return sorted(found, key=lambda measured: (-measured.candidates, measured.name))


def nearest(measured: list[Measured], length: float) -> Measured:
    """The measurements on the lists that are nearest in length, by ratio."""
    return min(measured, key=lambda each: abs(math.log(each.candidates / max(1.0, length))))
