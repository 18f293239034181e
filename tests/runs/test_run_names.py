"""What a run is called on the command line: a name may be a stage, with its `=` and `@`."""

import pytest

from rerankllm.runs.systems import Given, parse_run


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("q Q0 d 1 1 x\n")
    (tmp_path / "b=c.txt").write_text("q Q0 d 1 1 x\n")


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    "option, name, collection, files",
    [
        ("sliding(stride=10) @ openai:gpt=a.txt", "sliding(stride=10) @ openai:gpt", None, ["a.txt"]),
        ("A=a.txt", "A", None, ["a.txt"]),
        ("A@dl19=a.txt", "A", "dl19", ["a.txt"]),
        ("prp(k=1)@dl19=a.txt,b=c.txt", "prp(k=1)", "dl19", ["a.txt", "b=c.txt"]),
        ("b=c.txt", "b=c", None, ["b=c.txt"]),
        ("a.txt", "a", None, ["a.txt"]),
        ("A=missing.txt", "A", None, ["missing.txt"]),
    ],
)  # fmt: skip
def test_a_name_may_be_a_stage(option, name, collection, files):
    found = parse_run(option)
    assert isinstance(found, Given)
    assert (found.name, found.collection, [str(path) for path in found.files]) == (name, collection, files)
