"""What every backend promises, whatever it is: one suite that each of them passes.

To hold a new backend to it, add a fixture that yields its MODEL spec and a query it can answer, and its name to KINDS.
"""

import asyncio
import json
import re
from dataclasses import dataclass

import pytest
from scripted_server import Answer, ScriptedServer

from rerankllm import Reranker
from rerankllm.backends.base import Reply, Response
from rerankllm.data import Candidate, Document, Query, Ranking, Usage
from rerankllm.elicitation.base import Settings
from rerankllm.errors import CapabilityError
from rerankllm.judgements import Ask, Compare, Grade, Permute, Score, Select
from rerankllm.panel import Panel
from rerankllm.registry import BACKENDS
from rerankllm.spec import ModelSpec, Stage

KINDS = ["oracle", "recorded", "openai", "llamacpp"]
QUERY = Query("q", "how long do fleas live")
DOCS = tuple(
    Document(name, text)
    for name, text in (
        ("a", "Dogs bark at strangers."),
        ("b", "Adult fleas live for two or three months on a host."),
        ("c", "Fleas jump far."),
    )
)
ASKED = {
    Score: [Score(QUERY, doc) for doc in DOCS],
    Compare: [Compare(QUERY, DOCS[0], DOCS[1]), Compare(QUERY, DOCS[1], DOCS[0])],
    Permute: [Permute(QUERY, DOCS)],
    Select: [Select(QUERY, DOCS, m=2)],
    Grade: [Grade(QUERY, DOCS)],
}


@dataclass(frozen=True)
class Subject:
    model: str
    exact: bool = True  # whether batching leaves results alone to the last bit


def scripted(body, _):
    """Longer passages first; as a judge of single passages, the length modulo four."""
    prompt = body["messages"][-1]["content"]
    shown = re.findall(r"^\[(\w+)\] (.*)$", prompt, re.MULTILINE)
    if len(shown) > 2 and body.get("logprobs"):
        return Answer("A", logprobs=[("A", {label: -1.0 / len(text) for label, text in shown})])
    if len(shown) > 2:
        return Answer(" > ".join(f"[{label}]" for label, _ in sorted(shown, key=lambda s: -len(s[1]))))
    if shown:
        best = max(shown, key=lambda s: len(s[1]))[0]
        return Answer(best, logprobs=[(best, {"A": -0.1 if best == "A" else -3.0, "B": -0.1 if best == "B" else -3.0})])
    return Answer("Yes", logprobs=[("Yes", {"Yes": -0.01 * len(prompt), "No": -5.0})])


@pytest.fixture(scope="module", params=KINDS)
def subject(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    if request.param == "oracle":
        (folder / "qrels").write_text("q 0 b 2\nq 0 c 1\n")
        yield Subject(f"oracle:{folder / 'qrels'}")
    elif request.param == "recorded":
        record = {"query_id": "q", "doc_ids": [doc.doc_id for doc in DOCS], "response": "[2] > [3] > [1]"}
        (folder / "recorded.jsonl").write_text(json.dumps(record))
        yield Subject(f"recorded:{folder / 'recorded.jsonl'}")
    elif request.param == "openai":
        with ScriptedServer(scripted) as server:
            yield Subject(f"openai:scripted?base_url={server.url}")
    else:
        pytest.importorskip("llama_cpp", reason="needs the extra `embedded`")
        yield Subject("llamacpp:smollm2", exact=False)


def test_every_kind_is_held_to_this():
    assert set(KINDS) == set(BACKENDS)


@pytest.fixture(scope="module")
def panel(subject):
    made = Panel(subject.model, Settings(), {})
    yield made
    asyncio.run(made.backend.aclose())


def judged(panel):
    """(judge, judgements) for every kind of judgement this backend can be asked."""
    for kind, judgements in ASKED.items():
        try:
            judge = panel.resolve(Ask(()), kind)
        except CapabilityError:
            continue
        yield judge, judgements


def test_outcomes_come_in_order_one_at_a_time_or_together(subject):
    """One event loop for all of it, as drivers have it."""

    async def both():
        panel = Panel(subject.model, Settings(), {})
        compared = 0
        for judge, judgements in judged(panel):
            works = [judge.prepare(judgement) for judgement in judgements]
            together = await judge.backend.complete_all(works)
            alone = [await judge.backend.complete(work) for work in works]
            for judgement, one, many in zip(judgements, alone, together, strict=True):
                assert isinstance(one, (Response, Reply)), one
                answers = [judge.read(judgement, outcome)[0] for outcome in (one, many)]
                if isinstance(answers[0], float):
                    assert answers[0] == pytest.approx(answers[1], abs=0 if subject.exact else 0.1)
                elif subject.exact:
                    assert answers[0] == answers[1]
                compared += 1
                assert one.usage == many.usage
                assert one.usage.prompt_tokens >= 0
        assert await panel.backend.complete_all([]) == []
        await panel.backend.aclose()
        await panel.backend.aclose()
        return compared

    assert asyncio.run(both()) > 0


def test_the_printed_model_is_a_model(subject, panel):
    assert ModelSpec.parse(panel.backend.model).kind == subject.model.partition(":")[0]
    reloaded = ModelSpec.parse(panel.backend.model).load()
    assert reloaded.model == panel.backend.model
    asyncio.run(reloaded.aclose())


def test_costs_are_known_or_unknown_never_wrong(panel):
    cost = panel.backend.cost(Usage(1000, 10))
    assert cost is None or cost >= 0
    if not panel.backend.capabilities.remote:
        assert cost == 0


@pytest.mark.parametrize("driver", ["rounds", "concurrent"])
def test_the_default_strategy_ranks(subject, driver):
    with Reranker(model=subject.model, driver=driver) as reranker:
        assert reranker.defaulted
        assert Stage.parse(str(reranker.stage)) == reranker.stage
        candidates = [Candidate(doc) for doc in DOCS]
        outcomes = list(reranker.stream([(QUERY, candidates)]))
        assert isinstance(outcomes[0], Ranking), outcomes[0]
        assert sorted(outcomes[0].doc_ids) == ["a", "b", "c"]
        # An answer before what is beside the point: how a small model ranks the rest is its own affair.
        assert outcomes[0].doc_ids.index("b") < outcomes[0].doc_ids.index("a")
        assert outcomes[0].ledger.calls in reranker.plan(3).calls


def test_what_it_cannot_be_asked_is_refused_before_any_call(subject):
    panel = Panel(subject.model, Settings(), {})
    can = {type(judgements[0]) for _, judgements in judged(panel)}
    for kind in set(ASKED) - can:
        with pytest.raises(CapabilityError):
            panel.resolve(Ask(()), kind)
    asyncio.run(panel.backend.aclose())
