"""Active ranking: ask next what matters most for the first places, given all that is known so far."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rerankllm.data import Candidate, Query, Ranking, float32
from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import (
    Answer,
    Compare,
    Failure,
    Permute,
    Score,
    Select,
    Steps,
    Unanswered,
    WeakOrder,
    ask_while_allowed,
)
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.belief.blas import one_thread
from rerankllm.strategies.questions.lists import seeded

KINDS = {"permute": Permute, "select": Select, "compare": Compare, "score": Score}
LONG = 80
"""Below so many slots one long prompt is as good as several windows that hardly overlap, and one call."""
ROUNDS = 5
"""No round takes more than this part of all prompts, rounded up, so that small budgets learn from answers too."""
_LEAST, _PAIR = 2, 4


@dataclass(frozen=True, slots=True)
class Active:
    """Spends a budget of passage slots where the expected DCG@k gains most, and says how sure it is.

    Our own. Worth has a normal prior that falls with the logarithm of the first-stage rank; an answer is a Plackett–
    Luce ranking (Luce 1959, Plackett 1975), truncated where it stops naming documents, with a preference for places
    of the prompt that is learnt too; the posterior is Laplace's (`belief.posterior`). A judge repeats
    its own errors, so worth is shrunk towards the first stage by `trust`, and the order is by what results: expected
    relevance given the first stage and the answers (`belief.relevance_model`).

    What a wrong pair is expected to cost in DCG decides what is asked: a window grows from the worst pair by the
    document with most at stake in it, and is shown shuffled; in a round of several, pairs already in one count a
    quarter in the next (`belief.acquisition`). Of several `kinds` the one is asked in a round whose
    likely answers win most for the passages and prompts that it takes (`belief.active_batch`); all are read
    as choices of Plackett and Luce: a comparison as a fraction of one, scores as an order, on no scale. No prompt is
    sent twice. It stops when further answers are expected to win no more than `regret` of DCG@k, or at a budget: its
    own of slots, or the query's of tokens, money or time. A budget of less than 80 slots that does not read the list
    once goes into one prompt with as many of the first documents, of which `top_k` are to be named: they come first, as
    named, without a score, as `full` would have it.

    Cost: at most ⌈slots / window⌉ calls and `slots` slots, in about five rounds or, with more than 5 · batch calls,
    ⌈calls / batch⌉: 9 calls in 5 rounds at 180, 20 in 5 at 400; a score is a call a slot. Every document has a score,
    its expected relevance in units of the judge's noise, and a probability of being among the `top_k` most relevant;
    those never shown have them from the first stage alone. Settles nothing: the first stage always has a say. An answer
    that cannot be used is no evidence; where half of them cannot, the query fails. Of the first stage its ranks are
    used, not its scores.

    Attributes:
        slots: Budget of one query, at least 2.
        window: Documents in one prompt, at least 2.
        top_k: How many first places matter.
        batch: Prompts of one round, at most: no round takes more than a fifth of all.
        kinds: What may be asked: orders, selections, comparisons in both orders, scores.
        trust: Share of relevance in what the judge sees, above 0: 1 for a judge without errors of its own. This,
            `scale` and `sharpness` are what `rerankllm judge-profile` fits.
        scale: How large differences of worth are in the judge's noise, compared with a middling judge's; it is a
            first guess, for every query tells more.
        sharpness: How much larger they are in the noise of a score.
        regret: Share of DCG@k, above that of a random order, that is not worth another round; 0 spends all.
        seed: Of shuffles and samples.
    """

    slots: int = 180
    window: int = 20
    top_k: int = 10
    batch: int = 4
    kinds: tuple[Literal["permute", "select", "compare", "score"], ...] = ("permute",)
    trust: float = 0.7
    scale: float = 1.0
    sharpness: float = 1.0
    regret: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("slots", _LEAST), ("window", _LEAST), ("top_k", 1), ("batch", 1)):
            if getattr(self, name) < least:
                raise SpecError(f"active: {name} should be at least {least}, found {getattr(self, name)}")
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise SpecError(f"active: kinds should be some of {', '.join(KINDS)}, each once")
        if not 0 < self.trust <= 1:
            raise SpecError(f"active: trust should be above 0 and at most 1, found {self.trust}")
        if self.kinds == ("compare",) and self.slots < _PAIR:
            raise SpecError(f"active: a comparison in both orders takes {_PAIR} slots, found slots={self.slots}")
        for name in ("scale", "sharpness"):
            if not 0 < getattr(self, name) < math.inf:
                raise SpecError(f"active: {name} should be above 0, found {getattr(self, name)}")
        if not 0 <= self.regret < 1:
            raise SpecError(f"active: regret should be at least 0 and below 1, found {self.regret}")

    @property
    def asks(self) -> tuple[type, ...]:
        """The kinds of judgement it may ask for."""
        return tuple(KINDS[kind] for kind in self.kinds)

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: Half the answers or more cannot be used, or the budget of the run refused them all.
        """
        from rerankllm.strategies.belief.active_batch import Inquirer  # noqa: PLC0415  # loads NumPy
        from rerankllm.strategies.belief.relevance_model import Character, Worth  # noqa: PLC0415

        docs = [candidate.document for candidate in candidates]
        n = len(docs)
        if n < _LEAST:
            return Ranking.of(query, docs, [0.0] * n, probabilities=[1.0] * n)
        chance = seeded(self.seed, query)
        judge = Character(self.trust, self.scale, self.sharpness)
        with one_thread():
            worth = Worth(n, self.top_k, judge, chance.getrandbits(64))
        inquirer = Inquirer(query, docs, self.top_k, chance)
        slots = 0
        notes = Counter[str]()
        answers: list[Answer] = []
        for _ in range(self.plan(n).rounds.high):
            sizes = self._sizes(n, left := self.slots - slots)
            with one_thread():
                asked = inquirer.first(sizes[0]) if self._long(n) else inquirer.best(self.asks, worth, sizes, left)
            found = yield from ask_while_allowed(asked.judgements)
            with one_thread():
                worth.learn(*asked.read(found))
                enough = worth.regret <= self.regret
            answers += found
            slots += asked.slots
            if not self._long(n):
                notes["omitted documents"] += sum(len(a.omitted) for a in found if isinstance(a, WeakOrder))
            if not asked.judgements or _refused(found) or enough:
                break
        useless = [a for a in answers if isinstance(a, Unanswered) and a.failure is Failure.ANSWER]
        sent = len(answers) - len(_refused(answers))
        if not sent:
            raise QueryFailed(_refused(answers)[0].reason)
        if len(useless) * 2 >= sent:
            raise QueryFailed(f"{len(useless)} of {sent} answers could not be used: {useless[-1].reason}")
        notes["answers without use"] = len(useless)
        with one_thread():
            scores, chances = [float32(value) for value in worth.relevance], worth.chances()
        first = {doc_id: place for place, doc_id in enumerate(answers[0].ranked if self._long(n) else ())}
        order = sorted(range(n), key=lambda i: (first.get(docs[i].doc_id, n), -scores[i]))
        return Ranking.of(
            query,
            [docs[i] for i in order],
            None if first else [scores[i] for i in order],
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
        if small := set(self.kinds) & {"score", "compare"}:  # they may fill what whole windows leave of the budget
            slots = self.slots
            calls = max(calls, slots if "score" in small else slots // 2)
        least = min(rounds[0][0], _PAIR) if "compare" in small else rounds[0][0]
        return Plan(Bound(1, calls), Bound(1, len(rounds) + len(small)), Bound(least, slots))

    def settles(self, n: int) -> int | None:
        """A list of one; nothing more can be promised where the first stage has a say."""
        return n if n < _LEAST else None

    def _long(self, n: int) -> bool:
        return "permute" in self.kinds and self.slots < min(n, LONG)

    def _sizes(self, n: int, left: int) -> list[int]:
        """How many documents to show in each prompt of the next round."""
        if self._long(n):
            return [self.slots] if left == self.slots else []
        together = min(self.batch, -(-len(self._windows(n, self.slots)) // ROUNDS))
        return self._windows(n, left)[:together]

    def _windows(self, n: int, slots: int) -> list[int]:
        whole, rest = divmod(slots, min(self.window, n))
        return [min(self.window, n)] * whole + [rest] * (rest >= _LEAST)


def _refused(answers: Sequence[Answer]) -> list[Unanswered]:
    return [a for a in answers if isinstance(a, Unanswered) and a.failure is Failure.REFUSED]
