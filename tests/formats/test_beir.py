import gzip
import json

import pytest

from rerankllm.data import Document
from rerankllm.errors import InputError
from rerankllm.formats.beir import read_corpus, read_folder, read_queries
from rerankllm.formats.trec import read_qrels


def write_jsonl(path, *records):
    text = "".join(record if isinstance(record, str) else json.dumps(record) + "\n" for record in records)
    content = text.encode("utf-8")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def refused(reader, path, line, *pieces):
    with pytest.raises(InputError) as caught:
        reader(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: expected ")
    for piece in pieces:
        assert piece in message


# Corpus


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_a_corpus(tmp_path, name):
    path = write_jsonl(
        tmp_path / name,
        {"_id": "d1", "title": "Öl", "text": "三つの\u2028 texts"},
        {"_id": 17, "text": ""},
        {"_id": "d3", "title": None, "text": "t", "metadata": {}},
    )
    corpus = read_corpus(path)
    assert corpus == {
        "d1": Document("d1", "三つの\u2028 texts", "Öl"),
        "17": Document("17", ""),
        "d3": Document("d3", "t"),
    }
    assert list(corpus) == ["d1", "17", "d3"]
    assert [document.metadata for document in corpus.values()] == [{}, {}, {}]


def test_only_wanted_documents_are_kept_and_checked(tmp_path):
    records = [{"_id": str(number), "text": f"text {number}"} for number in range(100)]
    path = write_jsonl(tmp_path / "corpus.jsonl", *records, {"_id": "empty"})
    assert list(read_corpus(path, ["7", "31", "31", "nowhere"])) == ["7", "31"]
    assert read_corpus(path, set()) == {}
    refused(read_corpus, path, 101, "a column of texts (text, contents", "yours has `_id`", "--text-column")


@pytest.mark.parametrize(
    ("fields", "metadata"),
    [
        ({"url": "u", "year": 3}, {"url": "u", "year": 3}),
        ({"metadata": {"url": "u"}, "year": 3}, {"url": "u", "year": 3}),
        ({"metadata": {"url": "inner"}, "url": "outer"}, {"url": "inner"}),
        ({"metadata": None, "url": "u"}, {"url": "u"}),
        ({"metadata": ["a", "b"]}, {"metadata": ["a", "b"]}),
        ({"metadata": {"metadata": 1, "text": "kept"}}, {"metadata": 1, "text": "kept"}),
    ],
)
def test_other_fields_are_metadata(tmp_path, fields, metadata):
    path = write_jsonl(tmp_path / "corpus.jsonl", {"_id": "d", "title": "t", "text": "x", **fields})
    document = read_corpus(path)["d"]
    assert (document.text, document.title) == ("x", "t")
    assert document.metadata == metadata


def test_lone_surrogates_are_replaced(tmp_path):
    path = write_jsonl(tmp_path / "c.jsonl", '{"_id": "d", "title": "\\udc00", "text": "a\\ud83d b \\ud83d\\ude00"}\n')
    document = read_corpus(path)["d"]
    assert (document.title, document.text) == ("?", "a? b 😀")


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"_id": "", "text": "x"}, '"_id" to be a non-empty string or a whole number'),
        ({"_id": 1.0, "text": "x"}, '"_id" to be a non-empty string or a whole number'),
        ({"_id": "d", "text": None}, '"text" to be a string'),
        ({"_id": "d", "text": ["x"]}, '"text" to be a string'),
        ({"_id": "d", "text": "x", "title": 5}, '"title" to be a string'),
        ('{"_id": "d", "text": "x"\n', "one JSON object on the line (Expecting ',' delimiter at column 25)"),
        ("d\tx\n", "one JSON object on the line (Expecting value at column 1)"),
    ],
)
def test_a_malformed_document(tmp_path, record, what):
    path = write_jsonl(tmp_path / "corpus.jsonl", {"_id": "a", "text": "x"}, "\n", record)
    found = record.strip() if isinstance(record, str) else json.dumps(record)
    refused(read_corpus, path, 3, what, repr(found))


@pytest.mark.parametrize(
    ("record", "what"),
    [({"text": "no id", "n": 1}, "ids (_id, doc_id"), ({"_id": "d", "name": "x"}, "texts (text, contents")],
)
def test_a_document_without_a_column_says_which_it_has(tmp_path, record, what):
    path = write_jsonl(tmp_path / "corpus.jsonl", {"_id": "a", "text": "x"}, record)
    refused(read_corpus, path, 2, f"a column of {what}", f"yours has {', '.join(f'`{name}`' for name in record)}")


def test_an_id_with_two_documents(tmp_path):
    one, two = {"_id": "1", "text": "x"}, {"_id": 1, "text": "y"}
    assert list(read_corpus(write_jsonl(tmp_path / "same.jsonl", one, one))) == ["1"]
    path = write_jsonl(tmp_path / "differs.jsonl", one, one, two)
    refused(read_corpus, path, 3, "the same document again", '"y"')


# Queries


@pytest.mark.parametrize("name", ["queries.jsonl", "queries.jsonl.gz", "queries.txt", "queries.gz"])
def test_json_queries(tmp_path, name):
    path = write_jsonl(
        tmp_path / name,
        "\ufeff\r\n",
        {"_id": "q2", "text": " hé? ", "metadata": {"a": 1}},
        {"_id": 1, "text": "a\ud800"},
        {"_id": "none", "text": ""},
    )
    queries = read_queries(path)
    assert queries == {"q2": "hé?", "1": "a?", "none": ""}
    assert list(queries) == ["q2", "1", "none"]


@pytest.mark.parametrize("name", ["queries.tsv", "topics.txt", "topics.gz"])
def test_tab_separated_queries(tmp_path, name):
    path = write_jsonl(tmp_path / name, "2\thow?\n1\t{why}\n{3\twho?\n")
    assert read_queries(path) == {"2": "how?", "1": "{why}", "{3": "who?"}


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"text": "no id"}, "a column of query ids"),
        ({"_id": "q"}, "a column of query texts"),
        ({"_id": "q", "text": 5}, '"text" to be a string'),
        ({"_id": "a", "text": "again"}, "each query id once"),
        ("q\ttext\n", "one JSON object on the line"),
    ],
)
def test_a_malformed_json_query(tmp_path, record, what):
    path = write_jsonl(tmp_path / "queries.txt", {"_id": "a", "text": "x"}, record)
    refused(read_queries, path, 2, what)


def test_tab_separated_text_under_a_json_name(tmp_path):
    path = write_jsonl(tmp_path / "queries.jsonl", "q\ttext\n")
    refused(read_queries, path, 1, "one JSON object on the line")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("no tab", "an id, a tab and a text, or a first line with the names of the columns, found 'no tab'"),
        ('{"_id": "q"}', "an id, a tab and a text"),
        ("1\tx", "each query id once"),
    ],
)
def test_a_malformed_tab_separated_query(tmp_path, line, what):
    path = write_jsonl(tmp_path / "queries.tsv", f"1\ta\n2\tb\n{line}\n")
    refused(read_queries, path, 3, what)


# Folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_beir_folder(tmp_path, suffix):
    write_jsonl(tmp_path / f"corpus.jsonl{suffix}", {"_id": "d", "title": "", "text": "x"})
    write_jsonl(tmp_path / f"queries.jsonl{suffix}", {"_id": "q", "text": "x?"})
    for split, grade in (("test", 2), ("dev", 1)):
        write_jsonl(tmp_path / "qrels" / f"{split}.tsv{suffix}", f"query-id\tcorpus-id\tscore\nq\td\t{grade}\n")
    folder = read_folder(tmp_path)
    assert list(folder.qrels) == ["dev", "test"]
    assert read_corpus(folder.corpus) == {"d": Document("d", "x")}
    assert read_queries(folder.queries) == {"q": "x?"}
    assert read_qrels(folder.split("test")) == {"q": {"d": 2}}
    assert read_qrels(folder.split("dev")) == {"q": {"d": 1}}
    with pytest.raises(InputError) as caught:
        folder.split("train")
    assert str(caught.value) == f"{tmp_path}: no qrels/train.tsv; it has dev, test"


def test_a_beir_folder_prefers_plain_files_and_may_lack_qrels(tmp_path):
    for name in ("corpus.jsonl", "corpus.jsonl.gz", "queries.jsonl"):
        (tmp_path / name).touch()
    folder = read_folder(str(tmp_path))
    assert folder.corpus == tmp_path / "corpus.jsonl"
    assert folder.qrels == {}
    with pytest.raises(InputError, match=r"it has none$"):
        folder.split("test")
    (tmp_path / "qrels").mkdir()
    for name in ("test.tsv", "test.tsv.gz"):
        (tmp_path / "qrels" / name).touch()
    assert read_folder(tmp_path).split("test").name == "test.tsv"


def test_a_folder_of_another_layout_says_what_was_looked_for(tmp_path):
    def complaint():
        with pytest.raises(InputError) as caught:
            read_folder(tmp_path)
        return str(caught.value)

    assert complaint().startswith(f"{tmp_path}: looked for corpus.jsonl or corpus.jsonl.gz")
    assert complaint().endswith("found nothing")
    (tmp_path / "corpus.jsonl").touch()
    (tmp_path / "run.txt").touch()
    assert complaint().startswith(f"{tmp_path}: looked for queries.jsonl or queries.jsonl.gz")
    assert complaint().endswith("found corpus.jsonl, run.txt")


def test_no_folder_at_all(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"is a file; expected a folder with corpus\.jsonl and queries\.jsonl$"):
        read_folder(tmp_path / "file")
    with pytest.raises(InputError, match="no such folder; expected a folder with"):
        read_folder(tmp_path / "nowhere")
