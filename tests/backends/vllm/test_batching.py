"""Requests join the running batch and leave it one by one, whichever driver they come from."""

import asyncio
import time

import pytest

from rerankllm import Reranker
from rerankllm.calls import Generate, ReadContinuation, ReadLabels, Request, TokenPrompt
from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import BackendError

LONG, SHORT = 120, 3


def request(backend, want, text="Once upon a time there was"):
    return Request(TokenPrompt(backend.tokenizer.encode(text)), want)


@pytest.fixture
def steps(backend, monkeypatch):
    """How many steps the engine has made, as a list that grows."""
    made = []
    step = backend._engine.step
    monkeypatch.setattr(backend._engine, "step", lambda: made.append(time.monotonic()) or step())
    return made


async def until(true):
    while not true():  # noqa: ASYNC110 - what is watched runs on another thread
        await asyncio.sleep(0.01)


def test_a_short_request_overtakes_a_long_one(backend, steps):
    """It joins while the long one is computed, and is answered long before that is done."""

    async def both():
        ended = []

        async def ask(name, want):
            response = await backend.complete(request(backend, want))
            ended.append(name)
            return response

        long = asyncio.create_task(ask("long", Generate(LONG, stop=("\0",))))
        await until(lambda: len(steps) > 5)
        short = await ask("short", Generate(SHORT))
        labels = await ask("labels", ReadLabels(("a",), ((1000,),)))
        at = len(steps)
        return ended, short, labels, await long, at

    ended, short, labels, long, at = asyncio.run(both())
    assert ended == ["short", "labels", "long"]
    assert at < LONG / 2
    assert len(steps) < LONG + 20  # nobody waited for a batch of his own
    assert short.usage.completion_tokens == SHORT
    assert len(labels.logprobs) == 1
    assert (long.usage.completion_tokens, long.finish_reason) == (LONG, "length")
    assert long.text.startswith(short.text)


def test_a_round_is_one_batch(backend, steps):
    """Requests of all kinds, far more than steps."""
    ids = backend.tokenizer.encode(" a princess")
    wants = [ReadLabels(("a",), ((1000,),)), ReadContinuation(ids), Generate(SHORT)] * 20
    found = asyncio.run(
        backend.complete_all([request(backend, want, f"Tale {i}: there was") for i, want in enumerate(wants)])
    )
    assert len(steps) <= len(wants) / 3
    for want, response in zip(wants, found, strict=True):
        assert len(response.logprobs) == (0 if isinstance(want, Generate) else 1 if want is wants[0] else len(ids))


def test_two_loops_at_once_are_each_answered(backend):
    """Nothing of the engine belongs to an event loop."""

    def ask(text):
        return asyncio.run(backend.complete(request(backend, Generate(SHORT), text))).text

    async def threads():
        return await asyncio.gather(*(asyncio.to_thread(ask, text) for text in ("One two three", "The sky is")))

    assert asyncio.run(threads()) == [ask("One two three"), ask("The sky is")]


def test_who_is_cancelled_leaves_the_engine(backend, steps):
    async def cancelled():
        long = asyncio.create_task(backend.complete(request(backend, Generate(LONG, stop=("\0",)))))
        await until(lambda: len(steps) > 5)
        long.cancel()
        await until(lambda: not backend._running)
        made = len(steps)
        assert made < LONG / 2
        assert not backend._engine._llm.llm_engine.has_unfinished_requests()
        assert not backend._readers
        return await backend.complete(request(backend, Generate(SHORT)))

    assert asyncio.run(cancelled()).usage.completion_tokens == SHORT


def test_an_engine_that_fails_fails_everybody_and_is_not_asked_again(load, tiny, monkeypatch):
    broken = load(tiny, max_model_len=128)
    step = broken._engine.step
    left = iter([step, step, step])

    def fails():
        try:
            return next(left)()
        except StopIteration:
            raise RuntimeError("out of memory") from None

    monkeypatch.setattr(broken._engine, "step", fails)

    async def three():
        asked = [request(broken, Generate(40), "a"), request(broken, Generate(1), "b"), request(broken, Generate(40))]
        return await asyncio.gather(*map(broken.complete, asked), return_exceptions=True)

    first, second, third = asyncio.run(three())
    assert second.usage.completion_tokens == 1  # it was done before
    for failed in (first, third):
        assert isinstance(failed, BackendError)
        assert "out of memory" in str(failed)
    monkeypatch.undo()
    with pytest.raises(BackendError, match="out of memory"):
        asyncio.run(broken.complete(request(broken, Generate(1), "b")))


def test_closing_ends_what_runs_and_what_waits(load, tiny):
    closing = load(tiny, max_model_len=256)

    async def close():
        running = asyncio.create_task(closing.complete(request(closing, Generate(220, stop=("\0\0",)), "a")))
        await until(lambda: closing._running)
        await closing.aclose()
        with pytest.raises(BackendError, match="closed"):
            await running
        with pytest.raises(BackendError, match="closed"):
            await closing.complete(request(closing, Generate(1), "a"))

    asyncio.run(close())


@pytest.mark.parametrize("strategy", ["pointwise / likelihood", "sliding(window=3, stride=2) / labels", "prp / labels"])
def test_both_drivers_rank_alike(smollm2, monkeypatch, strategy):
    texts = ["Dogs bark at strangers.", "Adult fleas live for two or three months.", "Fleas jump far.", "Wet rain."]
    candidates = [Candidate(Document(str(i), text)) for i, text in enumerate(texts)]
    queries = [Query("1", "how long do fleas live"), Query("2", "why do dogs bark"), Query("3", "what is wet")]
    ranked = {}
    for driver in ("rounds", "concurrent"):
        model = f"vllm:{smollm2}?dtype=float32&max_model_len=1024&enforce_eager=true&kv_cache_memory_bytes={64 << 20}"
        with Reranker(strategy, model, driver=driver) as reranker:
            outcomes = list(reranker.stream([(query, candidates) for query in queries]))
            ranked[driver] = [outcome.doc_ids for outcome in outcomes]
    assert ranked["rounds"] == ranked["concurrent"]
