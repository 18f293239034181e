"""What the judgements of a query say of one document: where it was shown, what was answered, how it moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rerankllm.analysis.answers import Answers
from rerankllm.analysis.explain.evidence import Evidence, Pair
from rerankllm.analysis.explain.moves import Stretch, walk

Standing: TypeAlias = Literal["judged", "never shown", "beyond depth"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One query's ranking, with what is known of how it came about.

    Attributes:
        doc_ids: As the run has them.
        first: The first stage's order; None where it is not known.
        depth: How many of those were to be read; None where it is not known.
        judgements: What was asked and answered.
    """

    doc_ids: Sequence[str]
    first: Sequence[str] | None
    depth: int | None
    judgements: Sequence[Answers]


@dataclass(frozen=True, slots=True)
class Appearance:
    """A judgement that showed the document.

    Attributes:
        heard: The judgement.
        shown: The id it was shown under: its own, or that of a passage of it.
        place: Where in it the document was shown, from 1.
        stretch: The places that its answer reordered, where that is how the ranking came about.
    """

    heard: Answers
    shown: str
    place: int
    stretch: Stretch | None


@dataclass(frozen=True, slots=True)
class Record:
    """The document's comparisons.

    Attributes:
        won: Against whom, an id a win; likewise `lost` and `tied`.
        unusable: Answers that say nothing.
        agreed: Pairs asked in both orders with the same outcome.
        disagreed: Those with another.
    """

    won: tuple[str, ...]
    lost: tuple[str, ...]
    tied: tuple[str, ...]
    unusable: int
    agreed: int
    disagreed: int


@dataclass(frozen=True, slots=True)
class DocumentHistory:
    """All that the judgements of a query say of a document.

    Attributes:
        doc_id: The document.
        rank: Its place in the run; None where it is not there.
        first_rank: Its place in the first stage; None where that is not known.
        standing: Whether it was judged, and if not why.
        appearances: The judgements that showed it, in order; one that shows several passages comes once for each.
        record: The outcomes of its comparisons; None without any.
        scores: Its mean score, its place among those scored, and how many they are; a row a judge.
        above: What tells it from its neighbour above, `Pair.one` being that one; None for the first.
        below: The same for the one below, `Pair.other`.
    """

    doc_id: str
    rank: int | None
    first_rank: int | None
    standing: Standing
    appearances: tuple[Appearance, ...]
    record: Record | None
    scores: tuple[tuple[float, int, int], ...]
    above: Pair | None
    below: Pair | None


def history(ranked: Ranked, doc_id: str) -> DocumentHistory:
    """What the judgements behind a ranking say of a document."""
    evidence = Evidence(ranked.judgements)
    rank, first_rank = _place(ranked.doc_ids, doc_id), _place(ranked.first or (), doc_id)
    shown = evidence.shown.get(doc_id, ())
    standing: Standing = "judged" if shown else "never shown"
    if not shown and first_rank is not None and ranked.depth is not None and first_rank > ranked.depth:
        standing = "beyond depth"
    stretches = _stretches(ranked)
    above = below = None
    if rank is not None:
        above = evidence.pair(ranked.doc_ids[rank - 2], doc_id) if rank > 1 else None
        below = evidence.pair(doc_id, ranked.doc_ids[rank]) if rank < len(ranked.doc_ids) else None
    return DocumentHistory(
        doc_id,
        rank,
        first_rank,
        standing,
        tuple(
            Appearance(each, part, each.docs.index(part) + 1, stretches.get(id(each)))
            for each in shown
            for part in each.shown(doc_id)
        ),
        _record(shown, doc_id, evidence),
        tuple(_among(scores, doc_id) for scores in evidence.scores.values() if doc_id in scores),
        above,
        below,
    )


def _place(doc_ids: Sequence[str], doc_id: str) -> int | None:
    return doc_ids.index(doc_id) + 1 if doc_id in doc_ids else None


def _stretches(ranked: Ranked) -> Mapping[int, Stretch]:
    """What each judgement reordered, by `id(judgement)`; empty unless such moves account for the whole ranking."""
    found = walk(ranked.first, ranked.judgements, ranked.doc_ids) if ranked.first else None
    return {id(each): stretch for each, stretch in zip(ranked.judgements, found or (), strict=False)}


def _record(shown: Sequence[Answers], doc_id: str, evidence: Evidence) -> Record | None:
    """The outcomes of a document's comparisons; None without any."""
    compared = [each for each in shown if each.kind == "Compare" and len(set(map(each.of, each.docs))) > 1]
    if not compared:
        return None
    others = [next(other for other in map(each.of, each.docs) if other != doc_id) for each in compared]
    met = [(other, each.verdict(doc_id, other)) for other, each in zip(others, compared, strict=True)]
    agreed, disagreed = map(sum, zip(*(evidence.pair(doc_id, o).orders for o in dict.fromkeys(others)), strict=True))
    won, lost, tied = (tuple(other for other, verdict in met if verdict == wanted) for wanted in (1, -1, 0))
    return Record(won, lost, tied, sum(verdict is None for _, verdict in met), agreed, disagreed)


def _among(scores: Mapping[str, float], doc_id: str) -> tuple[float, int, int]:
    """A document's score, its rank by score, and how many documents were scored."""
    own = scores[doc_id]
    return own, 1 + sum(score > own for score in scores.values()), len(scores)
