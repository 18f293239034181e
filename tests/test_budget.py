"""Limits hold whatever is under way; what they do not suffice for is named, and what is done is kept."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import Answer, ScriptedServer

from rerankllm import Reranker
from rerankllm.budget import Limits
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.drivers.events import Failed
from rerankllm.errors import CapabilityError, InputError
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


@settings(deadline=None, max_examples=15)
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
    with pytest.raises(InputError, match="below 0"):
        Limits(calls=-1)


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
        with Reranker("cascade([full / text, full / text], depths=[12, 5])", priced) as reranker:
            aimed = str(reranker.stage.aiming(3))
    assert "full(top_k=5, seed=0) / text" in aimed
    assert "full(top_k=3, seed=0) / text" in aimed
    assert server.calls == 0


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
