"""Engines' own OpenAI-compatible servers of the packaged model, on the loopback interface; each yields its base URL.

The model is called `smollm2` there. `shown` puts examples into its chat template, without which a model this small does
not answer in the form asked for.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import packaged_model
from waiting import GUARD

SMALL = {"VLLM_CPU_KVCACHE_SPACE": "1"}
"""GiB of vLLM's cache where nobody said: it takes half of the memory else, and does not start where less is free."""


def vllm(scratch: Path, *, shown: bool) -> "contextlib.AbstractContextManager[str]":
    """vLLM's."""
    options = ["--served-model-name", "smollm2", "--dtype", "float32", "--enforce-eager", "--max-model-len", "2048"]
    if shown:
        template = scratch / "chat.jinja"
        template.write_text(packaged_model.showing_how())
        options += ["--chat-template", str(template)]
    model = str(packaged_model.converted())
    return _serving("vllm.entrypoints.openai.api_server", ["--model", model, *options], "health", scratch)


def vllm_of(folder: Path, name: str, scratch: Path) -> "contextlib.AbstractContextManager[str]":
    """vLLM's, of any model, called `name` there."""
    options = ["--served-model-name", name, "--dtype", "float32", "--enforce-eager"]
    return _serving("vllm.entrypoints.openai.api_server", ["--model", str(folder), *options], "health", scratch)


def llamacpp(scratch: Path, *, shown: bool) -> "contextlib.AbstractContextManager[str]":
    """llama-cpp-python's, with the converted weights: its AMX kernels cannot be switched off for the shipped ones."""
    from rerankllm.backends.llamacpp import gguf

    weights, _ = gguf.weights(gguf.find("smollm2"), "bf16")
    if shown:
        template, copy = scratch / "chat.jinja", scratch / "shown.gguf"
        template.write_text(packaged_model.showing_how())
        command = [sys.executable, "-m", "gguf.scripts.gguf_new_metadata", "--chat-template-file", str(template)]
        subprocess.run([*command, str(weights), str(copy)], check=True, capture_output=True)
        weights = copy
    options = ["--model", str(weights), "--model_alias", "smollm2", "--n_ctx", "2048", "--logits_all", "true"]
    return _serving("llama_cpp.server", options, "v1/models", scratch)


@contextlib.contextmanager
def _serving(module: str, options: Sequence[str], route: str, scratch: Path) -> Iterator[str]:
    log = scratch / f"{module}.log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", module, "--host", "127.0.0.1", "--port", str(port), *options]
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, stdout=out, stderr=out, env=SMALL | os.environ | {"VLLM_LOGGING_LEVEL": "INFO"}
        )
        try:
            _wait(server, f"http://127.0.0.1:{port}/{route}", log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Returns once the server answers; fails with the end of its log when it ended or hangs."""
    until = time.monotonic() + GUARD
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=GUARD):
            return
        time.sleep(0.5)
    raise RuntimeError(f"the server does not answer:\n{log.read_text(errors='replace')[-4000:]}")
