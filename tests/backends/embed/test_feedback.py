"""A query and its documents as one text: what it says, and that it fits."""

import asyncio
import json

import numpy as np
import pytest
import tiny_models
from scripted_server import Garbage, ScriptedServer

from rerankllm import Reranker
from rerankllm.backends.embed.backend import Embeddings
from rerankllm.backends.embed.feedback import Feedback
from rerankllm.backends.embed.local import Local, _packaged
from rerankllm.calls import CallFailed
from rerankllm.data import Document, Query, Ranking
from rerankllm.drivers.events import Failed
from rerankllm.errors import SpecError, TemplateError
from rerankllm.formats.objects import to_candidates
from rerankllm.judgements import Embed
from rerankllm.spec.stage import Stage

QUERY = Query("q", "how long do fleas live")
DOCS = tuple(Document(str(i), text) for i, text in enumerate(("Dogs bark at night", "Fleas live for weeks, see [2].")))
HEAD = "Given a web search query and some relevant documents, rerank the documents that answer the query:\nDocuments:\n"


class Words:
    """A token a word; so many fit."""

    def __init__(self, room=None):
        self._room = room

    def room(self, role):
        return self._room if role == "query" else None

    def ends(self, text):
        ends, place = [], 0
        for word in text.split():
            place = text.index(word, place) + len(word)
            ends.append(place)
        return ends

    def harmless(self, text):
        return text.replace("<|", "< |")


def test_what_it_says():
    prompted = Feedback(["minilm"], Words()).prompt(Query("q", "<|im_end|>fleas"), DOCS)
    assert prompted.text.role == "query"
    assert prompted.text.text == (
        f"{HEAD}[1] Dogs bark at night\n[2] Fleas live for weeks, see (2).\nSearch Query: < |im_end|>fleas"
    )
    assert prompted[1:] == (0, 0)


def test_e2ranks_own_checkpoints_are_shown_their_own_prompt_as_it_is():
    feedback = Feedback(["Alibaba-NLP/E2Rank-0.6B"], Words(room=20))
    prompted = feedback.prompt(QUERY, DOCS)
    assert feedback.named
    assert prompted.text.role == "prompt"
    assert prompted.text.text == (
        f"<|im_start|>user\n{HEAD}[1] Dogs bark at night\n[2] Fleas live for weeks, see [2].\n"
        "Search Query: how long do fleas live<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def test_long_passages_are_cut_alike_then_the_last_are_left_out():
    words = [Document(str(i), " ".join(f"w{i}" for _ in range(n))) for i, n in enumerate((200, 60, 10))]
    own = len(Words().ends(f"{HEAD}Search Query: {QUERY.text}"))
    by_room = {room: Feedback(["minilm"], Words(own + 3 + room)).prompt(QUERY, words) for room in (200, 110, 42, 34)}
    shown = {room: [p.text.text.count(f"w{i}") for i in range(3)] for room, p in by_room.items()}
    assert shown == {200: [128, 60, 10], 110: [50, 50, 10], 42: [16, 16, 10], 34: [17, 17, 0]}
    assert {room: (p.cut, p.left_out) for room, p in by_room.items()} == {
        200: (1, 0), 110: (2, 0), 42: (2, 0), 34: (2, 1),
    }  # fmt: skip


def test_what_cannot_fit_says_so():
    with pytest.raises(TemplateError, match="the query and a document do not fit a context of 30 tokens; use embed"):
        Feedback(["minilm"], Words(30)).prompt(QUERY, [Document("a", "w " * 50)])


def test_at_least_one_document():
    with pytest.raises(SpecError, match="feedback should be at least 1"):
        Stage.parse("e2rank(feedback=0)")


@pytest.fixture
def local():
    pytest.importorskip("sentence_transformers", reason="needs the extra `embed`")
    return Local("minilm", revision=None, dtype=None, device="cpu", batch=32, threads=1)


class TestHere:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("sentence_transformers", reason="needs the extra `embed`")

    def test_tokens_and_room_are_the_models(self, local):
        text = "Fleas'  Lebensdauer: 跳蚤 [SEP] x"
        assert local.room("query") == 256 - 2
        assert text[: local.ends(text)[0]] == "Flea"
        assert local.harmless(text) == "Fleas'  Lebensdauer: 跳蚤 [ SEP] x"
        separator = local._model.tokenizer.sep_token_id
        assert separator in local._model.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert separator not in local._model.tokenizer(local.harmless(text), add_special_tokens=False)["input_ids"]

    def test_nothing_of_the_prompt_is_truncated_by_the_model(self, local):
        docs = [Document(str(i), f"Fleas live for {i} weeks on a host. " * 9) for i in range(20)]
        prompted = Feedback(["minilm"], local).prompt(QUERY, docs)
        assert 230 < len(local._model.tokenizer(prompted.text.text)["input_ids"]) <= 256
        assert prompted.text.text.endswith(f"Search Query: {QUERY.text}")
        assert 0 < prompted.left_out < 20
        assert prompted.cut == 20 - prompted.left_out

    def test_row_0_is_the_prompts_vector_and_the_others_the_documents(self):
        from sentence_transformers import SentenceTransformer

        backend = Embeddings(name="minilm", dtype="float32", threads=1)
        (plain,) = asyncio.run(backend.complete_all([Embed(QUERY, DOCS)]))
        (reply,) = asyncio.run(backend.complete_all([Embed(QUERY, DOCS, feedback=1)]))
        theirs = SentenceTransformer(_packaged("minilm").where, device="cpu")
        asked = f"{HEAD}[1] Dogs bark at night\nSearch Query: how long do fleas live"
        assert np.allclose(reply.answer[0], theirs.encode(asked, normalize_embeddings=True), atol=1e-5)
        assert np.allclose(reply.answer[1:], plain.answer[1:])
        assert not np.allclose(reply.answer[0], plain.answer[0], atol=1e-2)
        assert reply.usage.prompt_tokens == len(theirs.tokenizer(asked)["input_ids"])

    @pytest.mark.slow
    def test_e2rank_reads_the_last_token_which_ends_every_text(self, tmp_path):
        """Its files say neither: without a card texts would be averaged, and the query's prompt read as a query."""
        import torch
        import transformers

        folder = tiny_models.qwen3(tmp_path / "E2Rank-tiny")
        model = transformers.AutoModel.from_pretrained(folder).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

        def vector(text):
            with torch.inference_mode():
                last = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, -1]
            return torch.nn.functional.normalize(last, dim=0).numpy()

        backend = Embeddings(name=str(folder), threads=1)
        assert backend.default_strategy == "e2rank"
        docs = (*DOCS, Document("end", "All is said.<|endoftext|>"), Document("long", "dogs " * 2000))
        reply, plain = asyncio.run(backend.complete_all([Embed(QUERY, docs, feedback=2), Embed(QUERY, docs)]))
        asked = backend._feedback.prompt(QUERY, DOCS).text
        instruct = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
        assert np.allclose(reply.answer[0], vector(asked.text), atol=1e-5)
        assert np.allclose(plain.answer[0], vector(f"{instruct}{QUERY.text}<|endoftext|>"), atol=1e-5)
        shown = [f"{doc.text}<|endoftext|>" for doc in DOCS] + ["All is said.< |endoftext|><|endoftext|>"]
        for row, text in zip(reply.answer[1:], shown, strict=False):
            assert np.allclose(row, vector(text), atol=1e-5)
        cut = tokenizer(backend._feedback.document(docs[-1]).text)["input_ids"]
        assert len(cut) == 256
        assert cut[-1] == tokenizer.convert_tokens_to_ids("<|endoftext|>")
        assert np.allclose(reply.answer[-1], vector(backend._feedback.document(docs[-1]).text), atol=1e-5)

    @pytest.mark.slow
    def test_it_reranks_and_notes_what_did_not_fit(self):
        texts = ["Dogs bark. " * 30, *(f"Adult fleas live for {i} months on a host. " * 5 for i in range(2, 20))]
        with Reranker("e2rank", "embed:minilm?dtype=float32&threads=1") as reranker:
            (ranking,) = reranker.stream([(QUERY, to_candidates(texts))])
            assert isinstance(ranking, Ranking), ranking
            assert ranking.ledger.slots == 38 == reranker.plan(19).slots.high
        assert ranking[-1].document.text == texts[0]
        assert (ranking.ledger.calls, ranking.ledger.rounds, ranking.ledger.parsed) == (1, 1, 1)
        assert ranking.ledger.notes["documents left out of it"] > 0


def test_behind_an_api_the_prompt_is_one_text_of_the_call():
    def rows(body, _):
        data = [{"index": i, "embedding": [float("weeks" in text), 1.0]} for i, text in enumerate(body["input"])]
        return Garbage(json.dumps({"data": data, "usage": {"prompt_tokens": 30}}))

    with ScriptedServer(rows) as server:
        with Reranker("e2rank", f"embed:scripted?base_url={server.url}") as reranker:
            (ranking,) = reranker.stream([(QUERY, to_candidates(["Dogs <|im_end|> bark.", "It takes weeks."]))])
        (body,) = server.bodies
    assert ranking[0].document.text == "It takes weeks."
    assert body["input"] == [
        f"{HEAD}[1] Dogs < |im_end|> bark.\n[2] It takes weeks.\nSearch Query: {QUERY.text}",
        "Dogs <|im_end|> bark.",
        "It takes weeks.",
    ]


def test_a_query_too_long_fails_by_name():
    pytest.importorskip("sentence_transformers", reason="needs the extra `embed`")
    long = Query("q", "how long do fleas live " * 60)
    with Reranker("e2rank", "embed:minilm?dtype=float32&threads=1") as reranker:
        (outcome,) = reranker.stream([(long, to_candidates(["Fleas live for weeks. " * 9]))])
    assert isinstance(outcome, Failed)
    assert "do not fit a context of 254 tokens; use embed" in outcome.reason
    assert outcome.ledger.attempts == 0


def test_a_failed_prompt_leaves_the_others_alone():
    pytest.importorskip("sentence_transformers", reason="needs the extra `embed`")
    backend = Embeddings(name="minilm", dtype="float32", threads=1)
    docs = (Document("a", "Fleas live for weeks. " * 9),)
    bad, good = asyncio.run(
        backend.complete_all([Embed(Query("q", "flea " * 300), docs, feedback=1), Embed(QUERY, docs, feedback=1)])
    )
    assert isinstance(bad, CallFailed)
    assert good.answer.shape == (2, 384)
