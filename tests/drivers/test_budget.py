"""Limits hold whatever is under way; what they do not suffice for is named, and what is done is kept."""

import asyncio
import json
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import Answer, Delay, ScriptedServer, Status

from rerankllm import Reranker
from rerankllm.calls import Generate, Request, Response, TokenPrompt
from rerankllm.data import Candidate, Document, Query, Ranking, Usage
from rerankllm.drivers.budget import PICO, Admission, Budget, Limits, amount_of
from rerankllm.drivers.events import Failed
from rerankllm.errors import CapabilityError, InputError, QueryFailed
from rerankllm.journal.read import entries, failures
from rerankllm.journal.store import Journal
from rerankllm.sample import path as sample

SOURCE = [f"--{name}={sample(file)}" for name, file in
          (("run", "run.txt"), ("queries", "queries.tsv"), ("corpus", "corpus.jsonl"))]  # fmt: skip
ANSWER = Answer("2", usage={"prompt_tokens": 30, "completion_tokens": 2})


def queries(count, n):
    docs = [Candidate(Document(str(i), f"text {i}")) for i in range(n)]
    return [(Query(str(q), f"question {q}"), docs) for q in range(count)]


def model(server, **options):
    given = "".join(f"&{key}={value}" for key, value in options.items())
    return f"openai:scripted?base_url={server.url}{given}"


@pytest.mark.slow
@settings(max_examples=15)
@given(limit=st.integers(0, 30), driver=st.sampled_from(["rounds", "concurrent"]))
def test_no_more_calls_than_allowed(limit, driver):
    with (
        ScriptedServer(lambda body, n: ANSWER) as server,
        Reranker("pointwise / text", model(server), limits=Limits(calls=limit), driver=driver) as reranker,
    ):
        outcomes = list(reranker.stream(queries(5, 4)))
    assert server.calls <= limit
    ranked = [outcome for outcome in outcomes if isinstance(outcome, Ranking)]
    assert len(ranked) <= limit // 4
    if limit >= 20:
        assert len(ranked) == 5
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            assert outcome.reason == f"the budget of {limit} calls is used up ({server.calls} calls spent)"
    assert sum(outcome.ledger.calls for outcome in outcomes) == server.calls


@pytest.mark.parametrize("driver", ["rounds", "concurrent"])
def test_tokens_and_money_are_set_aside_before_they_are_spent(driver):
    """Sixteen at a time, and still no overshoot: a call is only sent if the most it can take fits."""
    with ScriptedServer(lambda body, n: ANSWER) as server:
        priced = model(server, price_prompt=1000, price_completion=1000)
        for limits, spent in ((Limits(tokens=400), lambda n: 32 * n), (Limits(cost=0.4), lambda n: 0.032 * n)):
            before = server.calls
            with Reranker("pointwise / text", priced, limits=limits, driver=driver) as reranker:
                outcomes = list(reranker.stream(queries(10, 4)))
            sent = server.calls - before
            assert spent(sent) <= (limits.tokens or limits.cost)
            assert sent >= 5
            assert any(isinstance(outcome, Failed) and "is used up" in outcome.reason for outcome in outcomes)


prices = st.floats(0.01, 100)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(1, 3000), prices), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_what_fits_exactly_is_sent_and_nothing_waits_for_nothing(calls, random):
    """Whatever is set aside is given back to the last picodollar, in any order."""

    class Priced:
        def __init__(self, tokens, price):
            self.tokens, self.price = tokens, price

        def cost(self, usage):
            return self.price * (usage.prompt_tokens + usage.completion_tokens) / 1e6

        def most_tokens(self, _):
            return self.tokens

    work = Request(TokenPrompt((1,)), Generate(1))
    backends = [Priced(tokens, price) for tokens, price in calls]
    total = sum(round(b.cost(Usage(1, b.tokens)) * PICO) for b in backends)
    budget = Budget(Limits(cost=total / PICO))
    for backend in backends:
        assert budget.admit(budget.most(backend, work)) is Admission.SEND
    random.shuffle(backends)
    assert budget.admit(budget.most(backends[0], work)) is Admission.WAIT
    for backend in backends:
        took = amount_of(backend, Response(usage=Usage(1, backend.tokens)))
        budget.settle(budget.most(backend, work), took)
    assert "is used up" in budget.admit(budget.most(backends[0], work))


def test_one_call_too_large_stops_no_other():
    with ScriptedServer(lambda body, n: ANSWER) as server:
        with Reranker("pointwise / text", model(server), limits=Limits(tokens=400)) as reranker:
            asked = [(Query("long", "w " * 900), queries(1, 1)[0][1]), *queries(1, 2)]
            long, short = reranker.stream(asked)
        assert isinstance(long, Failed)
        assert isinstance(short, Ranking)
        assert server.calls == 2


def test_calls_given_up_are_counted():
    """Five who do not wait for their answer have sent four requests all the same, and no more."""
    with (
        ScriptedServer(lambda body, n: Delay(0.3, ANSWER)) as server,
        Reranker("pointwise / text", model(server), limits=Limits(calls=4)) as reranker,
    ):

        async def impatient():
            for _ in range(8):
                with suppress(TimeoutError, QueryFailed):
                    await asyncio.wait_for(reranker.arerank("q", ["a"]), 0.1)

        asyncio.run(impatient())
        assert server.calls <= 4


@pytest.mark.slow
def test_limits_hold_with_a_journal_that_has_part_of_the_run(tmp_path, cli):
    """What other queries of the run have taken already counts before anything is sent."""
    with ScriptedServer(lambda body, n: ANSWER) as server:
        run = tmp_path / "part"
        run.write_text(
            "".join(
                line
                for line in sample("run.txt").read_text().splitlines(keepends=True)
                if line.split()[0] in ("q7", "q8")
            )
        )
        rest = (*SOURCE[1:], "--strategy", "pointwise / text", "--model", model(server), "--journal", tmp_path / "j")
        assert cli("rerank", f"--run={run}", *rest, "-o", tmp_path / "a")[0] == 0
        assert server.calls == 40
        status, _, err = cli("rerank", SOURCE[0], *rest, "-o", tmp_path / "b", "--max-calls", 60)
    assert status == 3
    assert server.calls == 60
    assert "60 calls" in err
    assert {line.split()[0] for line in (tmp_path / "b").read_text().splitlines()} >= {"q7", "q8"}


@pytest.mark.slow
def test_on_error_raise_keeps_the_calls_under_way(tmp_path, cli):
    first = sample("queries.tsv").read_text().split("\t")[1].split("\n")[0]

    def script(body, n):
        refused = first in body["messages"][-1]["content"]
        return Status(400, "no") if refused and n else Delay(0.2, ANSWER)

    with ScriptedServer(script) as server:
        status, _, err = cli("rerank", *SOURCE, "--strategy", "pointwise / text", "--model", model(server), "-o",
                             tmp_path / "out", "--on-error", "raise", "--concurrency", 30)  # fmt: skip
        journal = Journal(tmp_path / "out.journal")
        kept = len(list(entries(journal))) + len(failures(journal))
        journal.close()
        assert server.calls == kept > 20
    assert status == 1
    assert "stopped here" in err


def test_time_is_a_limit_too():
    with (
        ScriptedServer(lambda body, n: ANSWER) as server,
        Reranker("pointwise / text", model(server), limits=Limits(seconds=0)) as reranker,
    ):
        (outcome,) = reranker.stream(queries(1, 3))
    assert outcome.reason == "the 0 seconds of the budget are over"
    assert server.calls == 0


def test_a_limit_on_money_needs_a_price():
    with ScriptedServer(lambda body, n: ANSWER) as server, pytest.raises(CapabilityError, match="price_prompt"):
        Reranker("pointwise / text", model(server), limits=Limits(cost=1.0))
    with pytest.raises(InputError, match="0 or more"):
        Limits(calls=-1)


@pytest.mark.slow
def test_a_run_out_of_budget_is_resumed_with_a_higher_one(tmp_path, cli):
    """What is done is written, what is not is named, and to go on repeats nothing."""
    output, summary = tmp_path / "out", tmp_path / "s.json"
    with ScriptedServer(lambda body, n: ANSWER) as server:
        run = ("rerank", *SOURCE, "--strategy", "pointwise / text", "--model", model(server), "-o", output)
        status, _, err = cli(*run, "--max-calls", 50, "--concurrency", 4, "--summary", summary)
        assert (status, server.calls) == (3, 50)
        report = json.loads(summary.read_text())
        assert report["calls"] == 50
        assert 0 < len(report["failures"]) < 8
        assert len(output.read_text().splitlines()) == 20 * (8 - len(report["failures"]))
        assert all(f"query {query_id} failed: the budget of 50 calls" in err for query_id in report["failures"])
        assert f"rerankllm resume {output}.journal" in err
        assert cli("resume", f"{output}.journal")[0] == 3  # the limit is the run's, and was reached
        assert server.calls == 50
        status, _, err = cli("resume", f"{output}.journal", "--max-calls", 160)
        assert (status, server.calls) == (0, 160), err
    assert len(output.read_text().splitlines()) == 160
    report = json.loads(summary.read_text())
    assert (report["calls"], report["replayed"]) == (160, 50)


def test_a_dry_run_sends_nothing(cli, tmp_path):
    with ScriptedServer(lambda body, n: ANSWER) as server:
        status, out, _ = cli("rerank", *SOURCE, "--strategy", "pointwise / text", "--model",
                             model(server, price_prompt=1, price_completion=1), "--dry-run")  # fmt: skip
        assert server.calls == 0
    assert status == 0
    assert out.startswith("estimate for 8 queries: 160 calls, ")
    assert "cost $" in out


def test_an_estimate_adds_up_over_the_stages_of_a_strategy():
    """A cascade costs what its stages cost, each for as many documents as reach it; the last aims at top_k."""
    asked = queries(3, 12)
    with ScriptedServer(lambda body, n: ANSWER) as server:
        priced = model(server, price_prompt=1, price_completion=1)

        def estimated(strategy, depth=12, top_k=None):
            with Reranker(strategy, priced, depth=depth) as reranker:
                return reranker.estimate(asked, top_k=top_k)

        whole = estimated("interpolate(cascade([pointwise / text, full / text], depths=[12, 5]))")
        first, second = estimated("pointwise / text"), estimated("full / text", depth=5)
        assert whole == first + second
        wrapped = estimated("cascade([pointwise / text, psc(full / text, shuffles=3)], depths=[12, 5])")
        assert wrapped == first + estimated("psc(full / text, shuffles=3)", depth=5)
        with Reranker("cascade([full / text, full / text], depths=[12, 5])", priced) as reranker:
            aimed = str(reranker.stage.aiming(3))
    assert "full(top_k=5, seed=0) / text" in aimed
    assert "full(top_k=3, seed=0) / text" in aimed
    assert server.calls == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    ["sliding(window=6, stride=3) / text", "iranker / text", "group(size=6) / text",
     "jointrank(block=5, replicas=2) / text",
     "tdpart(window=6, top_k=3) / text", "tourrank / text", "setwise / text", "prp / text", "pointwise / text",
     "full / text", "active(slots=40, window=5, kinds=[permute, score]) / text"],
)  # fmt: skip
def test_an_estimate_bounds_what_is_sent(strategy, tmp_path):
    """Counted as prompts are counted here, by a host that reports what it was sent and writes as much as it may."""
    texts = ["word " * 60, "文字" * 90, "a", "a passage of some more words than the one before, and a comma"]
    docs = [Candidate(Document(str(i), texts[i % 4] + f" {i}")) for i in range(13)]
    asked = [(Query("short", "q"), docs), (Query("long", "a query that is longer than the other"), docs[:9])]

    def script(body, n):
        prompt = sum(len(count(message["content"])) for message in body["messages"])
        usage = {"prompt_tokens": prompt, "completion_tokens": body["max_tokens"]}
        shown = re.findall(r"^\[(\w+)\] ", body["messages"][-1]["content"], re.MULTILINE)
        if "grade" in body["messages"][-1]["content"].lower() and len(shown) > 1:
            return Answer("\n".join(f"[{label}]: 5" for label in shown), usage=usage)
        return Answer(" > ".join(f"[{label}]" for label in shown) if len(shown) > 1 else "2", usage=usage)

    with ScriptedServer(script) as server, Reranker(strategy, model(server)) as reranker:
        count = reranker.backend.tokenizer.encode
        estimate = reranker.estimate(asked)
        outcomes = list(reranker.stream(asked))
    sent = sum((outcome.ledger.usage for outcome in outcomes), Usage())
    assert sent.prompt_tokens in estimate.prompt_tokens
    assert sent.completion_tokens in estimate.completion_tokens


@pytest.mark.slow
def test_an_estimate_holds(tmp_path):
    """Bounds on tokens counted before enclose what the embedded tokenizer counts afterwards."""
    pytest.importorskip("llama_cpp")
    with Reranker("pointwise / labels", "llamacpp:smollm2") as reranker:
        asked = [
            (Query("q", "how long do fleas live"), [Candidate(Document(str(i), "word " * 9 * i)) for i in range(5)])
        ]
        estimate = reranker.estimate(asked)
        (ranking,) = reranker.stream(asked)
    assert ranking.ledger.usage.prompt_tokens in estimate.prompt_tokens
    assert estimate.cost_usd == (0.0, 0.0)


@pytest.mark.parametrize("driver", ["rounds", "concurrent"])
def test_a_query_has_a_budget_of_its_own_and_a_strategy_with_an_order_at_any_time_ends_there(driver, tmp_path):
    (tmp_path / "qrels").write_text("".join(f"q{i} 0 d{j} {j % 3}\n" for i in range(3) for j in range(60)))
    model = f"simulated:{tmp_path / 'qrels'}"
    asked = [(Query(f"q{i}", "?"), [Candidate(Document(f"d{j}", "x")) for j in range(60)]) for i in range(3)]
    with Reranker("active(slots=400, regret=0)", model, driver=driver, per_query=Limits(calls=6)) as reranker:
        outcomes = list(reranker.stream(asked))
    assert [outcome.ledger.calls for outcome in outcomes] == [6] * 3
    assert all(outcome.ledger.notes["calls beyond the budget of the query"] == 2 for outcome in outcomes)
    assert all(outcome.ledger.failed == 0 for outcome in outcomes)
    with Reranker("sliding", model, driver=driver, per_query=Limits(calls=3)) as reranker:
        failed = list(reranker.stream(asked))
    assert [outcome.reason for outcome in failed] == ["the query's budget of 3 calls is used up (3 calls spent)"] * 3
    with Reranker("active", model, driver=driver, per_query=Limits(calls=0)) as reranker:
        assert all(isinstance(outcome, Failed) for outcome in reranker.stream(asked))


def test_a_query_resumed_has_spent_what_the_journal_tells(tmp_path):
    (tmp_path / "qrels").write_text("".join(f"q 0 d{j} {j % 3}\n" for j in range(60)))
    query = [(Query("q", "?"), [Candidate(Document(f"d{j}", "x")) for j in range(60)])]
    found = []
    for _ in range(2):
        with Reranker(
            "active(slots=400, regret=0)", f"simulated:{tmp_path / 'qrels'}", per_query=Limits(calls=6),
            journal=tmp_path / "journal",
        ) as reranker:  # fmt: skip
            found += reranker.stream(query)
    assert found[0].doc_ids == found[1].doc_ids
    assert found[1].ledger.replayed == 6


def test_queries_out_of_budget_are_resumed_with_a_higher_one(tmp_path, cli):
    run = tmp_path / "run.txt"
    options = ["--model", f"simulated:{sample('qrels.txt')}", "--strategy", "sliding(window=8, stride=4)"]
    journal = ["--journal", tmp_path / "journal"]
    status, _, err = cli("rerank", *SOURCE, *options, "--output", run, *journal, "--per-query", "calls=2")
    assert status == 3
    assert "the query's budget of 2 calls is used up" in err
    status, _, err = cli("resume", tmp_path / "journal")
    assert status == 3
    status, _, err = cli("resume", tmp_path / "journal", "--per-query", "calls=4")
    assert status == 0
    assert "32 calls (32 parsed, 0 repaired, 0 failed), 16 of them from the journal" in err


@pytest.mark.parametrize("wrong", ["tokens", "tokens=x", "words=3", "calls=-1", "calls=1,calls=2"])
def test_limits_of_a_query_that_are_none(wrong, cli):
    status, _, err = cli("rerank", "--sample", "--per-query", wrong)
    assert status == 1
    assert "--per-query" in err or "should be 0 or more" in err


@pytest.mark.slow
def test_which_calls_a_query_can_afford_does_not_hang_on_timing():
    """Prompts of many sizes, answers in any order, little left: the same calls are sent every time."""

    def answer(body, number):
        usage = {"prompt_tokens": len(str(body["messages"])) // 8, "completion_tokens": 2}
        return Delay(number * 31 % 17 / 1000, Answer("[2] > [1]", usage=usage))

    docs = [Candidate(Document(str(i), f"text {i} " * (1 + i * i % 23))) for i in range(24)]
    asked = [(Query(str(q), f"question {q}"), docs) for q in range(3)]
    found = set()
    for driver in ("rounds", "concurrent", "concurrent", "concurrent"):
        with (
            ScriptedServer(answer) as server,
            Reranker(
                "active(slots=200, window=6, batch=12, regret=0)", model(server), driver=driver,
                per_query=Limits(tokens=2500),
            ) as reranker,
        ):  # fmt: skip
            outcomes = list(reranker.stream(asked))
        assert all(outcome.ledger.notes["calls beyond the budget of the query"] for outcome in outcomes)
        found.add(tuple((outcome.doc_ids, outcome.ledger.usage) for outcome in outcomes))
    assert len(found) == 1


@pytest.mark.parametrize("driver", ["rounds", "concurrent"])
def test_a_query_that_waits_for_its_own_calls_holds_up_no_other(driver):
    answer = Delay(0.05, Answer("2", usage={"prompt_tokens": 1, "completion_tokens": 1}))
    with (
        ScriptedServer(lambda body, n: answer) as server,
        Reranker("pointwise / text", model(server), driver=driver, per_query=Limits(tokens=100)) as reranker,
    ):
        assert all(isinstance(outcome, Ranking) for outcome in reranker.stream(queries(6, 4)))
    assert server.calls == 24
    assert server.max_in_flight == 6
