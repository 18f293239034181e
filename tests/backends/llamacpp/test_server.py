"""The same model twice: in this process, and behind llama-cpp-python's own OpenAI-compatible server."""

import asyncio
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from rerankllm import Reranker
from rerankllm.backends.llamacpp import gguf
from rerankllm.data import Document, Query, Ranking
from rerankllm.elicitation.base import Settings
from rerankllm.judgements import Ask, Compare, Permute
from rerankllm.panel import Panel
from rerankllm.spec import Stage

pytestmark = pytest.mark.embedded
pytest.importorskip("llama_cpp", reason="needs the extra `embedded`")
pytest.importorskip("starlette", reason="needs llama-cpp-python[server]")

QUERY = Query("q", "how long do fleas live")
DOCS = [
    Document("a", "Dogs bark at strangers, and bark more when nobody is at home."),
    Document("b", "An adult flea lives for two or three months on a host."),
    Document("c", "Fleas jump up to two hundred times their own length."),
]


@pytest.fixture(scope="module")
def server():
    """The base URL of a server of the converted weights (its AMX kernels cannot be switched off for the shipped)."""
    weights, _ = gguf.weights(gguf.find("smollm2"), "bf16")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "llama_cpp.server",
        "--model",
        str(weights),
        "--port",
        str(port),
        "--n_ctx",
        "2048",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/models", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, "the server ended"
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def written(model, judgement, elicitation):
    """The request one judgement becomes, and the response to it."""

    async def ask():
        panel = Panel(model, Settings(), {})
        judge = panel.resolve(Ask((), Stage.parse(elicitation).elicitation), type(judgement))
        request = judge.prepare(judgement)
        response = await judge.backend.complete(request)
        await judge.backend.aclose()
        return request, response

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "judgement", [Permute(QUERY, tuple(DOCS)), Compare(QUERY, DOCS[0], DOCS[1])], ids=lambda j: type(j).__name__
)
def test_the_same_prompt_and_the_same_answer(server, judgement):
    """Its template, applied by the server and by us, gives the same tokens; greedy gives the same text."""
    request, here = written("llamacpp:smollm2", judgement, "sliding / text")
    _, there = written(f"openai:smollm2?base_url={server}", judgement, "sliding / text")
    assert there.usage.prompt_tokens == len(request.prompt.ids) == here.usage.prompt_tokens
    assert there.text.strip() == here.text.strip()


def test_it_ranks_or_says_which_query_it_could_not(server):
    with Reranker("prp(sort=allpair) / text", "openai:smollm2", options={"base_url": server}) as reranker:
        (outcome,) = reranker.stream([(QUERY, [*map(_candidate, DOCS)])])
    ledger = outcome.ledger
    assert ledger.calls == 6 == ledger.attempts
    assert ledger.parsed + ledger.repaired + ledger.failed == 6
    assert isinstance(outcome, Ranking) == (ledger.failed <= 3)


def _candidate(document):
    from rerankllm import Candidate

    return Candidate(document)
