"""What `eval` measures is what trec_eval does, ties included."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.data import float32
from rerankllm.evaluation.measures import at_level, parse_measures, per_query, relevant_from, trec_order
from rerankllm.formats.trec import read_qrels, read_run

MEASURES = {
    "nDCG@10": "ndcg_cut_10",
    "nDCG": "ndcg",
    "AP(rel={})": "map",
    "RR(rel={})": "recip_rank",
    "P(rel={})@10": "P_10",
    "R(rel={})@100": "recall_100",
    "Rprec(rel={})": "Rprec",
    "Success(rel={})@5": "success_5",
}


@pytest.fixture(scope="module")
def trec_eval():
    return pytest.importorskip("pytrec_eval", reason="needs the extra `dev`")


def theirs(trec_eval, qrels, run, level):
    evaluator = trec_eval.RelevanceEvaluator(qrels, set(MEASURES.values()), relevance_level=level)
    return evaluator.evaluate({query_id: dict(scored) for query_id, scored in run.items()})


@pytest.mark.parametrize("rounded", [None, 0], ids=["as it is", "many ties"])
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("collection", ["dl19-bm25", "noveleval"])
def test_on_real_runs(cli, trec_eval, shared_data, tmp_path, collection, level, rounded):
    folder = shared_data / collection
    qrels, path = folder / "qrels.txt", tmp_path / "run.txt"
    rows = [line.split() for line in (folder / "run.txt").read_text().splitlines()]
    path.write_text("".join(
        f"{q} Q0 {d} {r} {s if rounded is None else round(float(s) / 3, rounded)} tag\n" for q, _, d, r, s, _ in rows
    ))  # fmt: skip
    names = {name.format(level): official for name, official in MEASURES.items()}
    measures = [part for name in names for part in ("--measure", name)]
    status, out, _ = cli("eval", "--run", path, "--qrels", qrels, "--per-query", "--json", *measures)
    assert status == 0
    (report,) = json.loads(out)
    expected = theirs(trec_eval, read_qrels(qrels), read_run(path), level)
    assert report["per_query"].keys() == expected.keys()
    for query_id, values in expected.items():
        mine = report["per_query"][query_id]
        assert [mine[str(parse_measures([n])[0])] for n in names] == pytest.approx(
            [values[official] for official in names.values()], abs=1e-4
        )


@pytest.fixture
def first_stage(shared_data):
    return {"dl19-bm25": 0.5058, "noveleval": 0.6503}


def test_the_known_first_stages(cli, shared_data, first_stage):
    for name, value in first_stage.items():
        folder = shared_data / name
        out = cli("eval", "--run", folder / "run.txt", "--qrels", folder / "qrels.txt")[1]
        assert float(out.split()[-1]) == value


IDS = st.text("ab01Zz-é漢", min_size=1, max_size=3)
SCORES = st.one_of(st.integers(0, 3).map(float), st.floats(allow_nan=False, allow_infinity=False, width=32))


@pytest.mark.slow
@given(st.dictionaries(IDS, st.tuples(SCORES, st.integers(0, 3)), min_size=1, max_size=12))
def test_on_any_run(trec_eval, documents):
    """Ties, ids of any alphabet, and scores that only double precision tells apart."""
    qrels = {"q": {doc_id: grade for doc_id, (_, grade) in documents.items()}}
    run = {"q": [(doc_id, score) for doc_id, (score, _) in documents.items()]}
    measures = parse_measures(name.format(1) for name in MEASURES)
    mine = per_query(qrels, {"q": trec_order(run["q"])}, measures)["q"]
    expected = theirs(trec_eval, qrels, run, 1)["q"]
    assert [mine[str(m)] for m in measures] == pytest.approx([expected[o] for o in MEASURES.values()], abs=1e-6)


def test_ties_go_by_id_the_last_first():
    assert trec_order([("a", 1.0), ("b", 1.0), ("A", 1.0), ("c", 2.0), ("10", 1.0), ("9", 1.0)]) == [
        "c", "b", "a", "A", "9", "10",
    ]  # fmt: skip
    assert float32(1 + 1e-9) == 1
    assert trec_order([("a", 1 + 1e-9), ("b", 1.0)]) == ["b", "a"]
    assert trec_order([("a", 1e300), ("b", -1e300), ("c", 0.0)]) == ["a", "c", "b"]


@pytest.mark.parametrize("grades, level", [([0, 1, 2, 3], 2), ([0, 1, 2], 1), ([0, 1], 1), ([-1, 0, 1, 2, 3], 1)])
def test_the_scale_of_trec_dl_is_known_by_its_grades(grades, level):
    assert relevant_from({"q": {str(g): g for g in grades}}) == level


def test_only_binary_measures_that_do_not_say_change():
    measures = parse_measures(["nDCG@10", "RR@10", "AP(rel=3)", "P@5", "Judged@10", "NumRet", "Rprec"])
    shown = [str(measure) for measure in at_level(measures, 2)]
    assert shown == ["nDCG@10", "RR(rel=2)@10", "AP(rel=3)", "P(rel=2)@5", "Judged@10", "NumRet", "Rprec(rel=2)"]
    assert at_level(measures, 1) == measures


def test_eval_says_what_it_took_as_relevant(cli, tmp_path):
    (tmp_path / "qrels").write_text("q 0 a 1\nq 0 b 2\nq 0 c 3\nq 0 d 0\n")
    (tmp_path / "run").write_text("q Q0 a 1 4 t\nq Q0 b 2 3 t\n")
    arguments = ["eval", "--run", tmp_path / "run", "--qrels", tmp_path / "qrels", "--measure"]
    _, out, err = cli(*arguments, "RR@10")
    assert out.split("\t")[1:] == ["RR(rel=2)@10", "all", "0.5000\n"]
    assert "relevant is grade 2 and above here, as in TREC-DL: measuring RR(rel=2)@10" in err
    _, out, err = cli(*arguments, "RR(rel=1)@10")
    assert (out.split("\t")[1:], err) == (["RR@10", "all", "1.0000\n"], "")
