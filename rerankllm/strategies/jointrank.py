"""JointRank: overlapping blocks, all ranked at once, and one order from all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.bradley_terry import BradleyTerry
from rerankllm.data import Candidate, Query, Ranking, float32
from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import Permute, Steps, Unanswered, try_ask
from rerankllm.plan import Plan
from rerankllm.strategies.blocks.designs import Blocks, Design, blocks, sizes
from rerankllm.strategies.questions.lists import seeded, vote_of


@dataclass(frozen=True, slots=True)
class JointRank:
    """Ranks blocks that share documents, side by side, and aggregates their orders.

    Dedov 2025, "JointRank: rank large set with single pass", section 3; `blocks.designs` says what the
    designs are. Documents that an answer omits count as tied with one another and beaten by those it names: the order
    in which a block happened to show them is no evidence. Bradley–Terry strengths, with their prior, take unequal
    opponents into account; in simulations with noisy answers they ordered better than PageRank, the published default.

    Cost: ⌈n·replicas / block⌉ calls and n·replicas slots in 1 round for `equi`, which is 20 calls and 400 slots for
    n = 100. A block of one document is not asked. Equal scores keep the first stage's order. An answer that cannot be
    used is no evidence, and the other blocks decide. Documents in no block that has an answer follow all others, in
    the first stage's order and without a score. Settles the whole list when it fits one block, nothing otherwise.

    Attributes:
        block: Documents in one prompt, at least 2.
        replicas: In how many blocks a document occurs.
        design: Which documents are shown together.
        aggregate: What makes one order of the blocks'.
        seed: Of the design's shuffles.
    """

    block: int = 20
    replicas: int = 4
    design: Design = "equi"
    aggregate: Aggregation = field(default_factory=BradleyTerry)
    seed: int = 0
    asks: ClassVar[tuple[type, ...]] = (Permute,)

    def __post_init__(self) -> None:
        if self.block < 2:  # noqa: PLR2004
            raise SpecError(f"jointrank: block should be at least 2, found {self.block}")
        if self.replicas < 1:
            raise SpecError(f"jointrank: replicas should be at least 1, found {self.replicas}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            SpecError: The design does not exist for so many candidates.
            QueryFailed: No block has an answer that can be used.
        """
        docs = [candidate.document for candidate in candidates]
        shown = self._blocks(len(docs), query)
        answers = yield from try_ask(Permute(query, tuple(docs[i] for i in members)) for members in shown)
        usable = [(m, a) for m, a in zip(shown, answers, strict=True) if not isinstance(a, Unanswered)]
        if shown and not usable:
            raise QueryFailed(answers[0].reason)
        ranked = sorted({i for members, _ in usable for i in members})
        scores = self.aggregate.scores([docs[i].doc_id for i in ranked], [vote_of(order) for _, order in usable])
        score = {i: float32(value) for i, value in zip(ranked, scores, strict=True)}
        order = sorted(ranked, key=lambda i: -score[i]) + [i for i in range(len(docs)) if i not in score]
        notes = {
            "omitted documents": sum(len(order.omitted) for _, order in usable),
            "blocks without an answer": len(shown) - len(usable),
        }
        return Ranking.of(
            query,
            [docs[i] for i in order],
            [score.get(i) for i in order],
            {note: count for note, count in notes.items() if count},
        )

    def plan(self, n: int) -> Plan:
        """Exact but for blocks that are alike, of few documents: chance decides who is in a block, not how many."""
        shown = {size: count for size, count in sizes(self.design, n, self.block, self.replicas).items() if size > 1}
        slots = sum(size * count for size, count in shown.items())
        exact = Plan.exactly(sum(shown.values()), int(bool(shown)), slots)
        return exact.or_fewer(-(-n // self.block), 1, n) if n <= self.block else exact

    def settles(self, n: int) -> int | None:
        """Everything when every block holds it; otherwise strengths are estimates."""
        return n if n <= self.block else None

    def _blocks(self, n: int, query: Query) -> Blocks:
        chance = seeded(self.seed, query)
        return [m for m in blocks(self.design, n, self.block, self.replicas, chance) if len(m) > 1]
