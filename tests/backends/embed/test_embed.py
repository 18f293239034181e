"""embed: with all-MiniLM's real weights, and against a scripted API."""

import asyncio
import json
import math
import sys
import tracemalloc

import numpy as np
import pytest
from scripted_server import Answer, Delay, Garbage, ScriptedServer, Status

from rerankllm import Reranker
from rerankllm.backends.embed.api import _split, read_embeddings
from rerankllm.backends.embed.backend import Embeddings
from rerankllm.backends.embed.local import _packaged
from rerankllm.backends.embed.memory import ENTRY, Embedded, Memory, Text, unit
from rerankllm.backends.hf import loading
from rerankllm.calls import CallFailed
from rerankllm.data import Candidate, Document, Query, Usage
from rerankllm.errors import AuthError, CapabilityError, InputError, MissingExtra, SpecError
from rerankllm.judgements import Embed, Permute, Score

QUERY = Query("q", "how long do fleas live")
TEXTS = ("Dogs bark at strangers.", "A flea lives for two or three months.", "Fleas jump far.", "")
DOCS = tuple(Document(str(i), text) for i, text in enumerate(TEXTS))


def complete(backend, works):
    return asyncio.run(backend.complete_all(works))


@pytest.fixture
def theirs():
    """The same model as its own library has it."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(_packaged("minilm").where, device="cpu")


class TestByTorch:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("sentence_transformers", reason="needs the extra `embed`")

    @pytest.mark.slow
    def test_scores_are_cosines_and_vectors_come_query_first(self, theirs):
        backend = Embeddings(name="minilm", dtype="float32", threads=1)
        *scores, embedded = complete(backend, [*(Score(QUERY, doc) for doc in DOCS), Embed(QUERY, DOCS)])
        vectors = theirs.encode([QUERY.text, *TEXTS], normalize_embeddings=True)
        assert [reply.answer for reply in scores] == pytest.approx(
            [float(vectors[0] @ row) for row in vectors[1:]], abs=1e-5
        )
        assert embedded.answer.shape == (5, 384)
        assert np.allclose(embedded.answer, vectors, atol=1e-5)
        counts = [len(theirs.tokenizer(text)["input_ids"]) for text in (QUERY.text, *TEXTS)]
        assert [reply.usage.prompt_tokens for reply in scores] == [counts[0] + counts[1], *counts[2:]]
        assert embedded.usage == Usage()

    def test_every_text_is_embedded_once(self, monkeypatch):
        backend = Embeddings(name="minilm", dtype="float32", threads=1)
        seen = []
        for way in ("encode_query", "encode_document"):
            encode = getattr(backend._engine._model, way)
            monkeypatch.setattr(
                backend._engine._model, way,
                lambda texts, encode=encode, **options: (seen.extend(texts), encode(texts, **options))[1],
            )  # fmt: skip
        works = [Score(QUERY, doc) for doc in DOCS] * 2
        first, again = complete(backend, works), complete(backend, works)
        assert sorted(seen) == sorted([QUERY.text, *TEXTS])
        assert [reply.answer for reply in first] == [reply.answer for reply in again]
        read = sum(reply.usage.prompt_tokens for reply in first)
        assert sum((reply.usage for reply in again), Usage()) == Usage(remembered_tokens=read)

    @pytest.mark.slow
    def test_prompts_of_the_model_for_queries_and_documents_are_put_before_them(self, theirs, tmp_path):
        theirs.save(str(tmp_path))
        path = tmp_path / "config_sentence_transformers.json"
        settings = json.loads(path.read_text()) | {"prompts": {"query": "query: ", "passage": "passage: "}}
        path.write_text(json.dumps(settings))
        backend = Embeddings(name=str(tmp_path), threads=1)
        (reply,) = complete(backend, [Score(QUERY, DOCS[1])])
        rows = theirs.encode([f"query: {QUERY.text}", f"passage: {TEXTS[1]}"], normalize_embeddings=True, prompt="")
        assert reply.answer == pytest.approx(float(rows[0] @ rows[1]), abs=1e-5)
        counts = [len(theirs.tokenizer(text)["input_ids"]) for text in (f"query: {QUERY.text}", f"passage: {TEXTS[1]}")]
        assert reply.usage.prompt_tokens == sum(counts)
        assert backend.model == f"embed:{tmp_path}?dtype=float32"
        weights, template = backend.revision.split("+")
        assert (len(weights), len(template)) == (64, 12)

    def test_it_reranks(self):
        with Reranker(model="embed:minilm?dtype=float32&threads=1") as reranker:
            assert str(reranker.stage) == "pointwise"
            (ranking,) = reranker.stream([(QUERY, [Candidate(doc) for doc in DOCS[:3]])])
        assert ranking[0].document.text == TEXTS[1]
        assert ranking.ledger.cost_usd == 0.0
        assert ranking.ledger.usage.prompt_tokens > 20

    def test_nobody_waits_nothing_is_computed(self, monkeypatch):
        backend = Embeddings(name="minilm", dtype="float32", threads=1)
        monkeypatch.setattr(type(backend), "abandoned", True)
        assert all(isinstance(outcome, CallFailed) for outcome in backend.run([Score(QUERY, doc) for doc in DOCS]))
        monkeypatch.undo()
        assert not any(isinstance(outcome, CallFailed) for outcome in backend.run([Score(QUERY, doc) for doc in DOCS]))

    def test_what_it_cannot_be_asked(self):
        backend = Embeddings(name="minilm", dtype="float32", threads=1)
        with pytest.raises(CapabilityError, match="takes Embed, Score, not Permute"):
            complete(backend, [Permute(QUERY, DOCS)])
        with pytest.raises(CapabilityError, match="takes no elicitation"):
            _ = backend.tokenizer

    def test_models_that_are_not_there(self, tmp_path):
        with pytest.raises(InputError, match="nothing is there"):
            Embeddings(name="./nothing")
        with pytest.raises(InputError, match="cannot be loaded: "):
            Embeddings(name=str(tmp_path))


def letters(body, _):
    """The share of a, b and c in each text, in another order than asked for."""
    rows = [[text.count(letter) for letter in "abc"] for text in body["input"]]
    data = [{"index": i, "embedding": row} for i, row in reversed(list(enumerate(rows)))]
    return Garbage(json.dumps({"data": data, "usage": {"prompt_tokens": 10 * len(rows)}}))


class TestBehindAnApi:
    @pytest.fixture(autouse=True)
    def _installed(self, monkeypatch):
        pytest.importorskip("openai", reason="needs the extra `openai`")
        monkeypatch.setenv("EMBED_KEY", "sk-secret")

    def backend(self, server, **options):
        return Embeddings(name="scripted", base_url=server.url, api_key_env="EMBED_KEY", **options)

    def docs(self, *texts):
        return [Document(str(i), text) for i, text in enumerate(texts)]

    def test_cosines_of_what_the_host_says(self):
        works = [Score(Query("q", "a"), doc) for doc in self.docs("a", "ab", "b", "x")]
        with ScriptedServer(letters) as server:
            backend = self.backend(server, price=2.0)
            replies = complete(backend, works)
            again = complete(backend, works)
            asyncio.run(backend.aclose())
        assert [reply.answer for reply in replies] == pytest.approx([1.0, math.sqrt(0.5), 0.0, 0.0])
        assert sum(reply.usage.prompt_tokens for reply in replies) == 50
        assert sum((reply.usage for reply in again), Usage()) == Usage(remembered_tokens=50)
        assert server.bodies == [{"model": "scripted", "input": ["a", "a", "ab", "b", "x"], "encoding_format": "float"}]
        assert server.headers[0]["authorization"] == "Bearer sk-secret"
        assert backend.cost(Usage(50)) == pytest.approx(100e-6)
        assert backend.capabilities.remote
        assert len(backend.revision) == 12  # of the template: hosts do not say which weights they serve

    def test_many_texts_are_many_calls_side_by_side_once_one_has_succeeded(self):
        with ScriptedServer(lambda body, number: Delay(0.1, letters(body, number))) as server:
            backend = self.backend(server, batch=2, concurrency=3)
            works = [Score(Query("q", "a"), doc) for doc in self.docs(*("a" * n for n in range(1, 12)))]
            replies = complete(backend, works)
            asyncio.run(backend.aclose())
        assert [reply.answer for reply in replies] == pytest.approx([1.0] * 11)
        assert [len(body["input"]) for body in server.bodies] == [2] * 6
        assert 1 < server.max_in_flight <= 3

    @pytest.mark.parametrize("code", [401, 403, 404])
    def test_a_wrong_key_costs_one_call(self, code):
        with ScriptedServer(lambda body, number: Status(code, {"error": {"message": "no sk-secret"}})) as server:
            backend = self.backend(server, batch=1)
            for _ in range(2):
                with pytest.raises(AuthError, match=rf"answered {code}: no \[key\]"):
                    complete(backend, [Score(QUERY, doc) for doc in DOCS])
            asyncio.run(backend.aclose())
        assert server.calls == 1

    def test_a_host_that_cannot_serve_fails_all_at_the_price_of_one_call(self):
        with ScriptedServer(lambda body, number: Status(500, "broken")) as server:
            backend = self.backend(server, batch=1, retries=1)
            outcomes = complete(backend, [Score(QUERY, doc) for doc in DOCS])
            asyncio.run(backend.aclose())
        assert server.calls == 2
        assert all("answered 500: broken" in outcome.reason for outcome in outcomes)

    def test_a_host_that_is_not_there(self):
        with ScriptedServer(letters) as server:
            backend = self.backend(server, retries=0)
        (outcome,) = complete(backend, [Score(QUERY, DOCS[0])])
        assert "is the server running?" in outcome.reason
        asyncio.run(backend.aclose())

    def test_a_text_the_host_refuses_fails_alone(self):
        def picky(body, number):
            return Status(400, "too long") if "b" in body["input"] else letters(body, number)

        with ScriptedServer(picky) as server:
            backend = self.backend(server, batch=1)
            works = [Score(Query("q", "a"), doc) for doc in self.docs("aa", "b", "ab")]
            fine, refused, last = complete(backend, works)
            asyncio.run(backend.aclose())
        assert fine.answer == pytest.approx(1.0)
        assert isinstance(refused, CallFailed)
        assert "answered 400: too long" in refused.reason
        assert last.answer == pytest.approx(math.sqrt(0.5))

    @pytest.mark.slow
    @pytest.mark.parametrize("action", [Answer("hello"), Garbage("<html>"), Garbage('{"data": []}')])
    def test_nonsense_is_a_failed_call(self, action):
        with ScriptedServer(lambda body, number: action) as server:
            backend = self.backend(server)
            (outcome,) = complete(backend, [Score(QUERY, DOCS[0])])
            asyncio.run(backend.aclose())
        assert "answered 200 with" in outcome.reason


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "0 embeddings for 2 texts"),
        ([{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}], "1 embeddings for 2 texts"),
        ([{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}], "different lengths"),
        ([{"index": 0, "embedding": []}, {"index": 1, "embedding": []}], "different lengths"),
        ([{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": [1]}], "no list of embeddings"),
        ([{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [math.nan]}], "not numbers"),
    ],
)
def test_hosts_that_lie(data, message):
    with pytest.raises(ValueError, match=message):
        read_embeddings(json.dumps({"data": data}), 2)


@pytest.mark.parametrize(("total", "weights"), [(10, [1, 1, 1]), (0, [5]), (7, [0, 0]), (100, [1, 99])])
def test_tokens_shared_out_add_up(total, weights):
    shares = _split(total, weights)
    assert sum(shares) == total
    assert min(shares) >= 0


def test_what_was_not_used_for_longest_is_forgotten_first():
    memory = Memory(limit=3 * (sys.getsizeof("a") + 8 + ENTRY))
    rows = [Text("document", name) for name in "abcd"]
    for row in rows[:3]:
        memory.put(row, Embedded(np.zeros(2, np.float32), 1))
    memory.get(rows[0])
    memory.put(rows[3], Embedded(np.ones(2, np.float32), 1))
    assert [memory.get(row) is not None for row in rows] == [True, False, True, True]
    assert len(memory) == 3


def test_texts_that_are_remembered_take_no_more_than_they_may():
    """However long they are: a vector has 1.5 kB, and a text that a client sends may have 10 MB."""
    memory, vector = Memory(limit=1_000_000), np.zeros(384, np.float32)
    tracemalloc.start()
    for number in range(200):
        memory.put(Text("document", f"{number} " * 10_000), Embedded(vector.copy(), 256))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < len(memory) < 50
    assert held < 1_500_000


def test_rows_of_zeros_stay_zeros():
    assert np.allclose(unit([[0, 0], [3, 4]]), [[0, 0], [0.6, 0.8]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "http://localhost:1/v1", "dtype": "float32"}, "'dtype' does nothing with base_url"),
        ({"retries": 1}, "'retries' does nothing without base_url"),
        ({"price": 1.0}, "'price' does nothing without base_url"),
        ({"batch": 0}, "at least 1"),
        ({"dtype": "int8", "device": "cpu"}, "computes on the CPU: leave 'device' out"),
        ({"revision": "main"}, "'revision' is for those of the hub"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options, message):
    with pytest.raises(SpecError, match=message):
        Embeddings(name="minilm", **options)


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"timeout": 0.0}, {"retries": -1}])
def test_options_of_an_api_out_of_range(options):
    with pytest.raises(InputError, match="concurrency of 1 or more"):
        Embeddings(name="x", base_url="http://localhost:1/v1", **options)


def test_without_the_packages_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[embedded\]'$"):
        Embeddings(name="minilm")
    with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[embed\]'$"):
        Embeddings(name="minilm", dtype="float32")
    with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[openai\]'$"):
        Embeddings(name="x", base_url="http://localhost:1/v1")
