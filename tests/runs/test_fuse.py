"""Runs made one: from Python and from the command line."""

import gzip
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm import InputError, fuse
from rerankllm.aggregation.votes import Vote
from rerankllm.data import Document, Query, Ranking, float32
from rerankllm.formats import trec
from rerankllm.formats.castorini import write_ranking
from rerankllm.formats.trec import read_run
from rerankllm.registry import AGGREGATIONS
from rerankllm.spec.stage import parse_aggregation

A = {"q1": [("d1", 3.0), ("d2", 2.0), ("d3", 1.0)], "q2": [("d9", 1.0)]}
B = {"q1": [("d2", 0.9), ("d4", 0.5)], "q3": [("d5", 7.0), ("d6", 7.0)]}
RUNS = st.lists(
    st.dictionaries(
        st.sampled_from(["q1", "q2", "q3"]),
        st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 5).map(float), min_size=1),
        min_size=3,
    ),
    min_size=2,
    max_size=4,
)


def saved(folder, name, run):
    path = folder / name
    path.write_text("".join(f"{q} Q0 {d} 0 {s} t\n" for q, found in run.items() for d, s in found))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", list(AGGREGATIONS))
@given(runs=RUNS, depth=st.sampled_from([None, 1, 3]))
@settings(max_examples=12)
def test_every_rule_gives_a_permutation_scored_as_it_scores_votes(name, runs, depth):
    fused, rule = fuse(runs, name, depth=depth), parse_aggregation(name)
    assert list(fused) == list(dict.fromkeys(q for run in runs for q in run))
    for query_id, ranked in fused.items():
        lists = [sorted(run[query_id].items(), key=lambda pair: -pair[1])[:depth] for run in runs if query_id in run]
        items = list(dict.fromkeys(item for listed in lists for item, _ in listed))
        assert sorted(d for d, _ in ranked) == sorted(items)
        expected = rule.scores(items, [Vote.scored(listed, head=True) for listed in lists])
        assert dict(ranked) == {item: float32(score) for item, score in zip(items, expected, strict=True)}
        assert [s for _, s in ranked] == sorted((s for _, s in ranked), reverse=True)


def test_rrf_by_hand_and_queries_some_runs_lack():
    fused = fuse([A, B])
    assert [d for d, _ in fused["q1"]] == ["d2", "d1", "d4", "d3"]
    assert dict(fused["q1"])["d2"] == pytest.approx(1 / 62 + 1 / 61)
    assert fused["q2"] == [("d9", pytest.approx(1 / 61))]
    assert [d for d, _ in fused["q3"]] == ["d5", "d6"]
    assert dict(fused["q3"])["d5"] == dict(fused["q3"])["d6"] == pytest.approx(1 / 61.5)


def test_weights_depth_and_lists_of_every_shape():
    heavy = fuse([A, B], "rrf(k=0)", weights=[1, 4])["q1"]
    assert heavy == [("d2", 4.5), ("d4", 2.0), ("d1", 1.0), ("d3", pytest.approx(1 / 3))]
    assert [d for d, _ in fuse([A, B], depth=1)["q1"]] == ["d1", "d2"]
    bare = {"q1": ["d1", "d2", "d3"], "q2": ["d9"]}
    mapped = {q: dict(reversed(pairs)) for q, pairs in B.items()}
    assert fuse([bare, mapped])["q1"] == fuse([A, B])["q1"]
    assert fuse([A, B], parse_aggregation("combsum"))["q1"][0] == ("d2", 1.5)


@pytest.mark.parametrize("method", ["combsum", "combmnz", "combsum(scale=zscore)"])
def test_scores_as_far_apart_as_floats_can_be(method):
    far = {"q1": {"d1": 1e308, "d2": 0.0, "d3": -1e308}}
    assert [d for d, _ in fuse([far, A], method)["q1"]] == ["d1", "d2", "d3"]
    near = {"q1": {"d1": 3e-320, "d2": 2e-320, "d3": 1e-320}}
    assert [d for d, _ in fuse([near, A], method)["q1"]] == ["d1", "d2", "d3"]


@pytest.mark.parametrize(
    ("runs", "options", "complaint"),
    [
        ([A], {}, "at least two runs, found 1"),
        ([A, {}], {}, "run 2: holds no query"),
        ([A, {"x": ["d"]}], {}, "no query in common"),
        ([A, B], {"weights": [1]}, "1 weights for 2 runs"),
        ([A, B], {"weights": [1, 0]}, "weights should be numbers above 0"),
        ([A, B], {"weights": [1, float("nan")]}, "weights should be numbers above 0"),
        ([A, B], {"weights": [1e300, 1]}, "from 1e-06 to 1e.06, found 1e.300, 1"),
        ([A, B], {"weights": [1e-300, 1e-300]}, "from 1e-06 to 1e.06"),
        ([A, B], {"depth": 0}, "depth should be at least 1"),
        ([A, B], {"method": "mean"}, "unknown aggregation 'mean'"),
        ([A, B], {"method": "rrf @ oracle:x"}, "an aggregation alone"),
        ([A, 3], {}, "a run should be a path"),
        ([A, {"q1": ["d", "d"]}], {}, "query q1: a document is listed more than once"),
        ([A, {"q1": [1, 2]}], {}, "query q1: a list should hold"),
        ([A, {"q1": {"d": float("inf")}}], {}, "query q1: scores should be finite"),
    ],
)
def test_what_is_refused(runs, options, complaint):
    with pytest.raises(InputError, match=complaint):
        fuse(runs, **options)


def test_the_command(cli, tmp_path):
    a, b, output = saved(tmp_path, "a.txt", A), saved(tmp_path, "b.txt", B), tmp_path / "out.txt"
    status, out, err = cli("fuse", "--run", a, "--run", b, "--output", output)
    assert (status, out) == (0, "")
    assert output.read_text().splitlines()[:2] == ["q1 Q0 d2 1 4 rerankllm", "q1 Q0 d1 2 3 rerankllm"]
    assert {q: [d for d, _ in found] for q, found in read_run(output).items()} == {
        q: [d for d, _ in found] for q, found in fuse([a, b]).items()
    }
    assert f"{a} lacks 1 of 3 queries (q3): they are fused from the others" in err
    assert f"{b} lacks 1 of 3 queries (q2)" in err
    assert "3 queries of 2 runs fused, 7 documents" in err
    assert "2 times a document shared its score" in err
    cli("fuse", "--run", a, "--run", b, "--output", output, "--weight", "1", "--weight", "9", "--truncate", "1")
    assert [d for ((d, _),) in read_run(output).values()] == ["d2", "d9", "d5"]
    cli("fuse", "--run", a, "--run", b, "--output", output, "--depth", "1", "--method", "plurality")
    assert [d for d, _ in read_run(output)["q1"]] == ["d1", "d2"]


def test_castorini_and_gzip_files(cli, tmp_path):
    a, b, output = tmp_path / "a.txt.gz", tmp_path / "b.jsonl", tmp_path / "out.txt.gz"
    a.write_bytes(gzip.compress(saved(tmp_path, "a.txt", A).read_bytes()))
    with b.open("w") as file:
        for query_id, found in B.items():
            write_ranking(file, Ranking.of(Query(query_id, "t"), [Document(d, "x") for d, _ in found]))
    assert cli("fuse", "--run", a, "--run", b, "--output", output)[0] == 0
    assert [d for d, _ in read_run(output)["q1"]] == ["d2", "d1", "d4", "d3"]
    bare = tmp_path / "bare.jsonl"
    bare.write_text(
        '{"query": {"qid": "q1", "text": "t"}, "candidates": [{"docid": "d4", "doc": {"contents": "x"}}]}\n'
    )
    assert fuse([a, bare], "combsum")["q1"] == [("d1", 1.0), ("d4", 1.0), ("d2", 0.5), ("d3", 0.0)]


@pytest.mark.slow
def test_bad_files_leave_what_was_there(cli, tmp_path):
    a, output, empty = saved(tmp_path, "a.txt", A), tmp_path / "out.txt", tmp_path / "empty.txt"
    bad = saved(tmp_path, "bad.txt", A | {"q2": [("d9", 1.0), ("d9", 2.0)]})
    empty.write_text("\n")
    output.write_text("before")
    for arguments, complaint in (
        (["--run", a, "--run", bad], f"{bad}: 1 lines repeat a document of their query (d9 of query q2 in line 5)"),
        (["--run", a, "--run", empty], f"{empty}: holds no query"),
        (["--run", a], "at least two runs"),
        (["--run", a, "--run", a], "--run names one file twice"),
        (["--run", a, "--run", tmp_path / "none"], "no such file"),
        (["--run", a, "--run", output], "name the same file"),
        (["--run", a, "--run", bad, "--method", "rrf(k=x)"], "rrf: k should be a whole number"),
    ):
        status, out, err = cli("fuse", *arguments, "--output", output)
        assert (status, out) == (1, "")
        assert complaint in err
    assert output.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "bad.txt", "empty.txt", "out.txt"]


def test_ids_that_no_run_file_can_hold_are_still_refused():
    for wrong in (["a", "b c"], ["a", ""], ["a", "\ud800"], ["a", "a"], ["a\u2028"]):
        with pytest.raises(InputError):
            trec.check_ids("q", wrong)
    trec.check_ids("q", ["a", "ü", "b-c"])


@pytest.mark.slow
def test_what_real_runs_agree_on_stays(shared_data):
    """BM25 and a run that keeps its first ten and shuffles the rest: the ten stay ahead."""
    first = read_run(shared_data / "dl19-bm25" / "run.txt")
    chance = random.Random(0)
    other = {
        q: [d for d, _ in found[:10]] + chance.sample([d for d, _ in found[10:]], 90) for q, found in first.items()
    }
    for method in ("rrf", "borda", "bradley_terry", "kemeny(exact=0)"):
        fused = fuse([first, other], method)
        assert all([d for d, _ in fused[q][:10]] == [d for d, _ in first[q][:10]] for q in first), method
