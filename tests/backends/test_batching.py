"""Batches form, waiters are told on their own loops, and nobody waits for ever."""

import asyncio
import threading

import pytest
from waiting import GUARD, happens

from rerankllm.backends.batching import BatchBackend
from rerankllm.calls import CallFailed, Capabilities, Generate, Request, Response, TokenPrompt
from rerankllm.data import Document, Query, Usage
from rerankllm.errors import BackendError, CapabilityError
from rerankllm.judgements import Score


def request(number):
    return Request(TokenPrompt((number,)), Generate(1))


class Echo(BatchBackend):
    """Answers each request with its number, once the gate opens: the next of `gates`, if any, else `gate`."""

    model = "echo:"
    capabilities = Capabilities(generate=True, token_prompts=True)
    default_strategy = "sliding / text"

    def __init__(self):
        super().__init__()
        self.batches = []
        self.threads = set()
        self.started = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.gates = []
        self.freed = 0
        self.given_up = threading.Event()
        self.failure = None

    @property
    def tokenizer(self):
        raise NotImplementedError

    revision = None

    def check(self, request):
        if request.prompt.ids == (13,):
            raise CapabilityError("not 13")

    def run(self, requests):
        numbers = [request.prompt.ids[0] for request in requests]
        self.batches.append(numbers)
        self.threads.add(threading.get_ident())
        gate = self.gates.pop(0) if self.gates else self.gate
        self.started.set()
        while not gate.wait(0.005):
            if self.abandoned:
                self.given_up.set()
                return [CallFailed("given up")] * len(numbers)
        if self.failure is not None:
            raise self.failure
        return [Response(text=str(number)) for number in numbers]

    def free(self):
        self.freed += 1


def play(scenario):
    """Runs a scenario on a fresh loop and closes the backend; none may hang, or upset the loop."""
    complaints = []

    async def main():
        backend = Echo()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        try:
            return backend, await asyncio.wait_for(scenario(backend), GUARD)
        finally:
            backend.gate.set()
            await backend.aclose()

    played = asyncio.run(main())
    assert complaints == []
    return played


async def until_started(backend):
    assert await asyncio.to_thread(backend.started.wait, GUARD)
    backend.started.clear()


def test_requests_of_one_turn_of_the_loop_are_one_batch():
    async def scenario(backend):
        return await asyncio.gather(*(backend.complete(request(number)) for number in range(5)))

    backend, outcomes = play(scenario)
    assert [outcome.text for outcome in outcomes] == list("01234")
    assert backend.batches == [[0, 1, 2, 3, 4]]


def test_what_comes_in_during_a_run_is_the_next_batch():
    async def scenario(backend):
        backend.gate.clear()
        first = asyncio.create_task(backend.complete(request(0)))
        await until_started(backend)
        others = []
        for number in (1, 2, 3):
            others.append(asyncio.create_task(backend.complete(request(number))))
            await asyncio.sleep(0)
        backend.gate.set()
        return await asyncio.gather(first, *others)

    backend, outcomes = play(scenario)
    assert [outcome.text for outcome in outcomes] == list("0123")
    assert backend.batches == [[0], [1, 2, 3]]
    assert len(backend.threads) == 1
    assert backend.threads != {threading.get_ident()}


def test_many_at_once_come_back_in_order():
    async def scenario(backend):
        return await backend.complete_all([request(number) for number in (3, 1, 2)]), await backend.complete_all([])

    backend, (outcomes, nothing) = play(scenario)
    assert [outcome.text for outcome in outcomes] == list("312")
    assert nothing == []
    assert backend.batches == [[3, 1, 2]]


def test_one_backend_serves_one_loop_after_another():
    backend = Echo()
    answers = [asyncio.run(backend.complete(request(number))).text for number in range(3)]
    asyncio.run(backend.aclose())
    assert answers == list("012")


def test_loops_in_several_threads_each_get_their_own_answers():
    backend = Echo()
    answers = {}

    async def ask(base):
        outcomes = await asyncio.gather(*(backend.complete(request(base + n)) for n in range(20)))
        answers[base] = [outcome.text for outcome in outcomes]

    threads = [threading.Thread(target=lambda b=base: asyncio.run(ask(b))) for base in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
    asyncio.run(backend.aclose())
    assert answers == {base: [str(base + n) for n in range(20)] for base in (100, 200, 300)}


def test_a_cancelled_waiter_leaves_the_others_theirs():
    async def scenario(backend):
        backend.gate.clear()
        running = [asyncio.create_task(backend.complete(request(number))) for number in (0, 1)]
        await until_started(backend)
        waiting = [asyncio.create_task(backend.complete(request(number))) for number in (2, 3)]
        await asyncio.sleep(0)
        running[0].cancel()
        waiting[0].cancel()
        await asyncio.sleep(0)
        backend.gate.set()
        return await asyncio.gather(*running, *waiting, return_exceptions=True)

    backend, (gone, one, dropped, three) = play(scenario)
    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(dropped, asyncio.CancelledError)
    assert (one.text, three.text) == ("1", "3")
    assert backend.batches == [[0, 1], [3]]


def test_a_run_nobody_waits_for_can_stop():
    async def scenario(backend):
        backend.gate.clear()
        task = asyncio.create_task(backend.complete_all([request(0), request(1)]))
        await until_started(backend)
        assert not backend.abandoned
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(backend.given_up.wait, GUARD)
        assert not backend.gate.is_set()

    play(scenario)


def test_a_loop_that_closed_before_its_answer_takes_nothing_from_others():
    async def leave(backend):
        left_behind = asyncio.create_task(backend.complete(request(1)))
        await until_started(backend)
        assert not left_behind.done()

    async def scenario(backend):
        backend.gates = [threading.Event(), threading.Event()]
        first, second = backend.gates
        tasks = [asyncio.create_task(backend.complete(request(0)))]
        await until_started(backend)
        elsewhere = threading.Thread(target=lambda: asyncio.run(leave(backend)))
        elsewhere.start()
        await happens(lambda: backend._pending)
        tasks.append(asyncio.create_task(backend.complete(request(2))))
        await asyncio.sleep(0)
        first.set()
        await asyncio.to_thread(elsewhere.join, GUARD)
        second.set()
        return await asyncio.gather(*tasks)

    backend, outcomes = play(scenario)
    assert [outcome.text for outcome in outcomes] == ["0", "2"]
    assert backend.batches == [[0], [1, 2]]


@pytest.mark.parametrize("failure", [ValueError("broken"), BackendError("gone"), SystemExit("out")])
def test_an_engine_that_raises_fails_its_batch_and_is_asked_again(failure):
    async def scenario(backend):
        backend.failure = failure
        failed = await asyncio.gather(*(backend.complete(request(n)) for n in range(2)), return_exceptions=True)
        backend.failure = None
        return failed, await backend.complete(request(2))

    _, (failed, outcome) = play(scenario)
    assert [type(error) for error in failed] == [BackendError, BackendError]
    assert all(str(failure) in str(error) for error in failed)
    assert outcome.text == "2"


def test_an_engine_that_answers_too_few_is_no_hang():
    async def scenario(backend):
        backend.run = lambda requests: [Response(text="only one")]
        return await asyncio.gather(*(backend.complete(request(n)) for n in range(2)), return_exceptions=True)

    _, (first, second) = play(scenario)
    assert first.text == "only one"
    assert isinstance(second, BackendError)


def test_judgements_are_refused_with_what_it_takes():
    async def scenario(backend):
        await backend.complete_all([request(0), Score(Query("q", "what"), Document("d", "that"))])

    with pytest.raises(CapabilityError, match=r"echo: takes prompts \(Request\), not Score.*sliding / text"):
        play(scenario)


def test_requests_the_engine_cannot_take_are_refused_before_anything_runs():
    async def scenario(backend):
        with pytest.raises(CapabilityError, match="not 13"):
            await backend.complete_all([request(0), request(13)])

    backend, _ = play(scenario)
    assert backend.batches == []


def test_closing_fails_what_waits_and_frees_once_nothing_runs():
    async def scenario(backend):
        backend.gate.clear()
        running = asyncio.create_task(backend.complete(request(0)))
        await until_started(backend)
        waiting = asyncio.create_task(backend.complete(request(1)))
        await asyncio.sleep(0)
        await asyncio.gather(backend.aclose(), backend.aclose())
        outcomes = await asyncio.gather(running, waiting, return_exceptions=True)
        with pytest.raises(BackendError, match="closed"):
            await backend.complete(request(2))
        return outcomes

    backend, (running, waiting) = play(scenario)
    assert running == CallFailed("given up")
    assert isinstance(waiting, BackendError)
    assert backend.freed == 3  # both closes here, and the one after the scenario
    assert backend.batches == [[0]]


def test_it_costs_nothing():
    assert Echo().cost(Usage(10, 10)) == 0.0


class Poisoned(Echo):
    """An engine that cannot compute a batch with the number 5 in it."""

    def run(self, requests):
        if any(request.prompt.ids == (5,) for request in requests):
            self.batches.append([request.prompt.ids[0] for request in requests])
            raise ValueError("cannot read 5")
        return super().run(requests)


def test_work_that_the_engine_cannot_compute_fails_alone():
    engine = Poisoned()

    async def run():
        works = [engine.complete(request(number)) for number in range(12)]
        found = await asyncio.gather(*works, return_exceptions=True)
        await engine.aclose()
        return found

    found = asyncio.run(run())
    assert isinstance(found[5], BackendError)
    assert "cannot read 5" in str(found[5])
    assert not any(isinstance(outcome, Exception) for number, outcome in enumerate(found) if number != 5)
    assert engine.batches[0] == list(range(12))


def test_an_engine_that_always_raises_is_not_asked_for_every_one():
    engine = Echo()
    engine.failure = ValueError("broken")

    async def run():
        works = [engine.complete(request(number)) for number in range(100, 1100)]
        found = await asyncio.gather(*works, return_exceptions=True)
        await engine.aclose()
        return found

    assert all(isinstance(outcome, BackendError) for outcome in asyncio.run(run()))
    assert len(engine.batches) < 100
