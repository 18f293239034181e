import pytest

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError
from rerankllm.formats.join import join

CORPUS = {doc_id: Document(doc_id, f"text of {doc_id}") for doc_id in "abcd"}
TOPICS = {"1": "one?", "2": "two?", "unasked": " "}


def shown(joined):
    return [(query, list(candidates)) for query, candidates in joined.queries]


@pytest.mark.parametrize("skip_missing", [False, True])
def test_everything_is_there(skip_missing):
    run = {"2": [("b", 3.0), ("a", 3.0), ("d", 1.0)], "1": [("a", 0.5)]}
    joined = join(run, TOPICS, CORPUS, skip_missing=skip_missing)
    assert shown(joined) == [
        (
            Query("2", "two?"),
            [Candidate(CORPUS["b"], 3.0), Candidate(CORPUS["a"], 3.0), Candidate(CORPUS["d"], 1.0)],
        ),
        (Query("1", "one?"), [Candidate(CORPUS["a"], 0.5)]),
    ]
    assert (joined.skipped_queries, joined.skipped_documents) == ((), 0)
    assert [candidates[:2] for _, candidates in joined.queries] == [found[:2] for _, found in shown(joined)]
    assert [len(candidates) for _, candidates in joined.queries[1:]] == [1]


def test_queries_without_a_text():
    run = {query_id: [("a", 1.0)] for query_id in ("1", "w", "x", "2", "y", "z")}
    with pytest.raises(InputError) as caught:
        join(run, TOPICS, CORPUS, skip_missing=False)
    assert str(caught.value).startswith("4 of the run's 6 queries not found among the query texts (w, x, y, …)")
    assert "--skip-missing" in str(caught.value)
    joined = join(run, TOPICS, CORPUS, skip_missing=True)
    assert [query.query_id for query, _ in joined.queries] == ["1", "2"]
    assert joined.skipped_queries == ("w", "x", "y", "z")
    assert joined.skipped_documents == 0


def test_documents_not_in_the_corpus():
    run = {
        "1": [("x", 9.0), ("b", 5.0), ("y", 4.0), ("a", 3.0)],
        "2": [("y", 2.0), ("x", 1.0)],
        "lost": [("z", 1.0)],
    }
    topics = {**TOPICS, "lost": "where?"}
    with pytest.raises(InputError) as caught:
        join(run, topics, CORPUS, skip_missing=False)
    assert str(caught.value).startswith("3 of the run's 5 documents not found in the corpus (x, y, z);")
    assert "--skip-missing" in str(caught.value)
    joined = join(run, topics, CORPUS, skip_missing=True)
    assert shown(joined) == [(Query("1", "one?"), [Candidate(CORPUS["b"], 5.0), Candidate(CORPUS["a"], 3.0)])]
    assert joined.skipped_queries == ("2", "lost")
    assert joined.skipped_documents == 3


def test_documents_of_queries_without_a_text_are_not_counted():
    joined = join({"lost": [("x", 1.0)], "1": [("a", 1.0)]}, TOPICS, CORPUS, skip_missing=True)
    assert joined.skipped_queries == ("lost",)
    assert joined.skipped_documents == 0


@pytest.mark.parametrize("skip_missing", [True, False])
def test_a_query_without_candidates_is_skipped(skip_missing):
    joined = join({"1": [], "2": [("a", 1.0)]}, TOPICS, CORPUS, skip_missing=skip_missing)
    assert [query.query_id for query, _ in joined.queries] == ["2"]
    assert joined.skipped_queries == ("1",)


@pytest.mark.parametrize("skip_missing", [True, False])
def test_an_empty_query_text_is_named(skip_missing):
    run = {"1": [("a", 1.0)], "blank": [("a", 1.0)]}
    with pytest.raises(InputError, match=r"^1 query of the run with an empty text \(blank\)"):
        join(run, {**TOPICS, "blank": " \t"}, CORPUS, skip_missing=skip_missing)
    topics = dict.fromkeys(("1", "2", "3", "4"), "")
    with pytest.raises(InputError, match=r"^4 queries of the run with an empty text \(1, 2, 3, …\)"):
        join({query_id: [("a", 1.0)] for query_id in topics}, topics, CORPUS, skip_missing=skip_missing)


def test_an_empty_run():
    joined = join({}, TOPICS, CORPUS, skip_missing=False)
    assert (shown(joined), joined.skipped_queries, joined.skipped_documents) == ([], (), 0)
