import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.borda import Borda
from rerankllm.elicitation.logprobs import Labels
from rerankllm.elicitation.text import Text
from rerankllm.errors import SpecError
from rerankllm.registry import AGGREGATIONS, ELICITATIONS, STRATEGIES
from rerankllm.spec.model import ModelSpec, without_folders
from rerankllm.spec.stage import Stage
from rerankllm.strategies.interpolate import Interpolate
from rerankllm.strategies.pointwise import Pointwise
from rerankllm.strategies.prp import Prp
from rerankllm.strategies.sliding import Sliding

WORDS = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
MODELS = st.one_of(
    st.none(),
    st.builds("{}:{}".format, WORDS, WORDS),
    st.builds("openai:{}?base_url=http://h:1/v1&seed=3".format, WORDS),
    st.text(min_size=1, max_size=12),
)
ELICITED = st.one_of(
    st.none(),
    st.builds(Labels, prompt=st.text(max_size=8)),
    st.builds(Text, prompt=WORDS, max_tokens=st.one_of(st.none(), st.integers(1, 10**6))),
)
LEAVES = st.one_of(
    st.builds(Sliding, window=st.integers(9, 99), stride=st.integers(1, 9), passes=st.integers(1, 9)),
    st.builds(Prp, sort=st.sampled_from(["allpair", "heap", "bubble"]), top_k=st.integers(1, 99)),
    st.just(Pointwise()),
)
STAGES = st.recursive(
    st.builds(Stage, LEAVES, ELICITED, MODELS),
    lambda inner: st.builds(Stage, st.builds(Interpolate, stage=inner, weight=st.floats(0, 1)), ELICITED, MODELS),
    max_leaves=3,
)


@pytest.mark.slow
@given(STAGES)
def test_the_printed_form_is_the_spec(stage):
    assert Stage.parse(str(stage)) == stage


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("sliding", "sliding(window=20, stride=10, passes=1)"),
        ("sliding(4, 2)", "sliding(window=4, stride=2, passes=1)"),
        (" sliding ( window = 4,stride=2, ) ", "sliding(window=4, stride=2, passes=1)"),
        ("sliding / labels", "sliding(window=20, stride=10, passes=1) / labels(prompt=default, prior=none)"),
        (
            "sliding/labels(prompt='my own.yaml')",
            "sliding(window=20, stride=10, passes=1) / labels(prompt='my own.yaml', prior=none)",
        ),
        (
            "prp(sort=heap, top_k=10) / labels(prompt=prp-demos) @ openai:gpt-x",
            (
                "prp(sort=heap, top_k=10, rounds=20, calibrate=logodds) / labels(prompt=prp-demos, prior=none) "
                "@ openai:gpt-x"
            ),
        ),
        (
            "interpolate(pointwise / likelihood, .25)",
            "interpolate(stage=pointwise / likelihood(prompt=default), weight=0.25)",
        ),
        ("pointwise @ 'llamacpp:a file (1).gguf'", "pointwise @ 'llamacpp:a file (1).gguf'"),
        ("text-free", None),
    ],
)
def test_forms(text, printed):
    if printed is None:
        with pytest.raises(SpecError):
            Stage.parse(text)
    else:
        assert str(Stage.parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slidng", "unknown strategy 'slidng'; did you mean 'sliding'?"),
        ("sliding(windw=3)", "sliding has no parameter 'windw'; did you mean 'window'? There are: window, stride"),
        ("sliding / lables", "unknown elicitation 'lables'; did you mean 'labels'?"),
        ("sliding(window=wide)", "sliding: window should be a whole number, found 'wide'"),
        ("sliding(window=2.5)", "sliding: window should be a whole number"),
        ("sliding(window=true)", "sliding: window should be a whole number"),
        ("sliding(window=3", "expected ',' or ')' at character 17, found nothing more"),
        ("sliding(window=3, window=4)", "'window' is given twice"),
        ("sliding(1, 2, 3, moved, 5)", "sliding takes 4 values, found 5"),
        ("sliding(stride=2, 3)", "expected name=value"),
        ("sliding sliding", "expected the end"),
        ("", "expected a name"),
        ("sliding @", "expected a model"),
        ("sliding /", "expected a name"),
        ("prp(sort=quick)", "prp: sort should be one of allpair, heap, bubble"),
        ("prp(top_k=0)", "prp: top_k should be at least 1"),
        ("sliding(window=1)", "window should be at least 2"),
        ("sliding(stride=0)", "stride should be from 1 to window=20, found 0"),
        ("sliding(window=5)", "stride should be from 1 to window=5, found 10"),
        ("sliding(passes=0)", "passes should be at least 1"),
        ("interpolate", "interpolate needs stage=…"),
        ("interpolate(stage=3)", "interpolate: stage should be a stage, found '3'"),
        ("interpolate(sliding, weight=2)", "weight should be from 0 to 1"),
        ("interpolate([sliding])", "should be a stage"),
    ],
)
def test_errors_say_what_and_what_would_work(text, message):
    with pytest.raises(SpecError) as caught:
        Stage.parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text())
def test_any_text_parses_or_says_why(text):
    try:
        stage = Stage.parse(text)
    except SpecError:
        return
    assert Stage.parse(str(stage)) == stage


def test_top_k_reaches_every_stage_that_has_one():
    assert str(Stage.parse("interpolate(prp(sort=bubble))").aiming(3)) == (
        "interpolate(stage=prp(sort=bubble, top_k=3, rounds=20, calibrate=logodds), weight=0.5)"
    )
    assert Stage.parse("sliding").aiming(3) == Stage.parse("sliding")


def test_models():
    spec = ModelSpec.parse("openai:org/some-model:free?base_url=http://h/v1&temperature=0.5")
    assert (spec.kind, spec.name) == ("openai", "org/some-model:free")
    assert spec.options == {"base_url": "http://h/v1", "temperature": "0.5"}
    for bad in ("gpt-4", "opnai:x", "openai:x?seed"):
        with pytest.raises(SpecError):
            ModelSpec.parse(bad)


def test_unknown_model_options_say_which_exist(tmp_path):
    qrels = tmp_path / "qrels"
    qrels.write_text("q 0 d 1\n")
    with pytest.raises(SpecError, match="oracle: has no option 'seed'"):
        ModelSpec.parse(f"oracle:{qrels}?seed=1").load()
    with pytest.raises(SpecError, match="openai: has no option 'base_ulr'; did you mean 'base_url'"):
        ModelSpec.parse("openai:x?base_ulr=http://h").load()
    with pytest.raises(SpecError, match="option 'concurrency' should be a whole number, found 'many'"):
        ModelSpec.parse("openai:x?concurrency=many").load()


def test_everything_registered_loads():
    for registry in (STRATEGIES, ELICITATIONS, AGGREGATIONS):
        for name in registry:
            assert registry.name_of(registry[name]) == name


@dataclass(frozen=True)
class Combined(Pointwise):
    """A strategy of one's own, with every kind of parameter there is."""

    stages: tuple[Stage, ...]
    depths: tuple[int, ...] = (100, 20)
    aggregate: Aggregation = Borda()  # noqa: RUF009


def test_a_strategy_of_ones_own_is_one_registration():
    STRATEGIES.register("combined", Combined)
    try:
        stage = Stage.parse(
            "combined([pointwise / likelihood, prp(top_k=5) @ openai:x], depths=[50, 10], aggregate=rrf)"
        )
        printed = (
            "combined(stages=[pointwise / likelihood(prompt=default), "
            "prp(sort=heap, top_k=5, rounds=20, calibrate=logodds) @ openai:x], depths=[50, 10], aggregate=rrf(k=60))"
        )
        assert str(stage) == printed
        assert Stage.parse(printed) == stage
        assert "top_k=3" in str(stage.aiming(3))
        with pytest.raises(SpecError, match="combined: stages should be a"):
            Stage.parse("combined(pointwise)")
        with pytest.raises(SpecError, match="unknown aggregation 'mean'"):
            Stage.parse("combined([pointwise], aggregate=mean)")
    finally:
        del STRATEGIES._entries["combined"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("gpt-4o-mini", "openai:gpt-4o-mini"),
        ("openai/gpt-4o?temperature=none", "openai:gpt-4o?temperature=none"),
        ("opnai:gpt-4o", "openai:gpt-4o"),
        ("o3", "openai:o3"),
        ("claude-sonnet-4-5", "openai:claude-sonnet-4-5"),
        ("Qwen/Qwen3-8B", "hf:Qwen/Qwen3-8B"),
        ("models/qwen.gguf", "llamacpp:models/qwen.gguf"),
        ("cross-encoder/ms-marco-MiniLM-L6-v2", "cross-encoder:cross-encoder/ms-marco-MiniLM-L6-v2"),
    ],
)
def test_the_kind_that_was_probably_meant_is_named(given, meant):
    with pytest.raises(SpecError, match=re.escape(f"did you mean '{meant}'?")):
        ModelSpec.parse(given)
    with pytest.raises(SpecError) as caught:
        ModelSpec.parse("whatever")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    "model, shown",
    [
        ("llamacpp:/home/me/models/q.gguf?type=f16", "llamacpp:q.gguf?type=f16"),
        ("hf:~/m/tiny?adapter=/mnt/x/lora&dtype=auto", "hf:tiny?adapter=lora&dtype=auto"),
        (r"llamacpp:C:\models\q.gguf", "llamacpp:q.gguf"),
        ("openai:m?base_url=http://127.0.0.1:80/v1", "openai:m?base_url=http://127.0.0.1:80/v1"),
        ("hf:Qwen/Qwen3-Reranker-0.6B", "hf:Qwen/Qwen3-Reranker-0.6B"),
        ("embed:minilm", "embed:minilm"),
    ],
)
def test_folders_of_a_machine_are_left_out(model, shown):
    assert without_folders(model) == shown
