"""`rerankllm models show`: a card, a prompt as text and as tokens, and what is read."""

from typing import get_args, get_type_hints

import pytest
import tiny_models

from rerankllm import show_model
from rerankllm.analysis.model_card import JUDGED, TREATED
from rerankllm.elicitation import cards
from rerankllm.elicitation.treatment import Treatment
from rerankllm.errors import InputError


@pytest.mark.parametrize("name", cards.names())
def test_every_card_can_be_shown(name):
    shown = show_model(name)
    card = cards.load(name)
    assert shown.startswith(f"{name}: {card.description}")
    assert ("\ncannot be used here " in shown) == bool(card.cannot)
    for kind in card.answers:
        assert f"--- prompt: {JUDGED[kind]}, by {card.elicitation(kind)}" in shown
    assert shown.count("--- read: ") == len(card.answers) + bool(card.late)


def test_every_treatment_of_texts_is_said_in_words():
    hints = get_type_hints(Treatment)
    for field in ("title", "spaces", "brackets"):
        assert set(TREATED[field]) | {"keep"} == set(get_args(hints[field])) | {"keep"}
    assert "texts      a title is shown as Title: … Content: …; " in show_model("rankzephyr")
    assert "; in the query [1] becomes (1)\n" in show_model("rankzephyr")


def test_a_prompt_and_what_is_read_of_it():
    lines = show_model("zerank").splitlines()
    assert "Pets Dogs [1] bark  at strangers.<|im_end|>" in lines
    assert lines[-1] == "--- read: the logits of Yes as the next token"
    shown = show_model("e2rank")
    assert "Pets Dogs [1] bark at strangers.<|endoftext|>" in shown
    assert "[3] Pets Dogs [1] bark at strangers.\nSearch Query: how long do fleas live<|im_end|>" in shown


def test_tokens_where_the_models_tokenizer_is_here(tmp_path):
    pytest.importorskip("transformers", reason="needs the extra `hf`")
    pytest.importorskip("torch", reason="needs the extra `hf`")
    import transformers

    folder = tiny_models.t5(tmp_path / "monot5-tiny")
    own = transformers.AutoTokenizer.from_pretrained(folder)
    whole = own("Query: how long do fleas live Document: Pets Dogs [1] bark  at strangers. Relevant:")["input_ids"]
    for name in (str(folder), f"hf:{folder}?threads=1"):
        shown = show_model(name).splitlines()
        assert shown[-3] == f"--- as {len(whole)} tokens"
        assert [int(token.partition("=")[0]) for token in shown[-2].split("' ")] == whole
        yes, no = own.convert_tokens_to_ids(["▁true", "▁false"])
        assert shown[-1] == f"--- read: the log-probabilities of true [{yes}], false [{no}] as the next token"


def test_the_tokens_of_each_text_of_an_encoder(tmp_path):
    pytest.importorskip("transformers", reason="needs the extra `hf`")
    pytest.importorskip("torch", reason="needs the extra `hf`")
    import transformers

    folder = tiny_models.t5(tmp_path / "ListT5-tiny")
    own = transformers.AutoTokenizer.from_pretrained(folder)
    shown = show_model(str(folder)).splitlines()
    texts = [line for line in shown if line.startswith("Query: ")]
    assert len(texts) == 6  # for Select and for Permute
    for text in texts:
        assert shown.count(f"--- as {len(own(text)['input_ids'])} tokens") >= 2
    assert shown[-1] == "--- read: 3 of the labels 1, 2, 3, one after the other, and nothing else"


def test_what_starts_a_decoder_is_shown():
    shown = show_model("setwise-t5")
    assert "most relevant passage:\n[decoder]\nPassage\n" in shown


def test_how_late_interaction_reads_texts():
    shown = show_model("colbertv2")
    assert "the passage is cut to 300 tokens; the query is cut to 32 tokens\n" in shown
    assert "; filled up with mask tokens, which see the query and are not seen by it\n[unused0]how long do" in shown
    assert ", those of punctuation left out\n[unused1]Pets Dogs [1] bark  at strangers.\n--- read: how like" in shown
    assert "each token gets a vector; as long as it is\n[Q] how long do" in show_model("lightonai/LateOn-Code")


def test_what_has_no_card_says_which_have():
    with pytest.raises(InputError, match="no card is for 'Qwen/Qwen3-8B'. There are: answerai-colbert-small, "):
        show_model("Qwen/Qwen3-8B")
