"""Long answers on llama.cpp: each request has a part of the cache of its own, and all write at the same time.

In a cache that is shared a token looks through the cells of all others, and llama.cpp's fused attention computes few
tokens at a time slowly. Where prompts have little in common nothing is gained by sharing, so each gets its own.
"""

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rerankllm.backends.llamacpp.engine import Engine, Layout, Token
from rerankllm.backends.llamacpp.prefixes import common
from rerankllm.backends.llamacpp.readout import read_on
from rerankllm.backends.llamacpp.schedule import Job

LONG = 16
"""Tokens that an answer may have from which on it counts as long."""
ALIKE = 0.25
"""Share of their tokens that prompts begin with in common, up to which each has a cache of its own."""
SPARE = 32
"""Cells for tokens that were guessed wrong."""
STEP = 256
"""llama.cpp attends to so many cells at a time."""


class Streams:
    """Runs jobs that write over one engine, as many side by side as its cells hold.

    llama.cpp computes together only what is of equal length, in sequences whose numbers follow one another. So in a
    step every one of them decodes as many tokens, in order: those that have fewer go on with what is likely to follow,
    which is forgotten where it was wrong.

    Attributes:
        computed: Tokens decoded so far.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.computed = 0

    def chosen(self, jobs: Sequence[Job]) -> list[Job]:
        """Those of the jobs that are better run here: none, or all that write long answers."""
        if not self._engine.parts:
            return []
        writers = sorted((job for job in jobs if job.reader.room >= LONG), key=lambda job: job.ids)
        alike = sum(common(one.ids, other.ids) for one, other in itertools.pairwise(writers))
        return writers if alike <= ALIKE * sum(len(job.ids) for job in writers) else []

    def run(self, jobs: Sequence[Job], give_up: Callable[[], bool]) -> None:
        """Works until all are done, or until `give_up` says so.

        Raises:
            BackendError: llama.cpp failed.
        """
        self._engine.arrange(self._layout(jobs))
        self._engine.clear()
        waiting, free = deque(jobs), list(range(self._engine.sequences))
        writing: list[Job] = []
        while (waiting or writing) and not give_up():
            free.sort()
            writing.sort(key=lambda job: job.sequence)
            if waiting and free:
                job = waiting.popleft()
                job.sequence, job.length = free.pop(0), len(job.ids)
                self._enter(job, give_up)
                writing.append(job)
            else:
                self._step(writing)
            for job in writing:
                if job.done:
                    self._engine.trim(job.sequence)
                    free.append(job.sequence)
            writing = [job for job in writing if not job.done]

    def _layout(self, jobs: Sequence[Job]) -> Layout:
        """Parts that have room for each of the jobs, as many as there are cells for."""
        shared = self._engine.shared
        longest = max(len(job.ids) + job.reader.room for job in jobs)
        width = min(-(-(longest + SPARE) // STEP) * STEP, shared.cells)
        count = max(min(shared.cells // width, shared.sequences - 1), 1)
        return Layout(width * count, count, apart=True)

    def _enter(self, job: Job, give_up: Callable[[], bool]) -> None:
        """Computes a prompt; what is read after it begins the answer."""
        job.unread, job.computed = 1, len(job.ids)
        for start in range(0, len(job.ids), self._engine.batch):
            if give_up():
                return
            places = range(start, min(start + self._engine.batch, len(job.ids)))
            last = len(job.ids) - 1
            tokens = [Token(job.ids[place], place, (job.sequence,), read=place == last) for place in places]
            for logits in self._decode(tokens):
                job.written, job.unread = job.reader.read(logits), 0

    def _step(self, writing: Sequence[Job]) -> None:
        """Takes all answers further."""
        batch = self._engine.batch
        for job in writing:
            while len(job.written) > batch:
                ids, job.written = job.written[:batch], job.written[batch:]
                self._decode(
                    [Token(token, job.length + at, (job.sequence,), read=False) for at, token in enumerate(ids)]
                )
                job.length += batch
        most = max(len(job.written) for job in writing)
        side_by_side = max(batch // most, 1)
        for start in range(0, len(writing), side_by_side):
            self._together(writing[start : start + side_by_side], most)

    def _together(self, writing: Sequence[Job], count: int) -> None:
        """Decodes so many tokens of each of these."""
        each = self._engine.cells // self._engine.sequences
        room = count if len(writing) > 1 else 0
        guesses = [job.reader.guess()[: max(min(room, each - job.length) - len(job.written), 0)] for job in writing]
        tokens: list[Token] = []
        for job, guess in zip(writing, guesses, strict=True):
            ids, known = (*job.written, *guess), len(job.written)
            filled = ids if len(writing) == 1 else (ids + ids[-1:] * (count - len(ids)))[: each - job.length]
            tokens += [
                Token(token, job.length + place, (job.sequence,), read=known - 1 <= place < len(ids))
                for place, token in enumerate(filled)
            ]
        rows = iter(self._decode(tokens))
        for job, guess in zip(writing, guesses, strict=True):
            found = read_on(job.reader, guess, list(itertools.islice(rows, len(guess) + 1)))
            right = common(found, guess)
            job.length += len(job.written) + right
            job.written = found[right:]
            self._engine.trim(job.sequence, job.length)

    def _decode(self, tokens: Sequence[Token]) -> list[Any]:
        self.computed += len(tokens)
        return self._engine.decode(tokens)
