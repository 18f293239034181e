"""The values everything else passes around: queries, documents, rankings, and what they cost."""

import struct
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Self, overload

from rerankllm.display import table, text_table
from rerankllm.errors import MissingExtra

SHOWN = 20
"""Results of a ranking that are printed, or that a notebook shows."""


@dataclass(frozen=True, slots=True)
class Query:
    """What the user asked.

    Attributes:
        query_id: Identifier, unique within a run.
        text: The query as it is shown to the model.
    """

    query_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One retrievable text.

    Attributes:
        doc_id: Identifier, unique within a query's candidates.
        text: The passage.
        title: Shown before the text, when there is one.
        metadata: The caller's own; carried through untouched and never shown to a model.
    """

    doc_id: str
    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def content(self) -> str:
        """Title and text on one line, white space folded: what a model is shown."""
        return " ".join(f"{self.title} {self.text}".split())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document as the first stage returned it.

    Attributes:
        document: The document.
        score: The first stage's score; None when there was no first stage that scores.
    """

    document: Document
    score: float | None = None

    @property
    def doc_id(self) -> str:
        return self.document.doc_id


class Provenance(StrEnum):
    """Why a result stands where it does."""

    JUDGED = "judged"
    """A model's answers placed it."""
    UNREAD = "unread"
    """No model read it. The first stage placed it, behind all that were read unless the strategy mixes the two."""


@dataclass(frozen=True, slots=True)
class Result:
    """One place in a ranking.

    Attributes:
        rank: 1 is best.
        document: The document at that rank.
        score: The strategy's own score, larger is better, comparable within the query only; None where the
            strategy yields an order without scores.
        provenance: Whether a model's answers put it there.
        probability: How likely it is among the `top_k` most relevant, where the strategy says so.
        rationale: Why it stands there, in the model's words, where the strategy asks for reasons.
        relevance: How likely it is relevant, where a calibration says so.
        input_rank: Its place among the candidates as they were given, from 1; None if that is unknown.
    """

    rank: int
    document: Document
    score: float | None = None
    provenance: Provenance = Provenance.JUDGED
    probability: float | None = None
    rationale: str | None = None
    relevance: float | None = None
    input_rank: int | None = None

    @property
    def doc_id(self) -> str:
        return self.document.doc_id

    @property
    def text(self) -> str:
        return self.document.text

    def to_dict(self) -> dict[str, Any]:
        """The result with its document, as JSON can hold it; what is not known is left out, but for the score."""
        known = {
            "title": self.document.title,
            **{name: getattr(self, name) for name in ("probability", "relevance", "rationale", "input_rank")},
            "metadata": dict(self.document.metadata),
        }
        return {
            "rank": self.rank,
            "doc_id": self.doc_id,
            "score": self.score,
            "text": self.document.text,
            "provenance": self.provenance.value,
            **{name: value for name, value in known.items() if value not in (None, "", {})},
        }


_fill_in = object.__setattr__


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call or many took, as the backend counted it.

    Attributes:
        prompt_tokens: Tokens read.
        completion_tokens: Tokens generated.
        cached_tokens: How many of the prompt tokens the host or the engine found in its cache, where it says so.
        searches: Search units, in which some reranking APIs count.
        remembered_tokens: Tokens that were not read again, as what was read of them before is remembered here; they are
            no prompt tokens.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    searches: float = 0.0
    remembered_tokens: int = 0

    def __add__(self, other: Self) -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.searches + other.searches,
            self.remembered_tokens + other.remembered_tokens,
        )


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a ranking, or a whole run, cost and how the answers read.

    Ledgers add up; `rounds` is the longest chain over the queries added, since queries run side by side.

    Attributes:
        calls: Judgements answered.
        replayed: How many of them a journal answered: they were paid for before.
        attempts: Requests sent, retries included.
        rounds: Longest chain of calls that had to wait for one another.
        slots: Passage copies sent.
        parsed: Answers that were exactly a complete answer.
        repaired: Answers from which something was dropped, or to which something was added.
        failed: Calls without a usable answer.
        forms: How often answers were written in each form, such as `chain` or `json`, where they had to be read.
        orders: Answers that put four documents or more in an order.
        as_shown: How many of them only give back the order in which the documents were shown.
        usage: Tokens sent and generated.
        cost_usd: Money; 0 for local models, None when the price is unknown.
        notes: What else the reader should know, with how often it happened.
    """

    calls: int = 0
    replayed: int = 0
    attempts: int = 0
    rounds: int = 0
    slots: int = 0
    parsed: int = 0
    repaired: int = 0
    failed: int = 0
    forms: Mapping[str, int] = field(default_factory=dict)
    orders: int = 0
    as_shown: int = 0
    usage: Usage = Usage()
    cost_usd: float | None = 0.0
    notes: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Ledger") -> "Ledger":
        """The two side by side: everything adds, rounds take the longer chain."""
        return self._sum(other, rounds=max(self.rounds, other.rounds))

    def then(self, other: "Ledger") -> "Ledger":
        """The one after the other: everything adds, rounds too."""
        return self._sum(other, rounds=self.rounds + other.rounds)

    def _sum(self, other: "Ledger", rounds: int) -> "Ledger":
        unknown = self.cost_usd is None or other.cost_usd is None
        return Ledger(
            calls=self.calls + other.calls,
            replayed=self.replayed + other.replayed,
            attempts=self.attempts + other.attempts,
            rounds=rounds,
            slots=self.slots + other.slots,
            parsed=self.parsed + other.parsed,
            repaired=self.repaired + other.repaired,
            failed=self.failed + other.failed,
            forms=_added(self.forms, other.forms),
            orders=self.orders + other.orders,
            as_shown=self.as_shown + other.as_shown,
            usage=self.usage + other.usage,
            cost_usd=None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
            notes=_added(self.notes, other.notes),
        )


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The sums, those of `one` first."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


@dataclass(frozen=True, slots=True)
class Cut:
    """How a ranking was cut off: that it is short, or empty, is an answer and no failure.

    Attributes:
        rule: The rule, as it prints.
        dropped: How many results are gone.
        expected_precision: The mean relevance of those left; None where none is.
        expected_recall: Their part of the relevance of all that were read; None where there was none.
    """

    rule: str
    dropped: int
    expected_precision: float | None
    expected_recall: float | None


@dataclass(frozen=True, repr=False)
class Ranking(Sequence[Result]):
    """One query's documents, best first: a sequence of `Result`, which prints as a table.

    Attributes:
        query: The query.
        results: Every candidate exactly once, unless `top_k` or a cut-off left some out.
        ledger: What it cost.
        cut: How it was cut off, by a cut-off that was asked for.
    """

    query: Query
    results: tuple[Result, ...]
    ledger: Ledger = Ledger()
    cut: Cut | None = None

    @classmethod
    def of(
        cls,
        query: Query,
        documents: Sequence[Document],
        scores: Sequence[float | None] | None = None,
        notes: Mapping[str, int] | None = None,
        *,
        probabilities: Sequence[float] | None = None,
        rationales: Sequence[str] | None = None,
    ) -> "Ranking":
        """A ranking of `documents` in the order given, with what else the strategy says of each and of the whole."""
        nothing = [None] * len(documents)
        values = scores if scores is not None else nothing
        chances = probabilities if probabilities is not None else nothing
        reasons = rationales if rationales is not None else nothing
        rows = zip(range(1, len(documents) + 1), documents, values, chances, reasons, strict=True)
        judged = Provenance.JUDGED
        results = [Result(rank, doc, value, judged, chance, reason) for rank, doc, value, chance, reason in rows]
        return cls(query, tuple(results), Ledger(notes=notes or {}))

    @cached_property
    def doc_ids(self) -> tuple[str, ...]:
        """Document ids, best first."""
        return tuple([result.document.doc_id for result in self.results])

    def placed(self, judged: Container[str], places: Mapping[str, int]) -> tuple[Result, ...]:
        """The results with what only a driver knows: which documents were judged, and where each came in.

        They are the same objects, filled in, unless that was done before: a strategy makes them to hand them over.
        """
        results = self.results
        if any(result.input_rank is not None for result in results):
            results = tuple([replace(result) for result in results])
        for result in results:
            doc_id = result.document.doc_id
            _fill_in(result, "provenance", Provenance.JUDGED if doc_id in judged else Provenance.UNREAD)
            _fill_in(result, "input_rank", places[doc_id])
        return results

    def top(self, k: int | None) -> "Ranking":
        """The first `k` results; all for None."""
        return self if k is None else self[:k]

    def to_dict(self) -> dict[str, Any]:
        """The ranking as JSON can hold it: the query, its results with their documents, and what it cost."""
        return {
            "query_id": self.query.query_id,
            "query": self.query.text,
            "results": [result.to_dict() for result in self.results],
            "calls": self.ledger.calls,
            "tokens": {"prompt": self.ledger.usage.prompt_tokens, "completion": self.ledger.usage.completion_tokens},
            "cost_usd": self.ledger.cost_usd,
        }

    def to_pandas(self) -> Any:
        """The ranking as a pandas DataFrame: a row a result, the documents' metadata in columns of their own.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415
        except ImportError:
            raise MissingExtra("to_pandas needs pandas: pip install 'rerankllm[tables]'") from None
        rows = [result.to_dict() for result in self.results]
        columns = _columns(rows)
        return pd.DataFrame([{**row.get("metadata", {}), **row} for row in rows], columns=columns)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> "Ranking": ...
    def __getitem__(self, index: int | slice) -> "Result | Ranking":
        return replace(self, results=self.results[index]) if isinstance(index, slice) else self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __repr__(self) -> str:
        """A table as wide as the terminal: rank, id, score where there are any, and how the passage begins."""
        scored = any(result.score is not None for result in self.results)
        rows = [
            [str(result.rank), result.doc_id, *([_shown(result.score)] if scored else []), result.document.content]
            for result in self.results[:SHOWN]
        ]
        header = ["rank", "id", *(["score"] if scored else []), "text"]
        hidden = len(self) - len(rows)
        shown = text_table(header, rows, frozenset({0, 2}) if scored else frozenset({0}))
        more = [f"… {hidden} more"] if hidden else []
        notes = [f"note: {note}" + (f" ({count})" if count > 1 else "") for note, count in self.ledger.notes.items()]
        return "\n".join([shown, *more, *notes])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        rows = [
            (result.rank, _moved(result), result.doc_id, f"{result.document.title} {result.document.text}")
            for result in self.results[:SHOWN]
        ]
        hidden = len(self) - len(rows)
        return table(self.query.text, ("rank", "from", "doc_id", "text"), rows, f"{hidden} more" if hidden else "")


def _shown(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of a frame: what there is of a result, then the metadata."""
    own = dict.fromkeys(name for row in rows for name in row if name != "metadata")
    own = own or dict.fromkeys(("rank", "doc_id", "score", "text"))
    return [*own, *dict.fromkeys(name for row in rows for name in row.get("metadata", {}) if name not in own)]


def _moved(result: Result) -> str:
    """Where a result was, with an arrow where it moved."""
    if result.input_rank is None:
        return ""
    arrow = "↑" if result.rank < result.input_rank else "↓" if result.rank > result.input_rank else ""
    return f"{result.input_rank} {arrow}".rstrip()


def float32(value: float) -> float:
    """The nearest single-precision number: what scores are compared as, here and by trec_eval."""
    return float32s((value,))[0]


def float32s(values: Sequence[float]) -> tuple[float, ...]:
    """The same of many."""
    numbers = struct.Struct(f"{len(values)}f")
    return numbers.unpack(numbers.pack(*values))
