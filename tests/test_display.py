"""What a notebook shows of a ranking: where everything came from, and any text as text."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from rerankllm import Document, Query, Ranking, Reranker, Result
from rerankllm.display import LONGEST, plain

TAGS = {"div", "b", "bdi", "table", "thead", "tbody", "tr", "th", "td"}
HOSTILE = st.text() | st.sampled_from([
    "</td></tr></table><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "'\"><b>",
    "&lt;b&gt;", "$x$", "\ud800", "\x00", "\u202eabc", "</bdi><!--", "]]>",
])  # fmt: skip


class Read(HTMLParser):
    """What a browser makes of a table."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.cells, self.attributes = [], [], set()
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        raise AssertionError(data)

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE), max_size=4), HOSTILE)
def test_no_text_leaves_its_cell(documents, query):
    results = [Result(i, Document(*parts), input_rank=i) for i, parts in enumerate(documents, 1)]
    html = Ranking(Query("q", query), tuple(results))._repr_html_()
    html.encode()
    read = Read(html)
    assert read.attributes <= {"class", "style"}
    assert len(read.cells) == 4 * (1 + len(documents))


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_what_is_shown_is_the_text(text):
    read = Read(f"<td>{plain(text)}</td>")
    shown = " ".join(text.split())
    assert read.cells == [shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"]


@pytest.mark.parametrize("depth", [None, 2])
def test_it_says_what_moved(depth, tmp_path):
    (tmp_path / "qrels.txt").write_text("query 0 0 1\nquery 0 1 3\n")
    with Reranker("sliding", f"oracle:{tmp_path / 'qrels.txt'}", depth=depth) as reranker:
        ranking = reranker.rerank("which is best", ["worse", "better", "worst"])
    assert [(result.input_rank, result.doc_id) for result in ranking] == [(2, "1"), (1, "0"), (3, "2")]
    cells = Read(ranking._repr_html_()).cells
    assert cells[:4] == ["rank", "from", "doc_id", "text"]
    assert cells[4:] == ["1", "2 ↑", "1", "better", "2", "1 ↓", "0", "worse", "3", "3", "2", "worst"]


def test_long_rankings_say_how_much_is_hidden():
    ranking = Ranking.of(Query("q", "?"), [Document(str(i), "x") for i in range(25)])
    html = ranking._repr_html_()
    assert len(Read(html).cells) == 4 * 21
    assert "5 more" in html
    assert "more" not in ranking.top(20)._repr_html_()


# In a terminal

RESULTS = (
    Result(1, Document("a", "Fleas live\nfor weeks. " * 20, "On fleas", {"year": 1999}), 0.98765, input_rank=2),
    Result(2, Document("long-identifier", "蚤は数週間生きる。" * 20), -12.5),
    Result(3, Document("c", ""), None),
)
RANKING = Ranking(Query("q", "how long?"), RESULTS)


@pytest.mark.parametrize("width", ["200", "80", "60", "30"])
def test_a_ranking_prints_as_a_table_that_fits(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    lines = str(RANKING).split("\n")
    assert lines[0].split() == ["rank", "id", "score", "text"]
    assert [line.split()[:2] for line in lines[1:]] == [["1", "a"], ["2", "long-identifier"], ["3", "c"]]
    assert lines[1].split()[2:4] == ["0.9877", "On"]
    assert lines[2].split()[2] == "-12.5000"
    assert max(map(cell_len, lines)) <= max(int(width), 45)  # what numbers and names take, and a little text
    assert all(line.endswith("…") for line in lines[1:3])


def test_a_ranking_without_scores_and_a_long_one():
    unscored = Ranking(Query("q", "?"), tuple(Result(i, Document(str(i), "x")) for i in range(1, 24)))
    assert str(unscored[:1]) == "rank  id  text\n   1  1   x"
    assert str(unscored).endswith("… 3 more")
    assert str(unscored[:0]) == "rank  id  text"


@given(st.lists(st.tuples(HOSTILE, HOSTILE), max_size=3))
def test_any_text_stays_on_its_line(documents):
    shown = str(Ranking(Query("q", "?"), tuple(Result(i, Document(*d)) for i, d in enumerate(documents, 1))))
    assert len(shown.split("\n")) == 1 + len(documents)
    shown.encode()


def test_slices_are_rankings():
    assert RANKING[1:] == Ranking(RANKING.query, RESULTS[1:])
    assert RANKING.top(2).doc_ids == RANKING[:2].doc_ids == ("a", "long-identifier")
    assert RANKING.top(None) == RANKING
    assert RANKING[-1] is RESULTS[-1]


def test_a_ranking_as_json_and_as_a_frame():
    found = RANKING.to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["query"] == "how long?"
    first = found["results"][0]
    assert (first["rank"], first["doc_id"], first["title"], first["metadata"]) == (1, "a", "On fleas", {"year": 1999})
    pytest.importorskip("pandas")
    frame = RANKING.to_pandas()
    assert list(frame["doc_id"]) == list(RANKING.doc_ids)
    assert (frame["year"][0], frame["rank"][2]) == (1999, 3)
    assert "metadata" not in frame
    assert list(RANKING[:0].to_pandas()) == ["rank", "doc_id", "score", "text"]


def test_what_was_done_with_first_stage_scores_is_printed(tmp_path):
    (tmp_path / "qrels.txt").write_text("query 0 b 1\n")
    documents = [{"id": "a", "text": "x", "score": 9.0}, {"id": "b", "text": "y", "score": 1.0}]
    with Reranker("interpolate(sliding, weight=0.8)", f"oracle:{tmp_path / 'qrels.txt'}") as reranker:
        fused, plain = reranker.rerank("q", documents), reranker.rerank("q", [{**d, "score": None} for d in documents])
    assert str(fused).split("\n")[-1] == "note: fused with the first stage's scores, which count 20%"
    assert "note" not in str(plain)
