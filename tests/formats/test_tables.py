"""Tables of documents and queries as people have them: what each file says is read, and what is wrong is named."""

import gzip
import io
import json
import re
import sys
from importlib.resources import files

import pytest

from rerankllm.data import Document
from rerankllm.errors import InputError, MissingExtra
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.columns import NAMES, Columns
from rerankllm.formats.documents import read_documents
from rerankllm.formats.objects import to_candidates
from rerankllm.formats.tables import kind_of

ROWS = [("7", "Fleas jump, far."), ("8", 'A flea lives for "months".'), ("9", "Dogs bark.\nLoudly.")]


def written(path, text):
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def quoted(sep, *names):
    cells = [names, *ROWS]
    return "".join(sep.join('"' + c.replace('"', '""') + '"' for c in row) + "\n" for row in cells)


def as_lines(*names):
    return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in ROWS)


def in_parquet(path, *names, numbers=False):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    ids = [int(row[0]) if numbers else row[0] for row in ROWS]
    pq.write_table(pa.table({names[0]: ids, names[1]: [row[1] for row in ROWS]}), path)
    return path


ATTEMPTS = {
    "csv": ("p.csv", quoted(",", "id", "text")),
    "csv, capitals and spaces": ("p.csv", quoted(",", " ID ", "Text")),
    "csv with a byte order mark": ("p.csv", "\ufeff" + quoted(",", "_id", "contents")),
    "csv of a European spreadsheet": ("p.csv", quoted(";", "doc_id", "passage").replace("\n", "\r\n")),
    "csv with empty lines, packed": ("p.csv.gz", "\n" + quoted(",", "docno", "body") + "\n,\n\n"),
    "csv without a name that says so": ("p.txt", quoted(",", "id", "text")),
    "tsv": ("p.tsv", quoted("\t", "pid", "passage")),
    "json lines": ("p.jsonl", as_lines("docid", "contents")),
    "json lines called json": ("p.json", as_lines("id", "content")),
    "json": ("p.json", json.dumps([{"id": int(i), "page_content": t} for i, t in ROWS], indent=1)),
    "json, one list inside": ("p.json", json.dumps({"documents": [{"_id": i, "text": t} for i, t in ROWS], "n": 3})),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_table_is_read_as_it_comes(tmp_path, attempt):
    name, content = ATTEMPTS[attempt]
    found = read_documents(written(tmp_path / name, content))
    expected = [(i, t.replace("\n", "\n")) for i, t in ROWS]
    assert [(each.doc_id, each.document.text.replace("\r\n", "\n")) for each in found] == expected
    corpus = read_corpus(tmp_path / name, ["7", "9"])
    assert list(corpus) == ["7", "9"]
    assert corpus["7"].text == ROWS[0][1]


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("names", [("id", "text"), ("_id", "segment")])
def test_parquet_is_read(tmp_path, names, numbers):
    path = in_parquet(tmp_path / "p.parquet", *names, numbers=numbers)
    assert [(each.doc_id, each.document.text) for each in read_documents(path)] == ROWS
    assert list(read_corpus(tmp_path, ["8"])) == ["8"]  # a folder of them


def test_a_tsv_without_a_header_is_ids_and_texts(tmp_path):
    path = written(tmp_path / "collection.tsv", '0\tFleas "jump".\n1\t"Quoted" at the start\tand a tab\n\n')
    assert [each.document for each in read_documents(path)] == [
        Document("0", 'Fleas "jump".'),
        Document("1", '"Quoted" at the start\tand a tab'),
    ]


def test_lines_of_text_stay_lines_of_text(tmp_path):
    path = written(tmp_path / "p.txt", "Fleas, ticks, text.\n\n[1] Dogs; bark.\n")
    assert [(each.doc_id, each.document.text) for each in read_documents(path)] == [
        ("0", "Fleas, ticks, text."),
        ("1", "[1] Dogs; bark."),
    ]


def test_other_columns_are_metadata_and_scores_are_numbers(tmp_path):
    path = written(tmp_path / "p.csv", ",id,title,text,score,url\n0,a,T,x,2.5,u\n1,b,,y,,\n")
    first, second = read_documents(path)
    assert (first.score, first.document.title, first.document.metadata) == (2.5, "T", {"url": "u"})
    assert (second.score, second.document.title) == (None, "")


def test_columns_can_be_named(tmp_path):
    path = written(tmp_path / "p.csv", "key,abstract,text\n1,the one,not this\n")
    (found,) = read_documents(path, {"id": "key", "text": "abstract"})
    assert found.document == Document("1", "the one")
    with pytest.raises(InputError, match="expected a column 'nope', yours has `key`, `abstract`, `text`"):
        read_documents(path, {"text": "nope"})
    with pytest.raises(InputError, match="there is no field 'body'; there are id, text"):
        Columns({"body": "text"})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.csv", "id,title\n1,x\n", ("p.csv:2: expected a column of texts (text, contents, segment, passage, …), "
         "yours has `id`, `title`; name it: --text-column NAME")),
        ("p.csv", "id,text\n1,a\n2,b,c\n", ("p.csv:3: expected 2 columns (`id`, `text`), with quotes around a text "
         "that holds the separator, found '3 columns'")),
        ("p.csv", 'id,text\n1,"a\n2,b\n', "p.csv:3: expected cells as spreadsheets write them"),
        ("p.csv", "id,text,text\n1,a,b\n", "p.csv:1: two columns are called `text`"),
        ("p.csv", "id,text\n1,a\n2,\n", "p.csv:3: the text is empty"),
        ("p.csv", "id,text\n1,a\n1,b\n", "1 document ids come more than once: 1"),
        ("p.csv", "id,text,score\n1,a,high\n", "p.csv:2: the first stage's score should be a number, found 'high'"),
        ("p.tsv", "1\tok\nno tab\n", "p.tsv:2: expected an id, a tab and a text"),
        ("p.json", '[{"text": "a"},\n {"text": }]', "p.json:2: expected JSON (Expecting value at column 11)"),
        ("p.json", '{"a": [], "b": []}', "expected a list of objects, or an object with one such list"),
        ("p.json", "[3]", "expected an object or a text as item of the list, found '3'"),
        ("p.jsonl", '{"text": "a"}\n{"text": null}\n', "p.jsonl:2: the text is empty"),
        ("p.jsonl", '{"text": ["a"]}\n', "p.jsonl:1: expected a text, found ['a']"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path, name, content, message):
    with pytest.raises(InputError) as caught:
        read_documents(written(tmp_path / name, content))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_encoding_and_a_broken_parquet(tmp_path):
    (tmp_path / "latin.csv").write_bytes("id,text\n1,naïve\n".encode("latin-1"))
    with pytest.raises(InputError, match="latin.csv:2: expected UTF-8 text"):
        read_documents(tmp_path / "latin.csv")
    pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_documents(written(tmp_path / "p.parquet", "no"))


def test_rows_without_a_text_can_be_left_out(tmp_path):
    path = written(tmp_path / "p.csv", "id,text\n1,a\n2,\n3,c\n")
    assert [each.doc_id for each in read_documents(path, skip_missing=True)] == ["1", "3"]


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"needs pyarrow: pip install 'rerankllm\[tables\]'"):
        read_documents(written(tmp_path / "p.parquet", ""))


def test_stdin(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"id,text\n3,x\n")))
    assert [each.document for each in read_documents("-")] == [Document("3", "x")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.csv", "qid,query\n1,how?\n2,why?\n"),
        ("q.tsv", "id\ttext\n1\thow?\n2\twhy?\n"),
        ("q.tsv", "1\thow?\n2\twhy?\n"),
        ("q.json", '[{"query_id": 1, "question": "how?"}, {"query_id": 2, "question": "why?"}]'),
    ],
)
def test_queries_are_read_from_the_same_tables(tmp_path, name, content):
    assert read_queries(written(tmp_path / name, content)) == {"1": "how?", "2": "why?"}


def test_query_columns_can_be_named(tmp_path):
    path = written(tmp_path / "q.csv", "topic,title,query\n1,this,not this\n")
    assert read_queries(path, Columns({"query_id": "topic", "query": "title"})) == {"1": "this"}


# In memory


FRAME = {"docno": [7, 8, 9], "Passage": [text for _, text in ROWS], "year": [1, None, 3]}
FRAMES = {
    "pandas": lambda: pytest.importorskip("pandas").DataFrame(FRAME),
    "pandas, index": lambda: pytest.importorskip("pandas").DataFrame(FRAME).set_index("docno"),
    "pyarrow": lambda: pytest.importorskip("pyarrow").table(FRAME),
    "datasets": lambda: pytest.importorskip("datasets").Dataset.from_dict(FRAME),
    "polars": lambda: pytest.importorskip("polars").DataFrame(FRAME),
    "polars, lazy": lambda: pytest.importorskip("polars").LazyFrame(FRAME),
}


@pytest.mark.parametrize("library", FRAMES)
def test_frames(library):
    found = to_candidates(FRAMES[library]())
    assert [(each.doc_id, each.document.text) for each in found] == ROWS
    assert [each.document.metadata["year"] for each in found] == [1, None, 3]


def test_a_frame_with_missing_values():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"id": [1, 2, None], "text": ["a", "b", "c"]})
    with pytest.raises(InputError, match="1 document ids come more than once: 2"):  # the third is called by its place
        to_candidates(frame)
    assert [each.doc_id for each in to_candidates(frame[:2])] == ["1", "2"]  # which are floats by now
    with pytest.raises(InputError, match="row 1: expected a text, found None; leave it out"):
        to_candidates(pd.DataFrame({"id": [1, 2], "text": ["a", None]}))
    with pytest.raises(InputError, match="row 0: expected a column of texts .* yours has `id`, `title`"):
        to_candidates(pd.DataFrame({"id": [1], "title": ["a"]}))
    (found,) = to_candidates(pd.DataFrame({"key": [1], "abstract": ["a"]}), {"id": "key", "text": "abstract"})
    assert found.document == Document("1", "a")


def test_paths_generators_and_candidates_are_documents_too(tmp_path):
    path = written(tmp_path / "p.csv", "id,text\n1,a\n")
    assert to_candidates(path) == to_candidates(to_candidates(path))
    assert [each.document for each in to_candidates(text for text in "ab")] == [Document("0", "a"), Document("1", "b")]
    with pytest.raises(InputError, match="give a pathlib.Path"):
        to_candidates("p.csv")
    with pytest.raises(InputError, match="found a int"):
        to_candidates(3)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.CSV", "csv"), ("a.csv.gz", "csv"), ("a.ndjson", "jsonl"), ("a.gz", None), ("a", None)]
)
def test_the_name_says_what_a_file_is(name, kind):
    assert kind_of(name) == kind


def test_the_page_of_the_server_knows_the_same_names():
    script = (files("rerankllm.server") / "files" / "passages.js").read_text(encoding="utf-8")
    for constant, field in (("IDS", "id"), ("TEXTS", "text")):
        (found,) = re.findall(rf"const {constant} = (\[.*?\]);", script)
        assert tuple(json.loads(found)) == NAMES[field]
