"""Whose call is next: parties take turns, and within one all goes in the order in which it was asked."""

import asyncio
from collections import deque
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import GUARD

from rerankllm.backends.direct import DirectBackend
from rerankllm.calls import Capabilities, Reply
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.drivers.budget import Budget, Limits
from rerankllm.drivers.concurrent import Concurrent
from rerankllm.drivers.fair_queue import FairQueue
from rerankllm.drivers.gateway import Gateway
from rerankllm.drivers.panel import Direct
from rerankllm.drivers.rounds import Rounds
from rerankllm.drivers.task import Task
from rerankllm.judgements import Score
from rerankllm.spec.stage import Stage

POINTWISE = Stage.parse("pointwise").strategy


class Noting(DirectBackend):
    """Scores everything 1, and notes whose calls came, in order and by batches."""

    def __init__(self, batch=None, slots=None):
        self.model = "noting"
        self.capabilities = Capabilities(answers=frozenset({Score}), batch=batch, slots=slots)
        self.seen = []
        self.batches = []
        self.hook = lambda: None

    def answer(self, judgement):
        self.seen.append(judgement.query.query_id)
        self.hook()
        return Reply(1.0)

    async def complete(self, work):
        await asyncio.sleep(0.001)
        return self.answer(work)

    async def complete_all(self, works):
        await asyncio.sleep(0.001)
        self.batches.append([work.query.query_id for work in works])
        return [self.answer(work) for work in works]


def candidates(n):
    return [Candidate(Document(f"d{i}", str(i))) for i in range(n)]


def line_up(parties, size, limits=None):
    """A lane in which each party has queries of so many calls: whose, which query's and which call comes when."""
    backend = Noting()
    lane = FairQueue(backend, Gateway(Budget()), size)
    for number, queries in enumerate(parties):
        for query_number, n in enumerate(queries):
            query = Query(f"{number}.{query_number}", "q")
            Task(
                query,
                candidates(n),
                POINTWISE.rank(query, candidates(n)),
                lambda ask, kind: Direct(backend),
                lambda event: None,
                ask=lambda calls: lane.add(deque(calls)),
                budget=Budget(limits) if limits else None,
                party=number,
            ).start()
    return lane


def order(lane):
    """Takes all there is."""
    tickets = iter(lane.next, None)
    return [(t.task.party, t.task.query.query_id, t.call.place.item) for t in tickets]


PARTIES = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=3), min_size=1, max_size=5)


@pytest.mark.slow
@given(PARTIES, st.one_of(st.none(), st.integers(1, 40)))
def test_every_call_comes_once_and_those_of_a_party_in_order(parties, size):
    lane = line_up(parties, size)
    assert len(lane) == sum(map(sum, parties))
    seen = order(lane)
    assert not lane
    for number, queries in enumerate(parties):
        asked = [(number, f"{number}.{q}", item) for q, n in enumerate(queries) for item in range(n)]
        assert [call for call in seen if call[0] == number] == asked


@pytest.mark.slow
@given(PARTIES, st.integers(1, 40))
def test_a_turn_is_a_fair_share_and_nobody_is_passed_over(parties, size):
    left = {number: sum(queries) for number, queries in enumerate(parties)}
    turns = [(party, len(list(calls))) for party, calls in groupby(order(line_up(parties, size)), lambda c: c[0])]
    since = dict.fromkeys(left, 0)  # turns of others
    for party, calls in turns:
        waiting = [number for number, n in left.items() if n]
        assert len(waiting) == 1 or calls <= max(1, size // len(waiting))
        left[party] -= calls
        since = {number: 0 if number == party else turns + 1 for number, turns in since.items() if left[number]}
        assert all(turns < len(parties) for turns in since.values())


def test_a_query_that_its_budget_makes_wait_holds_up_no_other():
    lane = line_up([[3], [2]], 4, Limits(calls=2))
    first = [lane.next() for _ in range(4)]
    assert [ticket.task.party for ticket in first] == [0, 0, 1, 1]
    assert lane.next() is None
    assert lane  # the third call of the first: its budget may suffice when it is known what the others took
    lane.settled()
    assert lane.next() is None
    for ticket in first:
        ticket.back(Reply(1.0))
    lane.settled()
    assert lane.next() is None
    assert not lane  # refused
    assert first[0].task.future.done()
    assert isinstance(first[2].task.future.result(), Ranking)


@pytest.mark.parametrize("driver", [Rounds, Concurrent], ids=lambda d: d.__name__)
def test_a_request_with_a_thousand_documents_does_not_make_one_with_five_wait(driver):
    backend = Noting(batch=8, slots=8)
    live = driver(lambda ask, kind: Direct(backend), None)

    def submit(query_id, n):
        query = Query(query_id, "q")
        return live.submit(query, candidates(n), POINTWISE.rank(query, candidates(n)))

    small = []
    backend.hook = lambda: small.append(submit("small", 5)) if len(backend.seen) == 20 else None
    assert len(submit("big", 1000).result(timeout=GUARD)) == 1000
    assert len(small[0].result(timeout=GUARD)) == 5
    live.close()
    last = len(backend.seen) - backend.seen[::-1].index("small")
    assert last <= 20 + 4 * 8
    for batch in backend.batches:
        assert len(list(groupby(batch))) == len(set(batch))  # calls of one query side by side


@pytest.mark.parametrize("driver", [Rounds, Concurrent], ids=lambda d: d.__name__)
def test_the_queries_of_one_run_are_done_one_after_the_other(driver):
    backend = Noting(batch=8, slots=8)
    live = driver(lambda ask, kind: Direct(backend), None)
    queries = [Query(str(i), "q") for i in range(6)]
    steps = [POINTWISE.rank(query, candidates(20)) for query in queries]
    submitted = [live.submit(q, candidates(20), s, party="run") for q, s in zip(queries, steps, strict=True)]
    for future in submitted:
        future.result(timeout=GUARD)
    live.close()
    places = [int(query_id) for query_id in backend.seen]
    assert places == sorted(places)
