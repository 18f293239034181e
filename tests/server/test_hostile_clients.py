"""Clients that want the server's money, its processor or its sockets."""

import asyncio
import json
import random
import socket
import threading
from collections import Counter

import httpx
import pytest
from serving import GENEROUS, ask, listening, rerankers
from starlette.testclient import TestClient
from waiting import until

from rerankllm.errors import SpecError
from rerankllm.reranker import Reranker
from rerankllm.server import middleware, run
from rerankllm.server.app import make_server
from rerankllm.server.custom_strategy import CustomStrategies
from rerankllm.server.run import names_of
from rerankllm.spec.stage import Stage
from rerankllm.strategies import setwise
from rerankllm.strategies.blocks import designs
from rerankllm.strategies.sliding import Sliding
from rerankllm.strategies.sorting.comparison_sorts import _bubble_steps, bubble_plan
from rerankllm.strategies.sorting.schedule import count_slots, earliest_rounds

BODY = ask("/v1/rerank", ["a", "b"])


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:8000", 200), ("LOCALHOST:1", 200), ("[::1]:8000", 200), ("proxy.example", 200),
     ("evil.example", 421), ("localhost.evil.example:8000", 421), ("127.0.0.1.nip.io", 421), ("", 421), ("[::1", 421)],
)  # fmt: skip
def test_on_loopback_only_its_own_names_are_taken(host, status):
    with rerankers() as aliases:
        server = make_server(aliases, GENEROUS, hosts=names_of("127.0.0.1", ["proxy.example"]))
        with TestClient(server.app) as client:
            for path in ("/v1/rerank", "/v2/rerank"):
                response = client.post(path, json=ask(path, ["a"]), headers={"Host": host})
                assert response.status_code == status
            assert client.get("/health", headers={"Host": host}).status_code == status
            assert client.get("/page/plan?n=5", headers={"Host": host}).status_code == status


def test_at_other_addresses_any_name_is_taken_unless_some_are_given():
    assert names_of("0.0.0.0", ()) == frozenset()  # noqa: S104
    assert "a.example" in names_of("0.0.0.0", ["A.example"])  # noqa: S104


@pytest.mark.parametrize("sent", [b"", b"POST /v1/rer", b"GET /health HTTP/1.1\r\nHost: a\r\nX: "])
def test_half_sent_headers_time_out(sent, monkeypatch):
    monkeypatch.setattr(run, "HEAD_SECONDS", 0.2)
    with listening() as live:
        url = httpx.URL(live.url)
        with socket.create_connection((url.host, url.port), timeout=60) as connection:
            connection.sendall(sent)
            assert connection.recv(1) == b""


def test_a_second_request_of_a_connection_times_out_too_and_a_slow_answer_does_not(monkeypatch):
    monkeypatch.setattr(run, "HEAD_SECONDS", 0.2)
    with listening() as live:
        url = httpx.URL(live.url)
        with socket.create_connection((url.host, url.port), timeout=60) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = connection.recv(4096)
            while not answer.endswith(b"}"):
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET /hea")
            assert connection.recv(1) == b""
        live.engine.gate.clear()
        answers = []
        asked = {"url": f"{live.url}/v1/rerank", "json": BODY, "timeout": 60}
        asking = threading.Thread(target=lambda: answers.append(httpx.post(**asked)))
        asking.start()
        threading.Event().wait(0.5)
        live.engine.gate.set()
        asking.join()
        assert answers[0].status_code == 200


def held_plans(monkeypatch):
    """Holds every plan back: an event that one has begun, one that lets them go on, and what was asked of each."""
    planning, go_on = threading.Event(), threading.Event()
    chosen, plan = [], CustomStrategies._choose

    def choose(self, *arguments):
        chosen.append(arguments)
        planning.set()
        assert go_on.wait(60)
        return plan(self, *arguments)

    monkeypatch.setattr(CustomStrategies, "_choose", choose)
    return planning, go_on, chosen


def test_who_hangs_up_while_a_plan_is_waited_for_is_forgotten(monkeypatch):
    with listening() as live:
        planning, go_on, chosen = held_plans(monkeypatch)
        url = httpx.URL(live.url)
        connections = [socket.create_connection((url.host, url.port), timeout=60) for _ in range(20)]
        for connection in connections:
            connection.sendall(b"GET /page/plan?n=5 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert planning.wait(60)
        until(lambda: live.running._in_flight._inside == 20)
        for connection in connections:
            connection.close()
        until(lambda: live.running._in_flight._inside == 0)
        go_on.set()
        assert httpx.get(f"{live.url}/page/plan?n=6", timeout=60).status_code == 200
        assert len(chosen) == 2


def test_a_plan_that_nobody_waits_for_any_more_still_keeps_the_next_from_beginning(monkeypatch):
    with listening() as live:
        planning, go_on, chosen = held_plans(monkeypatch)
        url = httpx.URL(live.url)
        first, second = (socket.create_connection((url.host, url.port), timeout=60) for _ in range(2))
        first.sendall(b"GET /page/plan?n=5 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert planning.wait(60)
        second.sendall(b"GET /page/plan?n=6 HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: live.running._in_flight._inside == 2)
        first.close()
        until(lambda: live.running._in_flight._inside == 1)
        for _ in range(5):
            assert httpx.get(f"{live.url}/health", timeout=60).status_code == 200
        assert len(chosen) == 1
        go_on.set()
        assert second.recv(4096).startswith(b"HTTP/1.1 200")
        second.close()


@pytest.mark.parametrize("late", [0, 1])
def test_who_has_hung_up_before_its_turn_costs_nothing(monkeypatch, late):
    """As when the server was busy: the request and the hang-up are there together, or a turn of the loop apart."""
    begun = []
    monkeypatch.setattr(Reranker, "submit", lambda *_, **__: begun.append(1))

    async def send(message):
        raise AssertionError(message)

    async def asked(app):
        messages = [{"type": "http.request", "body": json.dumps(BODY).encode()}, {"type": "http.disconnect"}]

        async def receive():
            if len(messages) == 1:
                for _ in range(late):
                    await asyncio.sleep(0)
            return messages.pop(0)

        scope = {"type": "http", "method": "POST", "path": "/v1/rerank", "query_string": b"", "root_path": ""}
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        await app({**scope, "headers": headers, "asgi": {"version": "3.0"}}, receive, send)

    with rerankers() as aliases:
        server = make_server(aliases, GENEROUS)
        asyncio.run(asked(server.app))
    assert not begun


def test_a_hang_up_that_came_while_the_loop_was_busy_is_seen_over_a_socket(monkeypatch):
    begun, submit = [], Reranker.submit
    monkeypatch.setattr(Reranker, "submit", lambda *a, **k: begun.append(1) or submit(*a, **k))
    busy, go_on = threading.Event(), threading.Event()
    introduce = middleware._introduce

    def held(context, scope, headers):
        if b"busy" in scope["query_string"]:
            busy.set()
            assert go_on.wait(60)
        introduce(context, scope, headers)

    monkeypatch.setattr(middleware, "_introduce", held)
    content = json.dumps(BODY).encode()
    head = f"POST /v1/rerank HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    with listening() as live:
        url = httpx.URL(live.url)
        connections = [socket.create_connection((url.host, url.port), timeout=60) for _ in range(5)]
        assert httpx.get(f"{live.url}/health", timeout=60).status_code == 200  # all of them are accepted
        holding = threading.Thread(target=lambda: httpx.get(f"{live.url}/health?busy", timeout=60))
        holding.start()
        assert busy.wait(60)
        for connection in connections:
            connection.sendall(head.encode() + b"\r\n\r\n" + content)
            connection.close()
        go_on.set()
        holding.join()
        assert httpx.post(f"{live.url}/v1/rerank", json=BODY, timeout=60).status_code == 200
        assert len(begun) == 1


@pytest.mark.parametrize("passes", [1, 2, 3, 7])
def test_windows_are_counted_as_they_are_asked(passes):
    for n in range(14):
        for window in range(2, 7):
            for stride in range(1, window + 1):
                strategy = Sliding(window, stride, passes)
                rounds = earliest_rounds(strategy._windows(n, passes))
                plan = strategy.plan(n)
                assert plan.calls.high == sum(map(len, rounds))
                assert plan.rounds.high == len(rounds)
                assert plan.slots.high == count_slots(rounds)


def test_swaps_are_counted_as_they_are_asked():
    for n in range(14):
        for k in range(n + 1):
            rounds = earliest_rounds(_bubble_steps(n, k))
            plan = bubble_plan(n, k)
            assert (plan.calls.high, plan.rounds.high) == (2 * sum(map(len, rounds)), len(rounds))


@pytest.mark.parametrize("c", [3, 4, 5, 9])
def test_groups_are_counted_as_they_are_asked(c):
    for n in range(16):
        for k in range(1, n + 3):
            steps = setwise._bubble_steps(n, min(k, n), c)
            first = setwise._bubble_steps(n, min(k, n, 1), c)
            calls, rounds, slots = setwise._bubble_plan(n, min(k, n), c)
            assert (calls.low, calls.high) == (len(first), len(steps))
            assert (rounds.low, rounds.high) == (len(first), len(earliest_rounds(steps)))
            assert (slots.low, slots.high) == (count_slots([first]), count_slots([steps]))


@pytest.mark.parametrize(("design", "block"), [("equi", 2), ("equi", 4), ("random", 3), ("latin", 4), ("bibd", 4)])
def test_blocks_are_counted_as_they_are_made(design, block):
    for n in range(14):
        for replicas in range(1, 9):
            try:
                made = designs.blocks(design, n, block, replicas, random.Random(0))
            except SpecError:
                with pytest.raises(SpecError):
                    designs.sizes(design, n, block, replicas)
            else:
                assert designs.sizes(design, n, block, replicas) == Counter(map(len, made))


def test_the_largest_plans_enumerate_no_calls(monkeypatch):
    """A plan of millions of calls is computed without a step for each of them."""
    counted = []

    def counting(steps):
        steps = list(steps)
        counted.extend(steps)
        return earliest_rounds(steps)

    monkeypatch.setattr("rerankllm.strategies.sliding.earliest_rounds", counting)
    monkeypatch.setattr("rerankllm.strategies.setwise.earliest_rounds", counting)
    monkeypatch.setattr("rerankllm.strategies.jointrank.blocks", lambda *arguments: counted.extend(range(10_000)))
    monkeypatch.setattr("rerankllm.strategies.sorting.comparison_sorts.earliest_rounds", counting)
    assert Stage.parse("sliding(window=2, stride=1, passes=1000)").strategy.plan(1000).calls.high == 999_000
    bubbles = ", ".join(f"prp(sort=bubble, top_k={990 + i})" for i in range(10))
    assert Stage.parse(f"rankfusion([{bubbles}])").strategy.plan(1000).calls.high > 900_000
    assert Stage.parse("setwise(c=3, sort=bubble, top_k=1000)").strategy.plan(1000).calls.high == 250_000
    assert Stage.parse("jointrank(block=2, replicas=999)").strategy.plan(1000).calls.high == 499_500
    assert len(counted) < 5000
