"""Models of late interaction on `embed:` score what their encoders' vectors give, computed by hand and by the library
that publishes most of them."""

import json

import late_models
import pytest

from rerankllm import Reranker
from rerankllm.backends.hf.loading import ModelFiles
from rerankllm.backends.late_interaction.late_format import LateFormat, format_of
from rerankllm.backends.late_interaction.late_tokens import similarity
from rerankllm.backends.late_interaction.model_files import LateFiles
from rerankllm.data import Document
from rerankllm.elicitation import cards
from rerankllm.errors import CapabilityError, InputError

torch = pytest.importorskip("torch", reason="needs the extra `embed`")
pytest.importorskip("transformers", reason="needs the extra `embed`")

pytestmark = pytest.mark.slow

RESIDUAL = late_models.LateModel(
    "residual", "pylate", "modernbert", dense=(24, 16), residual=True, activation="torch.nn.modules.activation.ReLU"
)
MODELS = (*late_models.PUBLISHED, RESIDUAL)
DOCS = [Document(str(place), text) for place, text in enumerate(late_models.PASSAGES)]


def scores(spec, query):
    with Reranker(model=spec) as reranker:
        assert str(reranker.stage) == "pointwise"
        return [r.score for r in sorted(reranker.rerank(query, DOCS), key=lambda result: int(result.doc_id))]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    made = {}

    def get(model):
        if model.name not in made:
            made[model.name] = model.save(tmp_path_factory.mktemp("late") / model.name)
        return made[model.name]

    return get


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_scores_are_maxsim_over_the_tokens(saved, model):
    folder = saved(model)
    for query in late_models.QUERIES:
        expected = [model.score(folder, query, text) for text in late_models.PASSAGES]
        assert len(set(expected)) == len(expected)
        assert scores(f"embed:{folder}?threads=1&batch=2", query) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_sentence_transformers_scores_the_same(saved, model):
    library = pytest.importorskip("sentence_transformers", minversion="6.0")
    folder = saved(model)
    encoder = library.MultiVectorEncoder(str(folder), device="cpu")
    for query in late_models.QUERIES:
        vectors = encoder.encode_query([query]), encoder.encode_document(list(late_models.PASSAGES))
        expected = encoder.similarity(*vectors)[0].tolist()
        assert scores(f"embed:{folder}?threads=1", query) == pytest.approx(expected, abs=1e-4)


def test_each_text_is_computed_once(saved):
    with Reranker(model=f"embed:{saved(MODELS[0])}?threads=1") as reranker:
        first, second = (reranker.rerank("flea", DOCS).ledger.usage for _ in range(2))
        assert not reranker.backend.reads_whole(late_models.PASSAGES[2])
        assert reranker.backend.reads_whole(late_models.PASSAGES[1])
        with pytest.raises(CapabilityError, match="asks it to put passages in order"):
            reranker.beside("sliding")
        with pytest.raises(CapabilityError, match="asks it to embed texts"):
            reranker.beside("embed")
    assert first.prompt_tokens > 12
    assert (second.prompt_tokens, second.remembered_tokens) == (0, first.prompt_tokens)


def test_control_tokens_of_texts_are_none(saved):
    model = MODELS[2]
    (plain, marked) = (
        scores(f"embed:{saved(model)}?threads=1", query) for query in ("do fleas [ MASK] live", "do fleas [MASK] live")
    )
    assert plain == pytest.approx(marked)


def test_a_card_says_what_the_files_do_not(saved, tmp_path):
    """Of weights whose format is not beside them, the name is enough."""
    model = MODELS[0]
    folder = late_models.LateModel(model.name, "stanford", "bert", filled=32, lengths=(32, 300)).save(tmp_path / "x")
    with_files = scores(f"embed:{folder}?threads=1", "flea")
    (folder / "artifact.metadata").unlink()
    late_models.edit(folder / "config.json", architectures=["BertModel"], _name_or_path="colbert-ir/colbertv2.0")
    assert scores(f"embed:{folder}?threads=1", "flea") == pytest.approx(with_files)
    late_models.edit(folder / "config.json", _name_or_path="me/my-model")
    assert format_of(LateFiles(ModelFiles(str(folder)), "embed"), cards.find(["me/my-model"])) is None


def test_answers_are_of_these_weights_and_this_format(tmp_path):
    """What a journal keeps them by."""
    folder = MODELS[2].save(tmp_path / "m")

    def revision():
        with Reranker(model=f"embed:{folder}?threads=1") as reranker:
            return reranker.backend.revision

    seen = [revision()]
    late_models.edit(folder / "config_sentence_transformers.json", document_length=20)
    seen.append(revision())
    dense = folder / "1_Dense" / "model.safetensors"
    dense.write_bytes(dense.read_bytes()[:-4] + b"\0\0\0\0")
    seen.append(revision())
    assert len(set(seen)) == len(seen)
    assert revision() == seen[-1]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"config.json": {"architectures": ["HF_ColBERT"]}},
            LateFormat("[unused0]", "[unused1]", 32, None, 32, skipped=tuple("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")),
        ),
        (
            {"config_sentence_transformers.json": {"model_type": "ColBERT", "query_prefix": "[Q] "}},
            LateFormat("[Q] ", "", 32, None, 32, skipped=tuple("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")),
        ),
        (
            {
                "config_sentence_transformers.json": {
                    "query_prefix": "[Q] ", "document_prefix": "[D] ", "query_length": 48, "document_length": 512,
                    "do_query_expansion": False, "skiplist_words": [], "prompts": {"query": "[Q] find: "},
                },
                "sentence_bert_config.json": {"do_lower_case": True},
            },
            LateFormat("[Q] find: ", "[D] ", 48, 512, lower=True),
        ),
        (
            {
                "config_sentence_transformers.json": {
                    "model_type": "MultiVectorEncoder", "prompts": {"passage": "p: "},
                },
                "sentence_bert_config.json": {
                    "query_expansion": {"strategy": "min", "length": 8, "attend": True, "token": "x"},
                    "query_length": 4,
                },
            },
            LateFormat("", "p: ", 8, None, 8, attended=True, filling="x"),
        ),
        ({"config_sentence_transformers.json": {"model_type": "SentenceTransformer", "prompts": {}}}, None),
        ({"config.json": {"architectures": ["BertModel"]}}, None),
    ],
)  # fmt: skip
def test_what_files_say(tmp_path, files, expected):
    for name, facts in files.items():
        late_models.edit(tmp_path / name, **facts)
    assert format_of(LateFiles(ModelFiles(str(tmp_path)), "embed"), None) == expected


@pytest.mark.parametrize(
    ("file", "facts", "message"),
    [
        ("modules.json", [{"path": "9_Router", "type": "models.Router"}], "a module Router is not known"),
        ("1_Dense/config.json", {"activation_function": "mine.Act"}, "an activation mine.Act, which is not"),
        ("config_sentence_transformers.json", {"query_prefix": "[Q] ", "prompts": 3}, "its files are malformed"),
        ("config_sentence_transformers.json", "{", "config_sentence_transformers.json cannot be read"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(tmp_path, file, facts, message):
    folder = MODELS[2].save(tmp_path / "m")
    (folder / file).write_text(facts if isinstance(facts, str) else json.dumps(facts))
    with pytest.raises(InputError, match=message):
        Reranker(model=f"embed:{folder}?threads=1")


def test_weights_that_are_not_there_are_not_made_up(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = MODELS[0].save(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    for lost, message in (("linear.weight", "no projection"), ("bert.encoder.layer.1.output.dense.weight", "lack enc")):
        kept = {name: tensor for name, tensor in weights.items() if name != lost}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(InputError, match=message):
            Reranker(model=f"embed:{folder}?threads=1")


def test_other_engines_name_those_that_compute_it(saved):
    for model in (MODELS[0], MODELS[2]):
        for kind in ("hf", "cross-encoder"):
            with pytest.raises(InputError, match="embed:.* may be what it is"):
                Reranker(model=f"{kind}:{saved(model)}?threads=1")
    with pytest.raises(CapabilityError, match="its encoder is code of its own"):
        Reranker(model="embed:jinaai/jina-colbert-v2")
    with pytest.raises(CapabilityError, match="pictures of pages"):
        Reranker(model="vllm:vidore/colqwen2-v1.0")
    with pytest.raises(CapabilityError, match="without markers.* embed:lightonai/LateOn"):
        Reranker(model="rerank:lightonai/LateOn?dialect=vllm&base_url=http://localhost:9")


def test_maxsim():
    query = torch.eye(3)[:2].numpy()
    passage = torch.tensor([[0.6, 0.8, 0], [1, 0, 0]]).numpy()
    assert similarity(query, passage) == pytest.approx(1.8)
    assert similarity(query, passage, mean=True) == pytest.approx(0.9)
    assert similarity(query, passage[:0]) == 0
