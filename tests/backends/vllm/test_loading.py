"""Which model is loaded, with which options, in which process, and what is said when it cannot be."""

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys

import pytest
from waiting import GUARD

from rerankllm.calls import (
    CallFailed,
    ChatPrompt,
    Generate,
    Message,
    ReadContinuation,
    ReadLabels,
    Request,
    TokenPrompt,
)
from rerankllm.errors import CapabilityError, InputError, SpecError
from rerankllm.spec.model import ModelSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"

SCRIPT = """
import asyncio, json, sys
from rerankllm.calls import ReadLabels, Request, TokenPrompt
from rerankllm.spec.model import ModelSpec

def main():
    backend = ModelSpec.parse(sys.argv[1]).load()
    want = ReadLabels(("a", "b"), ((70,), (71,)))
    response = asyncio.run(backend.complete(Request(TokenPrompt((1, 2, 3)), want)))
    print(json.dumps([backend.revision, response.logprobs]))
    asyncio.run(backend.aclose())

"""


def run(tmp_path, model, *, guarded, **environment):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + ('if __name__ == "__main__":\n    main()' if guarded else "main()"))
    variables = {key: value for key, value in os.environ.items() if key != "VLLM_ENABLE_V1_MULTIPROCESSING"}
    done = subprocess.run(
        [sys.executable, script, model],
        env=variables | environment,
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)  # so nothing else was printed there


def test_a_plain_script_and_an_engine_in_a_process_of_its_own(load, tiny, tmp_path):
    """As vLLM computes on GPUs unless told otherwise; the model comes from the hub's cache, with its commit."""
    backend = load(tiny, max_model_len=128)
    want = ReadLabels(("a", "b"), ((70,), (71,)))
    here = asyncio.run(backend.complete(Request(TokenPrompt((1, 2, 3)), want))).logprobs
    options = f"dtype=float32&max_model_len=128&enforce_eager=true&kv_cache_memory_bytes={16 << 20}"
    revision, logprobs = run(tmp_path, f"vllm:{tiny}?{options}", guarded=False)
    assert revision == backend.revision
    assert logprobs == pytest.approx(here, abs=1e-5)

    cache = tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree(tiny, cache / "snapshots" / COMMIT)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)
    revision, logprobs = run(
        tmp_path,
        f"vllm:someone/tiny?{options}",
        guarded=True,
        HF_HOME=str(tmp_path),
        HF_HUB_OFFLINE="1",
        VLLM_ENABLE_V1_MULTIPROCESSING="1",
    )
    assert revision == COMMIT
    assert logprobs == pytest.approx(here, abs=1e-5)


def test_options_reach_the_engine(load, tiny):
    backend = load(tiny, max_model_len=96, max_num_seqs=3, kv_cache_memory_bytes=8 << 20, dtype="auto")
    config = backend._engine._llm.llm_engine.vllm_config
    assert (config.model_config.max_model_len, config.scheduler_config.max_num_seqs) == (96, 3)
    assert config.cache_config.kv_cache_memory_bytes == 8 << 20
    assert config.cache_config.enable_prefix_caching
    assert config.model_config.enforce_eager
    assert backend.capabilities.context == 96
    dtype = str(config.model_config.dtype).removeprefix("torch.")
    assert backend.model == f"vllm:{tiny}?dtype={dtype}&max_model_len=96"


def test_loading_leaves_the_users_random_numbers_alone(load, tiny):
    """vLLM seeds with 0 whatever generators it finds, which would make every run draw the same."""
    random.seed(12)
    expected = [random.random() for _ in range(3)]
    random.seed(12)
    load(tiny, max_model_len=96)
    assert [random.random() for _ in range(3)] == expected


def test_the_revision_is_of_what_answers_depend_on(load, tiny, tmp_path):
    backend = load(tiny, max_model_len=96)
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    (copy / "README.md").write_text("another")
    same = load(copy, max_model_len=96)
    assert same.revision == backend.revision
    assert len(same.revision) == 64
    weights = copy / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    assert load(copy, max_model_len=96).revision != backend.revision


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        ("vllm:", InputError, "no such folder"),
        ("vllm:./nowhere", InputError, "no such folder"),
        ("vllm:nobody/nothing", InputError, "neither a folder here nor a model that can be fetched"),
        ("vllm:{empty}", InputError, "no config.json"),
        ("vllm:{file}", InputError, "llamacpp:"),
        ("vllm:{tiny}?revision=main", InputError, "no revisions"),
        ("vllm:{tiny}?dtype=float12", InputError, "does not load it"),
        ("vllm:{tiny}?max_model_len=100000", InputError, "does not load it"),
        ("vllm:{tiny}?head_dtype=float16", SpecError, "float32 or model"),
        ("vllm:{tiny}?temperature=1", SpecError, "no option 'temperature'"),
    ],
)
def test_what_cannot_be_loaded_is_said_on_one_line(tiny, tmp_path, spec, error, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    spec = spec.format(tiny=tiny, empty=tmp_path / "empty", file=tmp_path / "model.gguf")
    with pytest.raises(error, match=said) as raised:
        ModelSpec.parse(spec).load()
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 800


def test_what_cannot_be_asked_fails_by_itself(backend):
    """Each is a value with its reason; the one in between is answered."""
    prompt, context = TokenPrompt((1, 2, 3)), backend.capabilities.context
    fits = Request(TokenPrompt((5,) * (context - 3)), ReadContinuation((7, 8, 9)))
    asked = {
        Request(TokenPrompt(()), Generate(3)): "prompt is empty",
        Request(TokenPrompt((1, 49152)), Generate(3)): "outside the vocabulary",
        Request(prompt, ReadContinuation((-1,))): "outside the vocabulary",
        fits: None,
        Request(TokenPrompt((5,) * (context - 2)), ReadContinuation((7, 8, 9))): "1022 prompt tokens and 3 for the ans",
        Request(prompt, Generate(context - 2)): "exceed the context of 1024 tokens",
        Request(prompt, ReadLabels(("a", "b"), ((1,),))): "without their token ids",
        Request(prompt, ReadLabels(("a",), (tuple(range(129)),))): "129 tokens spell the labels",
    }
    for (request, said), outcome in zip(asked.items(), asyncio.run(backend.complete_all(list(asked))), strict=True):
        if said is None:
            assert len(outcome.logprobs) == 3, request
        else:
            assert isinstance(outcome, CallFailed)
            assert said in outcome.reason


def test_nothing_wanted_is_nothing_computed(backend, monkeypatch):
    monkeypatch.setattr(backend._engine, "add", None)
    prompt = TokenPrompt((1, 2, 3))
    nothing, unread, unwritten = asyncio.run(
        backend.complete_all(
            [
                Request(prompt, ReadContinuation(())),
                Request(prompt, ReadLabels(("a",), ((),))),
                Request(prompt, Generate(0)),
            ]
        )
    )
    assert nothing.logprobs == ()
    assert str(unread.logprobs) == "(nan,)"
    assert (unwritten.text, unwritten.finish_reason) == ("", "length")


def test_what_vllm_itself_refuses_is_a_failed_call(backend, monkeypatch):
    monkeypatch.setattr(backend, "_unfit", lambda *_: None)
    refused = asyncio.run(backend.complete(Request(TokenPrompt((1, 10**7)), Generate(3))))
    assert isinstance(refused, CallFailed)
    assert "out of vocabulary" in refused.reason


def test_messages_and_logits_are_refused_before_any_call(backend):
    with pytest.raises(CapabilityError, match="token ids"):
        asyncio.run(backend.complete(Request(ChatPrompt((Message("user", "a"),)), Generate(3))))
    with pytest.raises(CapabilityError, match="not logits"):
        asyncio.run(backend.complete(Request(TokenPrompt((1,)), ReadLabels(("a",), ((1,),), raw=True))))
