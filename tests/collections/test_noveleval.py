"""NovelEval, fetched from a server that has its three files."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from collection_seeds import NOVELEVAL

from rerankllm.collections import catalogue, noveleval
from rerankllm.errors import InputError


class Quiet(SimpleHTTPRequestHandler):
    asked = 0

    def log_message(self, *_):
        Quiet.asked += 1


@pytest.fixture
def host(tmp_path, monkeypatch):
    folder = tmp_path / "host"
    folder.mkdir()
    for name, text in NOVELEVAL.items():
        (folder / name).write_text(text, encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(noveleval, "URL", f"http://127.0.0.1:{server.server_port}")
    yield folder
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_it_is_fetched_once_and_read_with_its_quotes(host):
    before = Quiet.asked
    assert not catalogue.place("noveleval").cached
    found = catalogue.load("noveleval")
    assert found.documents.many(["0-1"])["0-1"].text == '"The exact number? Oh boy," he said.'
    assert found.qrels == {"0": {"0-0": 0, "0-1": 2}}
    assert found.first_stage is not None
    assert found.first_stage.run == {"0": [("0-0", 1.0), ("0-1", 0.5)]}
    assert catalogue.place("noveleval").cached
    assert catalogue.load("noveleval") == found
    assert Quiet.asked - before == 3


@pytest.mark.slow
def test_a_file_that_is_missing_there_leaves_no_half_of_a_cache(host):
    (host / "qrels.txt").unlink()
    with pytest.raises(InputError, match=r"noveleval is not cached here and could not be fetched \(HTTPError: .*404"):
        catalogue.load("noveleval")
    assert not catalogue.place("noveleval").cached
