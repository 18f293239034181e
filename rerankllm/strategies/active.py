"""Active ranking: ask next what matters most for the first places, given all that is known so far."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Query, Ranking, float32
from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import Permute, Steps, Unanswered, try_ask
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.listwise import seeded

LONG = 80
"""Below so many slots one long prompt is as good as several windows that hardly overlap, and one call."""
ROUNDS = 4
"""No round takes more than this part of all prompts, rounded up, so that small budgets learn from answers too."""
_SHUFFLES = 8
_LEAST = 2

Prompt = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Active:
    """Spends a budget of passage slots where the expected DCG@k gains most, and says how sure it is.

    Our own. Worth has a normal prior that falls with the logarithm of the first-stage rank; an answer is a Plackett–
    Luce ranking (Luce 1959, Plackett 1975), truncated where it stops naming documents, with a preference for places
    of the prompt that is learnt too; the posterior is Laplace's (`rerankllm.strategies.posterior`). A judge repeats
    its own errors, so worth is shrunk towards the first stage by `trust`, and the order is by what results: expected
    relevance given the first stage and the answers (`rerankllm.strategies.worth`).

    What a wrong pair is expected to cost in DCG decides what is asked: a window grows from the worst pair by the
    document with most at stake in it, and is shown shuffled; in a round of several, pairs already in one count a
    quarter in the next (`rerankllm.strategies.acquisition`). No prompt is sent twice. It stops when further answers
    are expected to win no more than `regret` of DCG@k, or at the budget. A budget of less than 80 slots that does not
    read the list once goes into one prompt with as many of the first documents, of which `top_k` are to be named.

    Cost: at most ⌈slots / window⌉ calls, max(4, ⌈calls / batch⌉) rounds and `slots` slots: 9 calls in 3 rounds at
    180, 20 in 5 at 400. Every document has a score, its expected relevance in units of the judge's noise, and a
    probability of being among the `top_k` most relevant; those never shown have them from the first stage alone.
    Settles nothing: the first stage always has a say. An answer that cannot be used is no evidence; where half of
    them cannot, the query fails. Of the first stage its ranks are used, not its scores.

    Attributes:
        slots: Budget of one query, at least 2.
        window: Documents in one prompt, at least 2.
        top_k: How many first places matter.
        batch: Prompts of one round, at most: no round takes more than a quarter of all.
        trust: Share of relevance in what the judge sees, above 0: 1 for a judge without errors of its own.
        regret: Share of DCG@k, above that of a random order, that is not worth another round; 0 spends all.
        seed: Of shuffles and samples.
    """

    slots: int = 180
    window: int = 20
    top_k: int = 10
    batch: int = 4
    trust: float = 0.85
    regret: float = 0.01
    seed: int = 0
    asks: ClassVar[tuple[type, ...]] = (Permute,)

    def __post_init__(self) -> None:
        for name, least in (("slots", _LEAST), ("window", _LEAST), ("top_k", 1), ("batch", 1)):
            if getattr(self, name) < least:
                raise SpecError(f"active: {name} should be at least {least}, found {getattr(self, name)}")
        if not 0 < self.trust <= 1:
            raise SpecError(f"active: trust should be above 0 and at most 1, found {self.trust}")
        if not 0 <= self.regret < 1:
            raise SpecError(f"active: regret should be at least 0 and below 1, found {self.regret}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: Half the answers or more cannot be used.
        """
        from rerankllm.strategies.worth import Worth  # noqa: PLC0415  # loads NumPy

        docs = [candidate.document for candidate in candidates]
        n = len(docs)
        if n < _LEAST:
            return Ranking.of(query, docs, [0.0] * n, probabilities=[1.0] * n)
        chance = seeded(self.seed, query)
        worth = Worth(n, self.top_k, self.trust, chance.getrandbits(64))
        asked: set[Prompt] = set()
        unusable: list[str] = []
        notes = Counter[str]()
        left = self.slots
        while sizes := self._sizes(n, left):
            left -= sum(sizes)
            if self._long(n):
                shown = [tuple(range(sizes[0]))]
                asked.update(shown)
            else:
                shuffled = [_unseen(chance.sample, members, asked) for members in worth.windows(sizes)]
                shown = [prompt for prompt in shuffled if prompt]
            decode = min(self.top_k, sizes[0]) if self._long(n) else None
            answers = yield from try_ask(Permute(query, tuple(docs[i] for i in p), decode) for p in shown)
            unusable += [answer.reason for answer in answers if isinstance(answer, Unanswered)]
            usable = [(p, a) for p, a in zip(shown, answers, strict=True) if not isinstance(a, Unanswered)]
            worth.learn([(prompt, [docs[i].doc_id for i in prompt], answer) for prompt, answer in usable])
            if decode is None:
                notes["omitted documents"] += sum(len(answer.omitted) for _, answer in usable)
            if not shown or worth.regret <= self.regret:
                break
        if len(unusable) * 2 >= len(asked):
            raise QueryFailed(f"{len(unusable)} of {len(asked)} answers could not be used: {unusable[-1]}")
        notes["answers without use"] = len(unusable)
        scores, chances = [float32(value) for value in worth.relevance], worth.chances()
        order = sorted(range(n), key=lambda i: -scores[i])
        return Ranking.of(
            query,
            [docs[i] for i in order],
            [scores[i] for i in order],
            +notes,
            probabilities=[float(chances[i]) for i in order],
        )

    def plan(self, n: int) -> Plan:
        """Exact for one long prompt; else from a single window to the whole budget."""
        if n < _LEAST:
            return Plan.exactly(0, 0, 0)
        rounds: list[list[int]] = []
        while sizes := self._sizes(n, self.slots - sum(map(sum, rounds))):
            rounds.append(sizes)
        if self._long(n):
            return Plan.exactly(1, 1, rounds[0][0])
        calls, slots = sum(map(len, rounds)), sum(map(sum, rounds))
        return Plan(Bound(1, calls), Bound(1, len(rounds)), Bound(rounds[0][0], slots))

    def settles(self, n: int) -> int | None:
        """A list of one; nothing more can be promised where the first stage has a say."""
        return n if n < _LEAST else None

    def _long(self, n: int) -> bool:
        return self.slots < min(n, LONG)

    def _sizes(self, n: int, left: int) -> list[int]:
        """How many documents to show in each prompt of the next round."""
        if self._long(n):
            return [self.slots] if left == self.slots else []
        together = min(self.batch, -(-len(self._windows(n, self.slots)) // ROUNDS))
        return self._windows(n, left)[:together]

    def _windows(self, n: int, slots: int) -> list[int]:
        whole, rest = divmod(slots, min(self.window, n))
        return [min(self.window, n)] * whole + [rest] * (rest >= _LEAST)


def _unseen(sample: Callable[[list[int], int], list[int]], members: list[int], asked: set[Prompt]) -> Prompt | None:
    """The members shuffled as they were not asked before, noted as asked; None where few shuffles are all known."""
    for _ in range(_SHUFFLES):
        prompt = tuple(sample(members, len(members)))
        if prompt not in asked:
            asked.add(prompt)
            return prompt
    return None
