"""What a strategy asks of a judge."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rerankllm.data import Document, Query


@dataclass(frozen=True, slots=True)
class Score:
    """How relevant is one document? Answered by a float; the elicitation says on which scale."""

    query: Query
    doc: Document

    @property
    def docs(self) -> tuple[Document, ...]:
        return (self.doc,)


@dataclass(frozen=True, slots=True)
class Compare:
    """Which of two is better, shown in this order? Answered by p(first wins); 0.5 is a tie.

    One order only: asking both ways is two judgements, combined in `rerankllm.calibration.order`.
    """

    query: Query
    first: Document
    second: Document

    @property
    def docs(self) -> tuple[Document, ...]:
        return (self.first, self.second)


@dataclass(frozen=True, slots=True)
class Select:
    """Which `m` are best (or worst)? Answered by m document ids, best (worst) first, or by as many as were named."""

    query: Query
    docs: tuple[Document, ...]
    m: int = 1
    worst: bool = False


@dataclass(frozen=True, slots=True)
class Ends:
    """Which is the best, and which the worst? Answered by their two ids, the best first."""

    query: Query
    docs: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Permute:
    """In what order do these belong? Answered by a `WeakOrder`. `decode` asks for the first so many only."""

    query: Query
    docs: tuple[Document, ...]
    decode: int | None = None


@dataclass(frozen=True, slots=True)
class Grade:
    """What grade, 0 to `scale`, does each deserve? Answered by one float a document, in order; NaN for no grade."""

    query: Query
    docs: tuple[Document, ...]
    scale: int = 10


@dataclass(frozen=True, slots=True)
class Criterion:
    """Something that documents for a query are judged by.

    Attributes:
        text: What it is, in a few words.
        weight: How much it counts, relative to the others.
    """

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Write:
    """By what should documents for this query be judged? Answered by `count` criteria, or as many as were written."""

    query: Query
    count: int

    @property
    def docs(self) -> tuple[Document, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What might a document say that deserves this grade, 0 to 3? Answered by its text."""

    query: Query
    grade: int = 2

    @property
    def docs(self) -> tuple[Document, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Assess:
    """How well, 0 to `scale`, does a document meet each criterion, and why? Answered by an `Assessment`."""

    query: Query
    doc: Document
    criteria: tuple[Criterion, ...]
    scale: int = 10

    @property
    def docs(self) -> tuple[Document, ...]:
        return (self.doc,)


@dataclass(frozen=True, slots=True)
class Embed:
    """Where do the query and these documents lie? Answered by an array, the query's vector in row 0.

    With `feedback`, that is the vector of the query shown together with so many of the first documents.
    """

    query: Query
    docs: tuple[Document, ...]
    feedback: int = 0


@dataclass(frozen=True, slots=True)
class Prior:
    """What does a model say to `of`, in which there is nothing to read? Answered by a log-probability a label.

    No strategy asks this: it goes before what a strategy asks where an elicitation takes the labels' own likelihood
    off. It shows no document.

    Attributes:
        of: A judgement whose texts are free of content.
    """

    of: "Score | Compare | Select | Permute"

    @property
    def query(self) -> Query:
        return self.of.query

    @property
    def docs(self) -> tuple[Document, ...]:
        return ()


Judgement: TypeAlias = Score | Compare | Select | Ends | Permute | Grade | Write | Draft | Assess | Embed | Prior


def slots_of(judgement: Judgement) -> int:
    """The passage copies that a judgement sends."""
    again = min(judgement.feedback, len(judgement.docs)) if isinstance(judgement, Embed) else 0
    return len(judgement.docs) + again


IN_WORDS: Mapping[type, str] = {
    Score: "score passages",
    Compare: "compare two passages",
    Select: "choose among passages",
    Ends: "name the best and the worst of several passages",
    Permute: "put passages in order",
    Grade: "grade every passage of a group",
    Write: "write criteria",
    Draft: "write a passage",
    Assess: "grade a passage by criteria",
    Embed: "embed texts",
}
"""What whoever answers each kind of judgement does: messages for people go by this."""
