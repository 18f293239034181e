"""Text that is drawn: as likely as it should be, the same again for the same judgement, and told to every engine."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import tiny_models
from word_tokenizer import WordTokenizer

from rerankllm import Reranker
from rerankllm.backends.drawing import Chance
from rerankllm.backends.openai.request import Poster
from rerankllm.calls import Capabilities, ChatPrompt, Draw, Generate, Message, Request, Sample, TokenPrompt
from rerankllm.data import Document, Query
from rerankllm.drivers.unusable import sampled
from rerankllm.elicitation import cards
from rerankllm.elicitation.base import PromptSettings
from rerankllm.errors import SpecError, TemplateError
from rerankllm.judgements import Permute
from rerankllm.spec.stage import Stage, parse_elicitation

LOGITS = np.array([2.0, 1.0, 0.0, -1.0, -9.0], dtype=np.float32)
WRITES = Capabilities(generate=True)
QUERY = Query("q", "how long do fleas live")
DOCS = tuple(Document(str(n), f"passage {n}") for n in range(3))


@pytest.mark.parametrize(("temperature", "top_p", "kept"), [(1.0, 1.0, 5), (0.5, 1.0, 5), (2.0, 0.8, 3), (1.0, 0.1, 1)])
def test_tokens_are_drawn_as_often_as_they_are_likely(temperature, top_p, kept):
    likely = np.exp(LOGITS / temperature) * (np.arange(len(LOGITS)) < kept)
    chance = Chance(Draw(1, seed=3, temperature=temperature, top_p=top_p))
    drawn = np.bincount([chance.next(LOGITS) for _ in range(4000)], minlength=len(LOGITS)) / 4000
    assert drawn == pytest.approx(likely / likely.sum(), abs=0.03)
    assert not drawn[kept:].any()


def prepared(elicitation, docs=DOCS):
    """What is wanted of a model that is asked so."""
    asked = Permute(QUERY, docs)
    return parse_elicitation(elicitation).bind(Permute, WordTokenizer(), WRITES, PromptSettings()).prepare(asked).want


def test_a_card_says_how_its_models_answers_are_drawn():
    elicitation = cards.load("dear-listwise").elicitation("permute")
    want = prepared(elicitation)
    assert isinstance(want, Draw)
    assert (want.temperature, want.top_p) == (0.5, 0.9)
    assert prepared(elicitation) == want
    assert prepared(elicitation, DOCS[::-1]).seed != want.seed
    assert type(prepared(elicitation.replace(")", ", temperature=0)"))) is Generate
    assert type(prepared("reasoning(prompt=reasoning)")) is Generate
    assert prepared("reasoning(prompt=reasoning, temperature=0.7)").temperature == 0.7


def test_what_is_asked_again_is_drawn_anew():
    request = Request(ChatPrompt((Message("user", "x"),)), Draw(9, seed=5, temperature=0.5))
    assert sampled(request).want == replace(request.want, seed=6)


def test_specs_read_as_before():
    assert "temperature" not in str(Stage.parse("sliding / reasoning(budget=9)"))
    assert "temperature=0.5" in str(Stage.parse("sliding / reasoning(temperature=0.5)"))
    with pytest.raises(SpecError, match="temperature should be at least 0"):
        parse_elicitation("reasoning(temperature=-1)")


def test_only_thoughts_are_drawn():
    text = (
        "description: d\nmodels: [m]\nsource: [s]\nlicence: l\nsampling: {temperature: 1}\n"
        "answers:\n  score:\n    elicitation: labels\n    completion: '{{ query }}{{ doc.text }}'\n"
        "    labels: [{text: a, value: 1}]"
    )
    with pytest.raises(TemplateError, match="sampling is for answers by reasoning"):
        cards.parse("new", text)


@pytest.mark.parametrize(
    ("told", "want", "sent"),
    [
        (0.0, Draw(9, temperature=0.5, top_p=0.9), {"temperature": 0.5, "top_p": 0.9}),
        (0.0, Draw(9, temperature=0.5), {"temperature": 0.5}),
        (0.7, Draw(9, temperature=0.5, top_p=0.9), {"temperature": 0.7}),
        (None, Draw(9, temperature=0.5, top_p=0.9), {}),
        (0.7, Sample(9), {"temperature": 1.0}),
        (0.7, Generate(9), {"temperature": 0.7}),
    ],
)
def test_hosts_are_told_unless_the_user_says_otherwise(told, want, sent):
    poster = Poster("m", sampling={"temperature": told})
    body = poster.body(Request(ChatPrompt((Message("user", "x"),)), want))
    assert {key: body[key] for key in ("temperature", "top_p") if key in body} == sent


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "module"), [("hf", "torch"), ("llamacpp", "llama_cpp")])
def test_engines_here_draw_the_same_again(tmp_path, engine, module):
    for needed in (module, "transformers", "gguf"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"needs {needed}")
    folder = tiny_models.qwen3(tmp_path / "m", head="ForCausalLM", positions=1024)
    path = folder if engine == "hf" else tiny_models.gguf(folder, tmp_path / "m.gguf", name="m")
    with Reranker(model=f"{engine}:{path}?threads=1") as reranker:
        backend = reranker.backend
        prompt = TokenPrompt(backend.tokenizer.encode("how long do fleas live"))
        hot = [Draw(12, temperature=9.0, seed=seed) for seed in (1, 2, 1)]
        wants = [Generate(12), Draw(12, temperature=1e-4), *hot, Draw(12, top_p=1e-6)]
        greedy, cold, one, two, again, narrow = (r.text for r in backend.run([Request(prompt, w) for w in wants]))
    assert greedy == cold == narrow
    assert one == again
    assert len({greedy, one, two}) == 3
