import gzip
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.data import Document, Query, Ranking
from rerankllm.errors import InputError
from rerankllm.formats.castorini import read_requests, write_ranking

FINE = {
    "query": {"text": "q?", "qid": "first"},
    "candidates": [{"docid": "d", "score": 1, "doc": {"text": "x"}}],
}


def candidate(docid="d1", score=1.0, **doc):
    return {"docid": docid, "score": score, "doc": doc}


def request(*candidates, qid="q", text="what?"):
    return {"query": {"text": text, "qid": qid}, "candidates": list(candidates)}


@pytest.fixture
def read(tmp_path):
    def read(*records, name="requests.jsonl"):
        path = tmp_path / name
        content = "".join(json.dumps(record) + "\n" for record in records).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return list(read_requests(path))

    return read


@pytest.mark.parametrize("name", ["requests.jsonl", "requests.jsonl.gz"])
def test_requests(read, name):
    both = read(
        request(
            candidate(7, 2, contents="é"),
            candidate("b", 9.5, title="T", text="三"),
            qid=30,
            text=" wh\u00e4t? ",
        ),
        request(qid="none"),
        name=name,
    )
    assert [query for query, _ in both] == [Query("30", " whät? "), Query("none", "what?")]
    assert [(c.document, c.score) for c in both[0][1]] == [
        (Document("b", "三", "T"), 9.5),
        (Document("7", "é"), 2.0),
    ]
    assert both[1][1] == []


@pytest.mark.parametrize("field", ["contents", "segment", "text", "passage", "body", "content"])
def test_the_text_may_have_any_of_these_names(read, field):
    ((_, (found,)),) = read(request(candidate(**{field: "the text", "title": None, "url": "u"})))
    assert found.document == Document("d1", "the text")
    assert found.document.metadata == {"url": "u"}


def test_the_first_text_that_is_not_blank_counts(read):
    doc = {"body": "b", "text": "t", "contents": "c", "segment": " "}
    ((_, (full, blank, titled)),) = read(
        request(
            candidate("full", 3, **doc),
            candidate("blank", 2, **{**doc, "contents": ""}),
            candidate("titled", 1, title="only", text=""),
        )
    )
    assert (full.document.text, full.document.metadata) == ("c", {"body": "b", "text": "t", "segment": " "})
    assert blank.document.text == "t"
    assert titled.document == Document("titled", "", "only")


def test_an_empty_passage_is_a_passage_as_it_is_in_a_corpus(read):
    ((_, (found,)),) = read(request(candidate(contents="")))
    assert (found.document.text, found.document.title) == ("", "")


def test_candidates_by_score_with_ties_in_file_order(read):
    scores = {"z": 1, "a": 3, "m": 1.0, "b": 3, "c": -2, "y": 1}
    ((_, found),) = read(request(*(candidate(docid, score, text="x") for docid, score in scores.items())))
    assert [c.doc_id for c in found] == ["a", "b", "z", "m", "y", "c"]


def test_candidates_without_scores_stay_in_file_order(read):
    unscored = [candidate(docid, None, text="x") for docid in "zab"]
    del unscored[1]["score"]
    ((_, found),) = read(request(*unscored))
    assert [(c.doc_id, c.score) for c in found] == [("z", None), ("a", None), ("b", None)]


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"candidates": []}, '"query" to be an object with qid and text'),
        ({"query": "what?", "hits": []}, '"query" to be an object with qid and text'),
        ({"query": {"text": "what?"}, "candidates": []}, '"qid" to be a non-empty string or a whole number'),
        (request(qid=""), '"qid" to be a non-empty string or a whole number'),
        (request(text=" \n"), '"text" of query q not to be empty'),
        ({"query": {"qid": "q"}, "candidates": []}, '"text" of query q not to be empty'),
        (request(qid="first"), "each qid once, found 'first'"),
        ({"query": {"qid": "q", "text": "x"}}, '"candidates" to be a list'),
        (request("d1"), "a candidate to be an object with docid, score and doc"),
        (request({"score": 1, "doc": {"text": "x"}}), '"docid" to be a non-empty string or a whole number'),
        (request(candidate(title="", url="u")), "a text in the doc of candidate d1 (contents, segment, text"),
        (request(candidate(contents=["x"])), "a text in the doc of candidate d1"),
        (request({"docid": "d1", "score": 1}), "a text in the doc of candidate d1"),
        (request(candidate(title=3, text="x")), '"title" of candidate d1 to be a string'),
        (
            request(candidate(score=float("nan"), text="x")),
            "a finite number as score of candidate d1, found 'NaN'",
        ),
        (request(candidate(score=float("inf"), text="x")), "a finite number as score of candidate d1"),
        (request(candidate(score="1.5", text="x")), "a finite number as score of candidate d1"),
        (request(candidate(score=True, text="x")), "a finite number as score of candidate d1"),
        (request(candidate(score=[1], text="x")), "a finite number as score of candidate d1"),
        (request(candidate(score=10**400, text="x")), "a finite number as score of candidate d1"),
        (
            request(*(candidate(docid, 1, text="x") for docid in "abcdeabcd")),
            "each docid once among the candidates, 4 come more often, found 'a, b, c, …'",
        ),
        (
            request(candidate("a", 1, text="x"), candidate("b", None, text="x")),
            "a score for all candidates or for none, 1 of 2 have none, found 'b'",
        ),
    ],
)
def test_a_malformed_line(tmp_path, record, what):
    path = tmp_path / "requests.jsonl"
    path.write_text(f"{json.dumps(FINE)}\n\n{json.dumps(record)}\n", encoding="utf-8")
    requests = read_requests(path)
    assert next(requests)[0].query_id == "first"
    with pytest.raises(InputError) as caught:
        next(requests)
    assert str(caught.value).startswith(f"{path}:3: expected {what}")
    assert "\n" not in str(caught.value)


def test_a_line_that_is_no_json(tmp_path):
    path = tmp_path / "requests.jsonl"
    path.write_text("[\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        list(read_requests(path))
    assert str(caught.value).startswith(f"{path}:1: expected one JSON object on the line")


def test_a_written_ranking():
    out = io.StringIO()
    documents = [
        Document("b", "三\u2028", "T", {"url": "u", "when": np.datetime64("2020-01-01"), "title": "other"}),
        Document("a", "x\n\ud800"),
    ]
    write_ranking(out, Ranking.of(Query("q", "what?"), documents, [0.5, 0.5]))
    assert out.getvalue().endswith("}\n")
    assert out.getvalue().count("\n") == 1
    assert "三" in out.getvalue()
    assert json.loads(out.getvalue()) == {
        "query": {"text": "what?", "qid": "q"},
        "candidates": [
            {
                "docid": "b",
                "score": 2.0,
                "doc": {"contents": "三\u2028", "title": "T", "url": "u", "when": "2020-01-01"},
            },
            {"docid": "a", "score": 1.0, "doc": {"contents": "x\n?"}},
        ],
    }


plain = st.text(st.characters(codec="utf-8"), max_size=10)
filled = plain.filter(str.strip)
metadata = st.dictionaries(st.sampled_from(["text", "body", "contents", "url"]), plain, max_size=3)
documents = st.lists(
    st.builds(Document, filled, plain, filled, metadata),
    max_size=15,
    unique_by=lambda document: document.doc_id,
)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.builds(Query, filled, filled), documents)
def test_what_is_written_is_read_back(tmp_path_factory, query, documents):
    path = tmp_path_factory.getbasetemp() / "round-trip.jsonl"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        write_ranking(file, Ranking.of(query, documents))
    ((read, candidates),) = read_requests(path)
    assert read == query
    assert [(c.doc_id, c.document.content) for c in candidates] == [(d.doc_id, d.content) for d in documents]
    assert [c.score for c in candidates] == [float(score) for score in range(len(documents), 0, -1)]
    assert all(
        c.document.metadata.get("url") == d.metadata.get("url") for c, d in zip(candidates, documents, strict=True)
    )
