"""Embeddings: documents by how close they lie to the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Query, Ranking, float32
from rerankllm.errors import QueryFailed
from rerankllm.judgements import Embed, Steps, ask
from rerankllm.plan import Plan


@dataclass(frozen=True, slots=True)
class CosineSimilarity:
    """Sorts by the cosine of the angle between query and document; equal cosines keep the first stage's order.

    The bi-encoder of Reimers and Gurevych 2019, "Sentence-BERT", section 3. Query and documents are encoded apart, so
    nothing is compared in context; `interpolate(embed)` fuses it with the first stage.

    Cost: 1 call, 1 round, n slots. Settles nothing: vectors are neither right nor wrong.
    """

    asks: ClassVar[tuple[type, ...]] = (Embed,)

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: A vector has a component that is no finite number.
        """
        docs = tuple(candidate.document for candidate in candidates)
        ranking = yield from by_cosine(Embed(query, docs))
        return ranking

    def plan(self, n: int) -> Plan:
        """Exact."""
        return Plan.exactly(min(n, 1), min(n, 1), n)

    def settles(self, n: int) -> None:
        """Nothing can be promised."""
        del n


def by_cosine(judgement: Embed) -> Steps[Ranking]:
    """Asks where query and documents lie, and ranks by that; nothing is asked about no documents.

    Raises:
        QueryFailed: A vector has a component that is no finite number.
    """
    import numpy as np  # noqa: PLC0415

    docs = judgement.docs
    if not docs:
        return Ranking.of(judgement.query, docs)
    (answer,) = yield from ask([judgement])
    vectors = np.asarray(answer, dtype=np.float64)
    if not np.isfinite(vectors).all():
        raise QueryFailed("an embedding holds a component that is no finite number")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    scores = [float32(cosine) for cosine in unit[1:] @ unit[0]]
    order = sorted(range(len(docs)), key=lambda i: -scores[i])
    return Ranking.of(judgement.query, [docs[i] for i in order], [scores[i] for i in order])
