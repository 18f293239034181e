"""How fast requests go out, and what several processes that share a host have of it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import ImpatientLoop

from rerankllm.backends.remote import RemoteBackend
from rerankllm.calls import Capabilities, ChatPrompt, Generate, Message, Request, Response
from rerankllm.errors import InputError
from rerankllm.spec.model import ModelSpec

REQUEST = Request(ChatPrompt((Message("user", "hello"),)), Generate(5))


class Host(RemoteBackend):
    """Answers at once and notes when it was asked."""

    def __init__(self, **options):
        super().__init__(model="host", capabilities=Capabilities(), default_strategy="sliding", **options)
        self.asked = []

    tokenizer = None

    def cost(self, usage):
        return None

    async def send(self, request):
        self.asked.append(asyncio.get_running_loop().time())
        return Response("yes")


@given(st.integers(1, 200), st.integers(1, 50))
def test_the_parts_make_the_whole(concurrency, parts):
    slots = []
    for part in range(parts):
        host = Host(concurrency=concurrency, rate=10.0)
        if concurrency < parts:
            with pytest.raises(InputError, match=f"{concurrency} requests at a time cannot be shared by {parts}"):
                host.share(part, parts)
            return
        host.share(part, parts)
        slots.append(host.capabilities.slots)
        assert host._rate == pytest.approx(10.0 / parts)
    assert sum(slots) == concurrency
    assert max(slots) - min(slots) <= 1


def test_requests_begin_no_faster_than_the_rate():
    host = Host(rate=100.0)
    with asyncio.Runner(loop_factory=ImpatientLoop) as runner:
        runner.run(host.complete_all([REQUEST] * 12))
    assert [at - host.asked[0] for at in host.asked] == pytest.approx([n / 100 for n in range(12)])


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(InputError, match="rate must be above 0 requests a second"):
        Host(rate=rate)


def test_models_behind_an_api_take_it():
    assert "rate" in ModelSpec.parse("openai:name").known_options()
