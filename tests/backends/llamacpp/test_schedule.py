"""Scheduling over a stand-in for llama.cpp that keeps the rules of its cache and computes by hand."""

import pytest
from fake_llama import FakeEngine, expected, job_for, logits_after, never, prompts, response, wants
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.backends.llamacpp.readout import log_probabilities
from rerankllm.backends.llamacpp.schedule import Scheduler
from rerankllm.calls import Generate, ReadContinuation
from rerankllm.errors import BackendError

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
