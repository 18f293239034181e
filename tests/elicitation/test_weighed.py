"""A grade after a thought, and how likely it was: ERank's two readings."""

import json
import math

import packaged_model
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Answer, ScriptedServer
from word_tokenizer import WordTokenizer

from rerankllm import Reranker
from rerankllm.calls import Capabilities, Generate, Reading, ReadLabels, Request, Response, TokenPrompt
from rerankllm.data import Candidate, Document, Query, Ranking, Usage
from rerankllm.drivers.events import Failed
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.reasoning import Reasoning
from rerankllm.errors import CapabilityError, SpecError, TemplateError
from rerankllm.journal.codec import dump, load
from rerankllm.judgements import Compare, Failure, Permute, Score, Status, Unanswered
from rerankllm.spec.stage import Stage

QUERY = Query("q", "how long do fleas live")
DOCS = (Document("a", "Dogs bark."), Document("b", "Adult fleas live for two or three months on a host."))
SCORE = Score(QUERY, DOCS[1])
LOCAL = Capabilities(generate=True, label_logprobs=100, token_prompts=True)
CHAT = Capabilities(generate=True, label_logprobs=20)
LIKELY = tuple(map(math.log, (0.1, 0.2, 0.3, 0.4)))
EARLIER = tuple(map(math.log, (0.7, 0.1, 0.1, 0.1)))


def bind(value, judgement=Score, capabilities=LOCAL, **parameters):
    return Reasoning(value=value, **parameters).bind(judgement, WordTokenizer(), capabilities, PromptSettings())


def read(value, text, readings, judgement=SCORE, **rest):
    return bind(value, type(judgement)).read(judgement, Response(text, readings=tuple(readings), **rest))


def at(text, label, logprobs=LIKELY, number=0, floor=math.nan):
    """The reading of a label written in a text, for the so-manyth time."""
    place = -1
    for _ in range(number + 1):
        place = text.index(str(label), place + 1)
    return Reading(place, label, logprobs, floor)


def test_the_two_readings():
    text = "<think>Months are named.</think>\n3"
    assert read("written", text, [at(text, 3)])[0] == 3.0
    assert read("expected", text, [at(text, 3)])[0] == pytest.approx(0.2 + 0.6 + 1.2)
    assert read("product", text, [at(text, 3)])[0] == pytest.approx(3 * 0.4)


def test_the_product_does_not_share_out_what_other_tokens_have_and_the_expectation_does():
    text, half = "<think></think>2", tuple(math.log(p / 2) for p in (0.1, 0.2, 0.3, 0.4))
    assert read("product", text, [at(text, 2, half)])[0] == pytest.approx(2 * 0.15)
    assert read("expected", text, [at(text, 2, half)])[0] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "label", "number"),
    [
        ("<think>At first 3, then 2.</think> 3", 3, 1),
        ("<think>3</think> From 0 to 3, the grade is 2", 2, 0),
        ("<think>3</think> 2/3", 2, 0),
        ("<think>1</think> 3, of 3 at most", 3, 0),
        ("<think></think> In 12 of 20 cases; the grade is 2", 2, 2),
    ],
)
def test_the_answer_is_read_where_it_stands_not_in_the_thought_nor_inside_a_number(text, label, number):
    everywhere = [at(text, int(c), EARLIER, text[:i].count(c)) for i, c in enumerate(text) if c in "0123"]
    where = at(text, label, number=number).at
    readings = [Reading(r.at, r.label, LIKELY if r.at == where else EARLIER) for r in everywhere]
    answer, report = read("expected", text, readings)
    assert report.status is Status.PARSED
    assert answer == pytest.approx(2.0)


def test_thoughts_kept_apart():
    answer, _ = read("expected", " 3", [Reading(0, 3, LIKELY)], reasoning="2? 1?")
    assert answer == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("<think></think> 3", []),
        ("<think>3</think> 2", [(7, 3, LIKELY)]),
        ("<think>3</think> 3", [(7, 3, LIKELY)]),
        ("<think></think> 3", [(15, 3, (math.nan,) * 4)]),
        ("<think></think> 3", [(15, 3, (-1.0, -1.0, math.nan, -0.1))]),
    ],
    ids=["nowhere", "another label", "in the thought only", "nothing known", "one label unbounded"],
)
def test_an_answer_of_unknown_likelihood_is_none(text, readings):
    answer, report = read("expected", text, [Reading(*reading) for reading in readings])
    assert isinstance(answer, Unanswered)
    assert (answer.failure, report.status) == (Failure.ANSWER, Status.FAILED)
    assert "how likely that was is not known; use value=written" in answer.reason


def test_a_label_beyond_the_reported_ones_is_bounded_by_them():
    text = "<think></think>3"
    answer, report = read("expected", text, [at(text, 3, (math.nan, math.nan, -2.0, -0.1), floor=-8.0)])
    weights = [math.exp(v) for v in (-8, -8, -2, -0.1)]
    assert answer == pytest.approx(sum(i * w for i, w in enumerate(weights)) / sum(weights))
    assert (report.status, report.repairs) == (Status.REPAIRED, {"unreported label": 2})
    assert read("product", text, [at(text, 3, (math.nan, math.nan, -2.0, -0.1))])[0] == pytest.approx(
        3 * math.exp(-0.1)
    )


@pytest.mark.parametrize("value", ["expected", "product"])
def test_an_unclosed_thought_is_a_failure_whatever_was_read(value):
    text = "<think>It is a 3"
    answer, report = read(value, text, [at(text, 3)], finish_reason="length")
    assert isinstance(answer, Unanswered)
    assert report.repairs == {"unclosed reasoning": 1}


def test_comparisons_have_an_expectation():
    text = "<think>A is off.</think> B"
    pair = Reading(text.rindex("B"), 1, (math.log(0.3), math.log(0.6)))
    assert read("expected", text, [pair], Compare(QUERY, *DOCS))[0] == pytest.approx(1 / 3)


@pytest.mark.slow
@given(
    st.text(alphabet="<think>/ 0123.()\n"),
    st.none() | st.text(),
    st.lists(
        st.tuples(st.integers(-5, 40), st.integers(0, 3), st.lists(st.floats(max_value=0), min_size=4, max_size=4))
    ),
)
def test_reading_never_raises(text, reasoning, readings):
    found = tuple(Reading(place, label, tuple(logprobs)) for place, label, logprobs in readings)
    for elicitor in EVERY:
        answer, report = elicitor.read(SCORE, Response(text, reasoning=reasoning, readings=found))
        assert isinstance(answer, Unanswered) == (report.status is Status.FAILED)


EVERY = [bind(value) for value in ("written", "expected", "product")]


def test_the_request_names_the_labels_after_a_line_break():
    want = bind("expected").prepare(SCORE).want
    assert isinstance(want, Generate)
    assert want.labels.labels == ("0", "1", "2", "3")
    assert all(want.labels.ids)
    assert bind("expected", capabilities=CHAT).prepare(SCORE).want.labels == ReadLabels(("0", "1", "2", "3"))
    assert bind("written").prepare(SCORE).want.labels is None


@pytest.mark.parametrize(
    ("value", "judgement", "capabilities", "message"),
    [
        ("expected", Score, Capabilities(generate=True), "does not give; use value=written"),
        ("expected", Permute, LOCAL, "value=expected is for Score and Compare, not for Permute"),
        ("product", Compare, LOCAL, "value=product is for Score, not for Compare"),
    ],
)
def test_what_cannot_work_says_so_before_any_call(value, judgement, capabilities, message):
    with pytest.raises(CapabilityError, match=message):
        bind(value, judgement, capabilities)


class Digits(WordTokenizer):
    """A token for every character."""

    def encode(self, text, *, special=False):
        return tuple(super(Digits, self).encode(c, special=special)[0] for c in text)


def test_a_grade_of_two_tokens_says_so_before_any_call_where_all_labels_are_weighed():
    with pytest.raises(TemplateError, match="label '10' is not a single token"):
        Reasoning("reasoning-10", value="expected").bind(Score, Digits(), LOCAL, PromptSettings())
    assert Reasoning("reasoning-9", value="expected").bind(Score, Digits(), LOCAL, PromptSettings())


def test_a_grade_of_two_tokens_is_as_likely_as_both():
    elicitor = Reasoning("reasoning-10", value="product").bind(Score, Digits(), LOCAL, PromptSettings())
    assert elicitor.prepare(SCORE).want.labels.labels == tuple(map(str, range(10)))
    text = "<think>10 or 1? 10.</think><answer>10</answer>"
    start = text.rindex("10")
    one = tuple(math.log(0.5 if label == 1 else 0.05) for label in range(10))
    nought = tuple(math.log(0.8 if label == 0 else 0.02) for label in range(10))
    readings = (Reading(start, 1, one), Reading(start + 1, 0, nought))
    assert elicitor.read(SCORE, Response(text, readings=readings))[0] == pytest.approx(10 * 0.5 * 0.8)
    answer, _ = elicitor.read(SCORE, Response(text, readings=readings[1:]))
    assert isinstance(answer, Unanswered)
    text = text.replace("10</answer>", "1</answer>")
    answer, _ = elicitor.read(SCORE, Response(text, readings=readings[:1]))
    assert answer == pytest.approx(0.5)


def test_its_spec():
    stage = Stage.parse("pointwise / reasoning(value=product)")
    assert str(stage) == "pointwise / reasoning(prompt=default, budget=2048, end='</think>', value=product)"
    assert Stage.parse(str(stage)) == stage
    with pytest.raises(SpecError, match="one of written, expected, product"):
        Stage.parse("pointwise / reasoning(value=likely)")


def test_a_journal_keeps_what_was_read():
    response = Response("3", floor=-9.0, readings=(Reading(0, 3, LIKELY, -9.0),), usage=Usage(7, 1))
    assert load(dump(response), Request(TokenPrompt((1,)), Generate(5))) == response
    older = json.loads(dump(response))
    del older["readings"]
    assert load(json.dumps(older), Request(TokenPrompt((1,)), Generate(5))).readings == ()


GRADED = """
description: a sentence, then a grade
source: written for this test
elicitation: reasoning
passage_tokens: 100
labels: [{text: "0", value: 0}, {text: "1", value: 1}, {text: "2", value: 2}, {text: "3", value: 3}]
messages:
  - user: |-
      Search query: {{ query }}
      Passage: {{ doc.text }}

      Write one short sentence about the passage, then END, then a grade from 0 to 3. For example:
      The passage is about cats. END 2
"""


@pytest.fixture
def template(tmp_path):
    """What a model of 135M parameters gets right: it does not think, but ends a sentence where it is told to."""
    path = tmp_path / "graded.yaml"
    path.write_text(GRADED)
    return path


@pytest.fixture(params=["llamacpp", "hf"])
def model(request):
    """The same weights through two engines."""
    if request.param == "llamacpp":
        pytest.importorskip("llama_cpp", reason="needs the extra `llamacpp`")
        return "llamacpp:smollm2?type=f32"
    pytest.importorskip("transformers", reason="needs the extra `hf`")
    return f"hf:{packaged_model.converted()}?threads=2"


@pytest.mark.slow(seconds=8)
def test_a_real_model_writes_and_is_read_in_one_call(model, template):
    spec = f"pointwise / reasoning(prompt='{template}', budget=60, end=END, value={{}})"
    candidates = [Candidate(Document(text, text)) for text in ("Dogs bark.", "Cats sleep.")]
    scores = {}
    for value in ("written", "expected", "product"):
        with Reranker(spec.format(value), model) as reranker:
            (ranking,) = reranker.stream([(QUERY, candidates)])
            assert isinstance(ranking, Ranking), ranking
            assert (ranking.ledger.calls, ranking.ledger.attempts, ranking.ledger.parsed) == (2, 2, 2)
            assert ranking.ledger.usage.completion_tokens > 10
            scores[value] = {result.doc_id: result.score for result in ranking}
    for doc_id, written in scores["written"].items():
        assert written in {0, 1, 2, 3}
        assert 0 < scores["expected"][doc_id] < 3
        assert 0 <= scores["product"][doc_id] < max(written, 0.001)


def test_a_host_reads_in_one_call():
    def script(body, number):
        assert (body["logprobs"], body["top_logprobs"]) == (True, 16)
        sure = number == 1
        tokens = [("<think>", {}), ("3", {"3": -0.01, "1": -5.0}), ("?</think>", {}), ("\n", {})]
        return Answer(
            "<think>3?</think>\n2",
            logprobs=[*tokens, ("2", {"2": -0.1 if sure else -0.7, "1": -3.0 if sure else -0.8, " 3": -6.0})],
        )

    with ScriptedServer(script) as server:
        model = f"openai:scripted?base_url={server.url}&concurrency=1"
        with Reranker("pointwise / reasoning(value=product)", model) as reranker:
            (ranking,) = reranker.stream([(QUERY, [Candidate(doc) for doc in DOCS])])
        assert server.calls == 2
    assert ranking.doc_ids == ("b", "a")
    assert [result.score for result in ranking] == pytest.approx([2 * math.exp(-0.1), 2 * math.exp(-0.7)])
    assert (ranking.ledger.calls, ranking.ledger.attempts, ranking.ledger.usage.completion_tokens) == (2, 2, 6)


def test_a_host_without_log_probabilities_says_so_once():
    with ScriptedServer(lambda *_: Answer("<think></think> 2")) as server:
        model = f"openai:scripted?base_url={server.url}"
        with (
            Reranker("pointwise / reasoning(value=expected)", model) as reranker,
            pytest.raises(CapabilityError, match="returned no logprobs"),
        ):
            list(reranker.stream([(QUERY, [Candidate(doc) for doc in DOCS])]))
        assert server.calls == 1


def test_a_host_whose_model_thinks_first_is_refused_before_any_call():
    with ScriptedServer(lambda *_: Answer("2")) as server:
        model = f"openai:scripted?base_url={server.url}&reasoning=true"
        with pytest.raises(CapabilityError, match="use value=written"):
            Reranker("pointwise / reasoning(value=expected)", model)
        assert server.calls == 0


def test_an_answer_cut_off_in_its_thought_fails_the_query():
    cut = Answer("<think>3", logprobs=[("<think>", {}), ("3", {"3": -0.1})], finish_reason="length")
    with ScriptedServer(lambda *_: cut) as server:
        model = f"openai:scripted?base_url={server.url}"
        with Reranker("pointwise / reasoning(value=expected)", model) as reranker:
            (outcome,) = reranker.stream([(QUERY, [Candidate(doc) for doc in DOCS])])
    assert isinstance(outcome, Failed)
    assert "the model thought and did not answer" in outcome.reason
