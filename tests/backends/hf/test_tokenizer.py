"""Control tokens inside a text are plain text for every kind of tokenizer; pieces join as the whole would read."""

import packaged_model
import pytest
import tiny_models
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.backends.chat_template import arguments_of
from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.calls import Capabilities, Message
from rerankllm.data import Document, Query
from rerankllm.elicitation.passages import first_tokens
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import SEAM, THE_BEST
from rerankllm.elicitation.templates import load
from rerankllm.errors import CapabilityError, TemplateError

pytest.importorskip("transformers", reason="needs the extra `hf`")

TOKENS = Capabilities(token_prompts=True, label_logprobs=100)


@pytest.fixture(scope="module")
def smollm2():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(packaged_model.converted())


@pytest.fixture
def t5(tmp_path):
    return tiny_models.sentencepiece(tmp_path, like="t5")


@pytest.fixture
def llama(tmp_path):
    return tiny_models.sentencepiece(tmp_path, like="llama")


@pytest.mark.parametrize(
    ("kind", "control"), [("smollm2", "<|im_end|>"), ("t5", "<extra_id_7>"), ("t5", "</s>"), ("llama", "</s>")]
)
def test_control_tokens_in_a_document_are_text(request, kind, control):
    own = request.getfixturevalue(kind)
    tokenizer = HubTokenizer(own, kind)
    token = own.convert_tokens_to_ids(control)
    assert tokenizer.encode(control, special=True) == (token,)
    plain = tokenizer.encode(f" fleas {control} live")
    assert not set(plain) & set(own.all_special_ids) - {own.unk_token_id}
    assert tokenizer.decode(plain).strip() == f"fleas {control} live"
    builder = PromptBuilder(load("score", "monot5"), tokenizer, TOKENS)
    prompt = builder.build(Query("q", control), [Document("d", f"a {control} b")], ["1"], reserve=1)
    assert token not in prompt.ids[len(tokenizer.bos) :]


def test_added_tokens_that_are_not_special_are_text_too(smollm2):
    """As <think> is in several vocabularies: transformers' split_special_tokens alone would let it through."""
    import copy

    own = copy.deepcopy(smollm2)
    own.add_tokens(["<think>"])
    token = own.convert_tokens_to_ids("<think>")
    assert own.encode("a <think> b", split_special_tokens=True).count(token) == 1
    tokenizer = HubTokenizer(own, "own")
    assert tokenizer.encode("a <think> b", special=True).count(token) == 1
    assert token not in tokenizer.encode("a <think> b")
    assert tokenizer.decode(tokenizer.encode("a <think> b")) == "a <think> b"


@pytest.mark.parametrize("text", ["Fleas  live in 12 days, they're\n\nfine", " spaced", "跳蚤的寿命 ☃", "x", "\ud800"])
def test_ordinary_text_is_encoded_as_the_tokenizer_itself_does(smollm2, text):
    tokenizer = HubTokenizer(smollm2, "smollm2")
    ids = tokenizer.encode(text)
    clean = text.encode("utf-8", "replace").decode()
    assert ids == tokenizer.encode(text, special=True) == tuple(smollm2.encode(clean))
    assert tokenizer.decode(ids) == clean
    assert tokenizer.encode("") == ()


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_pieces_join_as_the_whole_would_read(request, kind):
    """Tokenizers of sentencepiece's kind put a space before each text they are given, but not before each piece."""
    own = request.getfixturevalue(kind)
    tokenizer = HubTokenizer(own, kind)
    builder = PromptBuilder(load("score", "monot5"), tokenizer, TOKENS)
    prompt = builder.build(Query("q", "how long do fleas live"), [Document("d", "fleas jump far")], ["1"], reserve=1)
    whole = own.encode("Query: how long do fleas live Document: fleas jump far Relevant:")
    after = len(own.encode("Query", add_special_tokens=False)) + len(tokenizer.bos)
    rest = tuple(whole[after : len(whole) - len(tokenizer.eos)])
    assert prompt.ids[-len(rest) :] == rest
    assert tokenizer.text(prompt.ids).strip() == tokenizer.text(whole)


@pytest.mark.parametrize(
    ("query", "text"), [("live?", "fleas  jump\nfar"), ("12 (or so)?\n", "  [1] far.\n\n"), ("x", "?")]
)
@pytest.mark.parametrize("card", ["monot5", "rankt5", "rank1", "rankvicuna", "mxbai-rerank-v2"])
@pytest.mark.parametrize("kind", ["smollm2", "t5", "llama"])
def test_a_published_prompt_has_the_tokens_of_the_whole_text(request, kind, card, query, text):
    """`live?` and a line break are one token together in some vocabularies, and pieces would not have it."""
    own = request.getfixturevalue(kind)
    tokenizer = HubTokenizer(own, kind)
    doc, asked = Document("d", text), Query("q", query)
    judgement = "permute" if card == "rankvicuna" else "score"
    builder = PromptBuilder(load(judgement, card), tokenizer, TOKENS)
    ids = builder.build(asked, [doc], ["1"], reserve=1).ids
    texts = {"query": query, "instruction": ""}
    (sent,) = builder._whole.fill(builder._skeleton(("1",), THE_BEST), texts, [doc], 1)
    if SEAM in sent:  # where its authors tokenize apart
        apart = [token for part in sent.split(SEAM) for token in own.encode(part, add_special_tokens=False)]
        assert list(ids[len(tokenizer.bos) :]) == apart
    else:
        assert [*ids, *tokenizer.eos] == own.encode(sent)


def test_what_surrounds_a_text(t5, llama, smollm2):
    around = [(tokenizer.bos, tokenizer.eos) for tokenizer in (HubTokenizer(own, "") for own in (t5, llama, smollm2))]
    assert around == [((), (1,)), ((3,), ()), ((), ())]


def test_chat(smollm2, t5):
    messages = [Message("user", "<|im_end|>Hello"), Message("assistant", "[")]
    rendered = HubTokenizer(smollm2, "smollm2").chat(messages)
    assert rendered.endswith("<|im_start|>user\n<|im_end|>Hello<|im_end|>\n<|im_start|>assistant\n[")
    with pytest.raises(CapabilityError, match=r"hf:t5 carries no chat template: ask it with labels\(prompt=completion"):
        HubTokenizer(t5, "hf:t5").chat(messages)
    t5.chat_template = "{{ raise_exception('no assistants') }}"
    with pytest.raises(TemplateError, match="hf:t5: its chat template does not take these messages: no assistants"):
        HubTokenizer(t5, "hf:t5").chat(messages)


@pytest.mark.parametrize("kind", ["smollm2", "t5", "llama"])
def test_the_first_tokens_of_a_text_are_those_of_its_words(request, kind):
    tokenizer = HubTokenizer(request.getfixturevalue(kind), kind)
    assert tokenizer.words_apart

    @settings(max_examples=40, deadline=None)
    @given(st.text(max_size=200), st.integers(1, 30))
    def same(text, limit):
        text = " ".join(text.split())
        assert first_tokens(tokenizer, text, limit) == tokenizer.encode(text)[:limit]

    same()


def test_a_vocabulary_with_tokens_of_several_words_is_found_out(smollm2, monkeypatch):
    vocabulary = {**smollm2.get_vocab(), "of\u0120the": len(smollm2)}
    monkeypatch.setattr(type(smollm2), "get_vocab", lambda self: vocabulary)
    assert not HubTokenizer(smollm2, "own").words_apart


def test_the_chat_template_is_told_how_much_to_think(smollm2):
    import copy

    own = copy.deepcopy(smollm2)
    own.chat_template = (
        "{% for m in messages %}{{ m.content }}{% endfor %}"
        "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{{ reasoning_effort }}"
    )
    told = {thinking: arguments_of(thinking) for thinking in (None, "on", "off", "low", "500")}
    shown = {key: HubTokenizer(own, "m", value).chat([Message("user", "q")]) for key, value in told.items()}
    assert shown == {None: "q", "on": "q", "off": "q<think></think>", "low": "qlow", "500": "q"}
    assert told["500"]["thinking_budget"] == 500
    assert arguments_of("off", '{"enable_thinking": true}')["enable_thinking"]
    plain = HubTokenizer(smollm2, "m")
    assert HubTokenizer(smollm2, "m", told["off"]).chat([Message("user", "q")]) == plain.chat([Message("user", "q")])
