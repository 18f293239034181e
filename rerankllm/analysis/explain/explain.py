"""Why a document stands where it does in a run, or what tells it from another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from rerankllm.analysis.answers import Answers
from rerankllm.analysis.explain.as_json import history_dict, pair_dict
from rerankllm.analysis.explain.evidence import Evidence, Pair
from rerankllm.analysis.explain.find import RankedQuery, find_ranked
from rerankllm.analysis.explain.history import DocumentHistory, history
from rerankllm.analysis.explain.text import facts, line, said_of, told
from rerankllm.experiments.folder import corpus_of
from rerankllm.files import plain
from rerankllm.formats import beir
from rerankllm.spec.stage import Stage

if TYPE_CHECKING:
    from rerankllm.analysis.certified import Certified

FilePath: TypeAlias = str | PathLike[str]
QUOTED = 400
"""Characters of a document that are quoted; JSON has all."""
TOP = 10
"""First places that are certified."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a document stands where it does. Printed, it is the sentences of `rerankllm explain`.

    Attributes:
        query: The query's ranking with its judgements.
        document: What the judgements say of the document.
        top_k: The first places that `certified` is about.
        certified: How many answers could have been others before the document came into the top k, or out of it; or
            why that is not known.
        texts: What the document and its neighbours say, by id, as far as that is known.
    """

    query: RankedQuery
    document: DocumentHistory
    top_k: int
    certified: "Certified"
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not known, and what would help."""
        return self.query.notes

    @property
    def facts(self) -> list[str]:
        """The few sentences that matter most."""
        said = facts(self.document, self.query.ranked)
        if not isinstance(self.certified, str):
            from rerankllm.analysis.certified import sentence  # noqa: PLC0415  # numpy, which `--help` does without

            rank = self.document.rank
            inside = rank is not None and rank <= self.top_k
            said.append(sentence(self.certified, self.top_k, self.document.doc_id, inside=inside))
        return said

    @property
    def judgements(self) -> list[str]:
        """A line for each judgement that showed the document."""
        return [line(each, self.document.doc_id) for each in self.document.appearances]

    def to_dict(self) -> dict[str, Any]:
        """All of it, as `rerankllm explain --format json` writes it."""
        known = {"reason": self.certified} if isinstance(self.certified, str) else self.certified
        found = {"certified": {"top_k": self.top_k, **plain(known)}, **_told(self.texts)}
        return plain({**self.query.head(), **history_dict(self.document), **found})  # type: ignore[no-any-return]

    def __str__(self) -> str:
        listed = [f"- {each}" for each in self.judgements]
        return "\n".join([*self.facts, *quoted(self.texts), *(["", *listed] if listed else [])])


@dataclass(frozen=True, slots=True)
class PairExplanation:
    """What tells two documents apart. Printed, it is the sentences of `rerankllm explain --compare`.

    Attributes:
        query: The query's ranking with its judgements.
        pair: What the judgements say of the two; `pair.one` stands above.
        texts: What the two say, by id, as far as that is known.
    """

    query: RankedQuery
    pair: Pair
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not known, and what would help."""
        return self.query.notes

    @property
    def ranks(self) -> list[str]:
        """Where each of the two stands, in a sentence."""
        return [self.query.standing(doc_id) for doc_id in (self.pair.one, self.pair.other)]

    @property
    def verdict(self) -> str:
        """What tells the two apart, in a sentence."""
        return told(self.pair)

    @property
    def judgements(self) -> list[str]:
        """A line for each judgement that showed both."""
        return list(_judgements(self.pair))

    def to_dict(self) -> dict[str, Any]:
        """All of it, as `rerankllm explain --compare --format json` writes it."""
        ranks = {doc_id: self.query.places(doc_id) for doc_id in (self.pair.one, self.pair.other)}
        said = {**self.query.head(), "ranks": ranks, **pair_dict(self.pair), **_told(self.texts)}
        return plain(said)  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return "\n".join([*self.ranks, self.verdict, *quoted(self.texts), *(f"- {each}" for each in self.judgements)])


def quoted(texts: Mapping[str, str]) -> list[str]:
    """The documents' beginnings, a line each."""
    return [f"{doc_id}: “{text if len(text) <= QUOTED else f'{text[:QUOTED]} …'}”" for doc_id, text in texts.items()]


def _told(texts: Mapping[str, str]) -> dict[str, Any]:
    return {"texts": texts} if texts else {}


@overload
def explain(
    run: FilePath,
    query_id: str,
    doc_id: str,
    *,
    against: None = None,
    journal: FilePath | None = None,
    first_stage: FilePath | None = None,
    stage: str | None = None,
    corpus: FilePath | None = None,
    top_k: int = TOP,
) -> Explanation: ...
@overload
def explain(
    run: FilePath,
    query_id: str,
    doc_id: str,
    *,
    against: str,
    journal: FilePath | None = None,
    first_stage: FilePath | None = None,
    stage: str | None = None,
    corpus: FilePath | None = None,
    top_k: int = TOP,
) -> PairExplanation: ...
@overload
def explain(
    run: FilePath,
    query_id: str,
    doc_id: str,
    *,
    against: str | None,
    journal: FilePath | None = None,
    first_stage: FilePath | None = None,
    stage: str | None = None,
    corpus: FilePath | None = None,
    top_k: int = TOP,
) -> Explanation | PairExplanation: ...
def explain(
    run: FilePath,
    query_id: str,
    doc_id: str,
    *,
    against: str | None = None,
    journal: FilePath | None = None,
    first_stage: FilePath | None = None,
    stage: str | None = None,
    corpus: FilePath | None = None,
    top_k: int = TOP,
) -> Explanation | PairExplanation:
    """Says why a document stands where it does: each judgement that showed it, the answer, and how it moved.

    The journal is read; no model is called. A journal holds what was asked and answered, and not how a strategy went
    on from there, so moves are told only where they account for the whole ranking.

    Args:
        run: What `rerankllm rerank` wrote.
        query_id: The query's id.
        doc_id: The document's id.
        against: The id of another document: says instead what tells the two apart.
        journal: The run's journal; `RUN.journal` when left out.
        first_stage: The run that was reranked; as the journal says when left out.
        stage: Of several stages in the journal, the one that made the run.
        corpus: The documents, to quote those that are named; the experiment's for a run in one's folder.
        top_k: First places: says how many answers could have been others before the document came in, or out.

    Raises:
        InputError: There is no journal, nothing that is known of the query holds the document, or several stages could
            have made the run.
    """
    found = find_ranked(Path(run), query_id, journal=_path(journal), first_stage=_path(first_stage), stage=stage)
    for each in (doc_id, *([against] if against is not None else [])):
        found.check(each)
    if against is None:
        of, document = found.ranked, history(found.ranked, doc_id)
        above, below = document.above, document.below
        named = [doc_id, *([above.one] if above else []), *([below.other] if below else [])]
        from rerankllm.analysis.certified import certified  # noqa: PLC0415  # as above

        known = certified(Stage.parse(found.stage), of.doc_ids, of.first, of.judgements, top_k, only=doc_id)
        return Explanation(found, document, top_k, known, _texts(Path(run), corpus, named))
    doc_ids = found.ranked.doc_ids
    one, other = doc_id, against
    if one in doc_ids and other in doc_ids and doc_ids.index(other) < doc_ids.index(one):
        one, other = other, one
    pair = Evidence(found.ranked.judgements).pair(one, other)
    return PairExplanation(found, pair, _texts(Path(run), corpus, [one, other]))


def _texts(run: Path, corpus: FilePath | None, doc_ids: Sequence[str]) -> dict[str, str]:
    """What the documents say, in this order; nothing where no corpus is given or known."""
    path = _path(corpus) or corpus_of(run)
    if path is None:
        return {}
    documents = beir.read_corpus(beir.read_folder(path).corpus if path.is_dir() else path, set(doc_ids))
    return {doc_id: documents[doc_id].content for doc_id in doc_ids if doc_id in documents}


def _path(given: FilePath | None) -> Path | None:
    return None if given is None else Path(given)


def _judgements(pair: Pair) -> Iterator[str]:
    for each, verdict in pair.together:
        said = {1: f"for {pair.one}", -1: f"for {pair.other}", 0: "a tie"}
        parts = (*each.shown(pair.one), *each.shown(pair.other))
        places = "; ".join(f"{part} shown {each.docs.index(part) + 1}, {said_of(each, part)}" for part in parts)
        won = "neither" if verdict is None else said[verdict]
        yield f"round {each.round}, {_call(each)}: {each.kind} of {len(each.docs)}: {won}; {places}"


def _call(said: Answers) -> str:
    return f"call {said.call}" if said.call is not None else "bought by another run"
