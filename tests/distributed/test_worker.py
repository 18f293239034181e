"""One worker by itself: what it does when it is told little, and what it says when it cannot work."""

import threading
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import ray
from waiting import GUARD, until

from rerankllm import Reranker, __version__
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.distributed.coordinator import Coordinator
from rerankllm.distributed.shards import FlowError, RankedShard, Shard, rows, table
from rerankllm.distributed.shared_budget import SharedBudget
from rerankllm.distributed.worker import ALONE, STARTS, TRIES, Orders, Room, Worker
from rerankllm.drivers.budget import Admission, Amount, Limits
from rerankllm.drivers.events import Failed
from rerankllm.drivers.recipe import Recipe
from rerankllm.sample import path as sample

CALL = Amount(calls=1)
ORACLE = f"oracle:{sample('qrels.txt')}"
WORKS = [(Query(f"q{i}", "a question"), [Candidate(Document(d, f"text {d}"), 1.0) for d in "abc"]) for i in range(1, 4)]


class Local:
    """An actor that is right here: `.method.remote(…)` is the result itself."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return SimpleNamespace(remote=getattr(self.inner, name))


def heard():
    """Waits until workers know that all is to stop."""
    for thread in threading.enumerate():
        if thread.name == "rerankllm-stop":
            thread.join(GUARD)
            assert not thread.is_alive()


@pytest.fixture
def coordinator(monkeypatch):
    monkeypatch.setattr(ray, "get", lambda found: found)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(get_actor_id=lambda: "worker"))
    inner = Coordinator(Limits(), None)
    yield inner
    inner.stop("the test is over")
    heard()


@pytest.fixture
def orders(coordinator, tmp_path):
    (tmp_path / "qrels").write_text("".join(f"q{i} 0 b 2\nq{i} 0 c 1\n" for i in range(1, 4)))
    make = making(strategy="sliding", model=f"oracle:{tmp_path / 'qrels'}")
    return Orders(make, Limits(), 1, Local(coordinator), __version__, str(tmp_path))


def making(**recipe):
    return partial(Reranker.from_recipe, Recipe(**recipe))


def answer(worker, number=1, works=WORKS):
    ((back, content),) = rows(next(worker(table(number, Shard(works)))))
    assert back == number
    return content


@pytest.mark.slow
def test_a_shard_comes_back_ranked_without_texts(orders):
    found = answer(Worker(orders))
    assert isinstance(found, RankedShard)
    assert [outcome.doc_ids for outcome, _ in found.outcomes] == [("b", "c", "a")] * 3
    assert {result.document.text for outcome, _ in found.outcomes for result in outcome} == {""}
    assert [ids for _, ids in found.outcomes] == [["a", "b", "c"]] * 3
    assert found.facts.models == (orders.make.args[0].model,)
    assert found.facts.strategy.startswith("sliding(")


@pytest.mark.slow
def test_texts_come_back_where_they_are_wanted(orders):
    found = answer(Worker(replace(orders, texts=True)))
    assert [result.document for result in found.outcomes[0][0]] == [WORKS[0][1][i].document for i in (1, 2, 0)]


def test_what_is_no_shard_passes(orders):
    problem = FlowError("InputError", "line 2")
    assert rows(next(Worker(orders)(table(9, problem)))) == [(9, problem)]


@pytest.mark.parametrize(
    ("recipe", "kind", "message"),
    [
        ({"strategy": "sliding", "model": "llamacpp:/none.gguf"}, "InputError", "none.gguf"),
        ({"strategy": "slidding", "model": ORACLE}, "SpecError", "did you mean 'sliding'"),
        ({"strategy": "sliding / text", "model": ORACLE}, "CapabilityError", "answers without a prompt"),
    ],
)
def test_an_engine_that_does_not_start_is_a_reason_for_every_shard(orders, recipe, kind, message):
    worker = Worker(replace(orders, make=making(**recipe)))
    for number in range(2):
        found = answer(worker, number)
        assert found.kind == kind
        assert message in found.message


def test_another_version_is_refused(orders):
    found = answer(Worker(replace(orders, version="0.0.1")))
    assert found.message == f"a worker has rerankllm {__version__}, and the command 0.0.1: install one"


def test_an_engine_that_takes_its_process_with_it_is_given_up(orders, coordinator):
    for _ in range(STARTS):
        coordinator.join("worker")
    found = answer(Worker(orders))
    assert found.message == f"the engine does not start: its process died {STARTS} times while it was loaded"


@pytest.mark.slow
def test_a_query_that_processes_die_of_fails_alone(orders, coordinator):
    for _ in range(TRIES):
        coordinator.begin(7)
    for _ in range(ALONE):
        coordinator.begin("query q2")
    found = answer(Worker(orders), 7)
    kinds = [type(outcome) for outcome, _ in found.outcomes]
    assert kinds == [Ranking, Failed, Ranking]
    assert "died each of the" in found.outcomes[1][0].reason


def test_a_worker_stops_when_all_are_to(orders, coordinator):
    worker = Worker(orders)
    coordinator.stop("interrupted")
    heard()
    found = answer(worker)
    assert {outcome.reason for outcome, _ in found.outcomes} == {"interrupted"}


def test_two_budgets_share_one_and_wait_for_each_other(monkeypatch):
    monkeypatch.setattr(ray, "get", lambda found: found)
    shared = Local(Coordinator(Limits(calls=2), None))
    one, two = (SharedBudget(Limits(calls=2), shared, name) for name in "ab")
    assert one.reserve(CALL) is two.reserve(CALL) is Admission.SEND
    assert one.reserve(CALL) is Admission.WAIT
    one.charge(CALL, Amount())  # withdrawn
    assert one.reserve(CALL) is Admission.SEND
    one.charge(CALL, CALL)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(one.reserve(CALL)))  # nothing of its own is under way
    waiting.start()
    two.charge(CALL, CALL)
    waiting.join(GUARD)
    assert answers == ["the budget of 2 calls is used up (2 calls spent)"]
    two.stop("enough")
    assert two.reserve(CALL) == "enough"


def test_room_is_waited_for_and_one_alone_always_has_it():
    room, order = Room(10), []

    def take(calls):
        with room.for_calls(calls):
            order.append(calls)

    with room.for_calls(100):  # more than there is
        waiting = threading.Thread(target=take, args=(4,))
        waiting.start()
        until(lambda: room._changed._waiters)
        assert not order
    waiting.join(GUARD)
    assert order == [4]
    with room.for_calls(6):
        take(4)
    assert order == [4, 4]
