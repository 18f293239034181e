"""Engines that stay loaded from one Reranker to the next."""

from typing import ClassVar

import pytest

from rerankllm import Reranker
from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.loaded import LoadedModels
from rerankllm.calls import Capabilities, Reply
from rerankllm.drivers.budget import Budget, Limits
from rerankllm.judgements import Score
from rerankllm.registry import BACKENDS


class Engine(BatchBackend):
    """Scores by length; counts what was loaded and freed."""

    loaded: ClassVar[list["Engine"]] = []

    def __init__(self, *, name: str, sign: int = 1) -> None:
        super().__init__()
        self.model, self.sign, self.freed = f"engine:{name}?sign={sign}", sign, 0
        self.capabilities, self.default_strategy = Capabilities(answers=frozenset({Score})), "pointwise"
        self.loaded.append(self)

    @property
    def revision(self):
        return None

    @property
    def tokenizer(self):
        raise NotImplementedError

    def run(self, works):
        return [Reply(float(self.sign * len(work.doc.text))) for work in works]

    def free(self):
        self.freed += 1


@pytest.fixture
def engines(monkeypatch):
    monkeypatch.setattr(Engine, "loaded", [])
    monkeypatch.setitem(BACKENDS._entries, "engine", Engine)
    return Engine.loaded


def test_an_engine_is_loaded_once_and_freed_with_the_shelf(engines):
    with LoadedModels() as shelf:
        for _ in range(3):
            with Reranker("pointwise", "engine:a", shelf=shelf) as reranker:
                assert reranker.rerank("q", ["a", "abc", "ab"]).doc_ids == ("1", "2", "0")
        with Reranker("pointwise", "engine:a", options={"sign": "-1"}, shelf=shelf) as reranker:
            assert reranker.rerank("q", ["a", "abc", "ab"]).doc_ids == ("0", "2", "1")
        assert [engine.freed for engine in engines] == [0, 0]
    assert [engine.freed for engine in engines] == [1, 1]


def test_without_a_shelf_each_has_its_own(engines):
    for _ in range(2):
        with Reranker("pointwise", "engine:a") as reranker:
            reranker.rerank("q", ["a", "b"])
    assert [engine.freed for engine in engines] == [1, 1]


def test_what_answers_from_a_file_is_loaded_anew(tmp_path):
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("query 0 1 1\n")
    with LoadedModels() as shelf:
        found = []
        for _ in range(2):
            with Reranker("pointwise", f"oracle:{qrels}", shelf=shelf) as reranker:
                found.append(reranker.backend)
        assert found[0] is not found[1]


def test_several_spend_of_one_open_budget(engines):
    budget = Budget(Limits(calls=5))
    with LoadedModels() as shelf:
        for _ in range(2):
            with Reranker("pointwise", "engine:a", shelf=shelf, limits=budget) as reranker:
                *_, last = [reranker.rerank("q", ["a", "b"])]
        with (
            Reranker("pointwise", "engine:a", shelf=shelf, limits=budget) as reranker,
            pytest.raises(Exception, match="5 calls"),
        ):
            reranker.rerank("q", ["a", "b"])
    assert last.ledger.calls == 2
    assert not budget.stopped
