import gzip
import os
import threading

import pytest

from rerankllm.errors import InputError
from rerankllm.formats.lines import expected, identifier, read_lines, read_objects, some, storable

LINES = [(1, "one"), (3, "drei è 三")]
CONTENT = "one\n\ndrei è 三\n \t\n".encode()


@pytest.mark.parametrize(
    "content",
    [
        CONTENT,
        CONTENT.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + CONTENT,
        CONTENT.rstrip(),
    ],
    ids=["plain", "crlf", "bom", "no last newline"],
)
@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "zipped-unawares.txt"])
def test_lines_are_numbered_and_blank_ones_skipped(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content if name == "a.txt" else gzip.compress(content))
    assert list(read_lines(path)) == LINES
    assert list(read_lines(str(path))) == LINES


def test_only_the_first_byte_order_mark_is_dropped(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n")
    assert list(read_lines(path)) == [(1, "one"), (2, "\ufefftwo")]


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0c", "\x1d"])
def test_only_newlines_end_a_line(tmp_path, separator):
    path = tmp_path / "a.txt"
    path.write_text(f"one{separator}still one\n", encoding="utf-8")
    assert list(read_lines(path)) == [(1, f"one{separator}still one")]


def test_an_empty_file_has_no_lines(tmp_path):
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.gz").write_bytes(gzip.compress(b""))
    assert list(read_lines(tmp_path / "a.txt")) == []
    assert list(read_lines(tmp_path / "b.gz")) == []


def test_a_pipe_is_read_once_and_unpacked(tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(gzip.compress(CONTENT),))
    writer.start()
    try:
        assert list(read_lines(fifo)) == LINES
    finally:
        writer.join()


def refused(path):
    with pytest.raises(InputError) as caught:
        list(read_lines(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_a_missing_file(tmp_path):
    assert "no such file; give the path of" in refused(tmp_path / "a.txt")


def test_a_missing_file_whose_twin_is_there(tmp_path):
    (tmp_path / "a.txt.gz").touch()
    (tmp_path / "b.txt").touch()
    assert refused(tmp_path / "a.txt").endswith(f"there is {tmp_path / 'a.txt.gz'}")
    assert refused(tmp_path / "b.txt.gz").endswith(f"there is {tmp_path / 'b.txt'}")


def test_a_folder(tmp_path):
    assert "is a folder; give the path of a file in it" in refused(tmp_path)


def test_a_path_through_a_file(tmp_path):
    (tmp_path / "a.txt").touch()
    assert "cannot be read (Not a directory)" in refused(tmp_path / "a.txt" / "b.txt")


def test_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"fine\nd\xe9j\xe0 vu\n")
    message = refused(path)
    assert message.startswith(f"{path}:2: expected UTF-8 text, found byte 0xe9 at byte 2 of the line")
    assert "convert" in message


def test_utf16_is_refused_in_line_1(tmp_path):
    path = tmp_path / "wide.txt"
    path.write_text("one\n", encoding="utf-16")
    assert refused(path).startswith(f"{path}:1: expected UTF-8")


@pytest.mark.parametrize(
    "content",
    [
        b"plain text",
        gzip.compress(CONTENT * 100)[:-12],
        gzip.compress(CONTENT)[:10] + b"\xff" * 20,
        gzip.compress(CONTENT)[:-8] + b"\0" * 8,
    ],
    ids=["plain text", "cut off", "broken stream", "wrong checksum"],
)
def test_a_corrupt_gzip(tmp_path, content):
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    message = refused(path)
    assert "is no intact gzip file (" in message
    assert "compress or fetch it again" in message


def test_expected_quotes_a_short_piece_on_one_line():
    assert str(expected("a.txt", 7, "three", "four\tfive")) == "a.txt:7: expected three, found 'four\\tfive'"
    message = str(expected("a.txt", 7, "three", "x" * 1000))
    assert message.endswith("x…'")
    assert len(message) < 120


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"a": 1', "(Expecting ',' delimiter at column 8)"),
        ("a b c", "(Expecting value at column 1)"),
        ("[1]", "expected one JSON object on the line, found '[1]'"),
        ('"text"', "expected one JSON object on the line, found"),
        ('{"a": 1} {"a": 2}', "(Extra data at column 10)"),
        ('{"a": ' + "[" * 200_000, "recursion"),
        ('{"a": ' + "1" * 5000 + "}", "one JSON object on the line (Exceeds the limit"),
    ],
)
def test_a_line_that_is_no_json_object(tmp_path, line, says):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"a": 0}}\n\n{line}\n', encoding="utf-8")
    records = read_objects(path)
    assert next(records) == (1, {"a": 0})
    with pytest.raises(InputError) as caught:
        next(records)
    assert str(caught.value).startswith(f"{path}:3: expected one JSON object on the line")
    assert says in str(caught.value)


@pytest.mark.parametrize(("value", "read"), [("d1", "d1"), (17, "17"), (-3, "-3"), ("été 三", "été 三")])
def test_ids_are_text_or_whole_numbers(value, read):
    assert identifier("f", 1, "_id", {"_id": value}) == read


@pytest.mark.parametrize("record", [{}, *({"_id": value} for value in (None, "", True, 1.5, ["a"], "\ud800"))])
def test_other_ids_are_refused(record):
    with pytest.raises(InputError, match=r'^f:4: expected "_id" to be a non-empty string or a whole number'):
        identifier("f", 4, "_id", record)


def test_storable_replaces_only_what_cannot_be_encoded():
    assert storable("a\ud800b 😀 三") == "a?b 😀 三"


def test_some_shows_three():
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d"]) == "a, b, c, …"
