"""A corpus read document by document says what one read at once says."""

import gzip
import json
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.errors import InputError
from rerankllm.formats import corpusfile
from rerankllm.formats.beir import read_corpus
from rerankllm.formats.corpusfile import CorpusFile

IDS = ["a", "b", "ü", "7", "a b", "x"]
RECORDS = st.fixed_dictionaries(
    {
        "_id": st.sampled_from(["a", "b", "ü", 7, "a b", "unwanted"]),
        "text": st.sampled_from(["one", "two", "drei ü", 5]),
    },
    optional={
        "title": st.sampled_from(["", "t", None, 3]),
        "metadata": st.sampled_from([{"k": 1}, None]),
        "year": st.just(9),
    },
).map(json.dumps)
GOOD = st.integers(0, 4).map(lambda n: json.dumps({"_id": IDS[n], "text": f"text {n}"}, ensure_ascii=n % 2 == 0))


def either(reader, path, wanted):
    try:
        return dict(reader(path, wanted))
    except InputError as error:
        return str(error)


@pytest.mark.slow
@given(
    lines=st.lists(st.one_of(GOOD, GOOD, GOOD, RECORDS, st.sampled_from(["", "  ", "[]", "{"])), max_size=8),
    wanted=st.sets(st.sampled_from(IDS)),
    end=st.sampled_from(["", "\n", "\r\n"]),
    bom=st.booleans(),
)
@settings(max_examples=300)
def test_the_same_documents_or_the_same_complaint(tmp_path_factory, lines, wanted, end, bom):
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + ("\n".join(lines) + end).encode())
    assert either(CorpusFile, path, wanted) == either(read_corpus, path, wanted)


@pytest.mark.slow
@given(lines=st.lists(GOOD, max_size=8), wanted=st.sets(st.sampled_from(IDS), min_size=1))
def test_ids_of_one_key_are_told_apart(tmp_path_factory, lines, wanted):
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    mask, corpusfile._MASK = corpusfile._MASK, 1
    try:
        corpus = CorpusFile(path, wanted)
        assert {each: corpus.get(each) for each in IDS if each in wanted} == {
            each: read_corpus(path, wanted).get(each) for each in IDS if each in wanted
        }
    finally:
        corpusfile._MASK = mask


def test_only_what_is_wanted_and_there(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"_id": each, "text": each.upper()}) + "\n" for each in "abc"))
    corpus = CorpusFile(path, iter("cxa"))
    assert (list(corpus), len(corpus), corpus["c"].text) == (["a", "c"], 2, "C")
    assert [each in corpus for each in ("a", "b", "x", 1)] == [True, False, False, False]
    with pytest.raises(KeyError):
        corpus["b"]


@pytest.mark.parametrize("kind", ["gzip", "pipe"])
def test_what_cannot_be_read_twice(tmp_path, kind):
    content = b'{"_id": "a", "text": "one"}\n{"_id": "b", "text": "two"}\n'
    path = tmp_path / ("corpus.jsonl.gz" if kind == "gzip" else "corpus.jsonl")
    if kind == "gzip":
        path.write_bytes(gzip.compress(content))
    else:
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=(content,)).start()
    corpus = CorpusFile(path, ["b"])
    assert [corpus["b"].text, corpus["b"].text] == ["two", "two"]


def test_the_file_is_closed_with_it(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"_id": "a", "text": "one"}\n')
    corpus = CorpusFile(path, ["a"])
    file = corpus._file
    del corpus
    assert file.closed
