"""The rules of single collections, with values worked out by hand or by the source's own evaluator."""

import math

import ir_measures
import pytest

from rerankllm.collections import catalogue
from rerankllm.collections.base import without_excluded
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import at_level, mean, parse_measures
from rerankllm.evaluation.subtopics import parse, per_query_with


def fresh(ranked, *names):
    found = catalogue.load("freshstack/yolo")
    return per_query_with(found.qrels, found.subtopics, {"7": ranked}, parse(names))["7"]


def test_coverage_counts_nuggets_without_documents_too():
    # 7_0 and 7_1 are covered by a, 7_2 by d only, 7_3 by nothing
    assert fresh(["f/a.py_0", "f/c.py_0"], "Coverage@20") == {"Coverage@20": 2 / 4}
    assert fresh(["f/c.py_0", "f/a.py_0", "f/d.py_0"], "Coverage@20", "Coverage@1", "Coverage@2") == {
        "Coverage@20": 3 / 4, "Coverage@1": 0.0, "Coverage@2": 2 / 4,
    }  # fmt: skip
    # ndeval leaves 7_3 out
    assert fresh(["f/a.py_0", "f/c.py_0"], "StRecall@20") == {"StRecall@20": pytest.approx(2 / 3)}


def test_alpha_ndcg_is_ndevals_and_the_formulas():
    ranked = ["f/c.py_0", "f/b.py_0", "f/a.py_0", "f/d.py_0"]
    # gains, alpha .5: c nothing; b its nugget 1; a nugget 0 new and nugget 1 again; d nugget 2
    gains = [0, 1, 1 + 0.5, 1]
    ideal = [2, 1, 0.5]  # a, d, b
    dcg, best = (sum(g / math.log2(i + 2) for i, g in enumerate(each)) for each in (gains, ideal))
    value = fresh(ranked, "alpha_nDCG@10")["alpha_nDCG@10"]
    assert value == pytest.approx(dcg / best, rel=1e-6)

    import pyndeval

    subtopics = catalogue.load("freshstack/yolo").subtopics["7"]
    qrels = [pyndeval.SubtopicQrel("7", n, d, g) for n, grades in subtopics.items() for d, g in grades.items()]
    run = [pyndeval.ScoredDoc("7", d, -float(i)) for i, d in enumerate(ranked)]
    assert value == pyndeval.ndeval(qrels, run, ["alpha-nDCG@10"])["7"]["alpha-nDCG@10"]


def test_measures_of_both_kinds_stand_in_the_order_asked_for():
    found = fresh(["f/a.py_0"], "nDCG@10", "Coverage@20", "R@50")
    assert list(found) == ["nDCG@10", "Coverage@20", "R@50"]
    assert found["R@50"] == pytest.approx(1 / 3)
    assert found["nDCG@10"] == pytest.approx(2 / (2 + 1 / math.log2(3) + 1 / 2))


def test_measures_by_subtopic_need_them():
    with pytest.raises(InputError, match="needs judgements by subtopic"):
        per_query_with({"1": {"a": 1}}, {}, {"1": ["a"]}, parse(["alpha_nDCG@10"]))


def test_cqadupstack_weighs_forums_not_queries():
    found = catalogue.load("beir/cqadupstack")
    rankings = {query_id: [f"{found.parts[query_id]}/2"] for query_id in found.queries if query_id != "android/9"}
    rankings |= {"android/9": ["android/1"], "tex/1": ["tex/none"]}
    (measure,) = parse(["nDCG@10"])
    values = per_query_with(found.qrels, {}, rankings, [measure])
    assert mean(values, measure) == pytest.approx(11 / 13)
    assert mean(values, measure, found.parts) == pytest.approx((10 * 1 + 0.5 + 0) / 12)


def test_measures_of_trec_dl_name_the_grade_that_is_relevant():
    own = parse_measures(catalogue.load("dl19").measures)
    assert at_level(own, catalogue.load("dl19").relevant_from) == own
    run = {"264014": {"8": 2.0, "7": 1.0}}
    values = ir_measures.calc_aggregate(parse_measures(["RR(rel=2)@10", "RR@10"]), catalogue.load("dl19").qrels, run)
    assert sorted(values.values()) == [0.5, 1.0]


def test_excluded_documents_leave_the_run():
    found = catalogue.load("bright/biology")
    run = {
        "0": [("moths/light_1.txt", 3.0), ("moths/light%200.txt", 2.0)],
        "1": [("moths/light_1.txt", 1.0)],
    }
    kept, removed = without_excluded(run, found.excluded)
    assert kept == {"0": [("moths/light%200.txt", 2.0)], "1": [("moths/light_1.txt", 1.0)]}
    assert removed == 1
