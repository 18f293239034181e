"""Whether a cut, or a model's room, leaves out the end of a document."""

from types import SimpleNamespace

import pytest
from word_tokenizer import WordTokenizer

from rerankllm.drivers.cutting import AROUND, cut_by, reads_whole
from rerankllm.drivers.panel import Direct, Prompted
from rerankllm.judgements import Permute, Score

LONG = " ".join(["word"] * 40)
"""Forty tokens and more."""
SHORT = "two words"


def panel(*, own=30, context=None, kind=Score):
    """One judge that is shown prompts, with passages cut to `own` tokens."""
    backend = SimpleNamespace(tokenizer=WordTokenizer(), capabilities=SimpleNamespace(context=context))
    builder = SimpleNamespace(passage_tokens=None, template=SimpleNamespace(passage_tokens=own))
    return SimpleNamespace(judges=((kind, Prompted(backend, SimpleNamespace(builder=builder), "labels")),))


def direct(reads=None):
    backend = SimpleNamespace() if reads is None else SimpleNamespace(reads_whole=reads)
    return SimpleNamespace(judges=((Score, Direct(backend)),))


@pytest.mark.parametrize(
    ("tokens", "documents", "changes"),
    [
        (4096, [SHORT], False),  # nothing is cut either way
        (4096, [LONG], True),  # more of it is shown
        (10, [LONG], True),
        (10, [SHORT, SHORT], False),
        (30, [LONG], False),  # as the alias does itself
    ],
)
def test_a_cut_that_shows_the_same_is_no_change(tokens, documents, changes):
    assert cut_by(panel(), tokens, documents) is changes
    assert cut_by(direct(), tokens, documents) is False


def test_documents_that_are_read_to_their_end():
    assert reads_whole(panel(), "query", [SHORT])
    assert not reads_whole(panel(), "query", [SHORT, LONG])
    assert reads_whole(panel(own=100, context=AROUND + 150), "query", [LONG] * 5)
    assert not reads_whole(panel(own=100, context=AROUND + 150, kind=Permute), "query", [LONG] * 5)
    assert not reads_whole(panel(context=AROUND), "query", [SHORT])


def test_models_without_prompts_know_their_room_or_are_taken_to_have_little():
    assert reads_whole(direct(lambda text: len(text) < 20), "query", [SHORT])
    assert not reads_whole(direct(lambda text: len(text) < 20), "query", [SHORT, LONG])
    assert reads_whole(direct(), "query", [SHORT])
    assert not reads_whole(direct(), "query", ["x" * 300])
