"""Text answers held to labels, from judgement to request and from response to answer."""

import math
from dataclasses import replace

import pytest
from word_tokenizer import MergingTokenizer, WordTokenizer

from rerankllm.calls import Capabilities, Generate, Reading, Response, WriteLabels
from rerankllm.data import Document, Query
from rerankllm.drivers.panel import _named
from rerankllm.drivers.unusable import sampled
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.logprobs import Labels
from rerankllm.elicitation.reasoning import Reasoning
from rerankllm.elicitation.text import Text
from rerankllm.errors import CapabilityError, SpecError, TemplateError
from rerankllm.judgements import Assess, Compare, Grade, ParseReport, Permute, Score, Select, Status, WeakOrder, Write
from rerankllm.spec.stage import Stage

QUERY = Query("q", "how long do fleas live")
DOCS = tuple(Document(name, f"passage {name}") for name in "abc")
FREE = Capabilities(generate=True, label_logprobs=100, continuation_logprobs=True, token_prompts=True)
HELD = replace(FREE, constrained=True)
KINDS = (
    Permute(QUERY, DOCS),
    Select(QUERY, DOCS, m=2),
    Select(QUERY, DOCS, worst=True),
    Compare(QUERY, *DOCS[:2]),
    Score(QUERY, DOCS[0]),
    Grade(QUERY, DOCS),
)


def bind(text, judgement, capabilities=HELD, tokenizer=None):
    return text.bind(type(judgement), tokenizer or WordTokenizer(), capabilities, PromptSettings())


@pytest.mark.parametrize("judgement", KINDS, ids=lambda judgement: type(judgement).__name__)
def test_the_prompt_is_the_same_whether_the_answer_is_held_or_not(judgement):
    tokenizer = WordTokenizer()
    held, free = (
        bind(Text(constrained=wanted), judgement, tokenizer=tokenizer).prepare(judgement) for wanted in (True, False)
    )
    assert isinstance(held.want, WriteLabels)
    assert isinstance(free.want, Generate)
    assert held.prompt == free.prompt


def test_answers_are_written_as_templates_ask_for_them_and_read_as_always():
    expected = ["[1] > [2] > [3]", "[1], [2]", "[1]", "[A]", "0", "[1]: 0\n[2]: 1\n[3]: 2"]
    for judgement, text in zip(KINDS, expected, strict=True):
        elicitor = bind(Text(), judgement)
        want = elicitor.prepare(judgement).want
        labels = enumerate(want.labels[: want.count])
        written = want.opening + "".join(label + want.following(place) for place, label in labels)
        assert written == text
        _, report = elicitor.read(judgement, Response(written))
        assert (report.status, report.repairs) == (Status.PARSED, {})


def test_it_is_held_where_the_engine_can_and_nothing_else_was_said():
    permute = KINDS[0]
    assert isinstance(bind(Text(), permute).prepare(permute).want, WriteLabels)
    assert isinstance(bind(Text(), permute, FREE).prepare(permute).want, Generate)
    assert bind(Text(max_tokens=9), permute).prepare(permute).want == Generate(9)
    write = Write(QUERY, 3)
    assert isinstance(bind(Text(), write).prepare(write).want, Generate)
    with pytest.raises(CapabilityError, match="constrained=true is for Permute, Select, Compare, Score, Ends, Grade"):
        bind(Text(constrained=True), permute, FREE)
    with pytest.raises(CapabilityError, match="not for Write"):
        bind(Text(constrained=True), write)
    with pytest.raises(SpecError, match="max_tokens bounds free answers"):
        Text(max_tokens=9, constrained=True)


class TestAfterAThought:
    @pytest.mark.parametrize("judgement", KINDS, ids=lambda judgement: type(judgement).__name__)
    def test_the_request_is_that_of_a_free_answer_but_for_what_follows(self, judgement):
        tokenizer = WordTokenizer()
        held, free = (
            bind(Reasoning(constrained=wanted), judgement, tokenizer=tokenizer).prepare(judgement)
            for wanted in (True, False)
        )
        assert free.want.after is None
        assert replace(held, want=replace(held.want, after=None)) == free
        assert held.want.after.end == "</think>"
        assert held.want.after.most_tokens < held.want.max_tokens
        at_once, after = bind(Text(), judgement).prepare(judgement).want, held.want.after.answers[0]
        assert (after.labels, after.count, after.opening) == (at_once.labels, at_once.count, at_once.opening)
        assert [after.following(i) for i in range(after.count)] == [at_once.following(i) for i in range(after.count)]

    def test_tokens_that_the_space_before_belongs_to_are_another_way(self):
        judgement = Score(QUERY, DOCS[0])
        tokenizer = WordTokenizer()
        answers = bind(Reasoning(), judgement, tokenizer=tokenizer).prepare(judgement).want.after.answers
        assert [tokenizer.decode(answer.paths[0][1]) for answer in answers] == ["1", " 1"]

    def test_it_is_read_as_it_always_was(self):
        judgement = Permute(QUERY, DOCS, decode=1)
        readings = (Reading(10, 0, (-1.0, -2.0, -3.0)),)
        response = Response("hm</think>[1]", readings=readings)
        assert bind(Reasoning(), judgement).read(judgement, response)[0] == WeakOrder((("a",), ("b",), ("c",)))

    def test_a_thought_that_is_drawn_is_followed_by_labels_too(self):
        judgement = KINDS[0]
        work = bind(Reasoning(), judgement).prepare(judgement)
        assert sampled(work).want.after == work.want.after

    def test_what_a_published_model_learnt_is_left_to_it(self):
        judgement = KINDS[0]
        card = Reasoning(prompt="reasonrank")
        assert bind(card, judgement).prepare(judgement).want.after is None
        assert bind(replace(card, constrained=True), judgement).prepare(judgement).want.after is not None
        assert card.settled((Permute,), WordTokenizer(), HELD, PromptSettings()) == card

    def test_hosts_are_not_asked(self):
        forms = replace(FREE, forms=True)
        assert bind(Reasoning(), KINDS[0], forms).prepare(KINDS[0]).want.form is None
        with pytest.raises(CapabilityError, match="constrained=true is for"):
            bind(Reasoning(constrained=True), KINDS[0], forms)


class Fickle(WordTokenizer):
    """Another token for a label that comes after [2]."""

    def encode(self, text, *, special=False):
        before, two, after = text.rpartition("[2]")
        spelled = super().encode(before + two, special=special)
        return (*spelled, *(token + 1000 for token in super().encode(after, special=special)))


def test_a_tokenizer_that_does_not_suit_leaves_the_answer_free_or_says_so():
    judgement, how = KINDS[0], (HELD, PromptSettings())
    assert isinstance(bind(Text(), judgement, tokenizer=Fickle()).prepare(judgement).want, Generate)
    assert Text().settled((Permute,), Fickle(), *how) == Text()
    with pytest.raises(TemplateError, match="cannot be held to labels"):
        bind(Text(constrained=True), judgement, tokenizer=Fickle()).prepare(judgement)


class TestFirst:
    JUDGEMENT = Permute(QUERY, DOCS, decode=1)

    def read(self, *logprobs, floor=math.nan):
        best = max(range(3), key=lambda i: -math.inf if math.isnan(logprobs[i]) else logprobs[i])
        reading = Reading(1, best, logprobs, floor)
        response = Response(f"[{best + 1}]", readings=(reading,))
        return bind(Text(), self.JUDGEMENT).read(self.JUDGEMENT, response)

    def test_one_label_ranks_all_of_them(self):
        assert bind(Text(), self.JUDGEMENT).prepare(self.JUDGEMENT).want.count == 1
        assert self.read(-3.0, -1.0, -2.0) == (WeakOrder((("b",), ("c",), ("a",))), ParseReport())
        assert self.read(-3.0, -1.0, -3.0)[0] == WeakOrder((("b",), ("a", "c")))

    def test_as_far_as_their_likelihood_is_known(self):
        assert self.read(-3.0, -1.0, math.nan, floor=-4.0)[0] == WeakOrder((("b",), ("a",)), ("c",))
        assert self.read(-3.0, -1.0, math.nan, floor=-2.0)[0] == WeakOrder((("b",),), ("a", "c"))
        assert self.read(-3.0, -1.0, math.nan)[0] == WeakOrder((("b",),), ("a", "c"))


class TestSpecs:
    def test_what_is_not_said_is_not_printed_so_that_earlier_keys_stay(self):
        before = f"{Stage.parse('full')} / text(prompt=default, max_tokens=none)"
        assert str(Stage.parse("full / text")) == str(Stage.parse("full / text(constrained=auto)")) == before
        assert _named(Text()) == "Text(prompt='default', max_tokens=None)"
        assert str(Stage.parse("full / reasoning")).endswith("end='</think>', value=written)")
        assert "constrained" not in _named(Reasoning())
        assert _named(Text("x", 3)) == "Text(prompt='x', max_tokens=3)"

    @pytest.mark.parametrize("said", ["true", "false"])
    def test_what_is_said_is_printed_and_makes_keys_of_its_own(self, said):
        stage = Stage.parse(f"full / text(constrained={said})")
        assert str(stage).endswith(f"max_tokens=none, constrained={said})")
        assert Stage.parse(str(stage)) == stage
        assert said.title() in _named(stage.elicitation)

    def test_it_is_settled_by_what_the_engine_can(self):
        how = (WordTokenizer(), HELD, PromptSettings())
        for kinds in ((Permute,), (Select,), (Compare,), (Score,), (Permute, Score)):
            assert Text().settled(kinds, *how) == Text(constrained=True)
        assert Text().settled((Write, Assess), *how) == Text()
        assert Text().settled((Grade,), *how) == Text(constrained=True)
        assert Reasoning().settled((Permute, Grade), *how) == Reasoning(constrained=True)
        assert Reasoning().settled((Permute,), how[0], FREE, PromptSettings()) == Reasoning()
        assert Text().settled((Permute,), how[0], FREE, PromptSettings()) == Text()
        assert Text(constrained=False).settled((Permute,), *how) == Text(constrained=False)
        assert Text(max_tokens=5).settled((Permute,), *how) == Text(max_tokens=5)


class TestLabelsWhoseBracketBelongsToThem:
    def test_the_prompt_ends_before_the_bracket_and_the_letters_are_the_first(self):
        tokenizer = MergingTokenizer()
        judgement = Permute(QUERY, DOCS)
        request = bind(Labels(), judgement, tokenizer=tokenizer).prepare(judgement)
        assert request.want.labels == ("A", "B", "C")
        assert [tokenizer.decode(ids) for ids in request.want.ids] == ["[A", "[B", "[C"]
        assert tokenizer.decode(request.prompt.ids).endswith("<|im|>assistant\n")

    def test_where_it_does_not_the_prompt_still_opens_the_answer(self):
        tokenizer = WordTokenizer()
        judgement = Permute(QUERY, DOCS)
        request = bind(Labels(), judgement, tokenizer=tokenizer).prepare(judgement)
        assert [tokenizer.decode(ids) for ids in request.want.ids] == ["A", "B", "C"]
        assert tokenizer.decode(request.prompt.ids).endswith("<|im|>assistant\n[")

    def test_letters_without_such_a_token_are_passed_over(self):
        docs = tuple(Document(str(i), "x") for i in range(20))
        want = bind(Labels(), Permute(QUERY, docs), tokenizer=MergingTokenizer()).prepare(Permute(QUERY, docs)).want
        assert "".join(want.labels) == "ABCDEFGHIJKLMNPQRSTU"

    @pytest.mark.parametrize("judgement", [KINDS[2], KINDS[3]], ids=["Select", "Compare"])
    def test_so_are_selections_and_comparisons(self, judgement):
        tokenizer = MergingTokenizer()
        request = bind(Labels(), judgement, tokenizer=tokenizer).prepare(judgement)
        assert [tokenizer.decode(ids) for ids in request.want.ids[:2]] == ["[A", "[B"]
        assert tokenizer.decode(request.prompt.ids).endswith("<|im|>assistant\n")

    def test_after_a_thought_too(self):
        tokenizer = MergingTokenizer()
        request = bind(Reasoning(value="expected"), KINDS[3], tokenizer=tokenizer).prepare(KINDS[3])
        assert "[A" in [tokenizer.decode((token,)) for token in request.want.labels.ids[0]]
