"""Names for strategies and models, all on one engine; and keys."""

import counting_backend  # noqa: F401 - registers `counting:`
import pytest

from rerankllm import InputError, SpecError, Stage
from rerankllm.drivers.recipe import Recipe
from rerankllm.server.aliases import Alias, offer
from rerankllm.server.keys import Keys
from rerankllm.server.run import is_loopback

RECIPE = Recipe(model="counting:one", driver="concurrent")


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("fast=pointwise", Alias("fast", Stage.parse("pointwise"), None)),
        (
            "rerank-v3.5=sliding(window=4, stride=2) / labels @ openai:x?top=1",
            Alias("rerank-v3.5", Stage.parse("sliding(window=4, stride=2) / labels"), "openai:x?top=1"),
        ),
        ("BAAI/bge = @ counting:b", Alias("BAAI/bge", None, "counting:b")),
    ],
)
def test_reading(text, alias):
    assert Alias.parse(text) == alias


@pytest.mark.parametrize("text", ["fast", "fast=", "=pointwise", "a b=pointwise", "fást name=pointwise"])
def test_reading_what_is_none(text):
    with pytest.raises(InputError, match="should read NAME=SPEC"):
        Alias.parse(text)


def test_reading_a_strategy_that_is_none():
    with pytest.raises(SpecError, match="unknown strategy 'pointwize'; did you mean 'pointwise'"):
        Alias.parse("fast=pointwize")


def test_one_engine_a_model():
    aliases = [Alias.parse(t) for t in ("a=pointwise", "b=sliding", "c=@ counting:other", "d=full @ counting:other")]
    offered = offer(aliases, RECIPE)
    with offered["a"]:
        backends = {name: reranker.stage.model or "counting:one" for name, reranker in offered.items()}
        assert backends == {"a": "counting:one", "b": "counting:one", "c": "counting:other", "d": "counting:other"}
        assert [str(offered[name].stage.strategy.asks[0].__name__) for name in "abcd"] == [
            "Score", "Permute", "Score", "Permute",
        ]  # fmt: skip
        for reranker in offered.values():
            assert reranker.rerank("q", ["worth 1", "worth 2"]).doc_ids == ("1", "0")
        assert offered["b"].backend is offered["a"].backend
        assert offered["a"].backend.calls == 3
        third, fourth = ({id(b) for b in offered[name].session.panel.backends} for name in "cd")
        assert third == fourth
        assert len(third) == 2


def test_two_of_one_name():
    with pytest.raises(InputError, match="two aliases are called a"):
        offer([Alias.parse("a=pointwise"), Alias.parse("a=sliding")], RECIPE)


def test_keys_of_file_and_environment(tmp_path, monkeypatch):
    file = tmp_path / "keys"
    file.write_text("# ours\n one \n\ntwo\n")
    monkeypatch.setenv("RERANKLLM_API_KEYS", "three, four\nfive")
    keys = Keys.read(file)
    assert all(keys.admit(f"Bearer {key}".encode()) for key in ("one", "two", "three", "four", "five"))
    assert keys.admit(b"bearer  one")
    for header in (b"", b"one", b"Bearer", b"Bearer # ours", b"Basic one", b"Bearer On\xc3\xa9", b"Bearer one two"):
        assert not keys.admit(header)
    assert "one" not in repr(vars(keys))


def test_without_keys_everybody_may_ask(monkeypatch):
    monkeypatch.delenv("RERANKLLM_API_KEYS", raising=False)
    assert not Keys.read(None)
    assert Keys.read(None).admit(b"")


def test_key_files_without_keys(tmp_path):
    (tmp_path / "empty").write_text("# none\n")
    with pytest.raises(InputError, match="holds no key"):
        Keys.read(tmp_path / "empty")
    with pytest.raises(InputError, match="keys cannot be read"):
        Keys.read(tmp_path / "absent")


def test_loopback():
    assert [is_loopback(h) for h in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [
        is_loopback(h)
        for h in (
            "0.0.0.0",  # noqa: S104
            "::",
            "192.168.0.1",
            "example.org",
        )
    ] == [False] * 4
