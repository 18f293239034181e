"""What eval/judges/profiles.py says of recorded judges."""

import sys
from pathlib import Path

import pytest

from rerankllm.calls import Reply
from rerankllm.data import Document, Query
from rerankllm.judgements import Compare, Permute, WeakOrder

EVAL = Path(__file__).parents[1] / "eval" / "judges"
DATA = Path(__file__).parents[2] / "shared" / "data" / "noveleval"


@pytest.fixture(scope="module")
def profiles():
    sys.path.insert(0, str(EVAL))
    try:
        import profiles
    finally:
        sys.path.remove(str(EVAL))
    return profiles


def docs(*ids):
    return tuple(Document(doc_id, doc_id) for doc_id in ids)


def test_errors_are_counted_once_and_again_in_turned_order(profiles):
    query, (a, b, c) = Query("q", "q"), docs("a", "b", "c")
    orders = {
        Compare(query, a, b): 0.2,  # wrong, and right when turned
        Compare(query, b, a): 0.3,
        Compare(query, b, c): 0.5,  # says nothing
        Permute(query, (a, b, c)): WeakOrder((("c",), ("a",), ("b",))),  # c is wrong twice
        Permute(query, (c, b, a)): WeakOrder((("c",),), ("a", "b")),  # and again
    }
    answered = [(judgement, Reply(answer)) for judgement, answer in orders.items()]
    once, again = profiles.errors(answered, {"q": {"a": 2, "b": 1}})
    assert once == pytest.approx(5 / 8)
    # a, b: wrong in one comparison, which three others turn, right all of them; c: wrong, and wrong when turned.
    assert again == pytest.approx(4 / 6)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_both_commands_read_the_recordings_of_every_judge(profiles):
    asked, found = profiles.Asked.of(DATA), {}
    for name, judges in profiles.sets("noveleval").items():
        for judge, path in judges.items():
            found.setdefault(judge, profiles.row(judge, name, path, asked))
    assert found
    for judge, line in found.items():
        assert line.startswith(f"| {judge} | ")
        assert line.count("|") == profiles.HEAD.count("|")
