"""Both drivers: the same rankings, failures by name, queries joining while others run."""

import asyncio
import threading
from concurrent.futures import CancelledError
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import GUARD

from rerankllm.backends.direct import DirectBackend
from rerankllm.calls import CallFailed, Capabilities, Reply
from rerankllm.data import Candidate, Document, Ledger, Provenance, Query, Ranking, Result
from rerankllm.drivers.concurrent import Concurrent
from rerankllm.drivers.events import Failed, Finished, Judged, Started
from rerankllm.drivers.gateway import Signature
from rerankllm.drivers.panel import Direct
from rerankllm.drivers.rounds import Rounds
from rerankllm.errors import AuthError, CapabilityError, QueryFailed, RerankError, TemplateError
from rerankllm.journal.read import entries
from rerankllm.judgements import (
    Compare,
    Failure,
    ParseReport,
    Permute,
    Score,
    Status,
    Unanswered,
    WeakOrder,
    ask,
    try_ask,
)
from rerankllm.spec.stage import Stage

DRIVERS = [Rounds, Concurrent]
both = pytest.mark.parametrize("driver", DRIVERS, ids=lambda d: d.__name__)


class Scripted(DirectBackend):
    """Answers by a function; counts the calls it gets and the batches they come in."""

    def __init__(self, answer, batch=None, delay=0.0):
        self.model = "scripted"
        self.capabilities = Capabilities(answers=frozenset({Score, Compare, Permute}), batch=batch)
        self.respond = answer
        self.delay = delay
        self.batches = []
        self.asked = threading.Event()

    def answer(self, judgement):
        outcome = self.respond(judgement)
        return outcome if isinstance(outcome, (Reply, CallFailed)) else Reply(outcome)

    async def complete(self, work):
        self.asked.set()
        await asyncio.sleep(self.delay)
        return self.answer(work)

    async def complete_all(self, works):
        self.batches.append(len(works))
        self.asked.set()
        await asyncio.sleep(self.delay)
        return [self.answer(work) for work in works]


def by_value(judgement):
    """Deterministic answers that depend on the query and the documents only, and contradict themselves at times."""

    def value(doc):
        return hash((judgement.query.query_id, doc.doc_id)) % 1000

    if isinstance(judgement, Score):
        return float(value(judgement.doc))
    if isinstance(judgement, Compare):
        return float(value(judgement.first) + 100 > value(judgement.second))
    ordered = sorted(judgement.docs, key=value)
    return WeakOrder(tuple((doc.doc_id,) for doc in ordered))


def candidates(n):
    return [Candidate(Document(f"d{i}", str(i)), -float(i)) for i in range(n)]


def run(driver, backend, jobs, observer=None, unusable="keep"):
    """Submits (query_id, n, spec) jobs, all before the driver looks at one, and returns their outcomes."""
    live = driver(lambda ask, kind: Direct(backend), observer)
    submitted = threading.Event()
    live._loop.call(submitted.wait, GUARD)
    try:
        futures = [
            live.submit(
                Query(query_id, "q"),
                candidates(n),
                Stage.parse(spec).strategy.rank(Query(query_id, "q"), candidates(n)),
                unusable=unusable,
            )
            for query_id, n, spec in jobs
        ]
        submitted.set()
        return [future.result(timeout=GUARD) for future in futures]
    finally:
        live.close()


JOBS = st.lists(
    st.tuples(
        st.integers(0, 3).map("q{}".format),
        st.integers(0, 15),
        st.sampled_from(["pointwise", "sliding(window=4, stride=2, passes=2)", "prp(sort=heap, top_k=3)",
                         "prp(sort=bubble, top_k=2)", "prp(sort=allpair)", "interpolate(pointwise)"]),
    ),
    max_size=6,
)  # fmt: skip


@pytest.mark.slow
@given(jobs=JOBS, batch=st.sampled_from([None, 1, 3]))
@settings(max_examples=60)
def test_the_drivers_agree(jobs, batch):
    rounds = run(Rounds, Scripted(by_value, batch), jobs)
    concurrent = run(Concurrent, Scripted(by_value), jobs)
    assert rounds == concurrent
    for (_, n, spec), outcome in zip(jobs, rounds, strict=True):
        plan = Stage.parse(spec).strategy.plan(n)
        assert outcome.ledger.calls in plan.calls
        assert outcome.ledger.rounds in plan.rounds
        assert outcome.ledger.slots in plan.slots


def test_a_round_of_all_queries_is_one_batch():
    backend = Scripted(by_value)
    run(Rounds, backend, [(f"q{i}", 10, "sliding(window=4, stride=2)") for i in range(8)])
    assert backend.batches == [8, 8, 8, 8]


def test_a_backend_may_ask_for_smaller_batches():
    backend = Scripted(by_value, batch=3)
    run(Rounds, backend, [("q", 10, "pointwise")])
    assert backend.batches == [3, 3, 3, 1]


@both
def test_one_failed_call_fails_its_query_only(driver):
    def answer(judgement):
        if judgement.query.query_id == "bad" and judgement.docs[0].doc_id == "d3":
            return CallFailed("connection reset", attempts=3)
        return by_value(judgement)

    good, bad = run(driver, Scripted(answer), [("good", 6, "pointwise"), ("bad", 6, "pointwise")])
    assert isinstance(good, Ranking)
    assert isinstance(bad, Failed)
    assert (bad.query.query_id, bad.reason) == ("bad", "connection reset")
    assert (bad.ledger.calls, bad.ledger.attempts, bad.ledger.failed) == (5, 8, 1)


@both
def test_an_unusable_answer_fails_a_query_that_needs_it_and_ties_a_comparison(driver):
    nothing = Reply(Unanswered("no label", Failure.ANSWER), ParseReport(Status.FAILED, {"no label": 1}))

    def answer(judgement):
        return nothing if judgement.docs[0].doc_id == "d0" else by_value(judgement)

    jobs = [("a", 5, "sliding"), ("b", 5, "prp(sort=allpair)")]
    sliding, prp = run(driver, Scripted(answer), jobs, unusable="fail")
    assert isinstance(sliding, Failed)
    assert sliding.reason == "no label"
    assert isinstance(prp, Ranking)
    assert (prp.ledger.calls, prp.ledger.failed) == (20, 4)
    assert prp.ledger.notes["no label"] == 4


@both
def test_a_ranking_made_mostly_of_unusable_answers_is_a_failure(driver):
    nothing = Reply(Unanswered("no label", Failure.ANSWER), ParseReport(Status.FAILED))
    query = Query("q", "q")

    def lenient():  # a strategy that takes unusable answers for what they may be worth
        yield from try_ask([Score(query, c.document) for c in candidates(4)])
        return Ranking.of(query, [c.document for c in candidates(4)])

    for unusable, fails in ((1, False), (2, True), (3, True), (4, True)):
        backend = Scripted(lambda j, u=unusable: nothing if int(j.doc.doc_id[1:]) < u else 1.0)
        live = driver(lambda ask, kind, b=backend: Direct(b), None)
        outcome = live.submit(query, candidates(4), lenient()).result(timeout=GUARD)
        live.close()
        assert isinstance(outcome, Failed) == fails
        assert not fails or outcome.reason == f"{unusable} of 4 answers could not be used, such as this: no label"


@both
def test_a_backend_that_is_unusable_ends_every_query_with_its_error(driver):
    def answer(_):
        raise AuthError("401: wrong key")

    live = driver(lambda ask, kind: Direct(Scripted(answer)), None)
    steps = Stage.parse("pointwise").strategy.rank
    futures = [
        live.submit(Query(str(i), "q"), candidates(3), steps(Query(str(i), "q"), candidates(3))) for i in range(3)
    ]
    for future in futures:
        with pytest.raises(AuthError):
            future.result(timeout=GUARD)
    live.close()


@both
def test_prompts_that_cannot_be_made_fail_the_query(driver):
    class NoPrompt(Direct):
        def prepare(self, judgement):
            raise TemplateError("20 passages do not fit")

    live = driver(lambda ask, kind: NoPrompt(Scripted(by_value)), None)
    future = live.submit(
        Query("q", "q"), candidates(2), Stage.parse("pointwise").strategy.rank(Query("q", "q"), candidates(2))
    )
    outcome = future.result(timeout=GUARD)
    live.close()
    assert outcome == Failed(Query("q", "q"), "20 passages do not fit", Ledger(), unaskable=True)


@both
def test_a_strategy_that_loses_or_invents_documents_is_caught(driver):
    query = Query("q", "q")

    def losing():
        yield from ask([Score(query, candidates(3)[0].document)])
        return Ranking.of(query, [c.document for c in candidates(2)])

    live = driver(lambda ask, kind: Direct(Scripted(by_value)), None)
    outcome = live.submit(query, candidates(3), losing()).result(timeout=GUARD)
    live.close()
    assert isinstance(outcome, Failed)
    assert "every candidate once" in outcome.reason


@both
def test_a_strategy_that_raises_is_an_error_for_its_caller_only(driver):
    query = Query("q", "q")

    def broken():
        yield from ask([Score(query, candidates(1)[0].document)])
        raise ZeroDivisionError

    live = driver(lambda ask, kind: Direct(Scripted(by_value)), None)
    bad = live.submit(query, candidates(1), broken())
    good = live.submit(query, candidates(4), Stage.parse("pointwise").strategy.rank(query, candidates(4)))
    with pytest.raises(ZeroDivisionError):
        bad.result(timeout=GUARD)
    assert len(good.result(timeout=GUARD)) == 4
    live.close()


@both
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_no_number_is_no_answer(driver, value):
    backend = Scripted(lambda j: value if j.doc.doc_id == "d1" else 0.5)
    (outcome,) = run(driver, backend, [("q", 3, "pointwise")], unusable="fail")
    assert isinstance(outcome, Failed)
    assert outcome.reason == f"the score of document d1 is {value}"
    assert outcome.ledger.notes == {"not a finite number": 1}


@both
def test_nothing_that_goes_wrong_makes_anyone_wait_for_ever(driver):
    """Each of these is the caller's to see, at once; and the driver goes on."""
    query = Query("q", "q")

    def rank(spec="pointwise", ids=("a", "b")):
        found = [Candidate(Document(doc_id, "x")) for doc_id in ids]
        return found, Stage.parse(spec).strategy.rank(query, found)

    def nothing():
        yield from ask([Score(query, candidates(1)[0].document)])

    def broken(_):
        raise OSError("out of memory")

    def resolve_none(ask, kind):
        raise CapabilityError("cannot")

    def observer(_):
        raise ValueError

    judge = Direct(Scripted(by_value))
    for resolve, job, error in [
        (lambda a, k: judge, (candidates(1), nothing()), AttributeError),
        (lambda a, k: judge, rank(ids=([], "b")), TypeError),
        (lambda a, k: Direct(Scripted(broken)), rank(), OSError),
        (resolve_none, rank(), CapabilityError),
    ]:
        live = driver(resolve, None)
        with pytest.raises(error):
            live.submit(query, *job).result(timeout=GUARD)
        live._resolve = lambda a, k: judge
        assert len(live.submit(query, *rank()).result(timeout=GUARD)) == 2
        live.close()
    live = driver(lambda a, k: judge, observer)
    assert len(live.submit(query, *rank()).result(timeout=GUARD)) == 2
    live.close()


class Careless(Direct):
    """Cannot read what it is answered about the document `bad`."""

    def read(self, judgement, outcome):
        if judgement.docs[0].doc_id == "bad":
            raise LookupError
        return super().read(judgement, outcome)


@both
def test_an_answer_that_breaks_its_reader_is_one_failed_answer_and_is_kept(driver, tmp_path):
    found = [Candidate(Document(doc_id, "x")) for doc_id in ("a", "bad", "b")]
    query, stage = Query("q", "q"), Stage.parse("pointwise")
    for _ in range(2):  # the second time from the journal
        backend = Scripted(by_value)
        judge = Careless(backend)
        live = driver(lambda a, k, judge=judge: judge)
        journal = live.keep(tmp_path / "kept.journal")
        signature = Signature(stage, lambda: ())
        outcome = live.submit(query, found, stage.strategy.rank(query, found), signature).result(timeout=GUARD)
        assert (outcome.ledger.failed, outcome.ledger.parsed) == (1, 2)
        assert outcome.ledger.notes["unreadable"] == 1
        assert [entry.status for entry in entries(journal)].count("failed") == 1
        live.close()
    assert not backend.batches


@both
def test_a_cancelled_query_sends_nothing_more(driver):
    """It is cancelled while its third call is answered; another query is then ranked to its end."""
    sent, futures, submitted = [], [], threading.Event()

    def answer(judgement):
        sent.append(judgement.query.query_id)
        if sent == ["given up"] * 3:
            assert submitted.wait(GUARD)
            assert futures[0].cancel()
        return by_value(judgement)

    live = driver(lambda ask, kind: Direct(Scripted(answer)), None)

    def submit(name):
        query, strategy = Query(name, "q"), Stage.parse("sliding(window=2, stride=1)").strategy
        return live.submit(query, candidates(60), strategy.rank(query, candidates(60)))

    futures.append(submit("given up"))
    submitted.set()
    with pytest.raises(CancelledError):
        futures[0].result(timeout=GUARD)
    assert isinstance(submit("another").result(timeout=GUARD), Ranking)
    live.close()
    assert (sent.count("given up"), sent.count("another")) == (3, 59)


@both
def test_queries_join_while_others_run(driver):
    backend = Scripted(by_value, delay=0.005)
    live = driver(lambda ask, kind: Direct(backend), None)
    futures = []

    def submit(i):
        query = Query(str(i), "q")
        futures.append(
            live.submit(
                query, candidates(9), Stage.parse("sliding(window=3, stride=1)").strategy.rank(query, candidates(9))
            )
        )

    threads = [threading.Thread(target=submit, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(isinstance(future.result(timeout=GUARD), Ranking) for future in futures)
    live.close()


@both
def test_closing_cancels_and_is_final(driver):
    backend = Scripted(by_value, delay=GUARD)
    live = driver(lambda ask, kind: Direct(backend), None)
    query = Query("q", "q")
    future = live.submit(query, candidates(3), Stage.parse("pointwise").strategy.rank(query, candidates(3)))
    assert backend.asked.wait(GUARD)
    live.close()
    live.close()
    with pytest.raises(RerankError, match="closed before"):
        future.result(timeout=GUARD)
    with pytest.raises(RerankError, match="closed"):
        live.submit(query, [], Stage.parse("pointwise").strategy.rank(query, []))


@both
def test_events_tell_the_whole_story(driver):
    events = []
    (outcome,) = run(driver, Scripted(by_value), [("q", 5, "pointwise")], events.append)
    assert events[0] == Started(Query("q", "q"), 5)
    assert [type(event) for event in events[1:-1]] == [Judged] * 5
    assert {event.judgement.doc.doc_id for event in events[1:-1]} == {f"d{i}" for i in range(5)}
    assert events[-1] == Finished(outcome)


@both
def test_what_no_model_read_is_marked(driver):
    (outcome,) = run(driver, Scripted(by_value), [("q", 11, "acurank(window=3, max_calls=1)")])
    unread = {r.doc_id for r in outcome if r.provenance is Provenance.UNREAD}
    assert unread == {f"d{i}" for i in range(3, 11)}


@both
def test_all_that_a_strategy_says_of_a_document_stays(driver):
    query, (one,) = Query("q", "q"), candidates(1)
    said = Result(1, one.document, 2.0, Provenance.UNREAD, 0.3, "because", 0.4, 5)
    assert None not in [getattr(said, field.name) for field in fields(Result)]

    def saying():
        yield from ask([Score(query, one.document)])
        return Ranking(query, (said,), Ledger())

    live = driver(lambda ask, kind: Direct(Scripted(by_value)), None)
    (found,) = live.submit(query, [one], saying()).result(timeout=GUARD)
    live.close()
    assert found == replace(said, provenance=Provenance.JUDGED, input_rank=1)
    assert (said.provenance, said.input_rank) == (Provenance.UNREAD, 5)  # whoever had it before has it as it was


@both
def test_ties_are_counted_in_float32(driver):
    (outcome,) = run(driver, Scripted(lambda j: 1.0 + 1e-12 * int(j.doc.doc_id[1:])), [("q", 4, "pointwise")])
    assert outcome.ledger.notes == {"tied scores": 3}


def test_ask_and_try_ask():
    nothing = Unanswered("no label", Failure.ANSWER)
    lost = Unanswered("timeout", Failure.CALL)
    judgement = Score(Query("q", "q"), Document("d", "d"))
    for how, answer, raises in [
        (ask, nothing, True),
        (ask, lost, True),
        (try_ask, lost, True),
        (try_ask, nothing, False),
    ]:
        steps = how([judgement])
        next(steps)
        if raises:
            with pytest.raises(QueryFailed, match=answer.reason):
                steps.send([answer])
        else:
            with pytest.raises(StopIteration) as stop:
                steps.send([answer])
            assert stop.value.value == [answer]
    with pytest.raises(StopIteration):
        next(ask([]))
