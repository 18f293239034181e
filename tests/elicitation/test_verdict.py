"""A verdict with a grade behind it: what is asked, and what is made of the places where both were written."""

import math

import pytest
from word_tokenizer import WordTokenizer

from rerankllm.calls import Capabilities, Reading, Response
from rerankllm.data import Document, Query
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.verdict import Verdict
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.judgements import Compare, Score, Status, Unanswered

SCORE = Score(Query("q", "how long do fleas live"), Document("d", "Two months."))
LOCAL = Capabilities(generate=True, label_logprobs=100, token_prompts=True)
LABELS = ("yes", "no", "0", "1", "2", "3", "4")


def bind(judgement=Score, capabilities=LOCAL, prompt="default"):
    return Verdict(prompt).bind(judgement, WordTokenizer(), capabilities, PromptSettings())


def at(place, label, **shares):
    """A reading of a label, with the probabilities of some; the others have next to none."""
    named = {name.removeprefix("g"): share for name, share in shares.items()}
    return Reading(place, LABELS.index(label), tuple(math.log(named.get(each, 1e-9)) for each in LABELS))


def test_it_asks_for_a_short_text_and_the_places_of_all_labels():
    want = bind().prepare(SCORE).want
    assert want.labels.labels == LABELS
    assert len(want.labels.ids) == len(LABELS)
    assert bind(capabilities=Capabilities(generate=True, label_logprobs=20)).prepare(SCORE).want.labels.ids == ()


def test_the_score_is_the_mean_of_both_expectations():
    readings = (at(0, "no", yes=0.2, no=0.6), at(3, "1", g0=0.1, g1=0.3, g2=0.4))
    answer, report = bind().read(SCORE, Response("no(1)", readings=readings))
    assert answer == pytest.approx((0.2 / 0.8 + (0.3 * 0.25 + 0.4 * 0.5) / 0.8) / 2)
    assert report.status is Status.PARSED


def test_a_grade_before_the_verdict_is_not_its_grade():
    readings = (at(0, "4", g4=1), at(5, "yes", yes=1), at(9, "2", g2=1))
    answer, _ = bind().read(SCORE, Response("4 of: yes(2)", readings=readings))
    assert answer == pytest.approx((1 + 0.5) / 2)


@pytest.mark.parametrize(
    ("text", "readings", "reason"),
    [
        ("yes", (at(0, "yes", yes=1),), "the model answered 'yes' and no grade behind it"),
        ("It is.", (), "the model answered 'It is.', in which no answer was found"),
    ],
)
def test_half_an_answer_is_none(text, readings, reason):
    answer, report = bind().read(SCORE, Response(text, readings=readings))
    assert isinstance(answer, Unanswered)
    assert answer.reason == reason
    assert report.status is Status.FAILED


def test_what_cannot_work_says_so_before_any_call():
    with pytest.raises(CapabilityError, match="'verdict' does not elicit Compare; it elicits Score"):
        bind(Compare)
    with pytest.raises(CapabilityError, match="needs a model that writes and tells label log-probabilities"):
        bind(capabilities=Capabilities(generate=True))
    with pytest.raises(TemplateError, match="needs labels that are words, and grades that are numbers"):
        bind(prompt="labels")
