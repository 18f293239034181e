"""`?adapter=`: a LoRA adapter under a published name, on every engine, against its matrices added by hand."""

import importlib.util
import json
import math
import shutil

import pytest
import tiny_models

from rerankllm import Reranker
from rerankllm.errors import InputError, MissingExtra

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")
pytest.importorskip("gguf", reason="needs the extra `hf`")

pytestmark = pytest.mark.slow

QUERY, TEXT = "how long do fleas live", "A flea lives for two or three months."
RANK, ALPHA = 8, 16
MODULES = {"q_proj": "attn_q", "v_proj": "attn_v"}
ENGINES = {"hf": "peft", "llamacpp": "llama_cpp", "vllm": "vllm"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a model, that of its adapter, both as GGUF files, and the model with the adapter added by hand."""
    from gguf import GGUFWriter
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("made")
    base = tiny_models.qwen3(folder / "base", head="ForCausalLM", positions=1024)
    adapter = folder / "Qwen3-Reranker-adapter"
    adapter.mkdir()
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(5)
    tensors, whole = {}, folder / "Qwen3-Reranker-adapter.gguf"
    writer = GGUFWriter(whole, "qwen3")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(ALPHA))
    for layer in range(2):
        for module, called in MODULES.items():
            weight = getattr(model.model.layers[layer].self_attn, module).weight
            down, up = torch.randn(RANK, weight.shape[1]) / 8, torch.randn(weight.shape[0], RANK) / 8
            weight.data += ALPHA / RANK * up @ down
            key = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            tensors |= {f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}
            writer.add_tensor(f"blk.{layer}.{called}.weight.lora_a", down.numpy())
            writer.add_tensor(f"blk.{layer}.{called}.weight.lora_b", up.numpy())
    save_file(tensors, adapter / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.0,
                "bias": "none", "target_modules": list(MODULES), "base_model_name_or_path": str(base)}  # fmt: skip
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return base, adapter, tiny_models.gguf(base, folder / "base.gguf", name="base"), whole, model.eval()


def spec(engine, made):
    base, adapter, file, whole, _ = made
    return {
        "hf": f"hf:{base}?threads=1&adapter={adapter}",
        "llamacpp": f"llamacpp:{file}?threads=1&context=1024&adapter={whole}",
        "vllm": f"vllm:{base}?enforce_eager=true&dtype=float32&kv_cache_memory_bytes=67108864&adapter={adapter}",
    }[engine]


@pytest.mark.parametrize("engine", ENGINES)
def test_adapters_are_added_and_their_card_counts(made, engine):
    if importlib.util.find_spec(ENGINES[engine]) is None:
        pytest.skip(f"needs {ENGINES[engine]}")
    with Reranker(model=spec(engine, made)) as reranker:
        assert str(reranker.stage) == "pointwise / labels(prompt=qwen3-reranker, prior=none)"
        assert "adapter=" in reranker.backend.model
        assert "+" in reranker.backend.revision
        (result,) = reranker.rerank(QUERY, [TEXT])
    tokenizer = transformers.AutoTokenizer.from_pretrained(made[0])
    prompt = tokenizer(
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
        'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n<Instruct>: Given a '
        f"web search query, retrieve relevant passages that answer the query\n<Query>: {QUERY}\n<Document>: {TEXT}"
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        return_tensors="pt",
    )
    with torch.inference_mode():
        logits = made[-1](**prompt).logits[0, -1]
    yes, no = (logits[tokenizer.convert_tokens_to_ids(word)].item() for word in ("yes", "no"))
    assert result.score == pytest.approx(1 / (1 + math.exp(no - yes)), abs=2e-3)


def test_an_adapter_of_another_model_is_refused(made, tmp_path):
    base, adapter, file, _, _ = made
    if importlib.util.find_spec("peft"):
        broken = tmp_path / "broken"
        shutil.copytree(adapter, broken)
        path = broken / "adapter_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "target_modules": ["q_proj", "v_proj", "o_proj"]}))
        for wrong in (broken, tmp_path / "nothing"):
            with pytest.raises(InputError, match=r"^hf:.*adapter .* cannot be loaded"):
                Reranker(model=f"hf:{base}?threads=1&adapter={wrong}")
    else:
        with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[adapters\]'$"):
            Reranker(model=f"hf:{base}?threads=1&adapter={adapter}")
    if importlib.util.find_spec("llama_cpp"):
        with pytest.raises(InputError, match="not a LoRA adapter of this model"):
            Reranker(model=f"llamacpp:{file}?threads=1&context=1024&adapter={file}")
