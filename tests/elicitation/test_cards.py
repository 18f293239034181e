"""Cards of published rerankers: each loads, is found by its models' names, and renders what its authors' code does."""

import json
import math
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from word_tokenizer import WordTokenizer

from rerankllm.calls import (
    NO_FLAGS,
    Capabilities,
    ChatPrompt,
    OrderVectors,
    ReadAttention,
    Reading,
    ReadLabels,
    ReadSimilarities,
    Response,
)
from rerankllm.data import Document, Query
from rerankllm.elicitation import cards
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.labels import letters, numbers
from rerankllm.elicitation.ordered import parse_ordered
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import SEAM, THE_BEST, Order
from rerankllm.elicitation.templates import load
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.judgements import Compare, Grade, Permute, Score, Select, Status, WeakOrder
from rerankllm.spec.stage import Stage, parse_elicitation

GOLDEN = Path(__file__).parents[1] / "golden" / "cards"
PUBLISHED = Path(__file__).parents[3] / "shared" / "golden"
QUERY = Query("q", "how long do fleas live")
DOCS = [
    Document("A", "Fleas jump far."),
    Document("B", "A flea lives for two or three months."),
    Document("C", "Dogs [1] bark  at strangers.\nOften.", title="Pets"),
]
CHAT = Capabilities(generate=True, label_logprobs=20, opened_chats=True)
TEXT = Capabilities(generate=True, label_logprobs=20, text_prompts=True)
HERE = Capabilities(
    generate=True,
    label_logprobs=1000,
    logits=True,
    token_prompts=True,
    context=40960,
    constrained=True,
    lists=frozenset({ReadSimilarities, ReadAttention, OrderVectors}),
)
SHOWN = {"score": 1, "compare": 2}
WORDS = WordTokenizer()


def prompt(card, kind, capabilities, docs, query=QUERY, instruction=None, **settings):
    """What a card shows a backend that can do these."""
    template = cards.load(card).template(kind)
    labels = numbers(len(docs)) if template.labels == "numbers" else letters(len(docs))
    builder = PromptBuilder(template, WORDS, capabilities, instruction, **settings)
    return builder.build(query, docs, labels, reserve=10)


def shown(card, kind, docs=DOCS, instruction=None):
    """The text that a card makes of documents, or its messages where the chat format is the model's own."""
    template = cards.load(card).template(kind)
    whole = template.completion or template.form.chat_template
    if template.apart or template.decoder:
        texts, opening = encoded(card, kind, docs, instruction)
        return "\n".join([*texts, *([f"=== decoder\n{opening}"] if opening else [])])
    made = prompt(card, kind, TEXT if whole else CHAT, docs, instruction=instruction)
    if isinstance(made, ChatPrompt):
        return [{"role": message.role, "content": message.content} for message in made.messages]
    return made.text


def encoded(card, kind, docs=DOCS, instruction=None, **settings):
    """What a card shows an encoder, text by text, and what the decoder starts with."""
    made = prompt(card, kind, replace(HERE, separate_decoder=True), docs, instruction=instruction, **settings)
    return [WORDS.decode(ids).removeprefix("<bos>") for ids in made.texts], WORDS.decode(made.opening)


def everything(name):
    """Everything that a card shows, as one text."""
    card = cards.load(name)
    found = []
    for kind, template in card.prompts.items():
        for instruction in (None, "Prefer numbers.") if template.instructed else (None,):
            made = shown(name, kind, DOCS[-1:] if kind == "score" else DOCS[-SHOWN.get(kind, 3) :], instruction)
            text = made if isinstance(made, str) else "\n".join(f"=== {m['role']}\n{m['content']}" for m in made)
            found.append(f"###### {kind}\n{text}")
    if card.pair:
        found.append("###### pair\n" + "\n---\n".join(card.texts(QUERY.text, DOCS[-1])))
    if card.late:
        late, how = card.late, card.treatment
        texts = f"{late.query}{QUERY.text}\n---\n{late.document}{how.document(DOCS[-1])}"
        told = f"expansion: {late.expansion}\nskip: {late.skip}\ncut: {how.query_cut} {how.passage_cut}"
        found.append(f"###### late\n{texts}\n{told}")
    return "\n".join([*found, card.cannot]).strip()


@pytest.mark.parametrize("name", cards.names())
def test_every_card_says_what_it_shows(name):
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{everything(name)}\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == f"{everything(name)}\n"


@pytest.mark.parametrize("name", cards.names())
def test_every_card_is_complete(name):
    card = cards.load(name)
    assert card.description
    assert card.source
    assert card.licence
    strategy = Stage.parse(card.strategy).strategy
    for kind in card.answers:
        assert parse_elicitation(card.elicitation(kind)).prompt == name
        assert load(kind, name) is card.template(kind)
    if card.answers:
        assert {asked.__name__.lower() for asked in strategy.asks} <= set(card.answers)
    for pattern in card.models:
        published = pattern.replace("*", "7b", 1).replace("*", "")
        assert cards.find([published]) is card
        assert cards.find([f"/models/{published.rpartition('/')[2].upper()}-Q4_K_M.gguf"]) in (card, None)


@pytest.mark.parametrize(
    ("names", "card"),
    [
        (["castorini/monot5-base-msmarco"], "monot5"),
        (["/models/MonoT5-3B-med/"], "monot5"),
        (["Qwen/Qwen3-Reranker-0.6B"], "qwen3-reranker"),
        (["tomaarsen/Qwen3-Reranker-0.6B-seq-cls"], "qwen3-reranker-seq-cls"),
        (["/models/Qwen3-Reranker-4B-Q4_K_M.gguf"], "qwen3-reranker"),
        (["/models/x.gguf", "Qwen3 Reranker 0.6B"], "qwen3-reranker"),
        (["castorini/rank_vicuna_7b_v1_noda"], "rankvicuna"),
        (["zeroentropy/zerank-1-small-reranker"], "zerank"),
        (["BAAI/bge-reranker-v2-gemma"], "bge-reranker-v2-gemma"),
        (["BAAI/bge-reranker-v2-m3"], "bge-reranker"),
        (["liuwenhan/reasonrank-7B"], "reasonrank"),
        (["lightonai/LateOn-Code-edge"], "moderncolbert"),
        (["/models/GTE_ModernColBERT-v1"], "moderncolbert"),
        (["LiquidAI/LFM2.5-ColBERT-350M-GGUF"], "late-remote-code"),
        (["mixedbread-ai/mxbai-edge-colbert-v0-17m"], "mxbai-edge-colbert"),
        (["Qwen/Qwen3-0.6B"], None),
        (["monot5-fans/other-model"], None),
    ],
)
def test_models_are_found_by_their_names(names, card):
    found = cards.find(names)
    assert (found and found.name) == card


def test_names_that_say_they_rerank():
    assert cards.looks_like_a_reranker(["me/my-Reranker-2B"])
    assert cards.looks_like_a_reranker(["Alibaba-NLP/ERank-4B"])
    assert not cards.looks_like_a_reranker(["bofenghuang/vigogne-frank-7b", "Qwen/Qwen3-8B"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour: red", "card own: unknown ['colour']; a card has answers, "),
        ("description: d", "card own needs either answers, or a line `cannot`"),
        ("answers: {score: {elicitation: text, completion: x}}", "card own: KeyError 'description'"),
        ("answers: {guess: {}}", "unknown ['guess']"),
        ("{HEAD}answers: {score: {completion: x}}", "KeyError 'elicitation'"),
        ("{HEAD}answers: {score: {elicitation: text, completion: x, words: 3}}", "unknown ['words']"),
        ("{HEAD}text: {spaces: some}\nanswers: {pair: {}}", "spaces should be fold, keep, lines, strip; found 'some'"),
        ("{HEAD}cut: {passage: many}\nanswers: {pair: {}}", "a cut should read like '300 words'"),
        ("{HEAD}answers: {pair: {three: x}}", "card own: TypeError"),
        ("{HEAD}answers: {late: {query: a}}", "card own: TypeError"),
        (
            "{HEAD}answers: {late: {query: a, document: b, expansion: some}}",
            "expansion should be none, attended, apart",
        ),
    ],
)
def test_malformed_cards_say_so_in_a_line(text, message):
    head = "description: d\nmodels: []\nsource: []\nlicence: x\n"
    with pytest.raises(TemplateError) as caught:
        cards.parse("own", text.replace("{HEAD}", head))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_told_about_a_model_is_no_part_of_its_keys():
    text = (
        "description: {}\nmodels: []\nsource: []\nlicence: x\nanswers: {{score: {{elicitation: text, completion: {}}}}}"
    )
    one, told, asked = (
        cards.parse("own", text.format(*words)).template("score").sha256 for words in ("ax", "bx", "ay")
    )
    assert one == told != asked


def test_flags_reach_the_models_own_chat_template():
    class Flagged(WordTokenizer):
        def chat(self, messages, flags=NO_FLAGS, /):
            return f"{super().chat(messages)}{'' if flags['enable_thinking'] else '<no thought>'}"

    text = "description: d\nmodels: []\nsource: []\nlicence: x\nchat_flags: {enable_thinking: false}\n"
    text += "answers: {score: {elicitation: text, messages: [{user: '{{ doc.text }}'}]}}"
    builder = PromptBuilder(cards.parse("own", text).template("score"), Flagged(), HERE)
    ids = builder.build(QUERY, DOCS[:1], ["A"], reserve=1).ids
    assert builder.tokenizer.decode(ids).endswith("assistant\n<no thought>")


# Renderings made independently of this project, by other code; see `expected` in each file.
EXPECTED = {
    "bge-reranker-v2-minicpm-layerwise": (),  # refused here, like the next three
    "bge-reranker-v2.5-gemma2-lightweight": (),
    "jina-reranker-m0": (),
    "qwen3-vl-reranker": (),
    "cross-encoder-pair": (("bge-reranker", "pairs"),),
    "dear-listwise": (("dear-listwise", "messages"),),
    "duot5": (("duot5", "text_A_then_B"),),
    "fullrank": (("fullrank", "text"),),
    "grouprank": (("grouprank", "text"), ("grouprank", "messages")),
    "jina-reranker-v3": (("jina-reranker-v3", "text"), ("jina-reranker-v3", "text_instruction_user")),
    "lighton-rerank-lw": (("lighton-rerank-lw", "text_0.8B_2B"), ("lighton-rerank-lw-4b", "text_4B")),
    "listt5": (("listt5", "encoder_texts"),),
    "lit5-score": (("lit5-score", "encoder_texts"),),
    "llama-nemotron-rerank-1b-v2": (("llama-nemotron-rerank", "text"),),
    "monot5": (("monot5", "text"),),
    "mxbai-rerank-v2": (("mxbai-rerank-v2", "text"), ("mxbai-rerank-v2", "text_instruction_user")),
    "pairwise-prp": (("prp", "text_A_first"), ("prp", "text_B_first")),
    "pe-rank": (("pe-rank", "messages"), ("pe-rank", "encoder_texts")),
    "prism-reranker": (("prism-reranker", "text"),),
    "qwen3-reranker": (("qwen3-reranker", "text"), ("qwen3-reranker", "text_instruction_user")),
    "qwen3-reranker-seq-cls": (("qwen3-reranker-seq-cls", "text"),),
    "rank-k": (("rank-k", "messages"),),
    "rank-r1-v0.1": (("rank-r1", "text"), ("rank-r1", "messages")),
    "rank-r1-v0.2": (("rank-r1-v0.2", "text"), ("rank-r1-v0.2", "messages")),
    "rankgpt": (("rankgpt", "messages"),),
    "rankt5": (("rankt5", "text"),),
    "rankvicuna": (("rankvicuna", "text"),),
    "rankzephyr": (("rankzephyr", "text"), ("rankzephyr", "messages")),
    "setwise": (("setwise", "text"),),
    "tfrank": (("tfrank", "text"),),
}
"""For each file of ../shared/golden the cards and what is in it of them."""


def rendered(card, key):
    """What a card shows, in the form of a published rendering."""
    found = cards.load(card)
    if found.pair is not None:
        texts = [list(found.texts(QUERY.text, doc)) for doc in DOCS]
        return texts if key == "pairs" else [text for (text,) in texts]
    kind = found.answers[-1]
    if key == "encoder_texts":
        template = found.template(kind)
        return encoded(card, kind)[0] if template.apart else list(PromptBuilder(template, WORDS, TEXT).texts(DOCS))
    if key == "messages":
        return [{"role": turn.role, "content": turn.content} for turn in prompt(card, kind, CHAT, DOCS).messages]
    if key == "text_instruction_user":
        return shown(card, kind, DOCS[:1], "Find pet facts.")
    if kind == "score":
        return [shown(card, kind, [doc]) for doc in DOCS]
    docs = DOCS[: SHOWN.get(kind, 3)]
    made = shown(card, kind, docs[::-1] if key == "text_B_first" else docs)
    return made[0]["content"] if isinstance(made, list) else made


def test_every_published_rendering_has_its_cards():
    if not PUBLISHED.is_dir():
        pytest.skip("needs ../shared/golden beside the project")
    assert {path.stem for path in PUBLISHED.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize(
    ("family", "card", "key"), [(family, *each) for family, several in EXPECTED.items() for each in several]
)
def test_as_published(family, card, key):
    assert rendered(card, key) == published(family)["expected"][key]


def published(family):
    """What a published rendering has."""
    path = PUBLISHED / f"{family}.json"
    if not path.is_file():
        pytest.skip("needs ../shared/golden beside the project")
    return json.loads(path.read_text(encoding="utf-8"))


def test_listt5_selects_by_the_words_it_orders_by():
    assert encoded("listt5", "select") == encoded("listt5", "permute")


@pytest.mark.parametrize(
    ("card", "kind", "family", "key"),
    [("setwise-t5", "select", "setwise", "text"), ("prp-t5", "compare", "pairwise-prp", "text_A_first")],
)
def test_the_zero_shot_words_for_t5_open_the_decoder(card, kind, family, key):
    expected = published(family)["expected"]
    elicitor = parse_elicitation(cards.load(card).elicitation(kind)).bind(
        {"select": Select, "compare": Compare}[kind],
        WORDS,
        replace(HERE, separate_decoder=True),
        PromptSettings(),
    )
    docs = tuple(DOCS[: SHOWN.get(kind, 3)])
    request = elicitor.prepare(Select(QUERY, docs) if kind == "select" else Compare(QUERY, *docs))
    (text,) = request.prompt.texts
    assert WORDS.decode(text).removeprefix("<bos>") == expected[key]
    assert f"<pad> {WORDS.decode(request.prompt.opening)}" == expected["t5_decoder_start"]
    assert [WORDS.decode(ids) for ids in request.want.ids] == [f" {letter}" for letter in "ABC"[: len(docs)]]


@pytest.mark.parametrize(
    ("kind", "worst", "expected"), [("select", False, "E B"), ("select", True, "C A"), ("permute", False, "E B D A C")]
)
def test_listt5_writes_the_best_last(kind, worst, expected):
    """`worked_example` in ../shared/golden/listt5.json: the answer reads 3 1 4 2 5."""
    docs = tuple(Document(name, f"Passage {name}.") for name in "ABCDE")
    judgement = Select(QUERY, docs, 2, worst) if kind == "select" else Permute(QUERY, docs, 2)
    elicitor = parse_elicitation(cards.load("listt5").elicitation(kind)).bind(
        type(judgement), WORDS, replace(HERE, separate_decoder=True), PromptSettings()
    )
    want = elicitor.prepare(judgement).want
    assert (want.count, want.between) == (5, " ")  # all of them, whatever is wanted
    answer, report = elicitor.read(judgement, Response(text="3 1 4 2 5"))
    assert report.status is Status.PARSED
    assert " ".join(answer if kind == "select" else answer.ranked) == expected


@pytest.mark.parametrize(
    ("text", "places", "repairs"),
    [
        ("3 1 2", (1, 0, 2), {}),
        ("1 2 3", (2, 1, 0), {}),  # in the order shown, which is an order as any is
        ("3 3 7", (2,), {"unknown": 1, "repeated": 1, "missing": 2}),
        ("none", (), {"no label": 1}),
        ("", (), {"no label": 1}),
    ],
)
def test_bare_orders(text, places, repairs):
    found, report = parse_ordered(text, numbers(3), Order(worst_first=True))
    assert (found, dict(report.repairs)) == (places, repairs)


@pytest.mark.parametrize(
    ("text", "decode", "order", "status"),
    [
        ("2 3 1", None, "B C A", Status.PARSED),  # `worked_example` in ../shared/golden/pe-rank.json
        ("2", 1, "B", Status.PARSED),
        ("2 9", None, "B", Status.REPAIRED),
        ("", None, None, Status.FAILED),
    ],
)
def test_pe_rank_writes_the_passages_one_after_the_other(text, decode, order, status):
    elicitor = parse_elicitation("vectors").bind(Permute, WORDS, HERE, PromptSettings())
    judgement = Permute(QUERY, tuple(DOCS), decode)
    request = elicitor.prepare(judgement)
    assert request.want == OrderVectors(decode or 3)
    assert request.prompt.ids.count(request.prompt.marker) == 3
    answer, report = elicitor.read(judgement, Response(text=text))
    assert report.status is status
    if order is not None:
        assert " ".join(answer.ranked) == order
        assert set(answer.omitted) == {doc.doc_id for doc in DOCS} - set(answer.ranked)


def test_what_needs_an_encoder_is_refused_elsewhere():
    with pytest.raises(TemplateError, match="template permute/listt5 is for models with an encoder"):
        prompt("listt5", "permute", HERE, DOCS)
    elicit = parse_elicitation("similarity")
    with pytest.raises(CapabilityError, match="such as hf:jinaai/jina-reranker-v3"):
        elicit.bind(Permute, WORDS, replace(HERE, lists=frozenset()), PromptSettings())
    with pytest.raises(TemplateError, match="template permute/rankgpt has no markers"):
        parse_elicitation("similarity(prompt=rankgpt)").bind(Permute, WORDS, HERE, PromptSettings())
    for elicitation in ("attention", "vectors"):
        with pytest.raises(CapabilityError, match="this is none"):
            parse_elicitation(elicitation).bind(Permute, WORDS, TEXT, PromptSettings())
        with pytest.raises(CapabilityError, match=f"'{elicitation}' does not elicit Score"):
            parse_elicitation(elicitation).bind(Score, WORDS, HERE, PromptSettings())


@pytest.mark.parametrize(
    ("family", "key"), [("mxbai-rerank-v2", "segments"), ("bge-reranker-v2-minicpm-layerwise", "")]
)
def test_texts_are_tokenized_apart_where_their_authors_do(family, key):
    """The layerwise model cannot be asked here; its sister's words are the same."""
    path = PUBLISHED / f"{family}.json"
    if not path.is_file():
        pytest.skip("needs ../shared/golden beside the project")
    expected = json.loads(path.read_text(encoding="utf-8"))["expected"]
    card = "mxbai-rerank-v2" if key else "bge-reranker-v2-gemma"
    builder = PromptBuilder(cards.load(card).template("score"), WordTokenizer(), HERE)
    texts = {"query": QUERY.text, "instruction": ""}
    (sent,) = builder._whole.fill(builder._skeleton(("A",), THE_BEST), texts, DOCS[:1], 1)
    assert [part for part in sent.split(SEAM) if part] == (expected[key][0] if key else expected["segments_first"])


ANSWERS = {
    # What authors' own code reads of such answers; `worked_example` in ../shared/golden, where there is one.
    "rankgpt": ("[2] > [3] > [1]", "B C A"),
    "rankzephyr": ("[2] > [3] > [1]", "B C A"),
    "dear-listwise": ("<think>Two is best.</think>\n[2] > [3] > [1]", "B C A"),
    "reasonrank": ("<think> First [1], then [3]. </think>\n<answer> [2] > [3] > [1] </answer>", "B C A"),
    "reasonrank-8b": ("<think>\nFirst [1], then [3].\n</think>\n\n<answer> [2] > [3] > [1] </answer>", "B C A"),
    "rearank": ("<think> [1] is off.\n</think>\n<answer> [2] > [3] > [1] </answer>", "B C A"),
    "rank-k": ("<think>\nhm\n</think>\n\n[2] > [3] = [1]", "B A=C"),
    "rank-r1": ("<think> [1] or [3]? </think> <answer>[2]</answer>", "B"),
    "rank-r1-v0.2": ("<think> [1] or [3]? </think>\n<answer>[2]</answer>", "B"),
    "setwise-sft": ("<answer>[2]</answer>", "B"),
    "iranker": ("Passage 1 is on point, passage 0 is not.\n</think>\n<answer> passage 2 </answer>", "C"),
    "lighton-rerank-lw": ("[2] > [3] > [1]", "B C A"),
    "grouprank": (
        '<reason>\n[1] jumps, 10 of it.\n</reason>\n<answer>\n```json\n{"[1]": 5, "[2]": 9, "[3]": 0}\n```\n</answer>',
        (5.0, 9.0, 0.0),
    ),
}


def judge(name, capabilities=HERE):
    """The elicitor of a card's one answer, and a judgement of all documents."""
    (kind,) = cards.load(name).answers
    judgement = {"score": Score, "compare": Compare, "select": Select, "permute": Permute, "grade": Grade}[kind]
    if kind == "select" and cards.load(name).template(kind).asks == "worst":
        judgement = partial(Select, worst=True)
    documents = (DOCS[0],) if kind == "score" else tuple(DOCS[:2]) if kind == "compare" else (tuple(DOCS),)
    elicitation = parse_elicitation(cards.load(name).elicitation(kind))
    asked = judgement(QUERY, *documents)
    return elicitation.bind(type(asked), WordTokenizer(), capabilities, PromptSettings()), asked


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_read_as_their_authors_read_them(name):
    text, expected = ANSWERS[name]
    elicitor, judgement = judge(name, replace(HERE, constrained=False))
    answer, report = elicitor.read(judgement, Response(text=text))
    assert report.status is Status.PARSED, report
    if isinstance(answer, WeakOrder):
        answer = " ".join("=".join(group) for group in answer.groups)
    assert (" ".join(answer) if isinstance(expected, str) and isinstance(answer, tuple) else answer) == expected


@pytest.mark.parametrize(
    ("name", "logits", "score"),
    [
        ("qwen3-reranker", (3.25, -1.5), 0.991423),
        ("prism-reranker", (2.0, 1.0), 0.731059),
        ("monot5", (1.0, -1.0), 0.880797),
        ("duot5", (1.0, -1.0), 0.880797),
        ("mxbai-rerank-v2", (6.0, 2.0), 4.0),
        ("zerank", (5.4062,), 5.4062),
        ("bge-reranker-v2-gemma", (-1.25,), -1.25),
        ("ctxl-rerank-v2", (2.5,), 2.5),
    ],
)
def test_numbers_are_made_as_their_authors_make_them(name, logits, score):
    elicitor, judgement = judge(name)
    want = elicitor.prepare(judgement).want
    assert isinstance(want, ReadLabels)
    assert want.raw == (cards.load(name).template(cards.load(name).answers[0]).read == "logits")
    answer, _ = elicitor.read(judgement, Response(logprobs=logits))
    assert answer == pytest.approx(score, abs=1e-6)


def test_tfrank_is_the_mean_of_verdict_and_grade():
    elicitor, judgement = judge("tfrank")
    want = elicitor.prepare(judgement).want
    assert want.labels.labels == ("yes", "no", "0", "1", "2", "3", "4")
    nowhere = -30.0
    verdict = Reading(0, 0, (-0.1, -2.5, *[nowhere] * 5))
    grade = Reading(4, 5, (nowhere, nowhere, -6.0, -3.0, -1.2, -0.7, -2.0))
    answer, _ = elicitor.read(judgement, Response(text="yes(3)", readings=(verdict, grade)))
    assert answer == pytest.approx(0.798799, abs=1e-6)


def test_erank_is_the_grade_times_its_probability():
    elicitor, judgement = judge("erank")
    text = "<think>Months are named: 8 or 9.</think><answer>9</answer>"
    readings = tuple(Reading(text.index(digit), int(digit), (-1.0,) * 11) for digit in "89")
    at_answer = Reading(text.rindex("9"), 9, tuple(math.log(0.75 if label == 9 else 0.02) for label in range(11)))
    answer, _ = elicitor.read(judgement, Response(text=text, readings=(*readings, at_answer)))
    assert answer == pytest.approx(9 * 0.75)


def test_a_model_that_names_the_best_is_not_asked_for_the_worst():
    for name, worst, told in (("rank-r1", True, "asks for the best"), ("iranker", False, "asks for the worst")):
        elicitor, _ = judge(name)
        with pytest.raises(TemplateError, match=told):
            elicitor.prepare(Select(QUERY, tuple(DOCS), worst=worst))
    elicitor, _ = judge("setwise-sft")
    with pytest.raises(TemplateError, match="asks for one document, and 2 are wanted"):
        elicitor.prepare(Select(QUERY, tuple(DOCS), m=2))


def test_first_reads_the_letters_after_the_bracket():
    elicitor, judgement = judge("first-mistral")
    request = elicitor.prepare(judgement)
    assert elicitor.builder.tokenizer.decode(request.prompt.ids).endswith("[/INST][")
    assert request.want.labels == ("A", "B", "C")
    answer, _ = elicitor.read(judgement, Response(logprobs=(-2.0, -0.5, -3.0)))
    assert answer.ranked == ("B", "A", "C")


def test_rank1_reads_true_and_false_where_the_thought_has_ended():
    elicitor, judgement = judge("rank1")
    request = elicitor.prepare(judgement)
    assert request.want.max_tokens >= 8192
    assert request.want.labels.labels == ("true", "false")
    text = "It says so.\n</think> true"
    reading = Reading(text.index(" true"), 0, (-0.1, -2.4))
    answer, _ = elicitor.read(judgement, Response(text=text, readings=(reading,)))
    assert answer == pytest.approx(1 / (1 + math.exp(-2.3)))
