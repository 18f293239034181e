"""Tiny random models under published names, on every engine: what they are shown, and the number read off them."""

import importlib.util
import json
import math

import model_servers
import pytest
import tiny_models

from rerankllm import Reranker
from rerankllm.backends.token_estimate import EstimatedTokenizer
from rerankllm.calls import Capabilities
from rerankllm.data import Document, Query
from rerankllm.elicitation import cards
from rerankllm.elicitation.labels import of_documents
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Wanted
from rerankllm.spec.stage import Stage

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")
pytest.importorskip("gguf", reason="needs the extra `hf`")

pytestmark = pytest.mark.slow

QUERY = "how long do fleas live?"
DOCS = [
    Document("a", "Fleas jump far."),
    Document("b", "A flea lives for\ntwo  months.", title="Fleas"),
    Document("c", "Dogs [1] bark."),
]
ENGINES = [name for name, module in (("hf", "torch"), ("llamacpp", "llama_cpp"), ("vllm", "vllm"))
           if importlib.util.find_spec(module)]  # fmt: skip
SYSTEM = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
QWEN = SYSTEM + (
    "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n<Query>: {q}\n"
    "<Document>: {d}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)
MXBAI = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\nquery: {q}\ndocument: {d}\nYou are a search relevance expert who evaluates how well documents "
    "match search queries. For each query-document pair, carefully analyze the semantic relationship between them, "
    "then provide your binary relevance judgment (0 for not relevant, 1 for relevant).\nRelevance:<|im_end|>\n"
    "<|im_start|>assistant\n"
)
ZERANK = "<|im_start|>system\n{q}<|im_end|>\n<|im_start|>user\n{d}<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model as a folder and as a GGUF file, by its published name, neither of which is called so."""
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("plain") / "model"
            tiny_models.qwen3(folder, head="ForCausalLM", positions=1024, name=name)
            made[name] = (folder, tiny_models.gguf(folder, folder.parent / "any.gguf", name=name.replace("-", " ")))
        return made[name]

    return get


def expected(folder, text, read):
    """What transformers alone makes of a text: a number of its last logits, by token."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = model(**tokenizer(text, return_tensors="pt")).logits[0, -1]
    return read(
        {token: logits[tokenizer.convert_tokens_to_ids(token)].item() for token in ("yes", "no", "Yes", "1", "0")}
    )


def p_yes(logits):
    """The softmax over yes and no."""
    return 1 / (1 + math.exp(logits["no"] - logits["yes"]))


def spec(engine, folder, file, context=1024, more=""):
    options = {
        "hf": "threads=1",
        "llamacpp": f"threads=1&context={context}{more}",
        "vllm": "enforce_eager=true&dtype=float32&kv_cache_memory_bytes=67108864",
    }
    return f"{engine}:{file if engine == 'llamacpp' else folder}?{options[engine]}"


def ranked(reranker, strategy, docs):
    """What its own strategy, and then the one that is named, make of documents, on one engine."""
    yield reranker.rerank(QUERY, docs)
    named = reranker.on(Stage.parse(strategy))
    assert str(named.stage).split(" / ")[1] == str(reranker.stage).split(" / ")[1]
    yield named.rerank(QUERY, docs)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("Qwen/Qwen3-Reranker-0.6B", QWEN, p_yes),
        ("zeroentropy/zerank-2", ZERANK, lambda z: z["Yes"]),
        ("mixedbread-ai/mxbai-rerank-large-v2", MXBAI, lambda z: z["1"] - z["0"]),
    ],
)
def test_pointwise_models_are_read_as_their_authors_read_them(models, engine, name, text, read):
    folder, file = models(name)
    with Reranker(model=spec(engine, folder, file)) as reranker:
        results = [result for ranking in ranked(reranker, "pointwise", DOCS) for result in ranking]
    assert len(results) == 2 * len(DOCS)
    for result in results:
        doc = result.document
        shown = f"{doc.title} {doc.text}".strip()
        assert result.score == pytest.approx(expected(folder, text.format(q=QUERY, d=shown), read), abs=2e-3)


FIRST = (
    "[INST] You are RankLLM, an intelligent assistant that can rank passages based on their relevancy to the query\n "
    "I will provide you with 3 passages, each indicated by a alphabetical identifier []. Rank the passages based on "
    "their relevance to the search query: {q}.\n\n[A] Fleas jump far.\n[B] Title: Fleas Content: A flea lives for two "
    "months.\n[C] Dogs [1] bark.\nSearch Query: {q}.\nRank the 3 passages above based on their relevance to the search "
    "query. All the passages should be included and listed using identifiers, in descending order of relevance. "
    "The output format should be [] > [], e.g., [B] > [A], Only respond with the ranking results, do not say any "
    "word or explain.[/INST]["
)


@pytest.mark.parametrize("engine", ENGINES)
def test_first_orders_by_the_letters_of_one_place(models, engine):
    folder, file = models("castorini/first_mistral")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = model(**tokenizer(FIRST.format(q=QUERY), return_tensors="pt")).logits[0, -1]
    by_letter = {
        doc.doc_id: logits[tokenizer.convert_tokens_to_ids(x)].item() for x, doc in zip("ABC", DOCS, strict=True)
    }
    with Reranker(model=spec(engine, folder, file)) as reranker:
        assert str(reranker.stage).endswith("/ labels(prompt=first-mistral, prior=none)")
        for ranking in ranked(reranker, "full", DOCS):
            assert [result.doc_id for result in ranking] == sorted(by_letter, key=by_letter.get, reverse=True)


WRITTEN = {
    # Published names, what the model is taught to write, what else is likely at which place, and what is read.
    "Johnnyfans/TFRank-GRPO-Qwen3-0.6B": (
        ["yes", "(", "3"], {0: {"no": 8.0}, 2: {"2": 8.5, "4": 7.0}},
        lambda p: (p[0]["yes"] / (p[0]["yes"] + p[0]["no"])
                   + sum(p[2][str(g)] * g for g in range(5)) / sum(p[2][str(g)] for g in range(5)) / 4) / 2,
    ),
    "Alibaba-NLP/ERank-4B": (
        ["<think>", "a", "</think>", "<", "answer", *">10</", "answer", ">"], {6: {"8": 8.0}, 7: {"<": 7.5}},
        lambda p: 10 * p[6]["1"] * p[7]["0"],
    ),
    "jhu-clsp/rank1-0.5b": (
        ["a", "</think>", "\u0120", "true"], {3: {"false": 8.0}},
        lambda p: p[3]["true"] / (p[3]["true"] + p[3]["false"]),
    ),
}  # fmt: skip


def prompt_of(name, docs, **asked):
    """The whole text that a published model is shown for these documents; tests/elicitation holds cards to it."""
    card = cards.find([name])
    (kind,) = card.answers
    template = card.template(kind)
    can = Capabilities(generate=True, label_logprobs=20, text_prompts=True)
    labels = of_documents(template.labels, len(docs)) if isinstance(template.labels, str) else ("A",)
    builder = PromptBuilder(template, EstimatedTokenizer(), can)
    return builder.build(Query("q", QUERY), docs, labels, reserve=64, wanted=Wanted(**asked)).text


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A model by its published name that writes one answer behind one prompt, as a folder and as a GGUF file."""
    made = {}

    def get(name, answer, beside=None, docs=DOCS[:1], **asked):
        if name not in made:
            folder = tmp_path_factory.mktemp("taught") / "model"
            words = ("yes", "no", "true", "false", "answer", "passage")
            tiny_models.qwen3(folder, head="ForCausalLM", positions=16384, name=name, words=words)
            tiny_models.teach(folder, prompt_of(name, docs, **asked), answer, beside)
            file = tiny_models.gguf(folder, folder.parent / "any.gguf", name=name.replace("-", " "))
            made[name] = (folder, file)
        return made[name]

    return get


def shares(folder, text, answer):
    """The probabilities of all tokens at every place of an answer, by transformers alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    prompt, ids = tokenizer(text)["input_ids"], tokenizer.convert_tokens_to_ids(answer)
    with torch.inference_mode():
        found = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1].softmax(-1)
    return [{token: row[id_].item() for token, id_ in tokenizer.get_vocab().items()} for row in found]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_is_weighed_where_it_stands(taught, engine, name):
    answer, beside, read = WRITTEN[name]
    folder, file = taught(name, answer, beside)
    number = read(shares(folder, prompt_of(name, DOCS[:1]), answer))
    with Reranker(model=spec(engine, folder, file, 16384, "&precise=true")) as reranker:
        for (result,) in ranked(reranker, "pointwise", DOCS[:1]):
            assert result.score == pytest.approx(number, rel=1e-3)


@pytest.mark.skipif("llamacpp" not in ENGINES, reason="needs the extra `llamacpp`")
def test_llama_cpps_own_attention_rounds(taught):
    """It multiplies in float16; these models' last layers are ten times as large as any that is trained."""
    name = "Alibaba-NLP/ERank-4B"
    answer, beside, read = WRITTEN[name]
    folder, file = taught(name, answer, beside)
    number = read(shares(folder, prompt_of(name, DOCS[:1]), answer))
    with Reranker(model=spec("llamacpp", folder, file, 16384)) as reranker:
        (result,) = reranker.rerank(QUERY, DOCS[:1])
    assert result.score == pytest.approx(number, rel=2e-2)


NAMED = {
    "ielabgroup/Setwise-SFT-3B-v0.1": ([*"<", "answer", *">[2]</", "answer", ">"], "setwise", {}, "ba"),
    "ulab-ai/IRanker-3B": (["a", "</think>", "<", "answer", ">", "passage", "\u0120", *"0</", "answer", ">"],
                           "iranker", {"worst": True}, "ba"),
    "liuwenhan/reasonrank-8B": (["<think>", "a", "</think>", "<", "answer", *">[2]>[1]</", "answer", ">"],
                                "full", {}, "ba"),
}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_is_read_out_of_the_text(taught, engine, name):
    answer, strategy, asked, order = NAMED[name]
    folder, file = taught(name, answer, docs=DOCS[:2], **asked)
    with Reranker(model=spec(engine, folder, file, 16384)) as reranker:
        for ranking in ranked(reranker, strategy, DOCS[:2]):
            assert "".join(result.doc_id for result in ranking) == order


def lean_towards(folder, text, tokens):
    """Makes a model answer one of these tokens to texts like this one: a host tells the likeliest tokens only."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        state = model.model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, -1]
    for share, token in enumerate(tokens, 1):
        row = model.lm_head.weight.data[tokenizer.convert_tokens_to_ids(token)]
        row.copy_(0.2 * row + state * (3 - 0.1 * share) / state.norm())
    model.save_pretrained(folder)


@pytest.mark.skipif("vllm" not in ENGINES, reason="needs vLLM")
def test_vllms_server_is_sent_the_same_text(tmp_path):
    name, folder = "Qwen/Qwen3-Reranker-0.6B", tmp_path / "model"
    tiny_models.qwen3(folder, head="ForCausalLM", positions=1024)
    lean_towards(folder, QWEN.format(q=QUERY, d=DOCS[0].text), ("yes", "no"))
    with model_servers.vllm_of(folder, name, tmp_path) as url:
        for strategy in (None, "pointwise"):
            with Reranker(strategy, model=f"openai:{name}?base_url={url}") as reranker:
                assert str(reranker.stage) == "pointwise / labels(prompt=qwen3-reranker, prior=none)"
                assert reranker.backend.model.endswith("&api=completions")
                ranking = reranker.rerank(QUERY, DOCS)
            for result in ranking:
                shown = f"{result.document.title} {result.document.text}".strip()
                number = expected(
                    folder, QWEN.format(q=QUERY, d=shown), lambda z: 1 / (1 + math.exp(z["no"] - z["yes"]))
                )
                assert result.score == pytest.approx(number, abs=2e-3)


@pytest.mark.parametrize("words", [10, 80, 300])
def test_t5_takes_long_queries_and_cuts_the_passage(tmp_path, words):
    """The encoder has its 512 tokens for the prompt alone: the answer stands in the decoder."""
    folder = tiny_models.t5(tmp_path / "monot5-tiny")
    query, doc = " ".join(["fleas"] * words), Document("d", "dogs bark at strangers " * 200)
    with Reranker(model=f"hf:{folder}?threads=1") as reranker:
        assert str(reranker.stage) == "pointwise / labels(prompt=monot5, prior=none)"
        (result,) = reranker.rerank(query, [doc])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()
    passage = tokenizer(doc.text, add_special_tokens=False)["input_ids"]
    room = 512 - len(tokenizer(f"Query: {query} Document: Relevant:")["input_ids"])
    shown = tokenizer.decode(passage[:room])
    inputs = tokenizer(f"Query: {query} Document: {shown} Relevant:", return_tensors="pt")
    assert 505 < inputs["input_ids"].shape[1] <= 512
    with torch.inference_mode():
        logits = model(**inputs, decoder_input_ids=torch.tensor([[0]])).logits[0, -1]
    yes, no = (logits[tokenizer.convert_tokens_to_ids(token)].item() for token in ("▁true", "▁false"))
    assert result.score == pytest.approx(1 / (1 + math.exp(no - yes)), abs=1e-3)


def test_rankvicuna_needs_no_chat_template(tmp_path):
    folder = tiny_models.qwen3(tmp_path / "rank_vicuna_7b_v1", head="ForCausalLM", positions=2048)
    path = folder / "tokenizer_config.json"
    known = json.loads(path.read_text())
    known.pop("chat_template", None)
    path.write_text(json.dumps(known))
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    with Reranker("sliding", model=f"hf:{folder}?threads=1") as reranker:
        assert "text(prompt=rankvicuna" in str(reranker.stage)
        assert len(reranker.rerank(QUERY, DOCS)) == 3
