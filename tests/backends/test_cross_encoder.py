"""cross-encoder: with a tiny random head: raw logits, in order, and only from models that give one score."""

import asyncio
import hashlib
import json

import pytest
import tiny_models
from needs import needs

from rerankllm import Reranker
from rerankllm.backends.cross_encoder import CrossEncoder
from rerankllm.backends.hf import loading
from rerankllm.calls import CallFailed, Request, TokenPrompt
from rerankllm.calls import Generate as GenerateText
from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import CapabilityError, InputError, MissingExtra, SpecError
from rerankllm.judgements import Permute, Score

torch = pytest.importorskip("torch", reason="needs the extra `embed`")
needs("sentence_transformers", extra="embed")

QUERY = Query("q", "how long do fleas live")
DOCS = [Document(str(i), text) for i, text in enumerate((tiny_models.DOGS, tiny_models.FLEAS * 90, "Fleas.", ""))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def backend(folder):
    return CrossEncoder(name=str(folder), threads=1)


@pytest.mark.slow
def test_scores_are_the_raw_logits(backend, folder):
    import transformers

    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    replies = asyncio.run(backend.complete_all([Score(QUERY, doc) for doc in DOCS]))
    for doc, reply in zip(DOCS, replies, strict=True):
        inputs = tokenizer([QUERY.text], [doc.content], return_tensors="pt", truncation=True, max_length=512)
        with torch.inference_mode():
            assert reply.answer == pytest.approx(model(**inputs).logits.item(), abs=1e-4)
        assert reply.usage.prompt_tokens == inputs["input_ids"].shape[1]
    assert min(reply.answer for reply in replies) < 0  # as no probability is


def test_it_reranks(folder):
    with Reranker(model=f"cross-encoder:{folder}?threads=1") as reranker:
        assert str(reranker.stage) == "pointwise"
        docs = [Document("dogs", tiny_models.DOGS), Document("fleas", tiny_models.FLEAS)]
        (ranking,) = reranker.stream([(QUERY, list(map(Candidate, docs)))])
    assert ranking[0].document.text == tiny_models.FLEAS
    assert (ranking.ledger.calls, ranking.ledger.cost_usd) == (2, 0.0)


def test_what_it_is(backend, folder):
    assert backend.model == f"cross-encoder:{folder}?dtype=float32"
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).digest()
    assert backend.revision == hashlib.sha256(weights).hexdigest()
    for work in (Permute(QUERY, tuple(DOCS)), Request(TokenPrompt((1,)), GenerateText(1))):
        with pytest.raises(CapabilityError):
            asyncio.run(backend.complete(work))
    with pytest.raises(CapabilityError, match="takes no elicitation"):
        _ = backend.tokenizer


def test_nobody_waits_nothing_is_computed(backend, monkeypatch):
    monkeypatch.setattr(type(backend), "abandoned", True)
    outcomes = backend.run([Score(QUERY, doc) for doc in DOCS])
    assert len(outcomes) == len(DOCS)
    assert all(isinstance(outcome, CallFailed) for outcome in outcomes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "labels", "message"),
    [
        ("ForSequenceClassification", 3, "it tells 3 classes apart; a reranker gives one score, or two classes"),
        ("Model", 1, "BertModel has no classification head; embed:"),
        ("LMHeadModel", 1, "BertLMHeadModel has no classification head; hf:"),
    ],
)
def test_models_of_another_kind(tmp_path, head, labels, message):
    with pytest.raises(InputError, match=message):
        CrossEncoder(name=str(tiny_models.bert(tmp_path, head=head, labels=labels)))


def test_a_head_that_is_not_among_the_weights_is_refused(tmp_path, capfd):
    """transformers would make it up at random, and say so in a log."""
    folder = tiny_models.bert(tmp_path, head="Model")
    config = folder / "config.json"
    config.write_text(config.read_text().replace("BertModel", "BertForSequenceClassification"))
    with pytest.raises(InputError, match=r"its weights lack classifier.bias, classifier.weight: it was not trained"):
        CrossEncoder(name=str(folder))
    assert "MISSING" not in capfd.readouterr().err


def test_of_two_classes_the_second_counts(tmp_path):
    import transformers

    folder = tiny_models.bert(tmp_path, labels=2)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    replies = asyncio.run(CrossEncoder(name=str(folder), threads=1).complete_all([Score(QUERY, d) for d in DOCS[2:]]))
    for doc, reply in zip(DOCS[2:], replies, strict=True):
        with torch.inference_mode():
            inputs = tokenizer([QUERY.text], [doc.content], return_tensors="pt")
            no, yes = model(**inputs).logits[0].tolist()
        assert reply.answer == pytest.approx(yes - no, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("bge-reranker-base", ("how long do fleas live", "Pets Fleas  live\nlong. [1]")),
        ("dear-8b-reranker-ce-v1", ("query: how long do fleas live", "document: Pets Fleas  live\nlong. [1]")),
        ("llama-nemotron-rerank-1b-v2", ("question:how long do fleas live \n \n passage:Pets Fleas  live\nlong. [1]",)),
        ("nameless", ("how long do fleas live", "Pets Fleas live long. [1]")),
    ],
)
def test_published_models_are_shown_what_they_were_trained_on(tmp_path, name, texts):
    import transformers

    folder = tiny_models.bert(tmp_path / name)
    backend = CrossEncoder(name=str(folder), threads=1)
    doc = Document("d", "Fleas  live\nlong. [1]", title="Pets")
    assert backend.texts(QUERY.text, doc) == texts
    (reply,) = asyncio.run(backend.complete_all([Score(QUERY, doc)]))
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        expected = model(**tokenizer(*texts, return_tensors="pt")).logits.item()
    assert reply.answer == pytest.approx(expected, abs=1e-4)


def test_one_text_with_its_own_chat_format_is_not_put_into_another(tmp_path):
    """sentence-transformers would put a text into the chat format of a tokenizer that carries one."""
    import transformers

    head = "ForSequenceClassification"
    folder = tiny_models.qwen3(tmp_path / "Qwen3-Reranker-0.6B-seq-cls", head=head, positions=1024)
    backend = CrossEncoder(name=str(folder), threads=1)
    doc = Document("d", "Fleas <|im_end|> jump.\nFar.")
    (text,) = backend.texts(QUERY.text, doc)
    assert text.endswith(
        "<Document>: Fleas < |im_end|> jump.\nFar.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
    replies = asyncio.run(backend.complete_all([Score(QUERY, doc), Score(QUERY, Document("e", "Dogs bark."))]))
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        expected = model(**tokenizer(text, return_tensors="pt")).logits.item()
    assert replies[0].answer == pytest.approx(expected, abs=1e-4)


def test_causal_models_are_asked_as_their_own_configuration_says(tmp_path):
    """sentence-transformers keeps a chat format for pairs, a prompt, and the tokens to compare, beside the weights."""
    import sentence_transformers

    plain = tiny_models.qwen3(tmp_path / "plain", head="ForCausalLM", positions=1024)
    with pytest.raises(InputError, match="Qwen3ForCausalLM has no classification head; hf:"):
        CrossEncoder(name=str(plain))
    theirs = sentence_transformers.CrossEncoder(str(plain), device="cpu")
    theirs.prompts, theirs.default_prompt_name = {"web": "Find answers."}, "web"
    turns = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    theirs.tokenizer.chat_template = f"{turns}<|im_start|>assistant\n"
    theirs.save_pretrained(str(tmp_path / "causal"))
    backend = CrossEncoder(name=str(tmp_path / "causal"), threads=1)
    docs = DOCS[:3]
    replies = asyncio.run(backend.complete_all([Score(QUERY, doc) for doc in docs]))
    pairs = [(QUERY.text, doc.content) for doc in docs]
    expected = theirs.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    assert [reply.answer for reply in replies] == pytest.approx(list(expected), abs=1e-4)
    unprompted = theirs.predict(pairs, prompt="", activation_fn=torch.nn.Identity(), show_progress_bar=False)
    assert list(unprompted) != pytest.approx(list(expected), abs=1e-2)


def test_control_tokens_in_a_document_are_text(tmp_path):
    backend = CrossEncoder(name=str(tiny_models.bert(tmp_path / "bge-reranker-base")), threads=1)
    assert backend.texts("[CLS] a", Document("d", "b [SEP] c")) == ("[ CLS] a", "b [ SEP] c")


def test_models_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="nothing is there"):
        CrossEncoder(name="./nothing")
    with pytest.raises(InputError, match=r"cross-encoder:.* cannot be loaded: .*config.json"):
        CrossEncoder(name=str(tmp_path))
    with pytest.raises(SpecError, match="at least 1"):
        CrossEncoder(name="x", batch=0)


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[embed\]'$"):
        CrossEncoder(name="x")


RANK, ALPHA = 4, 8


def adapted(folder, base, *, head=True, modules=("query", "value")):
    """Saves a LoRA adapter of a tiny BERT, and gives the model with it added by hand."""
    import transformers
    from safetensors.torch import save_file

    kind = transformers.AutoModelForSequenceClassification
    model = kind.from_pretrained(base, num_labels=1).eval()
    torch.manual_seed(6)
    tensors = {}
    for number, layer in enumerate(model.bert.encoder.layer):
        for module in modules:
            weight = getattr(layer.attention.self, module).weight
            down, up = torch.randn(RANK, weight.shape[1]) / 4, torch.randn(weight.shape[0], RANK) / 4
            weight.data += ALPHA / RANK * up @ down
            key = f"base_model.model.bert.encoder.layer.{number}.attention.self.{module}"
            tensors |= {f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}
    if head:
        for name, weight in model.classifier.named_parameters():
            weight.data = torch.randn_like(weight)
            tensors[f"base_model.model.classifier.{name}"] = weight.data.clone()
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "task_type": "SEQ_CLS", "r": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.0,
                "bias": "none", "target_modules": list(modules), "modules_to_save": ["classifier"] if head else None,
                "base_model_name_or_path": str(base)}  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("head", ["Model", "ForSequenceClassification"])
def test_adapters_are_added_and_may_bring_the_head(tmp_path, head):
    """RankLLaMA is an adapter of a model without a head; its name says what it is shown."""
    pytest.importorskip("peft", reason="needs the extra `adapters`")
    import transformers

    base = tiny_models.bert(tmp_path / "base", head=head)
    model = adapted(tmp_path / "rankllama-v1-7b", base)
    backend = CrossEncoder(name=str(base), threads=1, adapter=str(tmp_path / "rankllama-v1-7b"))
    assert "adapter=" in backend.model
    assert "+" in backend.revision
    shown = (f"query: {QUERY.text}", f"document:  {tiny_models.DOGS}")
    assert backend.texts(QUERY.text, DOCS[0]) == shown
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    (reply,) = asyncio.run(backend.complete_all([Score(QUERY, DOCS[0])]))
    with torch.inference_mode():
        assert reply.answer == pytest.approx(model(**tokenizer(*shown, return_tensors="pt")).logits.item(), abs=1e-4)


@pytest.mark.slow
def test_adapters_that_do_not_fit_are_refused(tmp_path):
    pytest.importorskip("peft", reason="needs the extra `adapters`")
    base, headless = tiny_models.bert(tmp_path / "base"), tiny_models.bert(tmp_path / "headless", head="Model")
    adapted(tmp_path / "plain", base, head=False)
    with pytest.raises(InputError, match="BertModel has no classification head"):
        CrossEncoder(name=str(headless), adapter=str(tmp_path / "plain"))
    broken = tmp_path / "plain" / "adapter_config.json"
    broken.write_text(broken.read_text().replace('"query"', '"key", "query"'))
    for wrong in (tmp_path / "plain", tmp_path / "nothing"):
        with pytest.raises(InputError, match=r"adapter .* cannot be loaded"):
            CrossEncoder(name=str(base), adapter=str(wrong))
