import asyncio
import json
import logging

import pytest

pytest.importorskip("openai")

from scripted_batches import Batches
from scripted_server import Answer, ScriptedServer, Status
from waiting import GUARD, leap

from rerankllm.backends.openai import batch
from rerankllm.backends.openai.backend import OpenAI
from rerankllm.calls import CallFailed, ChatPrompt, Generate, Message, Request, Response
from rerankllm.data import Candidate, Document, Query, Ranking, Usage
from rerankllm.errors import AuthError, CapabilityError, InputError
from rerankllm.judgements import Write
from rerankllm.reranker import Reranker


def generate(text):
    return Request(ChatPrompt((Message("user", text),)), Generate(12))


def echo(body, _):
    return Answer(body["messages"][-1]["content"])


def make(server, **options):
    return OpenAI(name="m", base_url=server.url, batch=True, batch_poll=0.01, retries=0, **options)


def ask(server, *works, loops=None, **options):
    async def run():
        if loops is not None:
            loops.append(asyncio.get_running_loop())
        backend = make(server, **options)
        try:
            return await backend.complete_all(works)
        finally:
            await backend.aclose()

    return asyncio.run(run())


def test_a_round_is_one_job_and_answers_find_their_requests():
    batches = Batches(looks=3)
    with ScriptedServer(echo, batches=batches) as server:
        outcomes = ask(server, *(generate(f"prompt {i}") for i in range(30)))
    assert [o.text for o in outcomes] == [f"prompt {i}" for i in range(30)]
    assert all(o.attempts == 1 and o.usage == Usage(7, 3) for o in outcomes)
    assert len(batches.made) == 1
    assert batches.made[0]["endpoint"] == "/v1/chat/completions"
    assert batches.made[0]["completion_window"] == "24h"
    assert batches.looked == {"batch-0": 3}


def test_the_same_request_twice_is_asked_twice():
    with ScriptedServer(lambda body, n: Answer(str(n)), batches=Batches()) as server:
        outcomes = ask(server, generate("x"), generate("x"))
    assert sorted(o.text for o in outcomes) == ["0", "1"]


def test_a_killed_run_takes_its_job_up_again():
    """The first backend dies while it waits; the second, asked the same in another order, makes no job of its own."""
    batches = Batches(looks=10**9)
    works = [generate(f"prompt {i}") for i in range(5)]

    async def killed(server):
        backend = make(server)
        waiting = asyncio.ensure_future(backend.complete_all(works))
        while not batches.looked:  # noqa: ASYNC110 - it lives on another loop
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await backend.aclose()

    with ScriptedServer(echo, batches=batches) as server:
        asyncio.run(killed(server))
        assert len(batches.made) == 1
        batches.looks = 1
        outcomes = ask(server, *works[::-1])
        assert [o.text for o in outcomes] == [f"prompt {i}" for i in range(5)][::-1]
        assert len(batches.made) == 1
        assert server.calls == 5
        # What is over is taken up too, and other requests, or another temperature, are another job.
        assert [o.text for o in ask(server, *works)] == [f"prompt {i}" for i in range(5)]
        assert len(batches.made) == 1
        ask(server, *works[1:])
        ask(server, *works, temperature=0.5)
        assert len(batches.made) == 3


def test_an_old_job_is_left_alone():
    batches = Batches()
    with ScriptedServer(echo, batches=batches) as server:
        ask(server, generate("x"))
        batches.made[0]["created_at"] -= 8 * 86400
        ask(server, generate("x"))
        assert len(batches.made) == 2


@pytest.mark.parametrize("fate", ["expired", "cancelled", "completed"])
def test_what_a_job_left_unanswered_fails_by_name_and_is_asked_anew(fate):
    batches = Batches(fate=fate, answered=2)
    works = [generate(f"prompt {i}") for i in range(4)]
    with ScriptedServer(echo, batches=batches) as server:
        outcomes = ask(server, *works)
        assert [o.text for o in outcomes[:2]] == ["prompt 0", "prompt 1"]
        assert outcomes[2:] == [CallFailed(f"batch batch-0 {fate} without an answer to this request")] * 2
        batches.fate, batches.answered = "completed", None
        again = ask(server, *works)
        if fate != "completed":
            assert [o.text for o in again] == [f"prompt {i}" for i in range(4)]
            assert len(batches.made) == 2


def test_a_job_that_fails_says_why():
    with ScriptedServer(echo, batches=Batches(fate="failed")) as server:
        assert ask(server, generate("x")) == [CallFailed("batch batch-0 failed: line 1 is no request")]


def test_errors_and_lies_within_a_job_are_those_of_their_requests():
    def script(body, _):
        text = body["messages"][-1]["content"]
        if text == "bad":
            return Status(400, {"error": {"message": "too long"}})
        return Answer(None, message={"refusal": "no"}) if text == "refused" else Answer(text)

    with ScriptedServer(script, batches=Batches()) as server:
        good, bad, refused = ask(server, generate("good"), generate("bad"), generate("refused"))
        host = server.url[7:-3]
    assert good.text == "good"
    assert bad == CallFailed(f"{host} answered 400: too long")
    assert refused == CallFailed(f"{host}: the model refused: no")


def test_a_file_with_other_lines_in_it_harms_nobody(monkeypatch):
    batches = Batches()
    end = Batches._end

    def and_spoil(self, made, answer):
        end(self, made, answer)
        kept = self.files[made["output_file_id"]].split("\n")
        kept[0] = '{"custom_id": "half a li'
        self.files[made["output_file_id"]] = "\n".join([*kept, "null", "[]", '{"custom_id": "another", "error": {}}'])

    monkeypatch.setattr(Batches, "_end", and_spoil)
    with ScriptedServer(echo, batches=batches) as server:
        outcomes = ask(server, *(generate(f"line\u2028{i}") for i in range(3)))
    assert [o.text for o in outcomes[:2]] == ["line\u20280", "line\u20281"]
    assert isinstance(outcomes[2], CallFailed)


def test_what_is_too_much_for_one_job_is_several(monkeypatch):
    monkeypatch.setattr(batch, "MOST_REQUESTS", 4)
    batches = Batches()
    with ScriptedServer(echo, batches=batches) as server:
        outcomes = ask(server, *(generate(f"prompt {i}") for i in range(10)))
        assert [o.text for o in outcomes] == [f"prompt {i}" for i in range(10)]
        assert len(batches.made) == 3
        monkeypatch.setattr(batch, "MOST_REQUESTS", 50_000)
        monkeypatch.setattr(batch, "MOST_BYTES", 900)
        ask(server, *(generate(f"longer prompt {i}" * 5) for i in range(6)))
    sizes = [len(batches.files[made["input_file_id"]].encode()) for made in batches.made[3:]]
    assert len(sizes) >= 2
    assert all(size <= 900 for size in sizes)


def test_a_wrong_key_is_one_call_and_one_line():
    with ScriptedServer(lambda body, n: Answer("x"), batches=Batches()) as server:
        server.batches.respond = lambda *_: (401, json.dumps({"error": {"message": "Incorrect API key"}}))

        async def run():
            backend = make(server)
            for _ in range(2):
                with pytest.raises(AuthError, match=r"401: Incorrect API key; check the key in \$OPENAI_API_KEY"):
                    await backend.complete_all([generate("x")] * 10)
            await backend.aclose()

        asyncio.run(run())
        assert len(server.headers) == 1


def test_a_host_without_batches_says_so():
    with ScriptedServer(echo) as server, pytest.raises(CapabilityError, match="no batch API; leave batch=true out"):
        ask(server, generate("x"))


def test_a_host_that_is_lost_for_good_does_not_keep_the_run(monkeypatch):
    monkeypatch.setattr(batch, "LOST_AFTER", 3)
    batches = Batches(looks=10**9)
    with ScriptedServer(echo, batches=batches) as server:
        respond = batches.respond
        batches.respond = lambda method, path, *rest: (
            (500, "oh no") if path.endswith("batch-0") else respond(method, path, *rest)
        )
        [outcome] = ask(server, generate("x"))
    assert isinstance(outcome, CallFailed)
    assert "answered 500: oh no" in outcome.reason


def test_a_job_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(batch, "GIVE_UP", GUARD)
    loops = []

    class Slow(Batches):
        def _look(self, *asked):
            leap(loops[0], min(GUARD, batch.UPLOAD_SECONDS) / 2)  # in which a look does not time out
            return super()._look(*asked)

    with ScriptedServer(echo, batches=Slow(looks=10**9)) as server:
        [outcome] = ask(server, generate("x"), loops=loops)
    assert outcome == CallFailed("batch batch-0 is still in_progress; run this again later to take it up")


def test_what_is_no_prompt_is_not_sent():
    with ScriptedServer(echo, batches=Batches()) as server:
        write, good = ask(server, Write(Query("1", "q"), 3), generate("x"))
    assert "prompts only" in write.reason
    assert write.attempts == 0
    assert isinstance(good, Response)


def test_half_the_price_and_the_same_printed_spec(monkeypatch):
    whole, half = OpenAI(name="gpt-4o"), OpenAI(name="gpt-4o", batch=True)
    assert half.cost(Usage(1000, 100)) == pytest.approx(whole.cost(Usage(1000, 100)) / 2)
    assert half.model == whole.model  # batches answer as single requests do
    with pytest.raises(InputError, match="batch_poll above 0"):
        OpenAI(name="gpt-4o", batch_poll=0)


def test_queries_advance_together_and_rank(caplog):
    caplog.set_level(logging.INFO)
    batches = Batches()

    def script(body, _):
        n = sum(line.startswith("[") for line in body["messages"][-1]["content"].split("\n"))
        return Answer(" > ".join(f"[{i}]" for i in range(n, 0, -1)))

    candidates = [Candidate(Document(f"d{i}", f"passage {i}")) for i in range(4)]
    options = {"batch": "true", "batch_poll": "0.01"}
    queries = [(Query("1", "one"), candidates), (Query("2", "two"), candidates)]
    with (
        ScriptedServer(script, batches=batches) as server,
        Reranker("sliding", f"openai:m?base_url={server.url}", options=options) as reranker,
    ):
        outcomes = list(reranker.stream(queries))
    assert all(isinstance(o, Ranking) for o in outcomes)
    assert [o.doc_ids for o in outcomes] == [("d3", "d2", "d1", "d0")] * 2
    assert 1 <= len(batches.made) <= 2
    assert "made of" in caplog.text
