"""Where the keys and values of tokens lie, and of which sequences they are remembered. Nothing here computes."""

from bisect import bisect_left, insort
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rerankllm.backends.llamacpp.prefixes import common

Ids: TypeAlias = tuple[int, ...]
Places: TypeAlias = NDArray[np.int64]


class Slots:
    """Numbered places for tokens. Sequences that begin alike share those of what they have in common.

    Attributes:
        room: As given; it may be set anew.

    Args:
        room: Tokens that may be remembered once they are of no more use to what is computed now.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self._places: dict[Ids, Places] = {}  # in the order they were last of use
        self._sorted: list[Ids] = []
        self._uses = np.zeros(0, np.int64)  # of each slot, by how many sequences
        self._free: list[Places] = []
        self._left: list[Places] = []  # of use to nobody once what is under way is computed
        self.taken = 0

    @property
    def size(self) -> int:
        """How many slots there are, free ones included."""
        return len(self._uses)

    def known(self, ids: Ids) -> int:
        """How many tokens the sequence and some other one begin with in common."""
        return self._nearest(ids)[0]

    def find(self, ids: Ids, most: int) -> Places:
        """Slots of what the sequence begins with and some other one begins with too, at most so many."""
        length, alike = self._nearest(ids)
        if not length:
            return np.zeros(0, np.int64)
        self._places[alike] = self._places.pop(alike)
        return self._places[alike][: min(length, most)]

    def take(self, count: int) -> Places:
        """Free slots."""
        found: list[Places] = []
        while self._free and count:
            part = self._free.pop()
            found.append(part[:count])
            if len(part) > count:
                self._free.append(part[count:])
            count -= len(found[-1])
        found.append(np.arange(self.size, self.size + count))
        self._uses = np.concatenate([self._uses, np.zeros(count, np.int64)])
        return np.concatenate(found)

    def hold(self, ids: Ids, places: Places) -> None:
        """Remembers a sequence; one that is the same is forgotten for it."""
        self.taken += int((self._uses[places] == 0).sum())
        self._uses[places] += 1
        if ids in self._places:
            self._drop(ids)
        insort(self._sorted, ids)
        self._places[ids] = places

    def tidy(self, keep: Ids) -> None:
        """Forgets what was not of use for longest, until the rest has room; never the sequence at hand."""
        for ids in list(self._places):
            if self.taken <= self.room:
                break
            if ids != keep:
                self._drop(ids)
        self._free += self._left
        self._left = []

    def _nearest(self, ids: Ids) -> tuple[int, Ids]:
        at = bisect_left(self._sorted, ids)
        return max(((common(one, ids), one) for one in self._sorted[max(at - 1, 0) : at + 1]), default=(0, ids))

    def _drop(self, ids: Ids) -> None:
        places = self._places.pop(ids)
        del self._sorted[bisect_left(self._sorted, ids)]
        self._uses[places] -= 1
        left = places[self._uses[places] == 0]
        self._left.append(left)
        self.taken -= len(left)
