"""Long answers over a stand-in for llama.cpp, each with cells of its own."""

import pytest
from fake_llama import FakeEngine, expected, job_for, never, prompts, response, wants
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.backends.llamacpp import streams
from rerankllm.backends.llamacpp.schedule import Scheduler
from rerankllm.backends.llamacpp.streams import Streams
from rerankllm.calls import Generate, ReadContinuation, WriteLabels

SPELLED = tuple((3, *map(int, f"{label:02b}"), 2) for label in range(4))
"""Four labels: a bracket, two digits, and a bracket."""
FOUR = WriteLabels(tuple("abcd"), (SPELLED, SPELLED, SPELLED), 4, between=" ")
writing = st.lists(st.tuples(prompts, wants.filter(lambda want: not isinstance(want, ReadContinuation))), max_size=9)


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(streams, "STEP", 4)


def run(engine, requests):
    jobs = [job_for(prompt, want, engine) for prompt, want in requests]
    Streams(engine).run(jobs, never)
    return jobs


@pytest.mark.slow
@given(writing, st.integers(0, 9), st.sampled_from([4, 6, 32]), st.integers(60, 200))
def test_answers_are_those_of_each_request_alone(requests, longer, batch, cells):
    engine = FakeEngine(batch=batch, cells=cells)
    requests = [*requests, ((1,) * (longer + 1), FOUR)]
    jobs = run(engine, requests)
    assert all(job.done for job in jobs)
    assert list(map(response, jobs)) == [expected(*request, engine) for request in requests]
    assert not engine._cells


def test_as_many_write_side_by_side_as_there_are_cells_for(narrow):
    engine = FakeEngine(batch=64, cells=3 * 60, sequences=9)
    calls = []
    decode = engine.decode
    engine.decode = lambda batch: calls.append({s for t in batch for s in t.sequences}) or decode(batch)
    run(engine, [((place,), FOUR) for place in range(4)])
    assert engine.layout.sequences == 3
    assert max(len(call) for call in calls) == 3


def test_what_is_given_up_is_not_done_and_leaves_the_engine_usable():
    engine = FakeEngine(batch=8, cells=400)
    looks = iter([False] * 3 + [True] * 3)
    job = job_for((1, 2, 3), FOUR, engine)
    Streams(engine).run([job], lambda: next(looks))
    assert not job.done
    assert [response(job) for job in run(engine, [((1, 2, 3), FOUR)])] == [expected((1, 2, 3), FOUR, engine)]


def test_only_long_answers_to_prompts_that_differ_get_cells_of_their_own():
    engine = FakeEngine(batch=64, cells=400)
    chosen = Streams(engine).chosen
    long, short, read = Generate(40), Generate(3), ReadContinuation((1,))
    differ = [job_for((place, *range(4)), long, engine) for place in range(4)]
    assert len(chosen(differ)) == 4
    assert len(chosen([*differ, job_for((3, 3), short, engine), job_for((3, 3), read, engine)])) == 4
    assert chosen([job_for((*range(4), 3, 2, place), long, engine) for place in range(4)]) == []
    engine.parts = False
    assert chosen(differ) == []


def test_a_cache_that_is_laid_out_anew_remembers_nothing():
    engine = FakeEngine(batch=64, cells=100)
    scheduler = Scheduler(engine)
    request = ((1, 2, 3, 2, 1), ReadContinuation((1,)))
    for _ in range(2):
        job = job_for(*request, engine)
        scheduler.run([job], never)
        assert response(job) == expected(*request, engine)
        run(engine, [((1, 2, 3), FOUR)])
    assert engine.arrange(engine.shared)
