"""hf: takes the type that is measured to be faster on this CPU, and only where the checkpoint is kept in it."""

import asyncio

import pytest
import tiny_models

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

from rerankllm.backends import fastest  # noqa: E402
from rerankllm.backends.hf import cpu_dtype  # noqa: E402
from rerankllm.backends.hf.backend import HuggingFace  # noqa: E402
from rerankllm.calls import Request, Response, TokenPrompt, WriteLabels  # noqa: E402

SHAPES = {(64, 64): 4, (64, 128): 2}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(fastest, "path", lambda: tmp_path / "fastest.json")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same tiny model, kept in bfloat16 and in float32."""
    found = {}
    for name in ("bfloat16", "float32"):
        folder = found[name] = tmp_path_factory.mktemp(name)
        tiny_models.qwen3(folder)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, name))
        model.save_pretrained(folder)
    return found


def timed(monkeypatch, **taken):
    """Has each type take so many seconds."""
    asked = []

    def of_type(shapes, dtype):
        asked.append(dtype)
        return taken[str(dtype).removeprefix("torch.")]

    monkeypatch.setattr(cpu_dtype, "of_type", of_type)
    return asked


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "taken", "expected"),
    [
        ("bfloat16", {"float32": 5.0, "bfloat16": 1.0}, "bfloat16"),
        ("bfloat16", {"float32": 1.0, "bfloat16": 5.0}, "float32"),
        ("float32", {"float32": 5.0, "bfloat16": 1.0}, "float32"),
    ],
)
def test_the_faster_type_is_taken_said_and_remembered(cache, folders, monkeypatch, kept, taken, expected):
    asked = timed(monkeypatch, **taken)
    for _ in range(2):
        backend = HuggingFace(name=str(folders[kept]), device="cpu")
        assert backend.model.endswith(f"?dtype={expected}")  # so that no journal mixes the two
        assert str(backend._model.dtype) == f"torch.{expected}"
    assert len(asked) == (2 if kept == "bfloat16" else 0)
    assert HuggingFace(name=str(folders[kept]), device="cpu", dtype="float32").model.endswith("?dtype=float32")


@pytest.mark.slow
def test_answers_held_to_labels_are_the_same_in_both_types_but_for_rounding(cache, folders, monkeypatch):
    timed(monkeypatch, float32=5.0, bfloat16=1.0)
    want = WriteLabels(("a", "b", "c"), (((5,), (6,), (7,)),) * 2, 2)
    found = []
    for dtype in (None, "float32"):
        backend = HuggingFace(name=str(folders["bfloat16"]), device="cpu", dtype=dtype)
        [response] = asyncio.run(backend.complete_all([Request(TokenPrompt((3, 4, 5, 6)), want)]))
        assert isinstance(response, Response)
        found.append(response.readings[0].logprobs)
    assert found[0] == pytest.approx(found[1], abs=0.05)


def test_matrices_are_counted_without_the_head(folders):
    config = transformers.AutoConfig.from_pretrained(folders["bfloat16"])
    shapes = cpu_dtype.matrices(transformers.AutoModelForCausalLM, config)
    assert sum(shapes.values()) == 7 * config.num_hidden_layers
    assert all(config.vocab_size != columns for _, columns in shapes)


def test_more_of_the_same_matrices_take_longer():
    few = cpu_dtype.of_type(SHAPES, torch.float32)
    assert 0 < few < cpu_dtype.of_type({shape: 1000 * times for shape, times in SHAPES.items()}, torch.float32)


def test_what_transformers_cannot_make_is_float32():
    assert cpu_dtype.matrices(transformers.AutoModelForCausalLM, transformers.T5Config()) == {}
