"""The model that a journal notes: `resume` goes on with it, whatever the default has become since."""

import pytest

from rerankllm.cli.commands import rerank
from rerankllm.drivers.recipe import DEFAULT_MODEL
from rerankllm.journal.store import Journal
from rerankllm.sample import path


@pytest.fixture
def recipes(monkeypatch):
    """What would be run, without running it."""
    seen = []
    monkeypatch.setattr(rerank, "_rerank_here", lambda recipe, *_, **__: seen.append(recipe))
    return seen


@pytest.mark.parametrize(
    ("strategy", "model", "judge"),
    [
        (None, None, "llamacpp:smollm2"),
        ("pointwise / labels", None, "llamacpp:smollm2"),
        ("pointwise @ oracle:x", None, None),
        ("interpolate(pointwise @ oracle:x)", None, None),
        ("pointwise", "embed:minilm", "embed:minilm"),
    ],
)
def test_an_earlier_journal_goes_on_with_the_default_of_its_time(recipes, tmp_path, strategy, model, judge):
    rerank.repeat({"sample": True, "strategy": strategy, "model": model}, tmp_path / "calls.journal")
    assert [recipe.model for recipe in recipes] == [judge]


@pytest.mark.parametrize(
    ("arguments", "noted"),
    [
        (("--model", f"oracle:{path('qrels.txt')}"), f"oracle:{path('qrels.txt')}"),
        (("--strategy", f"pointwise @ oracle:{path('qrels.txt')}"), None),
    ],
)
def test_a_journal_notes_who_judges(cli, tmp_path, arguments, noted):
    journal = tmp_path / "calls.journal"
    status, _, err = cli("rerank", "--sample", "--journal", journal, *arguments)
    assert status == 0, err
    kept = Journal(journal, create=False)
    assert kept.command()[1]["model"] == noted
    kept.close()


def test_the_default_is_noted_by_name():
    assert rerank._judge(None, None, DEFAULT_MODEL) == DEFAULT_MODEL
    assert rerank._judge(None, "pointwise", DEFAULT_MODEL) == DEFAULT_MODEL
