"""Which requests llama.cpp works on when: many at a time, what they begin with in common computed once."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rerankllm.backends.llamacpp.engine import Engine, Token
from rerankllm.backends.llamacpp.prefixes import Cells, Path, common, plan
from rerankllm.backends.llamacpp.readout import Reader
from rerankllm.errors import BackendError

RESIDENT = 0
"""The sequence that keeps what the next prompts are expected to begin with."""


@dataclass(slots=True, eq=False)
class Job:
    """A request on its way.

    Attributes:
        ids: Its tokens, as far as they are known before anything is written.
        prompt: How many of them come before what is read: logits are read at the last of these and at all that follow.
        reader: Takes the logits.
        sequence: Its number in the cache, while it is there.
        length: Tokens it has in the cache once everything asked for is decoded.
        unread: Logits of `ids` that the reader has not been given yet.
        written: The tokens it wrote last, when they are still to be decoded; logits are read at the last of them.
        computed: How many of `ids` were computed for it; the others were there, or belong to one beside it.
    """

    ids: tuple[int, ...]
    prompt: int
    reader: Reader
    sequence: int = -1
    length: int = 0
    unread: int = -1
    written: tuple[int, ...] = ()
    computed: int = 0

    @property
    def done(self) -> bool:
        """Whether its response is complete."""
        return self.unread == 0 and not self.written


class _GivenUpError(Exception):
    """Nobody waits for the answers."""


class Scheduler:
    """Runs jobs over one engine, and remembers between runs what the last ones began with.

    Jobs are sorted by their tokens, so neighbours begin alike, and enter in waves of about a batch. All that the
    members of a wave, its predecessor and its successor have in common is computed once. A wave that only reads is
    over when it is decoded; jobs that write stay, a token or a few a step, beside the waves that follow.

    Attributes:
        computed: Tokens decoded so far.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.computed = 0
        self._forget()

    def run(self, jobs: Sequence[Job], give_up: Callable[[], bool]) -> None:
        """Works until all are done, or until `give_up` says so; each has to fit the cache by itself.

        Raises:
            BackendError: llama.cpp failed, or one does not fit.
        """
        if self._engine.arrange(self._engine.shared):
            self._forget()
        waiting = deque(sorted(jobs, key=lambda job: job.ids))
        writing: list[Job] = []
        try:
            while waiting or writing:
                steps = list(self._continue(writing))
                wave = self._admit(waiting, self._engine.batch - len(steps))
                steps += self._enter(wave, waiting[0] if waiting else None)
                self._decode(steps, give_up)
                writing = self._retire((*writing, *wave))
        except _GivenUpError:
            self._forget()
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        """Starts again with an empty cache."""
        self._engine.clear()
        self._cells = Cells()
        self._resident: tuple[int, ...] = ()
        self._free = list(range(self._engine.sequences - 1, RESIDENT, -1))

    def _continue(self, writing: Sequence[Job]) -> Iterator[tuple[Job, Token]]:
        for job in writing:
            last = len(job.written) - 1
            for place, token in enumerate(job.written):
                yield job, Token(token, job.length + place, (job.sequence,), read=place == last)
            job.length += len(job.written)

    def _admit(self, waiting: deque[Job], budget: int) -> list[Job]:
        """Takes from the front what the batch, the sequences and the cells have room for; one at least if it can."""
        if waiting and self._resident:
            self._keep(self._resident[: self._path(waiting[0]).cached])
        room = self._engine.cells - self._cells.used
        wave: list[Job] = []
        while waiting and self._free:
            path = self._path(waiting[0])
            known = path.cached
            if wave:
                before = self._path(wave[-1])
                known = max(known, min(common(before.ids, path.ids), before.shareable, path.shareable))
            new = len(path.ids) - known
            if (wave and new > budget) or new + waiting[0].reader.room > room:
                break
            job = waiting.popleft()
            job.sequence, job.length, job.unread = self._free.pop(), len(job.ids), len(job.ids) - job.prompt + 1
            wave.append(job)
            budget -= new
            room -= new + job.reader.room
        return wave

    def _enter(self, wave: Sequence[Job], following: Job | None) -> Iterator[tuple[Job, Token]]:
        """What to decode for a wave, the cache prepared for it."""
        if not wave:
            return
        paths = [self._path(job) for job in wave]
        for path in paths:
            if path.cached:
                self._engine.copy(RESIDENT, path.sequence, path.cached)
                self._cells.copy(RESIDENT, path.sequence, path.cached)
        last = paths[-1]
        keep = min(last.shareable, common(last.ids, following.ids) if following else last.shareable)
        kept = last.ids[:keep]
        cached = self._keep(kept)
        self._resident = kept
        owners = {job.sequence: job for job in wave}
        for run in plan([*paths, Path(RESIDENT, kept, cached, keep)]):
            self._cells.add(run.start, run.stop, run.sequences)
            job = owners[run.path.sequence]
            job.computed += run.stop - run.start
            for position in range(run.start, run.stop):
                yield job, Token(job.ids[position], position, run.sequences, read=position >= job.prompt - 1)
        for job in wave:
            if job.reader.room:
                self._cells.add(job.length, job.length + job.reader.room, (job.sequence,))

    def _path(self, job: Job) -> Path:
        shareable = job.prompt - 1 if self._engine.shares else 0
        return Path(job.sequence, job.ids, min(common(self._resident, job.ids), shareable), shareable)

    def _keep(self, ids: tuple[int, ...]) -> int:
        """Cuts the resident sequence down to what it has in common with `ids`; returns how much that is."""
        length = common(self._resident, ids)
        self._resident = ids[:length]
        self._release(RESIDENT, length)
        return length

    def _release(self, sequence: int, length: int = 0) -> None:
        self._engine.trim(sequence, length)
        self._cells.trim(sequence, length)

    def _decode(self, steps: Sequence[tuple[Job, Token]], give_up: Callable[[], bool]) -> None:
        if not steps:
            raise BackendError(f"no room for a request in {self._engine.cells} cells")
        for start in range(0, len(steps), self._engine.batch):
            if give_up():
                raise _GivenUpError
            chunk = steps[start : start + self._engine.batch]
            self.computed += len(chunk)
            logits = iter(self._engine.decode([token for _, token in chunk]))
            for job, token in chunk:
                if token.read:
                    job.unread = max(job.unread - 1, 0)
                    job.written = job.reader.read(next(logits))

    def _retire(self, jobs: Sequence[Job]) -> list[Job]:
        """Frees the places of jobs that are done; returns the others."""
        for job in jobs:
            if job.done:
                self._release(job.sequence)
                self._free.append(job.sequence)
        return [job for job in jobs if not job.done]
