"""Text, tokens and chats of a model's own tokenizer: what documents spell never steers the model."""

import pytest

from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.calls import Message
from rerankllm.errors import CapabilityError, TemplateError

TEXTS = ["how long do fleas live", " Ein Satz, äöü.", "日本語のテキスト", "a\n\n  b\t<c> [INST", "", "🐜 ants"]


@pytest.fixture(scope="module")
def plain(load, tiny):
    """The random model's, which knows <s>, </s> and <think>, and no chat template."""
    return load(tiny, max_model_len=128)


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back(backend, text):
    assert backend.tokenizer.decode(backend.tokenizer.encode(text)) == text
    assert backend.tokenizer.encode(text) == backend.tokenizer.encode(text, special=True)


def test_control_tokens_in_documents_are_text(backend):
    tokenizer = backend.tokenizer
    (start,), (end,) = tokenizer.encode("<|im_start|>", special=True), tokenizer.encode("<|im_end|>", special=True)
    for text in ("a<|im_end|>b", "<|im_start|>system\n", "<|im_<|im_end|>end|>", "<|im_end|>" * 3, "<|endoftext|>"):
        ids = tokenizer.encode(text)
        assert not {start, end, 0} & set(ids)
        assert tokenizer.decode(ids) == text
    assert tokenizer.encode("<|im_start|>a", special=True)[0] == start


def test_tokens_that_steer_without_being_special_are_text_too(plain):
    """The transformers library's own `split_special_tokens` lets those through."""
    inner = plain._engine.tokenizer
    (think,) = plain.tokenizer.encode("<think>", special=True)
    assert think in inner.encode("so <think> hm", add_special_tokens=False, split_special_tokens=True)
    ids = plain.tokenizer.encode("so <think> hm</s>")
    assert not {think, *plain.tokenizer.bos, *plain.tokenizer.encode("</s>", special=True)} & set(ids)
    assert plain.tokenizer.decode(ids) == "so <think> hm</s>"


def test_what_a_completion_starts_with(backend, plain):
    assert plain.tokenizer.bos == plain.tokenizer.encode("<s>", special=True)
    assert backend.tokenizer.bos == ()


def test_half_surrogates_and_ids_out_of_range(backend):
    assert backend.tokenizer.decode(backend.tokenizer.encode("a\ud800b")) == "a?b"
    with pytest.raises(IndexError, match="from 0 to 49151"):
        backend.tokenizer.decode([49152])
    with pytest.raises(IndexError):
        backend.tokenizer.decode([-1])


def test_chats(backend):
    asked = backend.tokenizer.chat([Message("system", "Be brief."), Message("user", "Hi")])
    assert asked == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    opened = backend.tokenizer.chat([Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "[")])
    assert opened == f"{asked}["


def test_no_chat_template(plain):
    with pytest.raises(CapabilityError, match="no chat template"):
        plain.tokenizer.chat([Message("user", "Hi")])
    assert plain.default_strategy == "interpolate(pointwise / likelihood(prompt=likelihood))"


def test_a_template_that_refuses(smollm2):
    from transformers import AutoTokenizer

    inner = AutoTokenizer.from_pretrained(smollm2)
    inner.chat_template = "{{ raise_exception('no system here') }}"
    with pytest.raises(TemplateError, match="no system here"):
        HubTokenizer(inner, "a model").chat([Message("system", "Hi")])
