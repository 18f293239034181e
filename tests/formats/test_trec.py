import gzip
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.errors import InputError
from rerankllm.formats.trec import (
    MOST_SCORES,
    check_ids,
    read_qrels,
    read_run,
    read_topics,
    write_run,
    written_scores,
)


@pytest.fixture
def file(tmp_path):
    def write(text, name="file.txt"):
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8"))
        return path

    return write


def refused(reader, path, line, *pieces):
    """Reads, expecting a refusal that names `line` (None: the file) and holds all `pieces`."""
    with pytest.raises(InputError) as caught:
        reader(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: " if line is None else f"{path}:{line}: expected ")
    assert "\n" not in message
    for piece in pieces:
        assert piece in message


# Runs


def test_a_run_is_ordered_by_score_whatever_its_ranks_say(file):
    path = file("q Q0 low 1 1.5 t\nq Q0 high 2 20 t\nq Q0 mid 3 1e1 t\nq Q0 under 4 -3 t\n")
    assert read_run(path) == {"q": [("high", 20.0), ("mid", 10.0), ("low", 1.5), ("under", -3.0)]}


def test_ties_stay_in_file_order(file):
    ids = [f"d{number * 7 % 50}" for number in range(50)]
    path = file("".join(f"q Q0 {doc_id} 1 {int(doc_id[1:]) % 2} t\n" for doc_id in ids))
    found = [doc_id for doc_id, _ in read_run(path)["q"]]
    assert found == sorted(ids, key=lambda doc_id: -(int(doc_id[1:]) % 2))
    assert found != sorted(found)


def test_queries_stay_in_file_order_and_may_be_spread(file):
    run = read_run(file("2 Q0 a 1 1 t\n10 Q0 a 1 5 t\n2 Q0 b 1 2 t\n1 Q0 c 1 0 t\n10 Q0 b 1 7 t\n"))
    assert list(run) == ["2", "10", "1"]
    assert run["2"] == [("b", 2.0), ("a", 1.0)]
    assert run["10"] == [("b", 7.0), ("a", 5.0)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [" ", "\t", "  \t "])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_separators_line_ends_and_byte_order_marks(file, start, separator, end):
    lines = [["é-1", "Q0", "三-№7", "1", "2.5", "t"], ["é-1", "Q0", "😀", "2", "2", "t"]]
    path = file(start + end.join(separator.join(line) for line in lines) + end)
    assert read_run(path) == {"é-1": [("三-№7", 2.5), ("😀", 2.0)]}


def test_a_gzipped_run(tmp_path):
    path = tmp_path / "run.gz"
    path.write_bytes(gzip.compress(b"q Q0 d 1 1 t\n"))
    assert read_run(path) == {"q": [("d", 1.0)]}


@pytest.mark.parametrize("line", ["q Q0 d 1 1", "q Q0 d 1 1 my tag", "q\td", '{"_id": "d"}', "q,Q0,d,1,1,t"])
def test_a_run_line_of_other_columns(file, line):
    path = file(f"q Q0 a 1 1 t\n\n{line}\n")
    refused(read_run, path, 3, "6 columns `qid Q0 docno rank score tag`", repr(line))


@pytest.mark.parametrize("score", ["nan", "NaN", "inf", "-Infinity", "1e999", "high", "1,5"])
def test_a_run_score_that_is_no_finite_number(file, score):
    path = file(f"q Q0 a 1 1 t\nq Q0 b 2 {score} t\n")
    refused(read_run, path, 2, "a finite number as score in column 5", score)


def test_documents_listed_twice(file):
    lines = "".join(f"q Q0 d{number} 1 {10 - number} t\n" for number in range(5))
    refused(
        read_run,
        file(lines + "other Q0 d0 1 1 t\n" + lines),
        None,
        "5 lines repeat a document of their query",
        "d0 of query q in line 7, d1 of query q in line 8, d2 of query q in line 9, …",
    )


# A byte order mark at the start of a file is no part of its first id.
ids = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), min_size=1, max_size=8).filter(
    lambda text: text.split() == [text]
)
rankings = st.dictionaries(ids, st.lists(ids, max_size=30, unique=True), max_size=4)


@pytest.mark.slow
@given(rankings, ids)
def test_what_is_written_is_read_back_in_the_same_order(tmp_path_factory, rankings, tag):
    path = tmp_path_factory.getbasetemp() / "round-trip.txt"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for query_id, doc_ids in rankings.items():
            write_run(file, query_id, doc_ids, tag)
    read = {query_id: [doc_id for doc_id, _ in pairs] for query_id, pairs in read_run(path).items()}
    assert read == {query_id: doc_ids for query_id, doc_ids in rankings.items() if doc_ids}
    assert list(read) == [query_id for query_id, doc_ids in rankings.items() if doc_ids]


def test_a_written_line():
    out = io.StringIO()
    write_run(out, "q7", ["b", "a"], "tag")
    assert out.getvalue() == "q7 Q0 b 1 2 tag\nq7 Q0 a 2 1 tag\n"


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 1000, 1_000_000])
def test_written_scores_fall_strictly_as_float32(count):
    out = io.StringIO()
    write_run(out, "q", [f"d{number}" for number in range(count)], "t")
    columns = out.getvalue().split()
    scores = np.array(columns[4::6]).astype(np.float32)
    assert scores.shape == (count,)
    assert (scores[1:] < scores[:-1]).all()
    assert columns[3::6][:3] == ["1", "2", "3"][:count]


def test_scores_are_told_apart_up_to_the_limit_and_not_beyond():
    top = written_scores(MOST_SCORES)
    assert np.float32(top[0]) > np.float32(top[1])
    assert np.float32(MOST_SCORES + 1) == np.float32(MOST_SCORES)
    with pytest.raises(InputError, match=r"^16777217 documents for one query: .* truncate the ranking$"):
        written_scores(MOST_SCORES + 1)


@pytest.mark.parametrize("bad", ["", "a b", "a\tb", "a\n", " a", "a\u00a0b", "三\u3000四", "\ud800"])
def test_an_id_that_would_break_the_columns_is_not_written(bad):
    out = io.StringIO()
    with pytest.raises(InputError, match=r"^query id .* cannot be written to a run file"):
        write_run(out, bad, ["d"], "t")
    with pytest.raises(InputError, match=r"^document id of query q .* cannot be written"):
        write_run(out, "q", ["d", bad], "t")
    with pytest.raises(InputError, match=r"^tag .* cannot be written"):
        write_run(out, "q", ["d"], bad)
    assert out.getvalue() == ""


def test_a_document_is_written_once():
    with pytest.raises(InputError, match=r"^query q: 4 documents are listed more than once \(a, b, c, …\)"):
        check_ids("q", [*"abcd", *"dcba", "a", "e"])


# Qrels


def test_trec_qrels(file):
    path = file("2 0 a 3\n1\t0\tb\t0\n2  Q0 c -1\r\n2 0 a 3\n")
    qrels = read_qrels(path)
    assert qrels == {"2": {"a": 3, "c": -1}, "1": {"b": 0}}
    assert list(qrels) == ["2", "1"]


@pytest.mark.parametrize("header", ["query-id\tcorpus-id\tscore", "\ufeffQuery-ID\tCorpus-ID\tScore\r"])
def test_beir_qrels_are_known_by_their_header(file, header):
    path = file(f"{header}\nq 1\td 7\t2\nq 1\t三\t0\r\n")
    assert read_qrels(path) == {"q 1": {"d 7": 2, "三": 0}}


@pytest.mark.parametrize("line", ["q 0 d", "q 0 d 1 2", "q\td\t1", "query-id\tcorpus-id\tscore"])
def test_a_qrels_line_of_other_columns(file, line):
    refused(read_qrels, file(f"q 0 a 1\n{line}\n"), 2, "4 columns `qid 0 docno grade`", repr(line))


@pytest.mark.parametrize("line", ["q 0 d 1", "q\td", "q\td\t1\tx", "q\t\t1"])
def test_a_beir_qrels_line_of_other_columns(file, line):
    path = file(f"query-id\tcorpus-id\tscore\nq\ta\t1\n{line}\n")
    refused(read_qrels, path, 3, "3 columns `query-id<TAB>corpus-id<TAB>score`", repr(line))


@pytest.mark.parametrize("grade", ["1.5", "high", "nan"])
def test_a_grade_that_is_no_whole_number(file, grade):
    refused(read_qrels, file(f"q 0 a 1\nq 0 b {grade}\n"), 2, "a whole number as grade", grade)
    path = file(f"query-id\tcorpus-id\tscore\nq\tb\t{grade}\n")
    refused(read_qrels, path, 2, "a whole number as grade", grade)


def test_two_grades_for_one_document(file):
    path = file("q 0 a 1\np 0 a 2\nq 0 a 2\n")
    refused(read_qrels, path, 3, "grade 1 again for the same query and document", "'q 0 a 2'")


# Topics


def test_topics(file):
    path = file("\ufeff10\twhat is  this?\r\nq-é\t三つ\tand a tab \n9\t\n")
    topics = read_topics(path)
    assert topics == {"10": "what is  this?", "q-é": "三つ\tand a tab", "9": ""}
    assert list(topics) == ["10", "q-é", "9"]


@pytest.mark.parametrize("line", ["11 no tab here", "\tno id", "  \tno id", "<top>"])
def test_a_topic_without_tab_or_id(file, line):
    refused(read_topics, file(f"10\tfine\n{line}\n"), 2, "`qid<TAB>text`", repr(line))


def test_a_topic_twice(file):
    refused(read_topics, file("10\tone\n11\ttwo\n\n10\tthree\n"), 4, "each query id once", "10\\tthree")
