import logging
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.backends import token_estimate as estimate
from rerankllm.backends.token_estimate import EstimatedTokenizer, TiktokenTokenizer, tokenizer_for
from rerankllm.calls import Message
from rerankllm.errors import CapabilityError

ENGLISH = (
    "The quick estimate of how many tokens a passage has need not be exact, but should not be far off either: "
    "a budget computed from it decides how much of every passage a model gets to read."
)


@pytest.fixture(autouse=True)
def fresh_cache():
    tokenizer_for.cache_clear()
    yield
    tokenizer_for.cache_clear()


def bytes_encoding(name="bytes"):
    tiktoken = pytest.importorskip("tiktoken")
    return tiktoken.Encoding(
        name,
        pat_str=r"[\s\S]",
        mergeable_ranks={bytes([i]): i for i in range(256)},
        special_tokens={"<|end|>": 256},
    )


@given(st.text())
def test_estimated_pieces_are_the_text(text):
    tokenizer = EstimatedTokenizer()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert len(ids) <= len(text)


@given(st.text(min_size=1), st.data())
def test_a_cut_text_is_a_prefix(text, data):
    tokenizer = EstimatedTokenizer()
    ids = tokenizer.encode(text)
    cut = data.draw(st.integers(0, len(ids)))
    assert text == tokenizer.decode(ids[:cut]) + tokenizer.decode(ids[cut:])


def test_english_is_about_four_characters_a_token():
    assert 3.5 < len(ENGLISH) / len(EstimatedTokenizer().encode(ENGLISH)) < 4.5


@pytest.mark.parametrize(
    "text",
    ["検索結果を並べ替える大規模言語モデル", "重排序模型很好用", "순위를다시매기는모델", "การจัดอันดับใหม่"],
)
def test_unspaced_scripts_have_a_token_a_character_and_can_be_cut(text):
    tokenizer = EstimatedTokenizer()
    ids = tokenizer.encode(text)
    assert len(ids) == len(text)
    assert tokenizer.decode(ids[:5]) == text[:5]


def test_ids_agree_between_threads():
    tokenizer = EstimatedTokenizer()
    texts = [f"word{i} other{i % 7}" for i in range(300)]
    results = {}
    threads = [
        threading.Thread(target=lambda n=n: results.update({n: [tokenizer.encode(t) for t in texts]})) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1] == results[2] == results[3]
    assert [tokenizer.decode(ids) for ids in results[0]] == texts


@pytest.mark.parametrize("make", [EstimatedTokenizer, lambda: TiktokenTokenizer(bytes_encoding())])
def test_no_chat_template(make):
    assert make().bos == ()
    with pytest.raises(CapabilityError, match="chat template"):
        make().chat([Message("user", "hello")])


def test_tiktoken_reads_control_tokens_only_when_told():
    tokenizer = TiktokenTokenizer(bytes_encoding())
    assert tokenizer.encode("a<|end|>", special=True) == (97, 256)
    plain = tokenizer.encode("a<|end|>")
    assert 256 not in plain
    assert tokenizer.decode(plain) == "a<|end|>"


def test_tiktoken_leaves_half_a_character_out():
    tokenizer = TiktokenTokenizer(bytes_encoding())
    ids = tokenizer.encode("並べ")
    assert tokenizer.decode(ids) == "並べ"
    assert tokenizer.decode(ids[:5]) == "並"


def test_unknown_models_are_estimated_and_it_is_said_once(caplog, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken")
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: pytest.fail("asked for a model it does not map"))
    with caplog.at_level(logging.INFO, logger="rerankllm"):
        assert isinstance(tokenizer_for("nobody-knows-1"), EstimatedTokenizer)
        tokenizer_for("nobody-knows-1")
    assert [r.message for r in caplog.records if "nobody-knows-1" in r.message] == [
        "nobody-knows-1: tokens are estimated, since tiktoken does not know this model"
    ]


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o", "gpt-4o-2024-08-06"])
def test_known_models_are_counted_by_tiktoken(name, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken")
    monkeypatch.setattr(tiktoken, "get_encoding", bytes_encoding)
    assert tokenizer_for(name).encode("ab") == (97, 98)


def test_a_vocabulary_that_cannot_be_fetched_is_no_error(caplog, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken")

    def offline(name):
        raise OSError("no route to host")

    monkeypatch.setattr(tiktoken, "get_encoding", offline)
    with caplog.at_level(logging.INFO, logger="rerankllm"):
        assert isinstance(tokenizer_for("gpt-4o"), EstimatedTokenizer)
    assert "OSError" in caplog.text


def test_a_vocabulary_that_never_comes_is_not_waited_for(monkeypatch):
    tiktoken = pytest.importorskip("tiktoken")
    release = threading.Event()
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: release.wait())
    monkeypatch.setattr(estimate, "LOAD_SECONDS", 0.1)
    try:
        assert isinstance(tokenizer_for("gpt-4o"), EstimatedTokenizer)
    finally:
        release.set()


def test_without_tiktoken_everything_is_estimated(monkeypatch):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert isinstance(tokenizer_for("gpt-4o"), EstimatedTokenizer)
