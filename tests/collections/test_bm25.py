"""BM25 against the formula, against bm25s's own pipeline, and its order of ties."""

import itertools
import math
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.collections import bm25, catalogue
from rerankllm.collections.analysis import Analyzer
from rerankllm.collections.base import Collection
from rerankllm.collections.memory import Held
from rerankllm.data import Document
from rerankllm.errors import InputError
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.sample import path as sample


def collection(texts, queries, **fields):
    documents = Held({doc_id: Document(doc_id, text) for doc_id, text in texts.items()})
    return Collection("test", str(sorted(texts.items())), queries, {}, documents, **fields)


def test_scores_are_lucenes_formula():
    """idf = ln(1 + (N - df + .5) / (df + .5)); tf / (tf + k1 (1 - b + b l / mean l)), as Lucene 8 and later."""
    texts = {"a": "flea flea dog", "b": "flea cat", "c": "dog dog dog cow"}
    found = bm25.retrieve(collection(texts, {"q": "flea"}), bm25.Bm25Settings(stemmer="none"))["q"]
    idf, mean = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5)), (3 + 2 + 4) / 3

    def score(tf, length):
        return idf * tf / (tf + 0.9 * (1 - 0.4 + 0.4 * length / mean))

    assert dict(found) == pytest.approx({"a": score(2, 3), "b": score(1, 2)}, rel=1e-6)
    assert [doc_id for doc_id, _ in found] == ["a", "b"]


def test_the_run_that_ships_is_made_again():
    corpus, queries = read_corpus(sample("corpus.jsonl")), read_queries(sample("queries.tsv"))
    found = bm25.retrieve(
        Collection("sample", "shipped", queries, {}, Held(corpus)), bm25.Bm25Settings(stemmer="none", depth=20)
    )
    shipped = read_run(sample("run.txt"))
    assert {q: [d for d, _ in ranked] for q, ranked in found.items()} == {
        q: [d for d, _ in ranked] for q, ranked in shipped.items()
    }
    for query_id, ranked in shipped.items():
        assert dict(found[query_id]) == pytest.approx(dict(ranked), abs=2e-6)


def test_terms_are_those_of_bm25s():
    import bm25s
    import Stemmer

    text = "The Fleas' 100 lives, an un-dying x of Δίκη and naïve jumpers"
    for name, stemmer in (("none", None), ("english", Stemmer.Stemmer("english"))):
        theirs = bm25s.tokenize([text], stemmer=stemmer, return_ids=False, show_progress=False)[0]
        assert Analyzer("en", name).terms()(text) == theirs


def test_chinese_is_pairs_of_characters():
    assert Analyzer("zh").terms()("跳蚤能活100天, GPT 好") == ["跳蚤", "蚤能", "能活", "天", "好", "100", "gpt"]
    found = bm25.retrieve(catalogue.load("t2ranking"), bm25.Bm25Settings())
    assert [doc_id for doc_id, _ in found["0"]] == ["0", "1"]


def test_excluded_documents_make_room_for_others():
    texts = {"a": "flea flea", "b": "flea dog", "c": "flea dog cat"}
    one = collection(texts, {"q": "flea"}, excluded={"q": frozenset({"a"})})
    found = bm25.retrieve(one, bm25.Bm25Settings(depth=2, stemmer="none"))
    assert [doc_id for doc_id, _ in found["q"]] == ["b", "c"]
    assert [d for d, _ in bm25.retrieve(catalogue.load("beir/arguana"), bm25.Bm25Settings())["a"]] == ["b"]


def test_forums_are_searched_each_by_itself():
    found = bm25.retrieve(catalogue.load("beir/cqadupstack"), bm25.Bm25Settings())
    assert len(found) == 13
    assert [doc_id for doc_id, _ in found["android/9"]] == ["android/2"]
    assert found["tex/1"] == []  # document 1 of tex is the query itself, and 2 shares no term


@given(
    texts=st.dictionaries(
        st.text(string.ascii_lowercase, min_size=1, max_size=3),
        st.lists(st.sampled_from(["flea", "dog", "cat"]), max_size=4).map(" ".join), min_size=1, max_size=12,
    ),
    depth=st.integers(1, 6),
    seed=st.randoms(use_true_random=False),
)  # fmt: skip
@settings(max_examples=40)
def test_ties_go_by_doc_id_whatever_the_order_of_the_corpus(texts, depth, seed):
    if not any(texts.values()):
        return
    shuffled = list(texts)
    seed.shuffle(shuffled)
    terms = Analyzer("en", "none").terms()
    orders = []
    for ids in (list(texts), shuffled):
        documents = [Document(doc_id, texts[doc_id]) for doc_id in ids]
        corpus = bm25._Terms.of(documents, terms)
        scorer = bm25._library().BM25(k1=0.9, b=0.4, method="lucene")
        scorer.index(corpus, show_progress=False)
        index = bm25.Index(scorer, corpus.doc_ids, terms)
        everything = index.search("flea dog", len(texts))
        assert everything == sorted(everything, key=lambda pair: (-pair[1], pair[0]))
        assert {doc_id for doc_id, _ in everything} == {d for d, t in texts.items() if {"flea", "dog"} & set(t.split())}
        assert index.search("flea dog", depth) == everything[:depth]
        orders.append([doc_id for doc_id, _ in everything])
    assert orders[0] == orders[1]


@given(st.lists(st.floats(0.125, 50, width=32), max_size=30).map(lambda scores: sorted(scores, reverse=True)))
def test_written_scores_fall_strictly_in_single_precision(scores):
    written = [score for _, score in bm25.strictly_falling([(str(i), score) for i, score in enumerate(scores)])]
    singles = [np.float32(float(repr(score))) for score in written]
    assert all(one > other for one, other in itertools.pairwise(singles))
    assert written == pytest.approx(scores, rel=1e-5)


def test_an_index_is_built_once_and_kept():
    told = []
    one = catalogue.load("beir/scifact")
    first = bm25.retrieve(one, bm25.Bm25Settings(), told.append)
    assert bm25.retrieve(one, bm25.Bm25Settings(), told.append) == first
    assert len(told) == 1
    bm25.retrieve(one, bm25.Bm25Settings(k1=1.2), told.append)
    assert len(told) == 2


def test_what_cannot_be_indexed_says_so():
    with pytest.raises(InputError, match="138,364,198 documents, too many for BM25 in memory; give --run"):
        bm25.retrieve(catalogue.load("dl22"), bm25.Bm25Settings())
    with pytest.raises(InputError, match="holds no text"):
        bm25.retrieve(collection({"a": "of the"}, {"q": "x"}), bm25.Bm25Settings())
    with pytest.raises(InputError, match="unknown stemmer 'latin'"):
        bm25.retrieve(collection({"a": "x"}, {"q": "x"}), bm25.Bm25Settings(stemmer="latin"))
