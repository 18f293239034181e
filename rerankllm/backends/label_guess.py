"""Which labels are likely to be written next: an engine that guesses right compares in many places at once."""

from collections.abc import Mapping, Sequence

BEGIN = 2
"""Labels that are guessed at first."""


class Guesser:
    """Guesses the labels of one answer, from what was heard of it so far.

    By one of two rules, whichever would have been right more often: the label that was likeliest the last time labels
    were compared, as good models order; or the one that follows the label written last, as weak models repeat what they
    are shown. A guess that was right in full is followed by one of twice as many labels.

    Args:
        labels: How many there are, in the order shown.
        once: Whether a label that is written is not written again.
    """

    def __init__(self, labels: int, *, once: bool) -> None:
        self._likely = list(range(labels))
        self._before: list[int] | None = None  # the order as it was before the place at hand
        self._once = once
        self._last = -1
        self._right = {True: 0, False: 0}  # of the likeliest, and of the one that follows
        self._ahead = BEGIN
        self._guessed: list[int] = []
        self._met = 0

    def hear(self, values: Mapping[int, float]) -> None:
        """Hears how likely labels are beside one another; of equals the order stays."""
        if self._before is None:
            self._before = list(self._likely)
        places = [place for place, label in enumerate(self._likely) if label in values]
        ordered = sorted((self._likely[place] for place in places), key=lambda label: -values[label])
        for place, label in zip(places, ordered, strict=True):
            self._likely[place] = label

    def written(self, label: int, left: Sequence[int]) -> None:
        """Hears which of the labels left was written."""
        order = self._likely if self._before is None else self._before
        for likely in self._right:
            self._right[likely] += label == self._next(left, order, self._last, likely=likely)
        if self._guessed:
            right = self._guessed.pop(0) == label
            self._met += right
            if not right:
                self._ahead, self._guessed = max(self._met, 1), []
            elif not self._guessed:
                self._ahead *= 2
        self._last, self._before = label, None

    def guess(self, alive: Sequence[int], left: Sequence[int], most: int) -> list[int]:
        """The next labels, at most so many.

        Args:
            alive: Those that the first of them is one of.
            left: Those that may be written.
            most: Places left.
        """
        likely = self._right[True] >= self._right[False]
        found, last, can, rest = list[int](), self._last, alive, list(left)
        while can and len(found) < min(self._ahead, most):
            last = self._next(can, self._likely, last, likely=likely)
            found.append(last)
            if self._once:
                rest.remove(last)
            can = rest
        self._guessed, self._met = list(found), 0
        return found

    def _next(self, can: Sequence[int], order: Sequence[int], last: int, *, likely: bool) -> int:
        """One of some labels, by one of the rules."""
        if likely:
            return next(label for label in order if label in can)
        return next((label for label in can if label > last), can[0]) if self._once else last if last in can else can[0]
