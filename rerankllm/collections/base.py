"""What every named collection offers, wherever it comes from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rerankllm.collections.documents import Documents
from rerankllm.data import Candidate, Query
from rerankllm.errors import InputError, MissingExtra, RerankError

Run = Mapping[str, Sequence[tuple[str, float]]]
"""For each query id its (doc_id, score) pairs, best first."""
Qrels = Mapping[str, Mapping[str, int]]
"""For each query id the grade of each judged doc_id."""


@dataclass(frozen=True, slots=True)
class FirstStage:
    """A run that comes with a collection.

    Attributes:
        run: The candidates of each query, best first.
        retriever: Who retrieved them.
    """

    run: Run
    retriever: str


@dataclass(frozen=True, slots=True)
class Collection:
    """A judged collection.

    Attributes:
        name: As on the command line.
        origin: Where it was read: library or host, id there, and version or commit where that is known.
        queries: Text of each judged query by id.
        qrels: The judgements.
        documents: The corpus.
        measures: What the collection's own papers report, in ir-measures' notation; the first is the main one.
        relevant_from: The lowest grade that binary measures count as relevant.
        excluded: For each query id the documents that its candidates must not hold.
        excluded_because: What the rule behind `excluded` is, for people.
        first_stage: The candidates that come with it, if any do.
        subtopics: For each query id and subtopic the grade of each judged doc_id; empty for most.
        members: Collections that this one is made of, by the prefix of their ids; means are taken over them.
        language: Code of the language of the texts, or `en-zh` where queries have another than documents. BM25
            tokenizes by it, and refuses what it has no rules for.
        notes: What users of its judgements should know.
    """

    name: str
    origin: str
    queries: Mapping[str, str]
    qrels: Qrels
    documents: Documents
    measures: tuple[str, ...] = ("nDCG@10",)
    relevant_from: int = 1
    excluded: Mapping[str, frozenset[str]] = field(default_factory=dict)
    excluded_because: str = ""
    first_stage: FirstStage | None = None
    subtopics: Mapping[str, Qrels] = field(default_factory=dict)
    members: Mapping[str, "Collection"] = field(default_factory=dict)
    language: str = "en"
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, str]:
        """The member each query belongs to; empty for a collection without members."""
        return {f"{prefix}/{query_id}": prefix for prefix, one in self.members.items() for query_id in one.qrels}

    def candidates(self, depth: int = 100) -> list[tuple[Query, list[Candidate]]]:
        """Every query with its candidates: the first `depth` of those that come with the collection, or of BM25's.

        It is what `Reranker.stream` takes. What the collection excludes is left out.

        Raises:
            InputError: BM25 cannot index the collection.
            MissingExtra: BM25 needs a package that is not installed.
        """
        from rerankllm.collections import bm25  # noqa: PLC0415 - which uses this module
        from rerankllm.formats.join import join  # noqa: PLC0415

        found = (
            bm25.retrieve(self, bm25.Bm25Settings(depth=depth)) if self.first_stage is None else self.first_stage.run
        )
        kept, _ = without_excluded(found, self.excluded)
        run = {query_id: entries[:depth] for query_id, entries in kept.items() if entries}
        documents = self.documents.many({doc_id for entries in run.values() for doc_id, _ in entries})
        joined = join(run, self.queries, documents, skip_missing=False)
        return [(query, list(candidates)) for query, candidates in joined.queries]


@dataclass(frozen=True, slots=True)
class CacheLocation:
    """Where a collection is kept on this machine.

    Attributes:
        path: The folder or file that is looked at.
        cached: Whether it is there.
    """

    path: str
    cached: bool


@contextmanager
def fetching(name: str, place: CacheLocation) -> Iterator[None]:
    """Turns whatever a library raises while it reads or fetches into one line.

    Raises:
        InputError: It could not; the line says where was looked and how to get it.
        MissingExtra: A package is not installed.
    """
    try:
        yield
    except RerankError:
        raise
    except ImportError as error:
        raise MissingExtra(f"{name}: {error.name} is missing: pip install 'rerankllm[collections]'") from error
    except Exception as error:  # each library has errors of its own, and here each means the same
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        state = "is there but could not be read" if place.cached else "is not cached here and could not be fetched"
        raise InputError(
            f"{name} {state} ({reason}); looked in {place.path}; fetch it where there is a network with "
            f"`rerankllm retrieve --dataset {name} --output run.txt` and copy that folder here"
        ) from error


def without_excluded(
    run: Run, excluded: Mapping[str, frozenset[str]]
) -> tuple[dict[str, list[tuple[str, float]]], int]:
    """The run without the documents its queries must not get, and how many those were."""
    none: frozenset[str] = frozenset()
    kept = {
        query_id: [entry for entry in entries if entry[0] not in excluded.get(query_id, none)]
        for query_id, entries in run.items()
    }
    return kept, sum(map(len, run.values())) - sum(map(len, kept.values()))


def own_ids(queries: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """BEIR's rule as `Collection.excluded`: no query gets the document that has its own id."""
    return {query_id: frozenset({query_id}) for query_id in queries}


OWN_ID = "a query's own text under its own id"
"""BEIR's evaluator drops documents whose id equals the query's (beir/retrieval/evaluation.py,
`ignore_identical_ids`); in ArguAna and Quora queries are documents of the corpus."""
