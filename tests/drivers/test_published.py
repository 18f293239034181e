"""Published rerankers are asked as their cards say, whatever the strategy; what no card answers is refused."""

import json
import logging

import pytest
from word_tokenizer import WordTokenizer

from rerankllm import Reranker
from rerankllm.calls import Capabilities, Response
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError, SpecError, TemplateError
from rerankllm.registry import BACKENDS

TEXTS = ["Fleas jump far.", "A flea  lives for\nmonths."]


class Named:
    """A chat model behind a host, called as it likes; the labels it is asked for are ever less likely."""

    default_strategy = "sliding / text"
    revision = None

    def __init__(self, *, name: str) -> None:
        self.model = f"named:{name}"
        self.capabilities = Capabilities(generate=True, label_logprobs=20, opened_chats=True, names=(name,))
        self.tokenizer = WordTokenizer()
        self.prompts, self.wants = [], []
        LAST.append(self)

    async def complete(self, work):
        self.prompts.append(work.prompt.messages)
        self.wants.append(work.want)
        labels = getattr(work.want, "labels", None) or ()
        return Response(
            text="One is off.</think>[2] > [1]", logprobs=tuple(-1.0 * n for n in range(len(labels))), usage=Usage(1, 1)
        )

    async def complete_all(self, works):
        return [await self.complete(work) for work in works]

    def cost(self, usage):
        return 0.0

    def most_tokens(self, want):
        return 1

    async def aclose(self):
        pass


LAST: list[Named] = []
BACKENDS.register("named", Named)


def asked(model, strategy=None):
    """The strategy as it is completed, and the last prompt."""
    with Reranker(strategy, model=f"named:{model}") as reranker:
        reranker.rerank("how long do fleas live", TEXTS)
        return str(reranker.stage), LAST[-1].prompts[-1]


@pytest.mark.parametrize(
    ("strategy", "stage"),
    [
        (None, "sliding(window=20, stride=10,"),
        ("sliding(window=4, stride=2)", "sliding(window=4, stride=2,"),
        ("full", "full("),
    ],
)
def test_the_format_follows_the_model_whatever_the_strategy(strategy, stage):
    found, prompt = asked("castorini/rank_zephyr_7b_v1_full", strategy)
    assert found.startswith(stage)
    assert found.endswith("/ text(prompt=rankzephyr, max_tokens=none)")
    assert prompt[0].content.startswith("You are RankLLM, an intelligent assistant that can rank passages")
    assert "[2] A flea lives for months.\n" in prompt[1].content


def test_the_format_is_for_the_stage_inside_too():
    found, prompt = asked("castorini/rank_zephyr_7b_v1_full", "psc(sliding, shuffles=2)")
    assert "sliding(" in found
    assert "text(prompt=rankzephyr" in found
    assert prompt[0].content.startswith("You are RankLLM")


def test_samples_are_drawn_as_the_model_is_used():
    """Rank-K thinks, at temperature 0.5; RankGPT's chat and a greedy thought draw nothing."""
    found, prompt = asked("hltcoe/Rank-K-32B", "samples(full, samples=3)")
    assert found.startswith("samples(stage=full(")
    assert "reasoning(prompt=rank-k, budget=8000" in found
    assert "Determine a ranking of the passages" in prompt[0].content
    wants = LAST[-1].wants
    assert [want.temperature for want in wants] == [0.5] * 3
    assert len({want.seed for want in wants}) == 3
    asked("hltcoe/Rank-K-32B", "samples(full, samples=3)")
    assert LAST[-1].wants == wants
    with pytest.raises(SpecError, match="only 'reasoning' draws its answers"):
        asked("some-model", "samples(full / text)")
    with pytest.raises(SpecError, match="is for text that is drawn: give a temperature"):
        asked("some-model", "samples(full / reasoning, samples=3)")
    assert LAST[-1].wants == []


def test_a_way_of_asking_that_is_named_wins():
    for strategy in ("sliding / text", "sliding / text(prompt=text)"):
        found, prompt = asked("castorini/rank_zephyr_7b_v1_full", strategy)
        assert "prompt=rankzephyr" not in found
        assert "RankLLM" not in prompt[0].content
    found, prompt = asked("some-model", "sliding / text(prompt=rankgpt)")
    assert [message.role for message in prompt[2:-1]] == ["assistant", "user", "assistant", "user", "assistant"]


def test_what_it_was_not_trained_to_answer_is_refused_in_a_line():
    with pytest.raises(CapabilityError) as caught:
        asked("castorini/rank_zephyr_7b_v1_full", "pointwise")
    assert str(caught.value) == (
        "named:castorini/rank_zephyr_7b_v1_full is rankzephyr, which was trained to put passages in order "
        "(sliding), and this strategy asks it to score passages; to ask it all the same, name a way: STRATEGY / text"
    )
    with pytest.raises(CapabilityError, match="which is shown no prompt: use cross-encoder: with it"):
        asked("BAAI/bge-reranker-v2-m3", "pointwise")
    with pytest.raises(TemplateError, match="select/listt5 is a completion; this backend takes chats only"):
        asked("Soyoung97/ListT5-base")


@pytest.mark.parametrize("kind", ["hf", "vllm", "llamacpp", "openai", "cross-encoder"])
def test_what_cannot_be_asked_is_refused_before_anything_is_loaded(kind):
    with pytest.raises(CapabilityError, match=r"is jina-reranker-m0, which cannot be used so: "):
        Reranker(model=f"{kind}:jinaai/jina-reranker-m0")


def test_vectors_of_a_whole_list_need_an_engine_that_gives_them():
    with pytest.raises(CapabilityError, match=r"compares the documents of a prompt by vectors, such as hf:jinaai"):
        Reranker(model="openai:jinaai/jina-reranker-v3")


@pytest.mark.parametrize("strategy", [None, "pointwise", "pointwise / text"])
def test_what_compares_vectors_of_tokens_is_no_language_model(strategy):
    """Such as a GGUF file of LFM2-ColBERT, which llama.cpp would take for one."""
    with pytest.raises(CapabilityError, match=r"is lfm2-colbert, which is shown no prompt.* embed: and vllm: compute"):
        asked("LiquidAI/LFM2-ColBERT-350M", strategy)


def test_a_name_that_says_it_reranks_and_that_no_card_knows_is_told(caplog):
    with caplog.at_level(logging.WARNING, "rerankllm.notes"):
        asked("someone/super-reranker-7b", "sliding")
        asked("someone/model-7b", "sliding")
        asked("castorini/rank_zephyr_7b_v1_full")
    (told,) = [record.message for record in caplog.records if "reranks" in record.message]
    assert told.startswith("named:someone/super-reranker-7b: its name says that it reranks, and how it was trained to")
    assert "\n" not in told


def test_the_names_of_a_folders_own_configuration_count(tmp_path):
    from rerankllm.backends.hf.loading import ModelFiles

    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": "castorini/monot5-3b-msmarco"}))
    assert ModelFiles(str(tmp_path)).names("./folder") == ("./folder", "castorini/monot5-3b-msmarco")
    (tmp_path / "config.json").write_text("no json")
    assert ModelFiles(str(tmp_path)).names("./folder") == ("./folder",)
