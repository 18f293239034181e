"""GGUF files with a head or with pooled vectors say what transformers says of the same weights."""

import math

import pytest
import tiny_models

from rerankllm import Reranker
from rerankllm.backends.llamacpp.backend import LlamaCpp
from rerankllm.backends.llamacpp.embeddings import GgufEmbeddings
from rerankllm.backends.llamacpp.scorer import GgufScorer
from rerankllm.data import Document
from rerankllm.errors import CapabilityError, InputError, SpecError

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")
for package in ("gguf", "llama_cpp"):
    pytest.importorskip(package, reason="needs the extras `hf` and `llamacpp`")

pytestmark = pytest.mark.llamacpp

OPTIONS = "threads=1&batch=64&max_sequences=3"
QUERY = "how long do fleas live"
DOCS = [
    Document("a", "fleas live for two months on a host"),
    Document("b", "dogs bark at cats", "dogs"),
    Document("c", "the flea jump far " * 9),
    Document("d", "dogs bark " * 90),
    Document("e", ""),
]
RERANK = "<|im_start|>user\n<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n"
TOLERANCE = 2e-3


def scores(path, docs=DOCS, options=OPTIONS):
    """What the model of this file scores, by document."""
    with Reranker(model=f"llamacpp:{path}?{options}") as reranker:
        assert str(reranker.stage) == "pointwise"
        with pytest.raises(CapabilityError, match="this strategy asks Permute"):
            reranker.beside("sliding")
        return {result.doc_id: result.score for result in reranker.rerank(QUERY, docs)}


def head_of(folder, *texts, most):
    """The logits of a sequence classifier."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        return model(**tokenizer(*texts, return_tensors="pt", truncation=True, max_length=most)).logits[0].tolist()


@pytest.mark.parametrize("labels", [1, 2])
def test_the_head_of_an_xlm_roberta(tmp_path, labels):
    folder = tiny_models.xlmr(tmp_path / "m", labels=labels)
    facts = {"classifier_output_labels": ["other", "relevant"]} if labels > 1 else None
    path = tiny_models.encoder_gguf(folder, tmp_path / "m.gguf", name="m", pooling="RANK", facts=facts)
    assert LlamaCpp.class_for(str(path)) is GgufScorer
    found = scores(path)
    for doc in DOCS:
        logits = head_of(folder, QUERY, doc.content, most=128)
        expected = logits[-1] - logits[0] if labels > 1 else logits[0]
        assert found[doc.doc_id] == pytest.approx(expected, abs=TOLERANCE)
