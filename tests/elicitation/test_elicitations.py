"""From judgement to request and from response to answer, for every elicitation."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import WordTokenizer

from rerankllm.calls import Capabilities, Generate, ReadContinuation, ReadLabels, Response
from rerankllm.data import Document, Query
from rerankllm.elicitation.base import PromptSettings, default_elicitation
from rerankllm.elicitation.labels import single_tokens, tokens_after
from rerankllm.elicitation.likelihood import Likelihood
from rerankllm.elicitation.logprobs import Labels
from rerankllm.elicitation.reasoning import Reasoning
from rerankllm.elicitation.text import Text
from rerankllm.errors import CapabilityError, InputError, TemplateError
from rerankllm.judgements import (
    Compare,
    Embed,
    Failure,
    Grade,
    ParseReport,
    Permute,
    Score,
    Select,
    Status,
    Unanswered,
    WeakOrder,
    Write,
)

QUERY = Query("q", "how long do fleas live")
DOCS = tuple(Document(name, f"passage {name}") for name in "abc")
CHAT = Capabilities(generate=True, label_logprobs=20)
LOCAL = Capabilities(generate=True, label_logprobs=100, continuation_logprobs=True, token_prompts=True)


def bind(elicitation, judgement, capabilities=LOCAL):
    return elicitation.bind(judgement, WordTokenizer(), capabilities, PromptSettings())


class TestText:
    def test_permute(self):
        elicitor = bind(Text(), Permute)
        judgement = Permute(QUERY, DOCS)
        request = elicitor.prepare(judgement)
        assert isinstance(request.want, Generate)
        answer, report = elicitor.read(judgement, Response("[3] > [1] = [2]"))
        assert (answer, report.status) == (WeakOrder((("c",), ("a", "b"))), Status.PARSED)
        answer, report = elicitor.read(judgement, Response("[3] > [9]"))
        assert (answer, report.status) == (WeakOrder((("c",),), ("a", "b")), Status.REPAIRED)

    def test_an_answer_without_labels_is_unanswered_and_quoted(self):
        answer, report = bind(Text(), Permute).read(Permute(QUERY, DOCS), Response("Error: model overloaded"))
        assert answer == Unanswered(
            "the model answered 'Error: model overloaded', in which no answer was found", Failure.ANSWER
        )
        assert report.status is Status.FAILED

    def test_room_for_a_complete_answer(self):
        few, many = (bind(Text(), Permute).prepare(Permute(QUERY, DOCS[:n])).want.max_tokens for n in (2, 3))
        assert few < many
        assert bind(Text(max_tokens=7), Permute).prepare(Permute(QUERY, DOCS)).want.max_tokens == 7
        assert bind(Text(), Permute).prepare(Permute(QUERY, DOCS, decode=1)).want.max_tokens < many

    def test_compare_and_score(self):
        compare = bind(Text(), Compare)
        judgement = Compare(QUERY, *DOCS[:2])
        assert compare.read(judgement, Response("[A]"))[0] == 1.0
        assert compare.read(judgement, Response("B"))[0] == 0.0
        assert isinstance(compare.read(judgement, Response("both"))[0], Unanswered)
        assert bind(Text(), Score).read(Score(QUERY, DOCS[0]), Response("2"))[0] == 2.0

    @given(st.text())
    def test_reading_never_raises(self, text):
        for kind, judgement in ((Permute, Permute(QUERY, DOCS)), (Compare, Compare(QUERY, *DOCS[:2]))):
            answer, report = TEXT[kind].read(judgement, Response(text))
            assert isinstance(answer, Unanswered) == (report.status is Status.FAILED)


TEXT = {kind: bind(Text(), kind) for kind in (Permute, Compare)}


class TestReasoning:
    PERMUTE = Permute(QUERY, DOCS)

    def read(self, response, judgement=PERMUTE, **parameters):
        return bind(Reasoning(**parameters), type(judgement)).read(judgement, response)

    def test_the_answer_is_what_follows_the_thought(self):
        answer, report = self.read(Response("<think>[1] > [2] > [3]? No: [3] first.</think>\n[3] > [1] > [2]"))
        assert (answer, report.status) == (WeakOrder((("c",), ("a",), ("b",))), Status.PARSED)
        answer, _ = self.read(Response("so [1] is best.\n</think> <answer>[2] > [1] > [3]</answer>"))
        assert answer == WeakOrder((("b",), ("a",), ("c",)))
        compare, score = Compare(QUERY, *DOCS[:2]), Score(QUERY, DOCS[0])
        assert self.read(Response("<think>A is off.</think> [B]"), compare)[0] == 0.0
        assert self.read(Response("<think>0? 1? rather</think> 3"), score)[0] == 3.0

    @pytest.mark.parametrize(
        "response",
        [
            Response("<think>[1] > [2] > [3], or is it", finish_reason="length"),
            Response("[1] > [2] > [3]"),
            Response("<think>[1] > [2] > [3]</think>  "),
            Response("", reasoning="[1] > [2] > [3]", finish_reason="length"),
        ],
        ids=["cut off", "no thought", "no answer", "cut off, kept apart"],
    )
    def test_a_thought_without_an_answer_is_none(self, response):
        answer, report = self.read(response)
        assert isinstance(answer, Unanswered)
        assert (answer.failure, report.repairs) == (Failure.ANSWER, {"unclosed reasoning": 1})

    def test_hosts_that_keep_the_thought_apart_need_no_marker(self):
        answer, _ = self.read(Response("[2] > [3] > [1]", reasoning="[1] > [2] > [3]"))
        assert answer == WeakOrder((("b",), ("c",), ("a",)))

    def test_the_end_is_a_parameter(self):
        answer, _ = self.read(Response("hm [1] END [3] > [2] > [1]"), end="END")
        assert answer == WeakOrder((("c",), ("b",), ("a",)))
        for wrong in ({"end": " "}, {"budget": 0}):
            with pytest.raises(InputError, match="reasoning: needs"):
                Reasoning(**wrong)

    def test_the_budget_is_on_top_of_the_answer(self):
        answer = bind(Text(), Permute).prepare(self.PERMUTE).want.max_tokens
        assert bind(Reasoning(budget=100), Permute).prepare(self.PERMUTE).want.max_tokens == 100 + answer
        small = Capabilities(generate=True, token_prompts=True, context=1000)
        with pytest.raises(TemplateError, match="do not fit"):
            bind(Reasoning(budget=990), Permute, small).prepare(self.PERMUTE)

    def test_what_is_thought_is_not_held_to_the_labels(self):
        score = Score(QUERY, DOCS[0])
        assert bind(Text(), Score).prepare(score).want.choices == ("0", "1", "2", "3")
        assert bind(Reasoning(), Score).prepare(score).want.choices == ()

    def test_an_answer_already_opened_leaves_no_room_to_think(self, tmp_path):
        template = tmp_path / "opened.yaml"
        template.write_text(
            "description: x\nsource: x\nelicitation: text\npassage_tokens: 9\n"
            "messages:\n  - user: '{{ query }}{% for doc in docs %}{{ doc.text }}{% endfor %}'\n  - assistant: '['\n"
        )
        with pytest.raises(TemplateError, match="opens the answer"):
            bind(Reasoning(prompt=str(template)), Permute)

    @pytest.mark.parametrize(
        ("response", "said"),
        [
            (Response("[2] > [1] > [3]"), "wrote no </think> and stopped by itself: use / text"),
            (
                Response("Let me see", finish_reason="length"),
                "tokens ran out before </think>; allow it more: reasoning(",
            ),
            (Response("", reasoning="Hm", finish_reason="length"), "its tokens ran out; allow it more: reasoning("),
            (Response("", reasoning="Hm"), "nothing follows the thought"),
        ],
    )
    def test_what_went_wrong_with_a_thought_is_named(self, response, said):
        answer, report = THINKING.read(self.PERMUTE, response)
        assert (said in answer.reason, report.repairs) == (True, {"unclosed reasoning": 1})

    @pytest.mark.parametrize("kind", [Permute, Score, Select, Grade])
    @pytest.mark.parametrize(
        ("response", "said"),
        [
            (Response("", reasoning="Hm", finish_reason="length"), "thought until its tokens ran out"),
            (Response("<think>Let me see", finish_reason="length"), "thought until its tokens ran out"),
            (Response("<think>Let me see"), "did not end its thought"),
            (Response("", reasoning="Hm"), "the model thought and answered nothing"),
            (Response("", finish_reason="length"), "the model answered nothing: its tokens ran out"),
            (Response(""), "the model answered nothing"),
        ],
    )
    def test_thoughts_without_an_answer_are_named(self, kind, response, said):
        shown = DOCS[0] if kind is Score else DOCS
        answer, report = bind(Text(), kind).read(kind(QUERY, shown), response)
        assert said in answer.reason
        assert report.status is Status.FAILED

    @given(st.text(), st.none() | st.text())
    def test_reading_never_raises(self, text, reasoning):
        answer, report = THINKING.read(self.PERMUTE, Response(text, reasoning=reasoning))
        assert isinstance(answer, Unanswered) == (report.status is Status.FAILED)


THINKING = bind(Reasoning(), Permute)


class TestLabels:
    def test_permute_is_first(self):
        elicitor = bind(Labels(), Permute)
        judgement = Permute(QUERY, DOCS)
        want = elicitor.prepare(judgement).want
        assert isinstance(want, ReadLabels)
        assert want.labels == ("A", "B", "C")
        assert len({ids[0] for ids in want.ids}) == 3
        answer, report = elicitor.read(judgement, Response(logprobs=(-3.0, -1.0, -2.0)))
        assert (answer.ranked, report.status) == (("b", "c", "a"), Status.PARSED)

    def test_labels_not_reported_are_omitted_and_equal_ones_tied(self):
        answer, report = bind(Labels(), Permute).read(
            Permute(QUERY, DOCS), Response(logprobs=(-1.0, math.nan, -1.0 - 1e-12), floor=-5.0)
        )
        assert answer == WeakOrder((("a", "c"),), ("b",))
        assert (report.status, report.repairs) == (Status.REPAIRED, {"missing": 1})
        answer, report = bind(Labels(), Permute).read(Permute(QUERY, DOCS), Response(logprobs=(math.nan,) * 3))
        assert isinstance(answer, Unanswered)

    def test_compare_is_the_softmax_of_two_letters(self):
        elicitor = bind(Labels(), Compare)
        answer, _ = elicitor.read(Compare(QUERY, *DOCS[:2]), Response(logprobs=(-1.0, -2.0)))
        assert answer == pytest.approx(1 / (1 + math.exp(-1)))

    def test_a_label_beyond_the_reported_ones_is_bounded_by_them(self):
        elicitor = bind(Labels(), Compare)
        answer, report = elicitor.read(Compare(QUERY, *DOCS[:2]), Response(logprobs=(-1.0, math.nan), floor=-6.0))
        assert answer == pytest.approx(1 / (1 + math.exp(-5)))
        assert report.status is Status.REPAIRED
        answer, report = elicitor.read(Compare(QUERY, *DOCS[:2]), Response(logprobs=(math.nan, math.nan), floor=-6.0))
        assert (isinstance(answer, Unanswered), report.status) == (True, Status.FAILED)

    def test_a_log_probability_that_is_no_number_is_no_answer(self):
        for judgement in (Compare(QUERY, *DOCS[:2]), Score(QUERY, DOCS[0])):
            elicitor = bind(Labels(), type(judgement))
            answer, report = elicitor.read(judgement, Response(logprobs=(math.nan, math.nan)))
            assert (isinstance(answer, Unanswered), report.repairs) == (True, {"no log-probability": 2})

    def test_grades_are_an_expectation(self):
        elicitor = bind(Labels(prompt="grades"), Score)
        answer, _ = elicitor.read(Score(QUERY, DOCS[0]), Response(logprobs=tuple(map(math.log, (0.1, 0.2, 0.3, 0.4)))))
        assert answer == pytest.approx(0.2 + 0.6 + 1.2)

    def test_yes_counts_with_its_variants(self):
        want = bind(Labels(), Score).prepare(Score(QUERY, DOCS[0])).want
        assert want.labels == ("Yes", "No")
        assert len(want.ids[0]) == len(want.ids[1]) == 4

    def test_logits_are_the_score_where_the_template_reads_them(self):
        class T5(WordTokenizer):
            """Knows <extra_id_10> as one control token."""

            def encode(self, text, *, special=False):
                if special and text == "<extra_id_10>":
                    return (777,)
                return super().encode(text, special=special)

        decoder = replace(LOCAL, logits=True, separate_decoder=True)
        elicitor = Labels(prompt="rankt5").bind(Score, T5(), decoder, PromptSettings())
        judgement = Score(QUERY, DOCS[0])
        assert elicitor.prepare(judgement).want == ReadLabels(("<extra_id_10>",), ((777,),), raw=True)
        assert elicitor.read(judgement, Response(logprobs=(-7.25,))) == (-7.25, ParseReport())
        answer, _ = elicitor.read(judgement, Response(logprobs=(math.nan,)))
        assert isinstance(answer, Unanswered)

    def test_logits_summed_by_their_values(self, tmp_path):
        path = tmp_path / "margin.yaml"
        path.write_text(
            "description: d\nsource: s\nelicitation: labels\npassage_tokens: 9\nread: logits\n"
            "labels: [{text: 'yes', value: 1}, {text: 'no', value: -1}]\ncompletion: '{{ doc.text }}:'\n"
        )
        elicitor = bind(Labels(prompt=str(path)), Score, replace(LOCAL, logits=True))
        assert elicitor.read(Score(QUERY, DOCS[0]), Response(logprobs=(3.0, 1.5)))[0] == 1.5

    def test_logits_have_to_be_there(self):
        with pytest.raises(
            CapabilityError, match="template score/rankt5 reads logits, which this backend does not give"
        ):
            bind(Labels(prompt="rankt5"), Score)

    def test_labels_of_a_separate_decoder_stand_after_nothing(self):
        seen = []

        class Watched(WordTokenizer):
            """Remembers what it was asked to encode."""

            def encode(self, text, *, special=False):
                seen.append(text)
                return super().encode(text, special=special)

        Labels(prompt="monot5").bind(Score, Watched(), replace(LOCAL, separate_decoder=True), PromptSettings())
        assert seen == ["", "true", "", "false"]

    def test_more_documents_than_labels_say_so(self):
        docs = tuple(Document(str(i), "x") for i in range(21))
        with pytest.raises(TemplateError, match="tells at most 20 labels apart, 21 documents"):
            bind(Labels(), Permute, CHAT).prepare(Permute(QUERY, docs))


class TestLikelihood:
    def test_mean_log_probability_of_the_query(self):
        elicitor = bind(Likelihood(), Score)
        judgement = Score(QUERY, DOCS[0])
        want = elicitor.prepare(judgement).want
        assert isinstance(want, ReadContinuation)
        assert len(want.ids) == 5
        assert elicitor.read(judgement, Response(logprobs=(-1.0, -2.0, -3.0)))[0] == -2.0

    def test_the_query_is_not_in_the_prompt(self):
        request = bind(Likelihood(), Score).prepare(Score(QUERY, DOCS[0]))
        assert not set(request.want.ids) & set(request.prompt.ids)


@pytest.mark.parametrize(
    ("elicitation", "judgement", "capabilities", "message"),
    [
        (Labels(), Permute, Capabilities(generate=True), "needs label log-probabilities"),
        (Likelihood(), Score, CHAT, "needs the log-probabilities of given tokens"),
        (Likelihood(), Permute, LOCAL, "'likelihood' does not elicit Permute; it elicits Score"),
        (Text(), Permute, Capabilities(), "needs a model that writes"),
        (Text(), Embed, LOCAL, "does not elicit Embed"),
        (Labels(), Write, LOCAL, "does not elicit Write"),
    ],
)
def test_what_cannot_work_says_so_before_any_call(elicitation, judgement, capabilities, message):
    with pytest.raises(CapabilityError, match=message):
        bind(elicitation, judgement, capabilities)


def test_defaults():
    assert default_elicitation(Score, LOCAL) == "likelihood"
    assert default_elicitation(Score, CHAT) == "labels"
    assert default_elicitation(Compare, CHAT) == "labels"
    assert default_elicitation(Permute, LOCAL) == "text"
    assert default_elicitation(Score, Capabilities(generate=True)) == "text"


def test_single_token_labels_run_out_with_a_number():
    class Halves(WordTokenizer):
        """Splits every two-letter word into letters."""

        def encode(self, text, *, special=False):
            return tuple(super(Halves, self).encode(c, special=special)[0] for c in text)

    found, _ = single_tokens(Halves(), "[", 52)
    assert [label for label, _ in found][:27] == [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "a"]
    with pytest.raises(TemplateError, match="has 52 single-token letter labels"):
        single_tokens(Halves(), "[", 53)
    with pytest.raises(TemplateError, match="label 'AB' is not a single token"):
        tokens_after(Halves(), "[", [("A", ()), ("AB", ())])
    assert len(single_tokens(WordTokenizer(), "[", 100)[0]) == 100
