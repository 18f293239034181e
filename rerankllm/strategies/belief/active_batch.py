"""What may be asked in one round of `active`: kinds of judgement, what each would tell, and what it takes."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rerankllm.data import Document, Query
from rerankllm.judgements import Answer, Compare, Judgement, Permute, Score, Select, Unanswered, WeakOrder
from rerankllm.strategies.belief.plackett_luce import Choices, Vector, choices, compared
from rerankllm.strategies.belief.relevance_model import Worth

PROMPT = 0.9
"""What a prompt takes besides its passages, in passages: 120 tokens beside 136 a passage."""
PAIR = 4
"""Passages of a comparison in both orders."""
_SHUFFLES = 8

Places = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Prompts of one kind.

    Attributes:
        judgements: What to ask.
        shown: Documents of each, in the order shown.
    """

    judgements: Sequence[Judgement] = ()
    shown: Sequence[Places] = ()

    @property
    def slots(self) -> int:
        """Passages in it."""
        return sum(map(len, self.shown))

    def read(self, answers: Sequence[Answer]) -> tuple[list[Choices], dict[int, float]]:
        """Orders and scores in the answers that can be used."""
        orders: list[Choices] = []
        scores: dict[int, float] = {}
        for asked, shown, answer in zip(self.judgements, self.shown, answers, strict=True):
            if isinstance(answer, Unanswered):
                continue
            if isinstance(asked, Score):
                scores[shown[0]] = answer
            elif isinstance(asked, Compare):
                orders.append(compared(shown[0], shown[1], answer))
            else:
                ids = [doc.doc_id for doc in asked.docs]
                orders.append(choices(shown, ids, _selected(ids, answer) if isinstance(asked, Select) else answer))
        return orders, scores

    def gain(self, worth: Worth) -> float:
        """What answers would win, for each passage and prompt that it takes."""
        expected = [_expected(asked, worth.expected[list(shown)]) for asked, shown in self.pairs()]
        return worth.gain(*self.read(expected)) / (self.slots + PROMPT * len(self.judgements))

    def pairs(self) -> Iterable[tuple[Judgement, Places]]:
        """Each judgement with the documents it shows."""
        return zip(self.judgements, self.shown, strict=True)


@dataclass
class Inquirer:
    """Makes inquiries about the documents of one query, none twice.

    Attributes:
        query: The query.
        docs: Its documents.
        top_k: How many a selection names, at most.
        chance: Shuffles prompts.
    """

    query: Query
    docs: Sequence[Document]
    top_k: int
    chance: random.Random
    _asked: set[tuple[type, Places]] = field(default_factory=set)

    def best(self, kinds: Iterable[type[Judgement]], worth: Worth, sizes: Sequence[int], left: int) -> Inquiry:
        """Of these kinds the one that wins most for what it takes; an empty one where there is nothing to ask."""
        found = [i for i in (self._of(kind, worth, sizes, left) for kind in kinds) if i.judgements]
        chosen = max(found, key=lambda i: i.gain(worth)) if len(found) > 1 else next(iter(found), Inquiry())
        self._asked.update((type(asked), shown) for asked, shown in chosen.pairs())
        return chosen

    def first(self, count: int) -> Inquiry:
        """One prompt with the first documents, of which the first `top_k` are to be named."""
        docs = tuple(self.docs[:count])
        return Inquiry([Permute(self.query, docs, min(self.top_k, count))], [tuple(range(count))])

    def _of(self, kind: type[Judgement], worth: Worth, sizes: Sequence[int], left: int) -> Inquiry:
        """Prompts of one kind, of no more passages than `sizes` has, but for a pair where `left` allows one."""
        if kind is Score:
            shown: list[Places] = [(i,) for i in worth.unscored[: sum(sizes)]]
        elif kind is Compare:
            pairs = worth.windows([2] * left)
            orders = (order for a, b in pairs for order in ((a, b), (b, a)))
            shown = self._new(kind, orders, 2 * max(sum(sizes) // PAIR, int(left >= PAIR)))
        else:
            shown = []
            for members in worth.windows(sizes):
                shown += self._new(kind, self._shuffled(members), 1, shown)
        return Inquiry([self._ask(kind, places) for places in shown], shown)

    def _ask(self, kind: type[Judgement], places: Places) -> Judgement:
        docs = tuple(self.docs[i] for i in places)
        if kind is Score:
            return Score(self.query, docs[0])
        if kind is Compare:
            return Compare(self.query, docs[0], docs[1])
        return (
            Permute(self.query, docs) if kind is Permute else Select(self.query, docs, min(self.top_k, len(docs) - 1))
        )

    def _shuffled(self, members: list[int]) -> Iterator[Places]:
        """The members in some orders, for few are all known where there are few members."""
        return (tuple(self.chance.sample(members, len(members))) for _ in range(_SHUFFLES))

    def _new(
        self, kind: type[Judgement], prompts: Iterable[Places], count: int, beside: Sequence[Places] = ()
    ) -> list[Places]:
        """The first so many that were not asked, and are not `beside` them."""
        known = {shown for asked, shown in self._asked if asked is kind} | set(beside)
        found: list[Places] = []
        for prompt in prompts:
            if len(found) == count:
                break
            if prompt not in known:
                known.add(prompt)
                found.append(prompt)
        return found


def _selected(ids: Sequence[str], best: Sequence[str]) -> WeakOrder:
    """A selection as an order that stops: what was not named is behind."""
    return WeakOrder(tuple((i,) for i in best), tuple(i for i in ids if i not in best))


def _expected(asked: Judgement, worth: Vector) -> Answer:
    """The likeliest answer to a judgement of documents of this worth."""
    if isinstance(asked, Score):
        return float(worth[0])
    if isinstance(asked, Compare):
        return 0.5
    order = sorted(range(len(worth)), key=lambda i: -worth[i])
    ids = [asked.docs[i].doc_id for i in order]
    return tuple(ids[: asked.m]) if isinstance(asked, Select) else WeakOrder(tuple((i,) for i in ids))
