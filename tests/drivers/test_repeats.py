"""No strategy sends the same judgement twice in a query."""

import asyncio
import random
from collections import Counter

import pytest
from waiting import GUARD

from rerankllm.calls import CallFailed, Capabilities, Reply
from rerankllm.data import Candidate, Document, Query, Ranking, Usage
from rerankllm.drivers.concurrent import Concurrent
from rerankllm.drivers.gateway import Signature
from rerankllm.drivers.repeats import Question
from rerankllm.drivers.rounds import Rounds
from rerankllm.errors import QueryFailed
from rerankllm.journal.store import Journal
from rerankllm.judgements import (
    Compare,
    Failure,
    ParseReport,
    Permute,
    Score,
    Select,
    Status,
    Unanswered,
    WeakOrder,
    ask,
    ask_while_allowed,
)
from rerankllm.spec.stage import Stage

both = pytest.mark.parametrize("driver", [Rounds, Concurrent])
SPECS = [
    "pointwise", "prp(sort=heap)", "prp(sort=bubble)", "prp(sort=quickselect)", "setwise(permutations=3)", "swiss",
    "setwise(sort=bubble)", "elimination", "sliding(window=4, stride=2, passes=3)", "psc(sliding)", "jointrank",
    "tournament", "rankfusion([prp(sort=heap), prp(sort=bubble)])",
]  # fmt: skip


class Sent:
    """A backend that counts what it is sent; `answer` gives what it says to a judgement."""

    model = "sent:"
    revision = None
    default_strategy = "pointwise"

    def __init__(self, answer):
        self.capabilities = Capabilities(answers=frozenset({Score, Compare, Select, Permute}))
        self.answer = answer
        self.sent = Counter()

    async def complete(self, work):
        self.sent[work] += 1
        await asyncio.sleep(0)
        answer = self.answer(work, self.sent[work])
        return answer if isinstance(answer, Reply | CallFailed) else Reply(answer, usage=Usage(7, 1))

    async def complete_all(self, works):
        return [await self.complete(work) for work in works]

    def cost(self, usage):
        return float(usage.prompt_tokens)

    def most_tokens(self, want):
        del want
        return 1

    async def aclose(self):
        pass


class Asks:
    """The judge that asks a backend without a prompt."""

    described = {"model": "sent:"}  # noqa: RUF012

    def __init__(self, backend):
        self.backend = backend

    def prepare(self, judgement):
        return judgement

    def read(self, judgement, outcome):
        del judgement
        return outcome.answer, outcome.report


def always_first(judgement, _):
    ids = [doc.doc_id for doc in judgement.docs]
    match judgement:
        case Score():
            return 0.5
        case Compare():
            return 1.0
        case Select():
            return tuple(ids[: judgement.m])
        case _:
            return WeakOrder(tuple((doc_id,) for doc_id in ids))


def by_chance(judgement, number):
    """Another answer every time it is asked."""
    rng = random.Random(f"{[doc.doc_id for doc in judgement.docs]}{number}")
    if isinstance(judgement, Score | Compare):
        return rng.random()
    ids = [doc.doc_id for doc in judgement.docs]
    rng.shuffle(ids)
    return tuple(ids[: judgement.m]) if isinstance(judgement, Select) else WeakOrder(tuple((each,) for each in ids))


def candidates(n):
    return [Candidate(Document(f"d{i}", f"passage {i}"), float(n - i)) for i in range(n)]


def rank(driver, backend, steps_of, *, n=12, journal=None, queries=1):
    judge = Asks(backend)
    live = driver(lambda *_: judge, None)
    try:
        if journal is not None:
            live.keep(journal)
        stage = Stage.parse("pointwise")
        futures = [
            live.submit(Query(f"q{i}", f"q{i}"), candidates(n), steps_of(Query(f"q{i}", f"q{i}"), candidates(n)),
                        Signature(stage, list))
            for i in range(queries)
        ]  # fmt: skip
        return [future.result(timeout=GUARD) for future in futures]
    finally:
        live.close()


@both
@pytest.mark.parametrize("answer", [always_first, by_chance])
@pytest.mark.parametrize("spec", SPECS)
def test_no_strategy_sends_a_judgement_twice(driver, spec, answer):
    backend = Sent(answer)
    strategy = Stage.parse(spec).strategy
    outcomes = rank(driver, backend, strategy.rank, queries=2)
    assert set(backend.sent.values()) == {1}
    for outcome in outcomes:
        assert isinstance(outcome, Ranking)
        plan, ledger = strategy.plan(12), outcome.ledger
        assert (ledger.calls in plan.calls, ledger.rounds in plan.rounds, ledger.slots in plan.slots) == (True,) * 3
        assert ledger.attempts == ledger.calls == ledger.parsed
        assert ledger.usage == Usage(7 * ledger.calls, ledger.calls)
    assert sum(outcome.ledger.calls for outcome in outcomes) == len(backend.sent)


@both
def test_bubble_pays_for_what_it_has_not_asked(driver):
    backend = Sent(always_first)
    [outcome] = rank(driver, backend, Stage.parse("prp(sort=bubble)").strategy.rank, n=20)
    assert (outcome.ledger.calls, outcome.ledger.notes["repeated judgements"]) == (38, 252)
    assert outcome.ledger.rounds == 19


def same_again(query, found):
    """Asks twice in one batch, and once more."""
    first, second = Score(query, found[0].document), Score(query, found[1].document)
    one = yield from ask([first, second, first])
    two = yield from ask([first])
    assert one[0] == one[2] == two[0]
    return Ranking.of(query, [candidate.document for candidate in found])


@both
def test_what_is_asked_twice_at_the_same_time_is_sent_once(driver):
    backend = Sent(by_chance)
    [outcome] = rank(driver, backend, same_again, n=2)
    assert isinstance(outcome, Ranking)
    assert (outcome.ledger.calls, outcome.ledger.rounds, outcome.ledger.slots) == (2, 1, 2)
    assert outcome.ledger.notes["repeated judgements"] == 2


@both
def test_a_failed_call_answers_nothing(driver):
    def script(judgement, number):
        return CallFailed("not now") if number == 1 else always_first(judgement, number)

    def trying(query, found):
        judgement = Score(query, found[0].document)
        try:
            yield from ask([judgement, judgement])
        except QueryFailed:
            yield from ask([judgement])
        return Ranking.of(query, [candidate.document for candidate in found])

    backend = Sent(script)
    [outcome] = rank(driver, backend, trying, n=1)
    assert (outcome.ledger.attempts, outcome.ledger.failed, outcome.ledger.parsed) == (2, 1, 1)


@both
def test_an_unusable_answer_is_asked_for_again(driver):
    def script(judgement, number):
        bad = Reply(Unanswered("nonsense", Failure.ANSWER), ParseReport(Status.FAILED))
        return bad if number == 1 else always_first(judgement, number)

    def trying(query, found):
        judgement = Score(query, found[0].document)
        one = yield from ask_while_allowed([judgement])
        two = yield from ask_while_allowed([judgement])
        assert isinstance(one[0], Unanswered)
        assert two[0] == 0.5
        yield from ask([Score(query, candidate.document) for candidate in found])
        return Ranking.of(query, [candidate.document for candidate in found])

    [outcome] = rank(driver, Sent(script), trying, n=1)
    assert outcome.ledger.attempts == 2


@both
def test_a_resumed_query_asks_nothing_and_ranks_the_same(driver, tmp_path):
    strategy = Stage.parse("prp(sort=bubble)").strategy
    backend = Sent(by_chance)
    [first] = rank(driver, backend, strategy.rank, journal=tmp_path / "journal")
    [second] = rank(driver, backend, strategy.rank, journal=tmp_path / "journal")
    assert set(backend.sent.values()) == {1}
    assert second.doc_ids == first.doc_ids
    assert second.ledger.replayed == second.ledger.calls == first.ledger.calls
    kept = Journal(tmp_path / "journal")
    [(answers,)] = kept.rows("SELECT count(*) FROM answers")
    [(calls,)] = kept.rows("SELECT count(*) FROM calls")
    assert calls == answers == first.ledger.calls  # each judgement is evidence once


def test_a_journal_that_holds_the_same_call_twice_replays_both(tmp_path, monkeypatch):
    """As one of an earlier version does."""
    backend = Sent(by_chance)
    rank_bubble = Stage.parse("prp(sort=bubble)").strategy.rank
    with monkeypatch.context() as earlier:
        earlier.setattr(Question, "known", None)
        [first] = rank(Rounds, backend, rank_bubble, n=6, journal=tmp_path / "journal")
    assert max(backend.sent.values()) > 1
    [second] = rank(Rounds, backend, rank_bubble, n=6, journal=tmp_path / "journal")
    assert second.doc_ids == first.doc_ids
    assert second.ledger.replayed == second.ledger.calls == first.ledger.calls == sum(backend.sent.values())
