"""One judgement as the journal has it, and what its answer says of the documents in it."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import Any, NamedTuple

from rerankllm.journal.read import judged
from rerankllm.journal.store import Journal


class Level(NamedTuple):
    """Where an answer puts a document among those it was shown with.

    Attributes:
        at: Lower is better.
        named: Whether the answer says so of it in particular, or only of those it did not name, as a choice does.
    """

    at: float
    named: bool = True


@dataclass(frozen=True, slots=True)
class Answers:
    """A judgement and its answer.

    Attributes:
        call: The call's number in the journal; None for an answer that was bought by another run.
        round: The step of the strategy that asked, from 1.
        kind: What was asked, such as Compare.
        docs: The documents shown, in that order.
        parameters: What else was asked.
        answer: As a recording has it; None where nothing in it could be used.
        reason: Why not.
        status: How it read: parsed, repaired or failed.
        repairs: What was repaired, with how often.
        judge: Who answered, as JSON.
        whole: Of the passages that were shown under ids of their own, the document.
    """

    call: int | None
    round: int
    kind: str
    docs: tuple[str, ...]
    parameters: Mapping[str, Any]
    answer: Any
    reason: str | None
    status: str
    repairs: Mapping[str, int]
    judge: str
    whole: Mapping[str, str] = field(default_factory=dict)

    def of(self, shown: str) -> str:
        """The document that was shown under this id: itself, or the one whose passage it is."""
        return self.whole.get(shown, shown)

    def shown(self, doc_id: str) -> tuple[str, ...]:
        """The ids under which it shows a document; several, where several of its passages are in it."""
        return tuple(shown for shown in self.docs if self.of(shown) == doc_id)

    @property
    def model(self) -> str:
        """Who answered."""
        return str(json.loads(self.judge)["model"])

    @property
    def levels(self) -> Mapping[str, Level]:
        """Where the answer puts the documents relative to one another; only those of which it says something."""
        read = _LEVELS.get(self.kind)
        return {} if read is None or self.answer is None else read(self)

    @property
    def standing(self) -> Mapping[str, Level]:
        """The level of each document: that of its best passage."""
        found: dict[str, Level] = {}
        for shown, level in self.levels.items():
            found[self.of(shown)] = min(level, found.get(self.of(shown), level), key=lambda each: each.at)
        return found

    @property
    def scores(self) -> Mapping[str, float]:
        """The score that the answer gives to each document, larger being better; comparable between judgements."""
        read = _SCORES.get(self.kind)
        found = {} if read is None or self.answer is None else read(self)
        return {doc_id: score for doc_id, score in found.items() if not math.isnan(score)}

    def verdict(self, one: str, other: str) -> int | None:
        """1 where it puts `one` before `other`, -1 behind, 0 for a tie; None where it does not tell them apart."""
        levels = self.standing
        if one not in levels or other not in levels or not (levels[one].named or levels[other].named):
            return None
        return (levels[one].at < levels[other].at) - (levels[one].at > levels[other].at)


def heard(journal: Journal, key: str) -> Iterator[Answers]:
    """The judgements of one ranking that show a document, in the order they were asked."""
    for row in judged(journal, key=key):
        record = json.loads(row.record)
        if record["docs"]:
            yield Answers(
                row.call,
                row.place.step + 1,
                record["judgement"],
                tuple(doc_id for doc_id, _ in record["docs"]),
                record["parameters"],
                record.get("answer"),
                record.get("reason"),
                record["status"],
                record["repairs"],
                row.judge,
            )


def _permuted(said: Answers) -> dict[str, Level]:
    groups = said.answer["groups"]
    found = {doc_id: Level(i) for i, group in enumerate(groups) for doc_id in group}
    if said.parameters.get("decode") is not None:  # only the first so many were asked for
        found |= dict.fromkeys(said.answer["omitted"], Level(len(groups), named=False))
    return found


def _selected(said: Answers) -> dict[str, Level]:
    chosen: Sequence[str] = said.answer
    rest = dict.fromkeys((doc_id for doc_id in said.docs if doc_id not in chosen), Level(0, named=False))
    sign = -1 if not said.parameters["worst"] else 1
    return rest | {doc_id: Level(sign * (len(chosen) - i)) for i, doc_id in enumerate(chosen)}


def _ends(said: Answers) -> dict[str, Level]:
    best, worst = said.answer
    return {doc_id: Level(1, named=False) for doc_id in said.docs} | {best: Level(0), worst: Level(2)}


def _compared(said: Answers) -> dict[str, Level]:
    first, second = said.docs
    return {first: Level(1 - said.answer), second: Level(said.answer)}


def _graded(said: Answers) -> dict[str, Level]:
    pairs = zip(said.docs, said.answer, strict=True)
    return {doc_id: Level(-grade) for doc_id, grade in pairs if grade is not None}


def _scored(said: Answers) -> dict[str, float]:
    return {said.docs[0]: float(said.answer)}


def _grades(said: Answers) -> dict[str, float]:
    """The grades of a document group, taken as scores: they are compared with the grades of other groups."""
    return {doc_id: -level.at for doc_id, level in _graded(said).items()}


def _assessed(said: Answers) -> dict[str, float]:
    """The mean of the grades by the weights of their criteria."""
    graded = [
        (criterion["weight"], grade)
        for criterion, grade in zip(said.parameters["criteria"], said.answer["grades"], strict=True)
        if grade is not None
    ]
    total = sum(weight for weight, _ in graded)
    return {said.docs[0]: sum(weight * grade for weight, grade in graded) / total if total else math.nan}


def _embedded(said: Answers) -> dict[str, float]:
    """The cosine of the query's vector and each document's."""
    query, *vectors = said.answer
    return {doc_id: _cosine(query, vector) for doc_id, vector in zip(said.docs, vectors, strict=True)}


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(map(mul, one, other)) / lengths if lengths else math.nan


_LEVELS: Mapping[str, Callable[[Answers], dict[str, Level]]] = {
    "Permute": _permuted,
    "Select": _selected,
    "Ends": _ends,
    "Compare": _compared,
    "Grade": _graded,
}
_SCORES: Mapping[str, Callable[[Answers], dict[str, float]]] = {
    "Score": _scored,
    "Grade": _grades,
    "Assess": _assessed,
    "Embed": _embedded,
}
