"""What labels are worth by themselves is asked once, counted, kept, and taken off."""

import asyncio
import math
import re

import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import WordTokenizer

from rerankllm import Reranker
from rerankllm.calls import CallFailed, Capabilities, Response
from rerankllm.data import Candidate, Document, Query, Usage
from rerankllm.drivers.events import Failed
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.logprobs import Labels
from rerankllm.elicitation.prior import less
from rerankllm.errors import TemplateError
from rerankllm.judgements import Compare, Failure, Permute, Score, Select, Unanswered, WeakOrder
from rerankllm.registry import BACKENDS
from rerankllm.spec.model import ModelSpec

QUERY = Query("q", "which number is large")
LOCAL = Capabilities(label_logprobs=100, token_prompts=True, logits=True)
SHOWN = re.compile(r"^\[?([A-Z])\]? (?:worth (-?[0-9.]+)|N/A)$", re.MULTILINE)


class Partial:
    """A model that likes early labels, whatever they stand for, and else what passages say they are worth."""

    default_strategy = "sliding"
    revision = "1"

    def __init__(self, *, name: str) -> None:
        self.model = f"partial:{name}"
        self.capabilities = Capabilities(label_logprobs=26, remote=name == "remote")
        self.tokenizer = WordTokenizer()
        self.prompts: list[str] = []
        self.fails = 0
        LAST.append(self)

    async def complete(self, work):
        prompt = work.prompt.messages[-1].content
        self.prompts.append(prompt)
        if "worth" not in prompt and self.fails:
            self.fails -= 1
            return CallFailed("overloaded")
        shown = SHOWN.findall(prompt)
        assert len(shown) == len(work.want.labels)
        return Response(
            logprobs=tuple(-1.0 * place + float(value or 0) for place, (_, value) in enumerate(shown)),
            usage=Usage(len(prompt), 1),
        )

    async def complete_all(self, works):
        return [await self.complete(work) for work in works]

    def cost(self, usage):
        return 0.0

    def most_tokens(self, want):
        return 1

    async def aclose(self):
        pass

    @property
    def priors(self):
        return [prompt for prompt in self.prompts if "worth" not in prompt]


LAST: list[Partial] = []


@pytest.fixture(autouse=True)
def partial():
    BACKENDS.register("partial", Partial)
    yield
    BACKENDS._entries.pop("partial")
    LAST.clear()


def collection(queries, n):
    def docs(number):
        return [Candidate(Document(f"d{i}", f"worth {(7 * i + number) % n * 0.1:.1f}")) for i in range(n)]

    return [(Query(str(number), f"query {number}"), docs(number)) for number in range(queries)]


def ideal(candidates):
    return [c.doc_id for c in sorted(candidates, key=lambda c: -float(c.document.text.split()[1]))]


@pytest.mark.parametrize("driver", ["rounds", "concurrent"])
@pytest.mark.parametrize("model", ["partial:here", "partial:remote"])
@pytest.mark.parametrize(("kind", "sent"), [("empty", 1), ("documents", 6)])
def test_bias_is_taken_off_for_one_prompt_a_shape(driver, model, kind, sent):
    queries = collection(6, 8)
    with Reranker("sliding / labels", model, driver=driver) as plain:
        biased = [outcome.doc_ids for outcome in plain.stream(queries)]
    with Reranker(f"sliding / labels(prior={kind})", model, driver=driver) as reranker:
        outcomes = list(reranker.stream(queries))
        plan = reranker.plan(8)
    assert [list(o.doc_ids) for o in outcomes] == [ideal(candidates) for _, candidates in queries]
    assert biased == [tuple(f"d{i}" for i in range(8))] * 6
    assert len(LAST[-1].priors) == sent
    assert (plan.calls, plan.rounds, plan.slots) == ((2, 2), (2, 2), (8, 8))
    assert [(o.ledger.calls, o.ledger.rounds, o.ledger.slots) for o in outcomes] == [(2, 2, 8)] * 6
    assert all(o.ledger.notes["label priors"] == 1 for o in outcomes)
    assert sum(o.ledger.attempts for o in outcomes) == len(LAST[-1].prompts) == 6 + sent
    assert sum(o.ledger.usage.prompt_tokens for o in outcomes) == sum(map(len, LAST[-1].prompts))


SPECS = [
    "sliding(window=4, stride=2)",
    "setwise(c=4, top_k=3)",
    "prp(sort=heap, top_k=3)",
    "tdpart(window=4, top_k=2)",
    "cascade([pointwise, sliding(window=4, stride=2)], depths=[11, 5])",
]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("n", [0, 1, 2, 5, 11])
def test_plans_hold_with_priors(spec, n):
    (query, candidates), *_ = collection(1, max(n, 1))
    outer = f"{spec} / labels(prior=empty)"
    BACKENDS.register("partial", WithChoices)
    with Reranker(outer, "partial:here") as reranker:
        plan = reranker.plan(n)
        (outcome,) = reranker.stream([(query, candidates[:n])])
        tokens = reranker.estimate([(query, candidates[:n])]).prompt_tokens
    assert outcome.ledger.calls in plan.calls
    assert outcome.ledger.rounds in plan.rounds
    assert outcome.ledger.slots in plan.slots
    assert outcome.ledger.usage.prompt_tokens in tokens


class WithChoices(Partial):
    """The same, for comparisons and scores too; counts tokens as the estimate does."""

    async def complete(self, work):
        prompt = work.prompt.messages[-1].content
        count = sum(len(self.tokenizer.encode(message.content)) for message in work.prompt.messages)
        values = [float(value or 0) for _, value in SHOWN.findall(prompt)]
        values = values if len(values) == len(work.want.labels) else [0.3 * i for i in range(len(work.want.labels))]
        return Response(logprobs=tuple(values), usage=Usage(count))


def test_a_resumed_run_asks_no_prior_again(tmp_path):
    queries = collection(3, 6)
    runs = []
    for _ in range(2):
        with Reranker("sliding / labels(prior=empty)", "partial:here", journal=tmp_path / "journal") as reranker:
            runs.append(list(reranker.stream(queries)))
        runs[-1].append(len(LAST[-1].prompts))
    (*first, sent), (*second, again) = runs
    assert (sent, again) == (4, 0)
    assert [o.results for o in first] == [o.results for o in second]
    assert [o.ledger.usage for o in first] == [o.ledger.usage for o in second]
    assert sum(o.ledger.replayed for o in second) == 6


def test_the_prior_is_part_of_what_a_journal_knows_a_ranking_by(tmp_path):
    queries = collection(1, 6)
    for spec in ("sliding / labels", "sliding / labels(prior=empty)", "sliding / labels(prior=documents)"):
        with Reranker(spec, "partial:here", journal=tmp_path / "journal") as reranker:
            list(reranker.stream(queries))
            rows = reranker.journal.rows("SELECT DISTINCT key FROM calls")
            assert len(list(rows)) == {"sliding / labels": 1}.get(spec, 2 if "empty" in spec else 3)
    assert [len(model.prompts) for model in LAST] == [1, 1, 1]  # the ranking prompt itself is reused by content


@pytest.mark.parametrize("driver", ["rounds", "concurrent"])
def test_a_prior_that_is_not_answered_fails_the_query_and_the_next_asks_again(driver):
    queries = collection(3, 5)
    with Reranker("sliding / labels(prior=empty)", "partial:remote", driver=driver) as reranker:
        LAST[-1].fails = 1
        outcomes = list(reranker.stream(queries))
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert [outcome.reason for outcome in failed] == [
        "what the labels are worth by themselves is not known: overloaded"
    ]
    assert len(LAST[-1].priors) == 2


def elicitor(kind, **parameters):
    return Labels(**parameters).bind(kind, WordTokenizer(), LOCAL, PromptSettings())


DOCS = tuple(Document(name, f"passage {name}") for name in "abc")
logprobs = st.lists(st.floats(-30, 0), min_size=3, max_size=3)


@given(logprobs, st.permutations(range(3)))
def test_what_remains_is_what_the_documents_add(prior, order):
    contextual = elicitor(Permute, prior="empty")
    judgement = Permute(QUERY, DOCS)
    known, report = contextual.read(contextual.prior(judgement), Response(logprobs=tuple(prior)))
    assert report.status == "parsed"
    shown = tuple(own + place * 100.0 for own, place in zip(prior, order, strict=True))
    answer, _ = contextual.given(known).read(judgement, Response(logprobs=shown))
    assert answer == WeakOrder(tuple((DOCS[order.index(place)].doc_id,) for place in (2, 1, 0)))


@given(logprobs, st.floats(-5, 5))
def test_a_prior_equal_for_all_changes_nothing(values, own):
    plain, contextual = elicitor(Score, prompt="grades"), elicitor(Score, prompt="grades", prior="empty")
    judgement = Score(QUERY, DOCS[0])
    values = (*values, -1.0)
    assert contextual.given((own,) * 4).read(judgement, Response(logprobs=values))[0] == pytest.approx(
        plain.read(judgement, Response(logprobs=values))[0], abs=1e-6
    )


def test_shapes():
    documents, empty = (elicitor(Permute, prior=kind) for kind in ("documents", "empty"))
    other = Query("r", "another")
    assert documents.prior(Permute(QUERY, DOCS)) != documents.prior(Permute(other, DOCS))
    assert empty.prior(Permute(QUERY, DOCS)) == empty.prior(Permute(other, DOCS[::-1], decode=1))
    assert empty.prior(Permute(QUERY, DOCS)) != empty.prior(Permute(QUERY, DOCS[:2]))
    select = elicitor(Select, prior="empty")
    assert select.prior(Select(QUERY, DOCS)) != select.prior(Select(QUERY, DOCS, worst=True))
    assert empty.prior(Permute(QUERY, DOCS)).docs == ()


def test_prompts_without_content_show_none_and_are_otherwise_the_same():
    for kind, judgement in ((Permute, Permute(QUERY, DOCS)), (Compare, Compare(QUERY, *DOCS[:2]))):
        contextual = elicitor(kind, prior="empty")
        text = contextual.builder.tokenizer.decode(contextual.prepare(contextual.prior(judgement)).prompt.ids)
        plain = elicitor(kind)
        real = plain.builder.tokenizer.decode(plain.prepare(judgement).prompt.ids)
        for doc in judgement.docs:
            real = real.replace(doc.text, "N/A")
        assert text == real.replace(QUERY.text, "N/A")


def test_labels_nobody_reported():
    contextual = elicitor(Compare, prior="empty")
    prior = contextual.prior(Compare(QUERY, *DOCS[:2]))
    assert contextual.read(prior, Response(logprobs=(-1.0, math.nan), floor=-4.0))[0] == (-1.0, -4.0)
    answer, report = contextual.read(prior, Response(logprobs=(math.nan, math.nan), floor=-4.0))
    assert isinstance(answer, Unanswered)
    assert answer.failure is Failure.ANSWER
    assert report.status == "failed"


def test_logits_have_no_prior():
    with pytest.raises(TemplateError, match="leave the prior out"):
        elicitor(Score, prompt="rankt5", prior="empty")


@given(st.permutations(range(4)))
def test_nothing_is_taken_off_without_a_prior(values):
    assert less(values, ()) == list(values)
    assert less(values, values) == [0] * 4


@pytest.mark.llamacpp
def test_a_real_models_liking_of_labels_gets_less():
    """Measured over contents in every order, so that no document is worth more than another: what is left is liking."""
    texts = ["Fleas live for weeks.", "Dogs bark at night.", "The moon is far away.", "Bread is made of flour."]
    docs = tuple(Document(str(i), text) for i, text in enumerate(texts))
    ranges = []
    backend = ModelSpec.parse("llamacpp:smollm2").load()
    try:
        for kind in (None, "empty"):
            elicitor = Labels(prior=kind).bind(Select, backend.tokenizer, backend.capabilities, PromptSettings())
            judgement = Select(QUERY, docs)
            own = (0.0,) * 4
            if kind is not None:
                prior = elicitor.prior(judgement)
                own, _ = elicitor.read(prior, asyncio.run(backend.complete(elicitor.prepare(prior))))
            rows = []
            for turn in range(4):  # every document once in every place
                shown = Select(QUERY, docs[turn:] + docs[:turn])
                response = asyncio.run(backend.complete(elicitor.prepare(shown)))
                rows.append(less(response.logprobs, own))
            means = [sum(column) / 4 for column in zip(*rows, strict=True)]
            ranges.append(max(means) - min(means))
    finally:
        asyncio.run(backend.aclose())
    assert ranges[1] < ranges[0]


@pytest.mark.slow
def test_a_transformers_model_is_asked_once_a_shape(tmp_path):
    pytest.importorskip("transformers", reason="needs the extra `hf`")
    path = tiny_models.t5(tmp_path)
    candidates = [Candidate(Document(f"d{i}", f"passage {i}")) for i in range(5)]
    spec = "pointwise / labels(prompt=monot5, prior={})"
    with Reranker(spec.format("empty"), f"hf:{path}?threads=1") as reranker:
        outcomes = list(reranker.stream([(Query(str(i), f"query {i}"), candidates) for i in range(2)]))
        assert reranker.plan(5).calls == (6, 6)
    assert [(o.ledger.calls, o.ledger.notes["label priors"]) for o in outcomes] == [(6, 1), (6, 1)]
    assert sum(o.ledger.attempts for o in outcomes) == 11
    with Reranker(spec.format("none"), f"hf:{path}?threads=1") as reranker:
        plain = reranker.rerank(outcomes[0].query, [c.document for c in candidates])
    odds = [
        [math.log(r.score / (1 - r.score)) for r in sorted(o, key=lambda r: r.doc_id)] for o in (plain, outcomes[0])
    ]
    assert [a - b for a, b in zip(*odds, strict=True)] == pytest.approx([odds[0][0] - odds[1][0]] * 5, abs=1e-4)
