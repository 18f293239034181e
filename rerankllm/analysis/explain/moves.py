"""How documents move where every answer reorders neighbours in one list, as sliding windows do."""

from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.analysis.answers import Answers


@dataclass(frozen=True, slots=True)
class Stretch:
    """Places that one answer put into a new order.

    Attributes:
        first: The place of the first, from 1.
        before: The documents there before, in order.
        after: The same documents, as the answer has them.
    """

    first: int
    before: tuple[str, ...]
    after: tuple[str, ...]

    def move(self, doc_id: str) -> tuple[int, int]:
        """The place of a document before and after."""
        return self.first + self.before.index(doc_id), self.first + self.after.index(doc_id)

    def passed(self, doc_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The documents that a document passes here, and those that pass it."""
        old, new = self.before.index(doc_id), self.after.index(doc_id)
        above, now_above = self.before[:old], set(self.after[:new])
        overtaken = tuple(other for other in above if other not in now_above)
        return overtaken, tuple(other for other in self.after[:new] if other not in above)


def walk(first: Sequence[str], judgements: Sequence[Answers], final: Sequence[str]) -> list[Stretch] | None:
    """What each judgement does to the list, if such moves explain the whole ranking.

    Args:
        first: The first stage's order.
        judgements: Of one ranking, in order.
        final: The ranking, or its beginning.

    Returns:
        A stretch a judgement. None unless each is a Permute that shows neighbours as they stand, and the list is the
        ranking in the end: only then do these moves account for it.
    """
    order = list(first)
    place = {doc_id: i for i, doc_id in enumerate(order)}
    stretches = []
    for each in judgements:
        start = place.get(each.docs[0])
        if each.kind != "Permute" or each.answer is None or start is None:
            return None
        stop = start + len(each.docs)
        if tuple(order[start:stop]) != each.docs:
            return None
        ranked = [doc_id for group in each.answer["groups"] for doc_id in group]
        order[start:stop] = [*ranked, *each.answer["omitted"]]
        place |= {doc_id: i for i, doc_id in enumerate(order[start:stop], start)}
        stretches.append(Stretch(start + 1, each.docs, tuple(order[start:stop])))
    return stretches if order[: len(final)] == list(final) else None
