"""Whether prompts are packed with the transformers that is installed, as `rerankllm doctor --try` says it."""

from rerankllm.backends.hf.batches import Limits
from rerankllm.backends.hf.causal import Causal


def tried() -> str:
    """How a tiny Llama with random weights computes prompts together, and why if they are not packed."""
    import transformers as hf  # noqa: PLC0415

    config = hf.LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
    )
    return str(Causal(hf.LlamaForCausalLM(config).eval(), 0, Limits(64, 64)).packing)
