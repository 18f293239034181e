"""LiT5-Score on a tiny T5: the decoder's attention, against transformers' own, padded as its authors pad."""

import asyncio

import pytest
import tiny_models

from rerankllm import Reranker
from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.calls import CallFailed, ReadAttention, Request, TokenPrompt
from rerankllm.data import Document
from rerankllm.errors import CapabilityError, SpecError, TemplateError
from rerankllm.spec.stage import Stage

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

pytestmark = pytest.mark.slow

QUERY = "how long do fleas live?"
DOCS = [
    Document("a", "Fleas jump far."),
    Document("b", "A flea lives for\ntwo  months.", title="Fleas"),
    Document("c", "Dogs bark at strangers " * 80),
    Document("d", "cats"),
    Document("e", ""),
]
WIDTH, ANSWER = 150, 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.t5(tmp_path_factory.mktemp("t5") / "LiT5-Score-tiny", words=("question", "context"))


def attention(folder, texts, question):
    """What each passage gets, as `FiD/LiT5-Score.py` has it: all padded to one width, without the question's tokens."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.T5ForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
    made = tokenizer(texts, padding="max_length", max_length=WIDTH, truncation=True, return_tensors="pt")
    mask = made["attention_mask"]
    with torch.inference_mode():
        states = model.get_encoder()(**made).last_hidden_state.reshape(1, -1, model.config.d_model)
        seen = transformers.modeling_outputs.BaseModelOutput(last_hidden_state=states)
        flat = mask.reshape(1, -1)
        written = model.generate(encoder_outputs=seen, attention_mask=flat, max_length=ANSWER, do_sample=False)
        found = model(
            encoder_outputs=seen, attention_mask=flat, decoder_input_ids=written[:, :-1], output_attentions=True
        )
        total = torch.zeros(states.shape[1])
        for block, shares in zip(model.decoder.block, found.cross_attentions, strict=True):
            layer = block.layer[1].EncDecAttention
            values = layer.v(states).view(-1, layer.n_heads, layer.key_value_proj_dim).norm(dim=-1)
            total += torch.einsum("hqk,kh->k", shares[0], values) / layer.n_heads
    counted = mask.clone().bool()
    counted[:, : len(tokenizer(question, add_special_tokens=False)["input_ids"])] = False
    each = (total.view(len(texts), WIDTH) * counted).sum(1)
    return (each / 256 / len(model.decoder.block)).tolist()


def shown(docs):
    return [f"question: {QUERY} context: {doc.text}" for doc in docs]


@pytest.mark.parametrize("docs", [DOCS, DOCS[:1], DOCS[3:]])
def test_documents_are_ordered_by_the_attention_they_get(folder, docs):
    read = []
    with Reranker(model=f"hf:{folder}?threads=1") as reranker:
        assert str(reranker.stage).startswith("sliding(window=100, stride=50")
        assert str(reranker.stage).endswith(" / attention(prompt=lit5-score, max_tokens=19)")
        run = reranker.backend.run
        reranker.backend.run = lambda works: read.extend(run(works)) or read
        ranking = reranker.rerank(QUERY, docs)
    expected = attention(folder, shown(docs), f"question: {QUERY}")
    if len(docs) > 1:
        assert read[0].logprobs == pytest.approx(expected, rel=1e-4)
        assert len(set(expected)) == len(docs)
    best_first = sorted(range(len(docs)), key=lambda place: -expected[place])
    assert [result.doc_id for result in ranking] == [docs[place].doc_id for place in best_first]


def test_the_question_does_not_count(folder):
    backend = HuggingFace(name=str(folder), threads=1)
    with Reranker("full", model=f"hf:{folder}?threads=1") as reranker:
        sent = []
        run = reranker.backend.run
        reranker.backend.run = lambda works: sent.extend(works) or run(works)
        reranker.rerank(QUERY, DOCS[:2])
    (request,) = sent
    assert request.want == ReadAttention(19, len(backend.tokenizer.whole(f"question: {QUERY}")))
    some, everything = asyncio.run(
        backend.complete_all([request, Request(request.prompt, ReadAttention(request.want.max_tokens))])
    )
    assert all(a < b for a, b in zip(some.logprobs, everything.logprobs, strict=True))
    assert 1 <= some.usage.completion_tokens <= request.want.max_tokens
    assert some.usage.prompt_tokens == len(request.prompt.ids)


def test_what_attention_is_not_read_of(folder, tmp_path):
    backend = HuggingFace(name=str(folder), threads=1)
    (outcome,) = asyncio.run(backend.complete_all([Request(TokenPrompt((40, 41)), ReadAttention(3))]))
    assert isinstance(outcome, CallFailed)
    assert outcome.reason == "attention is read of texts that stand apart"
    with Reranker(model=f"hf:{folder}?threads=1") as reranker:
        with pytest.raises(CapabilityError, match="was trained to put passages in order"):
            reranker.on(Stage.parse("pointwise"))
        with pytest.raises(TemplateError, match="shows no passages apart"):
            reranker.on(Stage.parse("full / attention(prompt=rankgpt)"))
    other = tiny_models.qwen3(tmp_path / "other", head="ForCausalLM")
    with pytest.raises(CapabilityError, match="'attention' needs a T5 whose decoder's attention is told"):
        Reranker("full / attention", model=f"hf:{other}?threads=1")
    with pytest.raises(SpecError, match="max_tokens should be at least 1"):
        Stage.parse("full / attention(max_tokens=0)")
