"""A run read query by query says what one read at once says."""

import gzip
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.errors import InputError
from rerankllm.formats import runfile
from rerankllm.formats.runfile import RunFile
from rerankllm.formats.trec import read_run


def lists(path):
    with RunFile(path) as run:
        return {q: list(zip(found.doc_ids, found.scores.tolist(), strict=True)) for q, found in read_all(run)}


def read_all(run):
    return [(query_id, run.read(query_id)) for query_id in run.query_ids]


def either(reader, path):
    try:
        return reader(path)
    except InputError as error:
        return str(error)


QUERIES = st.sampled_from(["q1", "q10", "1", "ü", "q1\u00a0x", "ü\u00a0"])
SCORES = st.one_of(st.floats(-9, 9).map(str), st.integers(-3, 3).map(str), st.sampled_from(["nan", "x", "1e400"]))
LINES = st.builds(
    "{}{} Q0{}{}  {} {} t{}".format,
    st.sampled_from(["", "", "", " "]),
    QUERIES,
    st.sampled_from([" ", " ", "\t"]),
    st.integers(0, 30).map("d{}".format),
    st.integers(1, 9),
    SCORES,
    st.sampled_from(["", "", "\r", " ", " more"]),
)
GOOD = st.builds(
    "{} Q0 d{} 1 {} t".format, st.sampled_from(["q1", "q10", "ü"]), st.integers(0, 10**6), st.integers(0, 5)
)


@pytest.mark.slow
@given(
    lines=st.lists(st.one_of(GOOD, GOOD, GOOD, GOOD, LINES, st.sampled_from(["", "  ", "q1"])), max_size=12),
    end=st.sampled_from(["", "\n"]),
    bom=st.booleans(),
    chunk=st.sampled_from([1, 7, 64, 4 << 20]),
)
@settings(max_examples=300)
def test_the_same_lists_or_the_same_complaint(tmp_path_factory, lines, end, bom, chunk):
    path = tmp_path_factory.mktemp("run") / "r.txt"
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + ("\n".join(lines) + end).encode())
    runfile._CHUNK, before = chunk, runfile._CHUNK
    try:
        found = either(lists, path)
    finally:
        runfile._CHUNK = before
    at_once = either(read_run, path)
    if isinstance(at_once, str):
        assert isinstance(found, str)
        assert found.startswith(str(path))
    else:
        assert found == at_once
        assert list(found) == list(at_once)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("q Q0 a 1 2 t\nq Q0 b 2 x t\n", "r.txt:2: expected a finite number as score in column 5"),
        ("p Q0 a 1 2 t\nq Q0 b 2 1\n", "r.txt:2: expected 6 columns"),
        ("p Q0 a 1 2 t\n\nq\n", "r.txt:3: expected 6 columns"),
        (
            "q Q0 a 1 2 t\np Q0 a 1 2 t\nq Q0 a 1 3 t\n",
            "1 lines repeat a document of their query (a of query q in line 3)",
        ),
        (b"q Q0 \xff 1 2 t\n", "r.txt:1: expected UTF-8 text"),
        (b"\xff Q0 a 1 2 t\n", "r.txt:1: expected UTF-8 text"),
    ],
)
def test_complaints_name_the_line(tmp_path, text, complaint):
    path = tmp_path / "r.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        lists(path)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_real_runs(shared_data):
    for name in ("dl19-bm25", "noveleval"):
        path = shared_data / name / "run.txt"
        assert lists(path) == read_run(path)


def test_gzipped_and_piped(tmp_path):
    text = b"b Q0 d1 1 3 t\na Q0 d2 1 2 t\nb Q0 d3 2 4 t\n"
    expected = {"b": [("d3", 4.0), ("d1", 3.0)], "a": [("d2", 2.0)]}
    packed, pipe = tmp_path / "r.txt.gz", tmp_path / "pipe"
    packed.write_bytes(gzip.compress(text))
    assert lists(packed) == expected
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(text,))
    writer.start()
    assert lists(pipe) == expected
    writer.join()
    packed.write_bytes(gzip.compress(text)[:-9])
    with pytest.raises(InputError, match="no intact gzip file"):
        lists(packed)
    with pytest.raises(InputError, match="no such file"):
        RunFile(tmp_path / "none.txt")


@pytest.mark.slow
def test_holds_one_query(tmp_path):
    """What stays after a query is read are the places of the others, not their lists."""
    import tracemalloc

    path = tmp_path / "r.txt"
    with path.open("w") as file:
        for query in range(200):
            file.writelines(f"q{query} Q0 d{query}-{i} {i} {1000 - i} t\n" for i in range(1000))
    with RunFile(path) as run:
        tracemalloc.start()
        total = sum(len(run.read(query_id).doc_ids) for query_id in run.query_ids)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert total == 200_000
    assert peak < 3_000_000  # one query takes under 1 MB; all would take 20
