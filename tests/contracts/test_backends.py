"""What every backend promises, whatever it is: one suite that each of them passes.

To hold a new backend to it, add a fixture that yields its MODEL spec and a query it can answer, and its name to KINDS.
"""

import asyncio
import json
import math
import os
import re
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import permutations

import late_models
import model_servers
import packaged_model
import pytest
import tiny_models
import vllm_models
from near_ties import assert_same_text
from scripted_server import Answer, Garbage, ScriptedServer

from rerankllm import Reranker
from rerankllm.backends.rerank_api.dialects import DIALECTS
from rerankllm.calls import ChatPrompt, Generate, Message, ReadLabels, Reply, Request, Response, TokenPrompt
from rerankllm.data import Candidate, Document, Query, Ranking, Usage
from rerankllm.drivers.panel import Panel
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.constrained import CHAIN, held_to
from rerankllm.elicitation.reasoning import Reasoning
from rerankllm.elicitation.text import Text
from rerankllm.errors import CapabilityError
from rerankllm.judgements import (
    Ask,
    Assess,
    Compare,
    Criterion,
    Draft,
    Embed,
    Ends,
    Grade,
    Permute,
    Score,
    Select,
    Status,
    Unanswered,
    Write,
)
from rerankllm.registry import BACKENDS
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

KINDS = ["oracle", "simulated", "recorded", "openai", "vllm", "llamacpp", "hf", "cross-encoder", "embed",
         "embed-api", "embed-late", "litellm", "cohere", "jina", "voyage", "mixedbread",
         "zeroentropy", "nvidia", "tei", "rerank"]  # fmt: skip
SERVED = ["openai_vllm", "openai_llamacpp"]  # `openai:` asking the servers that come with these engines
WITH_WEIGHTS = {"vllm", "llamacpp", "hf", "embed", *SERVED}
MARKS = {"litellm": [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]}  # its own warnings; seconds to import
SLOW = pytest.mark.slow(seconds=20)
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
    Ends: [Ends(QUERY, DOCS)],
    Grade: [Grade(QUERY, DOCS)],
    Write: [Write(QUERY, 1)],
    Draft: [Draft(QUERY)],
    Assess: [Assess(QUERY, DOCS[1], (Criterion("says how long"),))],
    Embed: [Embed(QUERY, DOCS), Embed(QUERY, DOCS, feedback=2)],
}


@dataclass(frozen=True)
class Subject:
    model: str
    exact: bool = True  # whether batching leaves results alone to the last bit
    remembers: bool = False  # whether what was computed before is not computed, nor counted, again


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


def embeddings(body, _):
    """The share of each letter."""
    rows = [[text.lower().count(letter) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz"] for text in body["input"]]
    data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    return Garbage(json.dumps({"object": "list", "data": data, "usage": {"prompt_tokens": 50, "total_tokens": 50}}))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(kind, marks=[pytest.mark.slow(seconds=20)] if kind in WITH_WEIGHTS else MARKS.get(kind, []))
        for kind in (*KINDS, *SERVED)
    ],
)
def subject(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    module, extra = NEEDS.get(request.param, ("rerankllm", ""))
    pytest.importorskip(module, reason=f"needs the extra `{extra}`")
    with ExitStack() as stack:
        yield SUBJECTS[request.param](folder, stack.enter_context)


def oracle(folder, _):
    (folder / "qrels").write_text("q 0 b 2\nq 0 c 1\n")
    return Subject(f"oracle:{folder / 'qrels'}")


def simulated(folder, _):
    (folder / "qrels").write_text("q 0 b 3\nq 0 c 1\n")
    return Subject(f"simulated:{folder / 'qrels'}?world=mild&seed=1")


def recorded(folder, _):
    record = {"query_id": "q", "doc_ids": [doc.doc_id for doc in DOCS], "response": "[2] > [3] > [1]"}
    (folder / "recorded.jsonl").write_text(json.dumps(record))
    return Subject(f"recorded:{folder / 'recorded.jsonl'}")


def vllm(*_):
    if absent := vllm_models.missing():
        pytest.skip(f"{vllm_models.NEEDED}; absent: {', '.join(absent)}")
    return Subject(f"vllm:{packaged_model.converted()}?dtype=float32&max_model_len=2048", exact=False)


def served_by_vllm(folder, entered):
    vllm()  # skips where it is absent
    return Subject(f"openai:smollm2?base_url={entered(model_servers.vllm(folder, shown=True))}", exact=False)


def served_by_llamacpp(folder, entered):
    return Subject(f"openai:smollm2?base_url={entered(model_servers.llamacpp(folder, shown=True))}", exact=False)


def embed_api(_, entered):
    url = entered(ScriptedServer(embeddings)).url
    return Subject(f"embed:scripted?base_url={url}", exact=False, remembers=True)


def reranking(kind):
    """A reranking API that likes long passages, and counts search units only."""
    dialect = DIALECTS["jina" if kind == "rerank" else kind]

    def answers(body, _):
        texts = [text["text"] if isinstance(text, dict) else text for text in body[dialect.documents]]
        found = [{"index": i, dialect.score: float(len(text))} for i, text in enumerate(texts)]
        return Garbage(json.dumps({dialect.results: found} if dialect.results else found))

    def made(_, entered):
        url = entered(ScriptedServer(answers)).url
        return Subject(f"tei:{url}" if kind == "tei" else f"{kind}:scripted?base_url={url}", exact=False)

    return made


def through_litellm(_, entered):
    """Anthropic's messages."""

    def answers(body, number):
        said = scripted({"messages": body["messages"]}, number)
        turn = {"type": "message", "role": "assistant", "model": "scripted", "stop_reason": "end_turn", "id": "1"}
        usage = {"input_tokens": 7, "output_tokens": 3}
        return Garbage(json.dumps({**turn, "content": [{"type": "text", "text": said.text}], "usage": usage}))

    def plain(body, number):
        for message in body["messages"]:
            if isinstance(message["content"], list):
                message["content"] = message["content"][-1]["text"]
        return answers(body, number)

    os.environ.setdefault("ANTHROPIC_API_KEY", "none")
    url = entered(ScriptedServer(plain)).url.removesuffix("/v1")
    return Subject(f"litellm:anthropic/scripted?base_url={url}", exact=False)


SUBJECTS = {
    "litellm": through_litellm,
    **{kind: reranking(kind) for kind in (*DIALECTS, "rerank") if kind != "vllm"},
    "oracle": oracle,
    "simulated": simulated,
    "recorded": recorded,
    "openai": lambda _, entered: Subject(f"openai:scripted?base_url={entered(ScriptedServer(scripted)).url}"),
    "vllm": vllm,
    "openai_vllm": served_by_vllm,
    "openai_llamacpp": served_by_llamacpp,
    "llamacpp": lambda *_: Subject("llamacpp:smollm2", exact=False),
    "hf": lambda *_: Subject(f"hf:{packaged_model.converted()}?threads=1", exact=False),
    "cross-encoder": lambda folder, _: Subject(f"cross-encoder:{tiny_models.bert(folder)}?threads=1", exact=False),
    "embed": lambda *_: Subject("embed:minilm?threads=1", exact=False, remembers=True),
    "embed-api": embed_api,
    "embed-late": lambda folder, _: Subject(
        f"embed:{late_models.PUBLISHED[2].save(folder / 'late')}?threads=1", exact=False, remembers=True
    ),
}
NEEDS = {
    "litellm": ("litellm", "litellm"),
    "llamacpp": ("llama_cpp", "llamacpp"),
    "openai_llamacpp": ("llama_cpp", "llamacpp"),
    "hf": ("transformers", "hf"),
    "cross-encoder": ("sentence_transformers", "embed"),
    "embed": ("onnxruntime", "embedded"),
    "embed-late": ("transformers", "embed"),
}


def test_every_kind_is_held_to_this():
    ours = {name for name in BACKENDS if BACKENDS[name].__module__.startswith("rerankllm.")}  # others are of tests
    assert {kind.removesuffix("-api").removesuffix("-late") for kind in KINDS} == ours


@pytest.fixture(scope="module")
def panel(subject):
    made = Panel(subject.model, PromptSettings(), {})
    yield made
    asyncio.run(made.backend.aclose())


@pytest.fixture
def alive(subject, panel):
    """The panel; for vLLM one of its own: its engines share what the first to be closed takes down."""
    if not subject.model.startswith("vllm:"):
        yield panel
        return
    made = Panel(subject.model, PromptSettings(), {})
    yield made
    asyncio.run(made.backend.aclose())


def judged(panel):
    """(judge, judgements) for every kind this backend can be asked; of what is written at length, a line."""
    for kind, judgements in ASKED.items():
        brief = panel.backend.capabilities.generate and kind in {Write, Draft, Assess}
        try:
            judge = panel.resolve(Ask((), Text(max_tokens=20)) if brief else Ask(()), kind)
        except CapabilityError:
            continue
        yield judge, judgements


def test_outcomes_come_in_order_one_at_a_time_or_together(subject):
    """One event loop for all of it, as drivers have it."""

    async def both():
        panel = Panel(subject.model, PromptSettings(), {})
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
                if subject.exact or subject.remembers:
                    assert replace(one.usage, remembered_tokens=0) == (Usage() if subject.remembers else many.usage)
                assert one.usage.prompt_tokens == (0 if subject.remembers else many.usage.prompt_tokens)
        assert await panel.backend.complete_all([]) == []
        await panel.backend.aclose()
        await panel.backend.aclose()
        return compared

    assert asyncio.run(both()) > 0


def test_a_label_it_writes_is_read_as_if_it_were_asked_for_there(subject, panel):
    backend = panel.backend
    if not (backend.capabilities.generate and backend.capabilities.label_logprobs):
        pytest.skip("a backend that tells no label log-probabilities, or writes nothing")
    question, texts = Message("user", "Count from 1 to 5."), tuple("12345")
    if not backend.capabilities.token_prompts:
        outcome = ask(subject, [Request(ChatPrompt((question,)), Generate(60, labels=ReadLabels(texts)))])[0]
        if "scripted" in subject.model:
            return  # it does not count
        check_readings(outcome, texts)
        return
    encode = backend.tokenizer.encode
    prompt = encode(backend.tokenizer.chat((question,)), special=True)
    want = ReadLabels(texts, tuple(encode(text) for text in texts))
    (outcome,) = ask(subject, [Request(TokenPrompt(prompt), Generate(40, labels=want))])
    check_readings(outcome, texts)
    there = [Request(TokenPrompt(prompt + encode(outcome.text[: r.at])), want) for r in outcome.readings]
    for reading, asked in zip(outcome.readings, ask(subject, there), strict=True):
        assert reading.logprobs == pytest.approx(asked.logprobs, abs=0.2)  # bfloat16 rounds by .15


HELD = (*ASKED[Score][:1], *ASKED[Compare], *ASKED[Permute], Permute(QUERY, DOCS, decode=1), *ASKED[Select],
        *ASKED[Grade])  # fmt: skip


def test_answers_held_to_labels_are_always_complete(alive):
    panel = alive
    backend, held = panel.backend, Text(constrained=True)
    if backend.capabilities.forms:  # a host, which is found out when it is asked
        assert panel.resolve(Ask((), held), Permute).prepare(ASKED[Permute][0]).want.form.required
        return
    if not backend.capabilities.constrained:
        for kind in (Permute, Select, Compare, Score):
            with pytest.raises(CapabilityError):
                panel.resolve(Ask((), held), kind)
        return
    judges = [panel.resolve(Ask((), held), type(judgement)) for judgement in HELD]
    works = [judge.prepare(judgement) for judge, judgement in zip(judges, HELD, strict=True)]
    together = asyncio.run(backend.complete_all(works))
    alone = [asyncio.run(backend.complete(work)) for work in works[-3:]]
    for judge, judgement, work, outcome in zip(judges, HELD, works, together, strict=True):
        answer, report = judge.read(judgement, outcome)
        assert (report.status, report.repairs, outcome.finish_reason) == (Status.PARSED, {}, "stop")
        assert not isinstance(answer, Unanswered)
        assert len(outcome.readings) == work.want.count
        assert outcome.usage.completion_tokens <= backend.most_tokens(work.want)
        if isinstance(judgement, Grade):
            continue  # 10 may be likelier than 1, and what begins with 1 likelier than 2
        best = outcome.readings[0]
        assert best.logprobs[best.label] == max(value for value in best.logprobs if not math.isnan(value))
    for work, one, many in zip(works[-3:], alone, together[-3:], strict=True):
        assert_same_text(backend, work.prompt.ids, one, many)
    assert sorted(judges[3].read(HELD[3], together[3])[0].ranked) == ["a", "b", "c"]
    with_one = judges[4].read(HELD[4], together[4])[0]
    assert len(with_one.ranked) == 3  # each label is a token, so all of them are ranked by the one that was read


def test_what_follows_a_thought_is_held_and_the_thought_is_free(alive):
    panel = alive
    backend = panel.backend
    if not backend.capabilities.constrained:
        pytest.skip(f"{backend.model} holds no answers to labels")
    thinking = Reasoning(prompt="text", budget=30, end=".", constrained=True)  # a sentence is a thought
    asked = [ASKED[Permute][0], ASKED[Compare][0], ASKED[Score][0], ASKED[Grade][0]]
    works = [panel.resolve(Ask((), thinking), type(judgement)).prepare(judgement) for judgement in asked]
    said = backend.tokenizer.encode(" One may say that it is so", special=True)
    works = [replace(work, prompt=TokenPrompt(work.prompt.ids + said)) for work in works]
    free = [replace(work, want=replace(work.want, after=None)) for work in works]
    outcomes = asyncio.run(backend.complete_all([*works, *free]))
    ended = 0
    for judgement, work, held, plain in zip(asked, works, outcomes[:4], outcomes[4:], strict=True):
        assert held.usage.completion_tokens <= backend.most_tokens(work.want)
        thought, end, answer = held.text.partition(".")
        if not end or held.text == plain.text:
            assert held.text == plain.text
            continue
        assert plain.text.startswith(thought)
        _, report = panel.resolve(Ask((), thinking), type(judgement)).read(judgement, held)
        assert (report.status, report.repairs) == (Status.PARSED, {})
        (want, *_) = work.want.after.answers
        assert [held.text[r.at :].startswith(want.labels[r.label]) for r in held.readings] == [True] * want.count
        assert answer.strip().startswith(want.opening.strip())
        ended += 1
    assert ended >= 2


def test_a_well_formed_answer_is_the_same_when_it_is_held_to_labels(alive):
    panel = alive
    backend = panel.backend
    if not backend.capabilities.constrained:
        pytest.skip(f"{backend.model} holds no answers to labels")
    examples = [
        Message(role, text)
        for exchange in packaged_model.SHOWN[-2:]
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    ]
    encode, texts = backend.tokenizer.encode, [doc.text for doc in DOCS]
    works = []
    for shown in list(permutations(texts))[::2]:
        question = packaged_model.RANKED.format(*shown, QUERY.text)
        chat = backend.tokenizer.chat([*examples, Message("user", question)])
        held = held_to(backend.tokenizer, chat, ("1", "2", "3"), 3, CHAIN)
        works += [Request(TokenPrompt(encode(chat, special=True)), want) for want in (Generate(30), held.want)]
    outcomes = asyncio.run(backend.complete_all(works))
    chains = 0
    for work, free, held in zip(works[::2], outcomes[::2], outcomes[1::2], strict=True):
        assert re.fullmatch(r"\[\d\]( > \[\d\]){2}", held.text)
        if sorted(re.findall(r"\[(\d)\]", free.text)) == ["1", "2", "3"] and re.fullmatch(r"[][\d >]+", free.text):
            assert_same_text(backend, work.prompt.ids, free, held)
            chains += 1
            assert held.usage.completion_tokens == 2 < free.usage.completion_tokens
    assert chains >= 1


def ask(subject, works):
    async def answered():
        backend = ModelSpec.parse(subject.model).load()
        try:
            return await backend.complete_all(works)
        finally:
            await backend.aclose()

    return asyncio.run(answered())


def check_readings(outcome, texts):
    """Every digit the model wrote was read, where it stands, and it was the likeliest of them."""
    written = [(i, texts.index(c)) for i, c in enumerate(outcome.text) if c in texts]
    assert [(outcome.text.index(texts[r.label], r.at), r.label) for r in outcome.readings] == written
    assert len(written) >= 5
    for reading in outcome.readings:
        assert reading.logprobs[reading.label] == max(v for v in reading.logprobs if not math.isnan(v))


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
    panel = Panel(subject.model, PromptSettings(), {})
    can = {type(judgements[0]) for _, judgements in judged(panel)}
    for kind in set(ASKED) - can:
        with pytest.raises(CapabilityError):
            panel.resolve(Ask(()), kind)
    asyncio.run(panel.backend.aclose())
