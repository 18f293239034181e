"""Scheduling over a stand-in for llama.cpp that keeps the rules of its cache and computes by hand."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.backends.llamacpp.readout import log_probabilities, reader_for
from rerankllm.backends.llamacpp.schedule import Job, Scheduler
from rerankllm.calls import Generate, ReadContinuation, WriteLabels
from rerankllm.errors import BackendError

VOCABULARY = 5
END = 4


def logits_after(ids):
    """A made-up language model: logits depend on every token and its place."""
    seed = sum((place + 1) * (token + 3) ** 2 for place, token in enumerate(ids))
    return np.random.default_rng(seed).normal(size=VOCABULARY).astype(np.float32)


@dataclass
class Cell:
    token: int
    position: int
    holders: set


@dataclass
class FakeEngine:
    """Cells that sequences share, as llama.cpp's unified cache has them, refusing what it refuses."""

    batch: int = 6
    sequences: int = 4
    cells: int = 14
    shares: bool = True
    decoded: int = 0
    most: int = 0
    fail: bool = False
    _cells: list = field(default_factory=list)

    def held(self, sequence):
        mine = sorted((c for c in self._cells if sequence in c.holders), key=lambda c: c.position)
        assert [c.position for c in mine] == list(range(len(mine)))
        return [c.token for c in mine]

    def decode(self, tokens):
        assert 0 < len(tokens) <= self.batch
        if self.fail:
            self.clear()
            raise BackendError("failed")
        rows = []
        for token in tokens:
            before = [self.held(sequence) for sequence in token.sequences]
            assert all(ids == before[0] and len(ids) == token.position for ids in before)
            assert len(token.sequences) == 1 or (self.shares and not token.read)
            self._cells.append(Cell(token.id, token.position, set(token.sequences)))
            if token.read:
                rows.append(logits_after([*before[0], token.id]))
        self.decoded += len(tokens)
        self.most = max(self.most, len(self._cells))
        assert len(self._cells) <= self.cells
        return rows

    def copy(self, source, target, length):
        assert self.shares
        assert not self.held(target)
        for cell in self._cells:
            if source in cell.holders and cell.position < length:
                cell.holders.add(target)

    def trim(self, sequence, length=0):
        assert self.shares or not length
        for cell in self._cells:
            if cell.position >= length:
                cell.holders.discard(sequence)
        self._cells = [cell for cell in self._cells if cell.holders]

    def clear(self):
        self._cells = []

    def piece(self, token):
        return b"abcde"[token : token + 1]

    def ends(self, token):
        return token == END


def job_for(prompt, want, engine):
    reader = reader_for(want, engine)
    begun = prompt + reader.begins
    return Job(begun + reader.extra, len(begun), reader)


def response(job):
    return job.reader.response(job.prompt - len(job.reader.begins))


def expected(prompt, want, engine):
    """The response, worked out for this request alone."""
    reader = reader_for(want, engine)
    ids = [*prompt, *reader.begins]
    for token in (*reader.extra, None):
        answer = reader.read(logits_after(ids))
        ids.append(token)
    ids.pop()
    while answer:
        ids += answer
        answer = reader.read(logits_after(ids))
    return reader.response(len(prompt))


def never():
    return False


LABELS = (((0, 3), (1, 3), (1, 2, 3)), ((3, 0), (3, 1), (2, 1)), ((3,), (1,), (2,)))
"""Tokens of three labels in the first place, between, and in the last: some begin alike, and all go on for a while."""
tokens = st.integers(0, END - 1)
prompts = st.lists(tokens, min_size=1, max_size=9).map(tuple)
wants = st.one_of(
    st.lists(tokens, min_size=1, max_size=4).map(tuple).map(ReadContinuation),
    st.integers(1, 6).map(Generate),
    st.integers(1, 3).map(lambda count: WriteLabels(("x", "y", "z"), LABELS[-count:], count)),
)
requests = st.lists(st.tuples(prompts, wants), max_size=9)


@pytest.mark.slow
@given(st.lists(requests, min_size=1, max_size=3), st.booleans(), st.sampled_from([6, 32]))
def test_answers_are_those_of_each_request_alone_and_the_cache_never_overflows(runs, shares, batch):
    engine = FakeEngine(batch=batch, shares=shares)
    scheduler = Scheduler(engine)
    for run in runs:
        jobs = [job_for(prompt, want, engine) for prompt, want in run]
        scheduler.run(jobs, never)
        assert all(job.done for job in jobs)
        assert list(map(response, jobs)) == [expected(*request, engine) for request in run]
        assert not any(engine.held(sequence) for sequence in range(1, engine.sequences))


def test_what_prompts_begin_with_is_computed_once_a_run_and_kept_for_the_next():
    engine = FakeEngine(batch=16, sequences=4, cells=64)
    scheduler = Scheduler(engine)
    start = (1, 2, 3, 1, 2, 3, 1, 2, 3)
    jobs = [job_for((*start, a, b), ReadContinuation((0,)), engine) for a in range(3) for b in range(3)]
    scheduler.run(jobs, never)
    assert engine.decoded == len(start) + 3 + 9  # the start, each a, each b
    scheduler.run([job_for((*start, 3), ReadContinuation((0,)), engine)], never)
    assert engine.decoded == len(start) + 3 + 9 + 1


def test_requests_that_only_read_enter_a_batch_at_a_time():
    engine = FakeEngine(batch=8, sequences=12, cells=256)
    Scheduler(engine).run(
        [job_for((a, b, a), ReadContinuation((1,)), engine) for a in range(4) for b in range(4)], never
    )
    assert engine.most <= engine.batch + 3


def test_a_request_that_cannot_ever_enter_is_an_error_and_no_hang():
    engine = FakeEngine()
    with pytest.raises(BackendError, match="no room"):
        Scheduler(engine).run([job_for((1,) * 15, ReadContinuation((1,)), engine)], never)


def test_a_place_that_gets_free_is_filled_while_others_still_write():
    engine = FakeEngine(batch=32, sequences=3, cells=256)
    calls = []
    decode = engine.decode
    engine.decode = lambda batch: calls.append(len({s for t in batch for s in t.sequences} - {0})) or decode(batch)
    jobs = [job_for((place % 3, place), Generate(1 + 5 * (place % 2)), engine) for place in range(3)]
    Scheduler(engine).run([*jobs, job_for((3, 3), Generate(6), engine)], never)
    assert all(job.done for job in jobs)
    assert calls.count(2) >= 3


def test_giving_up_leaves_jobs_undone_and_the_scheduler_usable():
    engine = FakeEngine(batch=2)
    scheduler = Scheduler(engine)
    looks = iter([False, True])
    job = job_for((0, 1, 2, 3), ReadContinuation((1,)), engine)
    scheduler.run([job], lambda: next(looks))
    assert not job.done
    again = job_for((0, 1, 2, 3), ReadContinuation((1,)), engine)
    scheduler.run([again], never)
    logprobs = tuple(log_probabilities(logits_after((0, 1, 2, 3)), (1,)))
    assert again.reader.response(4).logprobs == logprobs


def test_after_a_failure_nothing_stale_is_used():
    engine = FakeEngine()
    scheduler = Scheduler(engine)
    request = ((0, 1, 2, 3), ReadContinuation((1,)))
    scheduler.run([job_for(*request, engine)], never)
    engine.fail = True
    with pytest.raises(BackendError):
        scheduler.run([job_for((0, 1, 3, 3), ReadContinuation((1,)), engine)], never)
    engine.fail = False
    job = job_for(*request, engine)
    scheduler.run([job], never)
    assert job.reader.response(4) == expected(*request, engine)
