"""Fusion-in-Decoder and openings of the decoder, on a tiny T5: against encoder and decoder called one by one."""

import asyncio
import itertools
import json
import math

import pytest
import tiny_models

from rerankllm import Reranker
from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.calls import (
    CallFailed,
    EncoderPrompt,
    Generate,
    ReadContinuation,
    ReadLabels,
    Request,
    TokenPrompt,
    WriteLabels,
)
from rerankllm.data import Document
from rerankllm.errors import CapabilityError, InputError, TemplateError
from rerankllm.spec.stage import Stage

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

pytestmark = pytest.mark.slow

QUERY = "how long do fleas live?"
DOCS = [
    Document("a", "Fleas jump far."),
    Document("b", "A flea lives for\ntwo  months, " * 3, title="Fleas"),
    Document("c", "Dogs [1] bark."),
    Document("d", "cats"),
    Document("e", "A host for the fleas, three weeks on"),
]
LISTT5 = "Query: {q}, Index: {i}, Context: {d}"
LIT5 = "Search Query: {q} Passage: [{i}] {d} Relevance Ranking: "


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """LiT5's weights have the names that T5's have."""
    made = tiny_models.t5(tmp_path_factory.mktemp("t5") / "LiT5-Distill-tiny", words="BC123")
    return called(made, "FiD")


@pytest.fixture(scope="module")
def wrapped(folder, tmp_path_factory):
    """ListT5's name what wrapped the encoder when they were saved."""
    from safetensors.torch import load_file, save_file

    made = tiny_models.t5(tmp_path_factory.mktemp("t5") / "ListT5-tiny", words="BC123")
    renamed = {}
    for name, weights in load_file(made / "model.safetensors").items():
        inner = name.replace("encoder.", "encoder.encoder.", 1) if name.startswith("encoder.") else name
        if inner.startswith("encoder.encoder.block."):
            inner = inner.replace(".layer.", ".module.layer.", 1)
        renamed[inner] = weights
    renamed["encoder.encoder.embed_tokens.weight"] = renamed["shared.weight"].clone()
    assert len(renamed) > len(set(renamed) & set(load_file(folder / "model.safetensors"))) > 0
    save_file(renamed, made / "model.safetensors", metadata={"format": "pt"})
    return called(made, "FiDT5")


@pytest.fixture(scope="module")
def backend(folder):
    return HuggingFace(name=str(folder), threads=1)


@pytest.fixture(scope="module")
def plain(folder):
    """The model and its tokenizer by transformers alone."""
    return (
        transformers.T5ForConditionalGeneration.from_pretrained(folder).eval(),
        transformers.AutoTokenizer.from_pretrained(folder),
    )


def called(folder, architecture):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "architectures": [architecture]}))
    return folder


def states(model, texts):
    """What the encoder makes of each text by itself, one after the other."""
    with torch.inference_mode():
        found = [model.get_encoder()(torch.tensor([ids])).last_hidden_state[0] for ids in texts]
    return torch.cat(found)[None]


def following(model, encoded, decoded):
    """Log-probabilities of what follows these tokens in the decoder, which attends to all that was encoded."""
    with torch.inference_mode():
        hidden = model.get_decoder()(torch.tensor([decoded]), encoder_hidden_states=encoded).last_hidden_state
        if model.config.tie_word_embeddings:
            hidden = hidden * model.config.d_model**-0.5
        return model.lm_head(hidden)[0, -1].double().log_softmax(-1)


def complete(backend, *requests):
    return asyncio.run(backend.complete_all(requests))


TEXTS = ((40, 41, 42, 43), (50, 51), (60, 61, 62, 63, 64, 65, 66, 67, 68))
LABELS = ReadLabels(("x", "y"), ((30,), (31, 32)))


@pytest.mark.parametrize("opening", [(), (33,), (33, 34, 35)])
def test_log_probabilities_are_those_of_texts_encoded_apart(backend, plain, opening):
    model, _ = plain
    works = [
        Request(EncoderPrompt(TEXTS, opening), LABELS),
        Request(EncoderPrompt(TEXTS[:1], opening), LABELS),
        Request(EncoderPrompt(TEXTS[::-1], opening), ReadContinuation((36, 37))),
        Request(TokenPrompt(TEXTS[1]), LABELS),
    ]
    for work, response in zip(works, complete(backend, *works), strict=True):
        several = isinstance(work.prompt, EncoderPrompt)
        texts = work.prompt.texts if several else (work.prompt.ids,)
        encoded = states(model, [(*text, 1) for text in texts])
        decoded = [0, *(work.prompt.opening if several else ())]
        if isinstance(work.want, ReadContinuation):
            first, second = work.want.ids
            expected = [following(model, encoded, decoded)[first], following(model, encoded, [*decoded, first])[second]]
        else:
            found = following(model, encoded, decoded)
            expected = [found[30], found[[31, 32]].logsumexp(-1)]
        assert response.logprobs == pytest.approx([float(value) for value in expected], abs=1e-4)
        spent = len(work.want.ids) if isinstance(work.want, ReadContinuation) else 0
        assert response.usage.prompt_tokens == len(work.prompt.ids) + spent
    together = states(model, [(*itertools.chain(*TEXTS), 1)])  # which is not the same
    assert abs(float(following(model, together, [0, *opening])[30]) - complete(backend, works[0])[0].logprobs[0]) > 0.01


def test_text_is_the_likeliest_after_each_opening(backend, plain):
    """Prompts whose decoders open differently are asked at once."""
    model, tokenizer = plain
    openings = ((), (33,), (33, 34), (35,))
    works = [Request(EncoderPrompt(TEXTS, opening), Generate(6)) for opening in openings]
    for work, response in zip(works, complete(backend, *works), strict=True):
        encoded, written = states(model, [(*text, 1) for text in TEXTS]), []
        while len(written) < 6 and written[-1:] != [1]:
            written.append(int(following(model, encoded, [0, *work.prompt.opening, *written]).argmax()))
        assert response.text == tokenizer.decode(written, skip_special_tokens=True)
        assert response.usage.prompt_tokens == len(work.prompt.ids)


def likeliest_order(plain, texts, between, around=("", "")):
    """The order that greedy decoding writes where it may write orders of these texts only."""
    model, tokenizer = plain
    encoded = states(model, [tokenizer(text)["input_ids"] for text in texts])
    labels = [f"{around[0]}{number}{around[1]}" for number in range(1, len(texts) + 1)]
    orders = {
        tuple(tokenizer(between.join(order), add_special_tokens=False)["input_ids"]): order
        for order in itertools.permutations(labels)
    }
    written = ()
    while written not in orders:
        allowed = sorted({ids[len(written)] for ids in orders if ids[: len(written)] == written})
        found = following(model, encoded, [0, *written])
        written += (max(allowed, key=lambda token: float(found[token])),)
    return [labels.index(label) for label in orders[written]]


def shown(template):
    return [
        template.format(q=QUERY, i=i, d=doc.text if template is LIT5 else f"{doc.title} {doc.text}".strip())
        for i, doc in enumerate(DOCS, 1)
    ]


@pytest.mark.parametrize("strategy", [None, "full"])
def test_lit5_writes_the_order_of_passages_encoded_apart(folder, plain, strategy):
    with Reranker(strategy, model=f"hf:{folder}?threads=1") as reranker:
        spec = "sliding(window=20, stride=10" if strategy is None else "full("
        assert str(reranker.stage).startswith(spec)
        assert "text(prompt=lit5-distill" in str(reranker.stage)
        ranking = reranker.rerank(QUERY, DOCS)
    expected = likeliest_order(plain, shown(LIT5), " > ", ("[", "]"))
    assert [result.doc_id for result in ranking] == [DOCS[place].doc_id for place in expected]


@pytest.mark.parametrize("strategy", ["sliding", "tournament"])
def test_listt5_writes_the_best_last(wrapped, plain, strategy):
    """Its weights are those of the other model, under other names."""
    with Reranker(strategy, model=f"hf:{wrapped}?threads=1") as reranker:
        ranking = reranker.rerank(QUERY, DOCS)
    expected = likeliest_order(plain, shown(LISTT5), " ")[::-1]
    best = 1 if strategy == "tournament" else 5  # the next places are those of groups without the winners
    assert [result.doc_id for result in ranking][:best] == [DOCS[place].doc_id for place in expected][:best]


def test_listt5_plays_tournaments_by_itself(wrapped):
    with Reranker(model=f"hf:{wrapped}?threads=1") as reranker:
        assert str(reranker.stage) == (
            "tournament(m=5, winners=2, top_k=10) / text(prompt=listt5, max_tokens=none, constrained=true)"
        )
        ranking = reranker.rerank(QUERY, [Document(f"{i}", doc.text) for i, doc in enumerate(DOCS * 3)])
        assert len({result.doc_id for result in ranking}) == 15
        with pytest.raises(CapabilityError, match="was trained to choose among passages .* and put passages in order"):
            reranker.on(Stage.parse("pointwise"))


def test_long_passages_are_cut_each_by_itself(folder, backend, tmp_path):
    """LiT5's encoder reads 150 tokens of each, its last words and its end among them."""
    sent = []
    with Reranker("full", model=f"hf:{folder}?threads=1") as reranker:
        run = reranker.backend.run
        reranker.backend.run = lambda works: sent.extend(works) or run(works)
        reranker.rerank(QUERY, [Document("long", "fleas jump far " * 200), Document("short", "cats")])
    (request,) = sent
    long, short = request.prompt.texts
    assert len(short) < 60
    assert 140 < len(long) < 150
    assert backend.tokenizer.decode(long).endswith("Relevance Ranking:")
    assert isinstance(request.want, WriteLabels)


@pytest.mark.parametrize("strategy", ["setwise / labels(prompt=setwise-t5)", "prp / labels(prompt=prp-t5)"])
def test_the_letter_after_passage_in_the_decoder_decides(folder, plain, strategy):
    model, tokenizer = plain
    with Reranker(strategy, model=f"hf:{folder}?threads=1") as reranker:
        ranking = reranker.rerank(QUERY, DOCS[2:4])
    texts = [doc.text for doc in DOCS[2:4]]

    def first_is_better(pair):
        listed = "\n\n".join(f'Passage {letter}: "{text}"' for letter, text in zip("AB", pair, strict=True))
        setwise = f'Given a query "{QUERY}", which of the following passages is the most relevant one to the query?'
        pairwise = f'Given a query "{QUERY}", which of the following two passages is more relevant to the query?'
        prompt = (
            f"{setwise}\n\n{listed}\n\nOutput only the passage label of the most relevant passage:"
            if strategy.startswith("setwise")
            else f"{pairwise}\n\n{listed}\n\nOutput Passage A or Passage B:"
        )
        encoded = states(model, [tokenizer(prompt)["input_ids"]])
        spelled = [tokenizer(f"Passage {letter}", add_special_tokens=False)["input_ids"] for letter in "AB"]
        assert len(spelled[0]) == len(spelled[1])
        found = following(model, encoded, [0, *spelled[0][:-1]])
        return float(found[spelled[0][-1]] - found[spelled[1][-1]])

    difference = first_is_better(texts)
    if strategy.startswith("prp"):
        p_first, p_second = (1 / (1 + math.exp(-first_is_better(pair))) for pair in (texts, texts[::-1]))
        difference = p_first - p_second
    assert [result.doc_id for result in ranking] == (["c", "d"] if difference > 0 else ["d", "c"])


def test_what_an_encoder_cannot_read(backend):
    fits = backend.capabilities.context
    faults = {
        "the prompt is empty": EncoderPrompt(((40,), ())),
        f"{fits + 1} prompt tokens": EncoderPrompt(((40,), (41,) * (fits + 1))),
        "a token id is outside": EncoderPrompt(((40,),), (10**6,)),
    }
    for reason, prompt in faults.items():
        (outcome,) = complete(backend, Request(prompt, LABELS))
        assert isinstance(outcome, CallFailed)
        assert outcome.reason.startswith(reason)
    (outcome,) = complete(backend, Request(EncoderPrompt(((40,) * fits,) * 3), LABELS))
    assert not isinstance(outcome, CallFailed)  # each of which fits


def test_weights_that_are_wrapped_need_a_model_that_says_so(wrapped, tmp_path):
    from shutil import copytree

    other = called(copytree(wrapped, tmp_path / "t5"), "T5ForConditionalGeneration")
    with pytest.raises(InputError, match="its weights lack"):
        HuggingFace(name=str(other), threads=1)


def test_a_model_without_an_encoder_is_not_asked_so(tmp_path):
    made = tiny_models.qwen3(tmp_path / "plain", head="ForCausalLM")
    with pytest.raises(TemplateError, match="is for models with an encoder and a decoder"):
        Reranker("full / text(prompt=lit5-distill)", model=f"hf:{made}?threads=1")
