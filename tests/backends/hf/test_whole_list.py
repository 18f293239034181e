"""jina-reranker-v3's architecture, tiny: cosines out of one prompt, against Qwen3 and a projector put together here."""

import asyncio
import json

import pytest
import tiny_models

from rerankllm import Reranker
from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.calls import CallFailed, Generate, ReadLabels, ReadSimilarities, Request, TokenPrompt
from rerankllm.data import Document
from rerankllm.errors import CapabilityError, InputError, TemplateError
from rerankllm.spec.stage import Stage

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

pytestmark = pytest.mark.slow

QUERY = "how long do fleas live?"
DOCS = [
    Document("a", "Fleas jump far."),
    Document("b", "A flea lives for\ntwo  months.", title="Fleas"),
    Document("c", "Dogs [1] bark <|embed_token|> at <|im_end|> strangers."),
    Document("d", "x"),
]
MARKERS = ("<|embed_token|>", "<|rerank_token|>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.jina_v3(tmp_path_factory.mktemp("jina") / "jina-reranker-v3")


@pytest.fixture(scope="module")
def backend(folder):
    return HuggingFace(name=str(folder), threads=1)


def prompt(texts, instruction=None):
    """The prompt, word for word."""
    passages = "\n".join(
        f'<passage id="{place}">\n{text}<|embed_token|>\n</passage>' for place, text in enumerate(texts)
    )
    asked = f"<instruct>\n{instruction}\n</instruct>\n" if instruction else ""
    return (
        "<|im_start|>system\nYou are a search relevance expert who can determine a ranking of the passages based on "
        "how relevant they are to the query. If the query is a question, how relevant a passage is depends on how well "
        "it answers the question. If not, try to analyze the intent of the query and assess how well each passage "
        "satisfies the intent. If an instruction is provided, you should follow the instruction when determining the "
        f"ranking.<|im_end|>\n<|im_start|>user\nI will provide you with {len(texts)} passages, each indicated by a "
        f"numerical identifier. Rank the passages based on their relevance to query: {QUERY}\n{asked}{passages}\n"
        f"<query>\n{QUERY}<|rerank_token|>\n</query><|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def cosines(folder, text):
    """What Qwen3 makes of the marked tokens, projected and compared, from the files alone."""
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    model = transformers.Qwen3Model(transformers.Qwen3Config.from_pretrained(folder)).eval()
    model.load_state_dict({name[6:]: tensor for name, tensor in weights.items() if name.startswith("model.")})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(text)["input_ids"]
    document, query = tokenizer.convert_tokens_to_ids(list(MARKERS))
    with torch.inference_mode():
        states = model(torch.tensor([ids])).last_hidden_state[0].double()
    first, second = (weights[f"projector.{layer}.weight"].double() for layer in (0, 2))
    vectors = (states @ first.T).clamp(min=0) @ second.T
    vectors /= vectors.norm(dim=-1, keepdim=True)
    asked = max(place for place, token in enumerate(ids) if token == query)
    return [float(vectors[place] @ vectors[asked]) for place, token in enumerate(ids) if token == document]


def shown(docs):
    """The texts, control tokens in them spelled apart."""
    texts = [f"{doc.title} {doc.text}".strip() for doc in docs]
    return [text.replace("<|", "< |") for text in texts]


@pytest.mark.parametrize("strategy", [None, "full"])
def test_documents_are_ordered_by_their_cosines(folder, strategy):
    expected = cosines(folder, prompt(shown(DOCS)))
    with Reranker(strategy, model=f"hf:{folder}?threads=1") as reranker:
        assert str(reranker.stage).endswith(" / similarity(prompt=jina-reranker-v3)")
        ranking = reranker.rerank(QUERY, DOCS)
    best_first = sorted(range(len(DOCS)), key=lambda place: -expected[place])
    assert [result.doc_id for result in ranking] == [DOCS[place].doc_id for place in best_first]


@pytest.mark.parametrize("instruction", [None, "Find pet facts."])
def test_cosines_are_those_of_the_vectors_at_the_marked_tokens(folder, instruction):
    read = []
    with Reranker("full", model=f"hf:{folder}?threads=1", instruction=instruction) as reranker:
        run = reranker.backend.run
        reranker.backend.run = lambda works: read.extend(run(works)) or read
        reranker.rerank(QUERY, DOCS)
    (response,) = read
    expected = cosines(folder, prompt(shown(DOCS), instruction))
    assert len(set(expected)) == len(DOCS)
    assert response.logprobs == pytest.approx(expected, abs=1e-4)
    assert response.usage.completion_tokens == 0


def test_it_says_what_it_answers(folder, backend):
    assert not backend.capabilities.generate
    assert backend.default_strategy == "full / similarity"
    with Reranker(model=f"hf:{folder}?threads=1") as reranker:
        assert str(reranker.stage).startswith("sliding(window=125, stride=62")
        with pytest.raises(CapabilityError, match="was trained to put passages in order"):
            reranker.on(Stage.parse("pointwise"))
        with pytest.raises(CapabilityError, match="'text' needs a model that writes"):
            reranker.on(Stage.parse("full / text"))


def test_what_cannot_be_compared(backend):
    ids = backend.tokenizer.encode("a<|embed_token|>b<|embed_token|>c<|rerank_token|>", special=True)
    markers = tuple(token for marker in MARKERS for token in backend.tokenizer.encode(marker, special=True))
    works = [
        Request(TokenPrompt(ids), ReadSimilarities(2, MARKERS, markers)),
        Request(TokenPrompt(ids), ReadSimilarities(3, MARKERS, markers)),
        Request(TokenPrompt(ids[:-1]), ReadSimilarities(2, MARKERS, markers)),
        Request(TokenPrompt(ids), ReadSimilarities(2, MARKERS)),
        Request(TokenPrompt(ids), Generate(3)),
        Request(TokenPrompt(ids), ReadLabels(("a",), ((5,),))),
    ]
    first, *others = asyncio.run(backend.complete_all(works))
    assert len(first.logprobs) == 2
    reasons = [outcome.reason for outcome in others if isinstance(outcome, CallFailed)]
    assert len(reasons) == len(others)
    assert reasons[0] == "the prompt has 2 of <|embed_token|> and 1 of <|rerank_token|>, for 3 documents and a query"
    assert reasons[1].startswith("the prompt has 2 of <|embed_token|> and 0 of ")
    assert "without their token ids" in reasons[2]
    assert reasons[3:] == ["this model is not made for Generate", "this model is not made for ReadLabels"]


def test_its_tokenizer_must_have_the_markers(folder, tmp_path):
    made = tiny_models.qwen3(tmp_path / "other", head="ForCausalLM")
    with pytest.raises(CapabilityError, match="'similarity' needs a model that compares the documents"):
        Reranker("full / similarity", model=f"hf:{made}?threads=1")
    for file in ("config.json", "model.safetensors"):
        (made / file).write_bytes((folder / file).read_bytes())
    with pytest.raises(TemplateError, match="its markers are no single tokens"):
        Reranker(model=f"hf:{made}?threads=1")


def test_weights_without_a_projector_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    made = tiny_models.jina_v3(tmp_path / "jina")
    weights = load_file(made / "model.safetensors")
    del weights["projector.2.weight"]
    save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="its weights lack projector.2.weight"):
        HuggingFace(name=str(made), threads=1)


def test_other_weights_are_another_model(tmp_path):
    """As a folder by another name: the architecture says what it is."""
    made = tiny_models.jina_v3(tmp_path / "mine")
    assert "JinaForRanking" in json.loads((made / "config.json").read_text())["architectures"]
    with Reranker(model=f"hf:{made}?threads=1") as reranker:
        assert str(reranker.stage) == "full(top_k=10, seed=0) / similarity(prompt=jina-reranker-v3)"
        assert len(reranker.rerank(QUERY, DOCS)) == len(DOCS)


def prompt_of_v35(texts):
    """The prompt of v3.5, word for word: the query is marked twice, and an order is asked for, which is not read."""
    return (
        prompt(texts)
        .replace(f"to query: {QUERY}\n", f"to query: {QUERY}<|rerank_token|>\n")
        .replace(
            "</query><|im_end|>",
            "</query>\nPlease provide the ranking of all passages based on their relevance to the search query, in "
            "descending order of relevance, with each label enclosed in square brackets (e.g., [2] > [1] > [3] > [0])."
            "<|im_end|>",
        )
    )


def test_v35_marks_the_query_twice_and_reads_the_last(tmp_path):
    made = tiny_models.jina_v3(tmp_path / "jina-reranker-v3.5", window=64)
    read = []
    with Reranker(model=f"hf:{made}?threads=1") as reranker:
        assert str(reranker.stage).endswith(" / similarity(prompt=jina-reranker-v3.5)")
        run = reranker.backend.run
        reranker.backend.run = lambda works: read.extend(run(works)) or read
        ranking = reranker.rerank(QUERY, DOCS)
    expected = cosines(made, prompt_of_v35(shown(DOCS)))
    best_first = sorted(range(len(DOCS)), key=lambda place: -expected[place])
    assert read[0].logprobs == pytest.approx(expected, abs=1e-4)
    assert [result.doc_id for result in ranking] == [DOCS[place].doc_id for place in best_first]
    config = made / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "layer_types": ["full_attention"] * 2}))
    assert cosines(made, prompt_of_v35(shown(DOCS))) != pytest.approx(expected, abs=1e-3)  # the window counts
