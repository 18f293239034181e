"""vLLM's own rerank routes, in the three dialects that it speaks, serving a tiny cross-encoder."""

import math

import model_servers
import pytest
import tiny_models

pytest.importorskip("openai")

from rerankllm import Reranker
from rerankllm.data import Document

QUERY = "how long do fleas live"
DOCS = [
    Document("a", "Fleas jump far."),
    Document("b", "A flea lives for months."),
    Document("c", "dogs bark at cats"),
    Document("d", "two or three months"),
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.qwen3(
        tmp_path_factory.mktemp("cross-encoder") / "any-model", head="ForSequenceClassification", positions=1024
    )


@pytest.fixture(scope="module")
def url(folder, tmp_path_factory):
    with model_servers.vllm_of(folder, "tiny", tmp_path_factory.mktemp("scratch")) as found:
        yield found


@pytest.fixture(scope="module")
def expected(folder):
    import torch
    import transformers

    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        logits = [model(**tokenizer(QUERY, doc.text, return_tensors="pt")).logits.item() for doc in DOCS]
    return {doc.doc_id: 1 / (1 + math.exp(-logit)) for doc, logit in zip(DOCS, logits, strict=True)}


@pytest.mark.parametrize(("dialect", "below"), [("vllm", "/v1"), ("vllm", ""), ("jina", "/v1"), ("cohere", "")])
def test_every_route_ranks_as_the_model_does(url, expected, dialect, below):
    base = url.removesuffix("/v1") + below
    with Reranker("pointwise", f"rerank:tiny?dialect={dialect}&base_url={base}") as reranker:
        ranking = reranker.rerank(QUERY, DOCS)
    scores = {result.doc_id: result.score for result in ranking}
    assert scores == pytest.approx(expected, abs=1e-3)
    assert list(scores) == sorted(expected, key=lambda doc_id: -expected[doc_id])
    ledger = ranking.ledger
    assert (ledger.calls, ledger.attempts) == (4, 1)
    assert ledger.usage.searches == (1 if dialect == "cohere" else 0)
    assert dialect == "cohere" or ledger.usage.prompt_tokens > 0
