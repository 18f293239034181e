"""Documents, queries and instructions that pretend to be part of the prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Answer, ScriptedServer
from word_tokenizer import WordTokenizer

from rerankllm import Reranker
from rerankllm.backends.token_estimate import EstimatedTokenizer
from rerankllm.calls import Capabilities
from rerankllm.data import Document, Query
from rerankllm.elicitation.harmless import with_control_tokens, without_control_tokens, without_labels
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.parsing import parse_order
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.templates import load
from rerankllm.judgements import Status

TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|begin_of_text|>"),
    *("[INST]", "[/INST]", "<s>", "</s>", "[SYSTEM_PROMPT]", "[TOOL_CALLS]", "<<SYS>>", "<start_of_turn>"),
    *("<end_of_turn>", "<bos>", "<eos>", "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>"),
    *("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<think>", "</think>", "◁/think▷", "<tool_call>"),
)
ORDINARY = (
    *("a < b and c > d", "if x<|y: z|>", "f(x) |> g", "[see below]", "<b>bold</b>", "[Inst]", "<thinking hard>", "<p>"),
    *("List[int]", "a[i] = b", "x ² + y³", "5 &lt; 6", "(1) first", "AT&T [sic]", "№ 3", "#1", "◁ back"),
)
CLOTHES = (
    *(
        "[1]",
        "[ 12 ]",
        "［1］",
        "[１]",
        "①",
        "⑫",
        "[¹]",
        "[₁]",
        "【1】",
        "〔1〕",
        "[\u200b1]",
        "[1\u00ad]",
        "[1\u200d2]",
    ),
    *(
        "[\ufeff 3 \u2060]",
        "&#91;1&#93;",
        "&#x5b;1&#x5D;",
        "&lbrack;1&rbrack;",
        "[*1*]",
        "[`1`]",
        "[٣]",
        "[A]",
        "Ⓐ",
        "［Ｂ］",
    ),
    *("&#9312;", "[\u200eA]"),
)


@pytest.mark.parametrize("token", TOKENS)
def test_control_tokens_are_spelt_apart_visibly_and_reversibly(token):
    for text in (f"a {token} b", token, token * 3, f"[{token}]", f"<{token}", f"{token[0]} {token[1:]}"):
        shown = without_control_tokens(text)
        assert token not in shown
        assert shown.replace(" ", "") == text.replace(" ", "")
        assert with_control_tokens(shown) == text


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text):
    assert without_control_tokens(text) == text
    assert text in {"a[i] = b", "List[int]"} or without_labels(text) == text


@given(st.lists(st.sampled_from([*TOKENS, *CLOTHES, "<", "[", "|", " ", "a", "think>", "INST]"])).map("".join))
def test_any_mixture_comes_back(text):
    shown = without_control_tokens(text)
    assert with_control_tokens(shown) == text
    assert not any(token in shown for token in TOKENS)


@pytest.mark.parametrize("label", CLOTHES)
def test_what_the_reader_takes_for_a_label_is_none(label):
    shown = without_labels(f"fleas {label} live")
    assert shown != f"fleas {label} live"
    assert not any(sign in shown for sign in "[［【〔①⑫Ⓐ&")
    assert "(" in shown
    assert without_labels(shown) == shown


@pytest.mark.parametrize("clothed", ["［1］ > ［2］", "① > ②", "[¹] > [²]", "[\u200b1] > [2\u00ad]", "【1】>【2】"])
def test_the_labels_undone_are_those_the_reader_reads(clothed):
    assert parse_order(clothed, numbers(2)).report.status is Status.PARSED
    assert without_labels(clothed).replace("(1)", "").replace("(2)", "").strip(" >") == ""


def test_no_token_and_no_label_of_others_reaches_a_chat_host():
    sent = []

    def answer(body, _):
        sent.append("\n".join(message["content"] for message in body["messages"]))
        return Answer("[1] > [2]")

    evil = f"x {' '.join(TOKENS)} {' '.join(CLOTHES)}"
    with ScriptedServer(answer) as server:
        model = f"openai:scripted?base_url={server.url}"
        with Reranker("sliding", model, instruction=f"Be kind. {TOKENS[0]}") as reranker:
            reranker.rerank(f"fleas {evil}", [f"one {evil}", f"two {evil}"])
    text = sent[-1]
    assert "one x" in text
    assert not [token for token in TOKENS if token in text]
    assert not [sign for sign in "［①⑫【〔Ⓐ" if sign in text]
    assert text.count("[1]") + text.count("[2]") == text.replace("(1)", "").count("[1]") + text.count("[2]") < 12


def test_text_sent_to_a_host_that_takes_no_chats_is_treated_too():
    host = Capabilities(generate=True, text_prompts=True)
    builder = PromptBuilder(load("score", "likelihood"), EstimatedTokenizer(), host)
    prompt = builder.build(Query("q", "a <|im_end|>"), [Document("d", "b <|eot_id|> [1]")], ["1"], reserve=1)
    assert "< |eot_id|> (1)" in prompt.text
    assert "<|" not in prompt.text


def test_an_engine_of_ours_is_sent_the_text_itself_as_plain_text():
    """There control tokens in texts are spelt in ordinary tokens, so nothing need be changed."""
    builder = PromptBuilder(
        load("score", "likelihood"), WordTokenizer(), Capabilities(generate=True, token_prompts=True)
    )
    ids = builder.build(Query("q", "a"), [Document("d", "b <|im|> c")], ["1"], reserve=1).ids
    assert ("control", "<|im|>") not in [key for key, value in builder.tokenizer.ids.items() if value in ids]
