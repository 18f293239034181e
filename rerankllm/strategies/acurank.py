"""AcuRank: read again only what may or may not be among the first k."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import ClassVar

from rerankllm.data import Candidate, Document, Query, Ranking, float32
from rerankllm.errors import SpecError
from rerankllm.judgements import Permute, Steps, ask
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.belief.skill import MEAN, NOISE, Belief, chances_above, updated
from rerankllm.strategies.questions.lists import evenly, in_order, vote_of


@dataclass(frozen=True, slots=True)
class AcuRank:
    """Keeps a Gaussian belief about every document and spends calls where the first `top_k` places are open.

    Yoon et al. 2025, "AcuRank: uncertainty-aware adaptive computation for listwise reranking", section 3. Beliefs
    start at the first-stage scores. Every round, groups of `window` documents are ranked side by side and beliefs
    follow TrueSkill. The threshold is where k documents are expected to lie above; a document is uncertain when its
    chance to do so is between `tolerance` and 1 − tolerance. Round 1 reads everything; later ones the uncertain, those
    of like chances together. When fewer than `few` are, all that may be among the k are ranked once more, and the
    order is that of the means.

    The paper takes scores as means and a third of them as deviations, which fails at 0 and below, and depends on
    the retriever's units while TrueSkill's noise does not. Here scores are moved to a mean of 25 and a standard
    deviation of 25/6, the noise of one answer; every deviation starts at 25/3. Without scores, ranks stand in. The
    public code keeps TrueSkill's usual draw probability of .10 (`draw=0.1`), which makes an order say more; here an
    order says who is above whom and no more.

    Cost: ⌈n / window⌉ calls in round 1, then as many as it takes, `max_calls` together (never less than 1); 1 call
    when the list fits one window. With simulated judges on TREC DL 2019 it is 13 to 18 calls (19.7 published) in 7 to
    11 rounds: once the uncertain fit one window, every round is one call. What the budget leaves unread follows
    everything read, in the first stage's order. Settles the whole list when one window holds it; otherwise beliefs are
    estimates.

    Attributes:
        window: Documents in one prompt, at least 3, so that no group is left with one.
        top_k: Which place the threshold is at.
        tolerance: The chance of being wrong that counts as certain.
        few: So many uncertain documents, and no fewer, are worth another round.
        max_calls: Budget of one query.
        draw: TrueSkill's draw probability, from 0 to below 1.
    """

    window: int = 20
    top_k: int = 10
    tolerance: float = 0.01
    few: int = 10
    max_calls: int = 40
    draw: float = field(default=0.0, metadata={"unsaid": True})
    asks: ClassVar[tuple[type, ...]] = (Permute,)

    def __post_init__(self) -> None:
        if self.window < 3:  # noqa: PLR2004
            raise SpecError(f"acurank: window should be at least 3, found {self.window}")
        for name in ("top_k", "few", "max_calls"):
            if getattr(self, name) < 1:
                raise SpecError(f"acurank: {name} should be at least 1, found {getattr(self, name)}")
        if not 0 < self.tolerance < 0.5:  # noqa: PLR2004
            raise SpecError(f"acurank: tolerance should be between 0 and 0.5, found {self.tolerance}")
        if not 0 <= self.draw < 1:
            raise SpecError(f"acurank: draw should be from 0 to below 1, found {self.draw}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        docs = [candidate.document for candidate in candidates]
        n = len(docs)
        if n <= self.window:
            for order in (yield from ask([Permute(query, tuple(docs))] if n > 1 else [])):
                omitted = {"omitted documents": len(order.omitted)} if order.omitted else None
                return Ranking.of(query, in_order(order, docs), notes=omitted)
            return Ranking.of(query, docs)
        reading = _Reading(query, docs, self.window, _first_beliefs(candidates), self.draw)
        yield from reading.of(range(n)[: self._first_calls(n) * self.window])
        while True:
            chances = chances_above(reading.beliefs, self.top_k)
            likeliest = sorted(range(n), key=lambda i: -chances[i])
            left = max(0, self.max_calls - reading.calls)
            spare = left - self._last_calls(n)
            uncertain = [i for i in likeliest if self.tolerance < chances[i] < 1 - self.tolerance]
            if len(uncertain) < self.few or spare < 1:
                break
            nearest = set(sorted(uncertain, key=lambda i: abs(chances[i] - 0.5))[: spare * self.window])
            yield from reading.of([i for i in likeliest if i in nearest])
        possible = [i for i in likeliest if chances[i] > self.tolerance]
        yield from reading.of(possible[: left * self.window])
        return reading.ranking()

    def plan(self, n: int) -> Plan:
        """Exact for one window; else from the first round alone to the whole budget, a call a round."""
        if n <= self.window:
            return Plan.exactly(int(n > 1), int(n > 1), n if n > 1 else 0)
        first = self._first_calls(n)
        more = max(0, self.max_calls - first)
        slots = min(n, first * self.window)
        return Plan(Bound(first, first + more), Bound(1, 1 + more), Bound(slots, slots + more * self.window))

    def settles(self, n: int) -> int | None:
        """Everything, when one window holds it."""
        return n if n <= self.window else None

    def _first_calls(self, n: int) -> int:
        """Those of round 1: everything is read, as far as the budget goes."""
        return max(1, min(-(-n // self.window), self.max_calls - self._last_calls(n)))

    def _last_calls(self, n: int) -> int:
        """What is kept for the last round."""
        return -(-min(n, self.top_k + self.few) // self.window)


class _Reading:
    """What is believed of one query's documents, and the calls it rests on."""

    def __init__(self, query: Query, docs: Sequence[Document], window: int, beliefs: list[Belief], draw: float) -> None:
        self.query, self.docs, self.window, self.beliefs, self.draw = query, docs, window, beliefs, draw
        self.index = {doc.doc_id: i for i, doc in enumerate(docs)}
        self.read: set[int] = set()
        self.calls = 0
        self.notes = Counter[str]()

    def of(self, chosen: Sequence[int]) -> Steps[None]:
        """Has neighbours in `chosen` ranked, in groups, and learns from it."""
        groups = [group for group in evenly(chosen, self.window) if len(group) > 1]
        orders = yield from ask(Permute(self.query, tuple(self.docs[i] for i in group)) for group in groups)
        self.calls += len(groups)
        for group, order in zip(groups, orders, strict=True):
            if not order.ranked:
                continue
            ranks = [[self.index[doc_id] for doc_id in tied] for tied in vote_of(order).groups]
            self.beliefs = updated(self.beliefs, ranks, self.draw)
            self.read.update(group)
            self.notes["omitted documents"] += len(order.omitted)

    def ranking(self) -> Ranking:
        """By mean, what was not read behind the rest."""
        score = {i: float32(self.beliefs[i].mean) for i in sorted(self.read)}
        order = sorted(score, key=lambda i: -score[i]) + [i for i in range(len(self.docs)) if i not in score]
        docs = [self.docs[i] for i in order]
        return Ranking.of(self.query, docs, [score.get(i) for i in order], +self.notes)


def _first_beliefs(candidates: Sequence[Candidate]) -> list[Belief]:
    """The first stage's scores, on the scale of the beliefs."""
    scores = [candidate.score for candidate in candidates if candidate.score is not None]
    if len(scores) < len(candidates):
        scores = [-float(i) for i in range(len(candidates))]
    mean, deviation = fmean(scores), pstdev(scores) or 1.0
    return [Belief(MEAN + NOISE * (score - mean) / deviation) for score in scores]
