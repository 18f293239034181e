"""Probabilities that mean what they say, and lists that stop where they should."""

import itertools
import json
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression, minimize

from rerankllm import Calibration, Cutoff, QueryFailed, Reranker
from rerankllm.calibration.conformal import lowest_score
from rerankllm.calibration.crossfit import cross_fitted, folds_of
from rerankllm.calibration.expected import expected_f1, longest_precise
from rerankllm.calibration.fitting import Logistic, fit, fit_isotonic, fit_logistic
from rerankllm.data import Document, Provenance, Query, Ranking, Result
from rerankllm.errors import InputError
from rerankllm.evaluation.calibration import brier, calibration_error
from rerankllm.evaluation.measures import parse_measures, per_query

scores = st.floats(-1e3, 1e3)
chances = st.lists(st.floats(0, 1), max_size=6)


def drawn(n, *, slope=1.5, intercept=-1.0, seed=0):
    rng = random.Random(seed)
    found = [rng.gauss(0, 1.5) for _ in range(n)]
    return found, [rng.random() < 1 / (1 + math.exp(-slope * x - intercept)) for x in found]


class TestFitting:
    @pytest.mark.parametrize("method", ["logistic", "isotonic"])
    def test_what_was_drawn_is_found(self, method):
        curve = fit(*drawn(20_000), method)
        for score in (-2.0, 0.0, 2.0):
            assert curve(score) == pytest.approx(1 / (1 + math.exp(-1.5 * score + 1.0)), abs=0.05)

    @pytest.mark.slow
    @given(st.integers(2, 40), st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-100, 100))
    def test_logistic_is_the_best_there_is(self, n, seed, scale, shift):
        x, y = drawn(n, seed=seed)
        if not any(y) or all(y):
            return
        x = [scale * value + shift for value in x]
        positive, negative = sum(y), n - sum(y)
        targets = np.where(y, (positive + 1) / (positive + 2), 1 / (negative + 2))
        unit = (np.asarray(x) - np.mean(x)) / np.std(x)

        def loss(w):
            odds = w[0] * unit + w[1]
            return float((np.logaddexp(0, odds) - targets * odds).sum())

        best = minimize(loss, [0.0, 0.0], method="BFGS").fun
        if np.corrcoef(unit, y)[0, 1] <= 1e-3:
            return  # the best there is may fall, and is refused
        found = fit_logistic(x, y)
        slope = found.slope * np.std(x)
        assert loss([slope, found.intercept + found.slope * np.mean(x)]) == pytest.approx(best, abs=1e-4)

    @pytest.mark.slow
    @given(st.lists(st.tuples(st.integers(-20, 20), st.booleans()), min_size=2, max_size=60))
    def test_isotonic_is_scipys_at_the_scores_and_never_falls(self, pairs):
        x, y = [float(score) for score, _ in pairs], [good for _, good in pairs]
        curve = fit_isotonic(x, y)
        levels = sorted(set(x))
        shares = [np.mean([good for score, good in pairs if score == level]) for level in levels]
        weights = [sum(score == level for score, _ in pairs) for level in levels]
        wanted = isotonic_regression(shares, weights=weights).x
        assert [curve(level) for level in levels] == pytest.approx(list(wanted), abs=1e-9)
        between = [curve(score / 7) for score in range(-200, 200)]
        assert between == sorted(between)
        assert all(0 <= chance <= 1 for chance in between)

    @given(st.floats(1e-3, 1e3), scores, scores, scores)
    def test_logistic_never_falls_and_never_overflows(self, slope, intercept, low, high):
        curve = Logistic(slope, intercept)
        low, high = sorted((low, high))
        assert 0 <= curve(low) <= curve(high) <= 1

    @pytest.mark.parametrize("method", ["logistic", "isotonic"])
    @pytest.mark.parametrize("relevant", [[True, True], [False, False]])
    def test_nothing_to_fit_is_said(self, method, relevant):
        with pytest.raises(InputError, match="relevance level"):
            fit([0.0, 1.0], relevant, method)

    def test_scores_the_wrong_way_round_are_refused(self):
        with pytest.raises(InputError, match="not more relevant"):
            fit([0.0, 1.0, 2.0, 3.0], [True, True, False, False], "logistic")


class TestExpected:
    @given(chances)
    def test_f1_is_that_of_all_worlds(self, chances):
        wanted = [0.0] * (len(chances) + 1)
        for world in itertools.product((0, 1), repeat=len(chances)):
            weight = math.prod(c if hit else 1 - c for c, hit in zip(chances, world, strict=True))
            for k in range(len(chances) + 1):
                total = k + sum(world)
                wanted[k] += weight * (2 * sum(world[:k]) / total if total else 1.0)
        assert expected_f1(chances) == pytest.approx(wanted)

    def test_f1_of_a_long_list_is_quick_and_sane(self):
        values = expected_f1([0.9] * 10 + [0.01] * 990)
        assert max(range(1001), key=values.__getitem__) == 10

    @given(chances, st.floats(0.01, 1))
    def test_the_longest_precise_list(self, chances, precision):
        k = longest_precise(chances, precision)
        assert k == 0 or sum(chances[:k]) / k >= precision - 1e-9
        assert all(sum(chances[:m]) / m < precision for m in range(k + 1, len(chances) + 1))


class TestConformal:
    @given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=12), st.floats(0.05, 0.99))
    def test_it_is_the_highest_threshold_that_keeps_the_bound(self, relevant, recall):
        queries = [found for found in relevant if found]
        n = len(queries)

        def allowed(threshold):
            lost = sum(sum(score < threshold for score in found) / len(found) for found in queries)
            return (lost + 1) / (n + 1) <= 1 - recall + 1e-12

        found = lowest_score(relevant, recall)
        if math.isinf(found):
            assert not any(allowed(score) for each in queries for score in each)
        else:
            assert allowed(found)
            assert not any(allowed(score) for each in queries for score in each if score > found)

    def test_too_few_queries_drop_nothing(self):
        assert lowest_score([[1.0]] * 8, 0.9) == -math.inf
        assert lowest_score([[1.0]] * 9, 0.9) == 1.0

    @pytest.mark.slow
    def test_the_promise_holds_over_many_draws(self):
        rng = random.Random(3)
        kept = []
        for _ in range(2000):
            queries = [[rng.gauss(rng.gauss(0, 1), 1) for _ in range(rng.randint(1, 5))] for _ in range(21)]
            threshold = lowest_score(queries[1:], 0.8)
            kept.append(sum(score >= threshold for score in queries[0]) / len(queries[0]))
        assert sum(kept) / len(kept) >= 0.8 - 0.01
        assert sum(kept) / len(kept) <= 0.9  # and is not bought by dropping nothing


QRELS = {str(q): {f"d{i}": int(i < q % 4) for i in range(8)} for q in range(20)}
SCORED = {str(q): [(f"d{i}", 4.0 - i + (q * 7 % 5) / 5) for i in range(8)] for q in range(20)}


def ranking(values, provenance=Provenance.JUDGED):
    results = tuple(
        Result(rank, Document(f"d{rank}", ""), value, provenance if value is not None else Provenance.UNREAD)
        for rank, value in enumerate(values, 1)
    )
    return Ranking(Query("q", "?"), results)


class TestCalibration:
    @pytest.mark.parametrize("method", ["logistic", "isotonic"])
    def test_it_comes_back_from_its_file(self, tmp_path, method):
        made = Calibration.fit(SCORED, QRELS, method=method, strategy="pointwise", model="m", source={"qrels": "x"})
        made.save(tmp_path / "c.json", "0")
        assert Calibration.load(tmp_path / "c.json") == made
        assert made.relevant["3"] == tuple(score for _, score in SCORED["3"][:3])

    @pytest.mark.parametrize(
        "change",
        [
            {"curve": {"method": "logistic", "slope": math.nan, "intercept": 0}},
            {"curve": {"method": "logistic", "slope": -1, "intercept": 0}},
            {"curve": {"method": "logistic", "slope": 1, "intercept": math.inf}},
            {"curve": {"method": "isotonic", "scores": [2, 1], "probabilities": [0, 1]}},
            {"curve": {"method": "isotonic", "scores": [1, 2], "probabilities": [0, 5]}},
            {"curve": {"method": "isotonic", "scores": [1, 2], "probabilities": [1, 0]}},
            {"curve": {"method": "isotonic", "scores": [1, math.nan], "probabilities": [0, 1]}},
            {"queries": "123"},
            {"level": math.inf},
            {"relevant": {"1": [math.nan]}},
        ],
    )
    def test_one_that_says_nothing_is_refused(self, tmp_path, change):
        Calibration.fit(SCORED, QRELS).save(tmp_path / "c.json", "0")
        found = json.loads((tmp_path / "c.json").read_text())
        (tmp_path / "c.json").write_text(json.dumps(found | change))
        with pytest.raises(InputError, match="is no calibration"):
            Calibration.load(tmp_path / "c.json")

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "rerankllm-calibration", "version": 9}'])
    def test_other_files_are_refused(self, tmp_path, text):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(InputError, match="is no calibration"):
            Calibration.load(tmp_path / "c.json")

    def test_only_what_was_read_and_scored_gets_a_relevance(self):
        made = Calibration(Logistic(1.0, 0.0), 1, (), 0, {})
        found = made.apply(ranking([1.0, 0.0, None]))
        assert [result.relevance for result in found] == [pytest.approx(0.731, abs=1e-3), 0.5, None]
        assert [result.relevance for result in made.apply(ranking([1.0], Provenance.UNREAD))] == [None]

    def test_parts_are_of_other_queries(self):
        parts = list(folds_of(list(SCORED), 5))
        assert sorted(query_id for _, part in parts for query_id in part) == sorted(SCORED)
        assert all(not set(others) & set(part) and len(others) + len(part) == 20 for others, part in parts)
        assert len(cross_fitted(SCORED, QRELS, level=1, method="logistic", folds=5)) == 160


class TestCutoff:
    CURVE = Calibration(Logistic(1.0, 0.0), 1, (), 0, {"a": (2.0, 1.0), "b": (3.0,), "c": (0.5,), "d": ()})

    @given(
        st.lists(st.floats(-5, 5), max_size=8), st.sampled_from(["f1", "precision=0.7", "recall=0.6", "threshold=.6"])
    )
    def test_what_is_left_is_a_ranking_and_accounted_for(self, values, rule):
        whole = ranking(sorted(values, reverse=True))
        cut = Cutoff.parse(rule).apply(whole, self.CURVE)
        assert cut.doc_ids == whole.doc_ids[: len(cut)]
        assert [result.rank for result in cut] == list(range(1, len(cut) + 1))
        assert cut.cut.dropped == len(whole) - len(cut)
        assert (cut.cut.expected_precision is None) == (len(cut) == 0)
        if rule.startswith(("precision", "threshold")) and len(cut):
            assert cut.cut.expected_precision >= 0.6 - 1e-9

    def test_rules(self):
        whole = ranking([3.0, 1.0, 0.0, -3.0, None])
        wanted = {"threshold=0.5": 3, "threshold=0.99": 0, "threshold=1e-09": 4, "precision=0.8": 2, "precision=0.1": 4,
                  "recall=0.5": 2, "auto": 3}  # fmt: skip
        assert {rule: len(Cutoff.parse(rule).apply(whole, self.CURVE)) for rule in wanted} == wanted

    def test_nothing_relevant_is_an_answer(self):
        found = Cutoff.parse("auto").apply(ranking([-6.0, -7.0]), self.CURVE)
        assert (len(found), found.cut.dropped, found.cut.expected_precision) == (0, 2, None)

    @pytest.mark.parametrize("text", ["", "precision", "precision=0", "recall=1", "threshold=1.5", "f2", "precision=."])
    def test_rules_that_are_none(self, text):
        with pytest.raises(InputError, match="should be auto"):
            Cutoff.parse(text)

    @given(st.sampled_from(["f1", "precision=0.7", "recall=0.25", "threshold=0.6"]))
    def test_a_printed_rule_is_the_rule(self, text):
        assert str(Cutoff.parse(text)) == text

    def test_promises(self):
        assert "not guaranteed" in Cutoff.parse("auto").guarantee(self.CURVE)
        assert "0.5 of it or more" in Cutoff.parse("recall=0.5").guarantee(self.CURVE)
        assert "nothing is dropped" in Cutoff.parse("recall=0.9").guarantee(self.CURVE)


class TestReliability:
    def test_error(self):
        assert calibration_error([0.8] * 10, [True] * 8 + [False] * 2) == pytest.approx(0)
        assert calibration_error([0.9, 0.1], [False, True]) == pytest.approx(0.9)
        assert math.isnan(calibration_error([], []))
        assert brier([1.0, 0.5], [True, False]) == 0.125

    @given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
    def test_bounds(self, pairs):
        assert 0 <= calibration_error(*zip(*pairs, strict=True)) <= 1


def test_a_ranking_with_nothing_left_counts_as_zero():
    (measure,) = parse_measures(["nDCG@10"])
    found = per_query({"a": {"d": 1}, "b": {"d": 1}}, {"a": [], "b": ["d"]}, [measure])
    assert found == {"a": {"nDCG@10": 0.0}, "b": {"nDCG@10": 1.0}}
    assert per_query({"a": {"d": 1}}, {"a": []}, [measure]) == {"a": {"nDCG@10": 0.0}}


@pytest.fixture
def judged(tmp_path):
    (tmp_path / "qrels").write_text("".join(f"{q} 0 d{i} {int(i < 3) * 3}\n" for q in range(12) for i in range(8)))
    return f"simulated:{tmp_path / 'qrels'}?world=mild"


DOCUMENTS = [{"id": f"d{i}", "text": f"passage {i}"} for i in range(8)]


class TestPython:
    CALIBRATION = Calibration(Logistic(4.0, -6.0), 1, (), 0, {})

    def test_empty_is_no_failure_and_a_failure_raises(self, judged):
        with Reranker("pointwise", judged, calibration=self.CALIBRATION, cutoff="auto") as reranker:
            good = reranker.rerank(Query("1", "?"), DOCUMENTS[:4])
            none = reranker.rerank(Query("1", "?"), DOCUMENTS[4:])
            with pytest.raises(QueryFailed, match="no qrels"):
                reranker.rerank(Query("unknown", "?"), DOCUMENTS)
        assert len(good) == 3
        assert good.cut.expected_precision > 0.5
        assert (len(none), none.cut.dropped) == (0, 4)

    def test_a_strategy_without_scores_fails(self, judged):
        reranker = Reranker("sliding", judged, calibration=self.CALIBRATION)
        with reranker, pytest.raises(QueryFailed, match="gives no scores"):
            reranker.rerank(Query("1", "?"), DOCUMENTS)

    def test_a_cutoff_needs_a_calibration(self, judged):
        with pytest.raises(InputError, match="needs a calibration"):
            Reranker("pointwise", judged, cutoff="auto")


class TestCommandLine:
    @pytest.fixture
    def files(self, tmp_path):
        with (tmp_path / "run").open("w") as run, (tmp_path / "qrels").open("w") as qrels:
            for query in range(12):
                for i in range(8):
                    run.write(f"{query} Q0 {query}-{i} {i + 1} {8 - i} first\n")
                    grade = 0 if query % 4 == 0 else 3 * (i % 3 == 0)
                    qrels.write(f"{query} 0 {query}-{i} {grade}\n")
        (tmp_path / "queries").write_text("".join(f"{query}\tquestion {query}\n" for query in range(12)))
        docs = ({"_id": f"{q}-{i}", "text": f"passage {q} {i}"} for q in range(12) for i in range(8))
        (tmp_path / "corpus").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
        return tmp_path

    def rerank(self, cli, files, *options):
        names = [part for name in ("run", "queries", "corpus", "qrels") for part in (f"--{name}", files / name)]
        names += ["--output", files / "out", "--summary", files / "s.json", "--jsonl", files / "j.jsonl"]
        model = f"simulated:{files / 'qrels'}?noise=0.3"
        return cli("rerank", *names, "--model", model, "--strategy", "pointwise", *options)

    def test_fit_and_cut(self, cli, files):
        assert self.rerank(cli, files)[0] == 0
        fitted = ["calibrate", "--jsonl", files / "j.jsonl", "--summary", files / "s.json", "--qrels", files / "qrels"]
        status, _, err = cli(*fitted, "--output", files / "c.json", "--relevance-level", 2)
        assert status == 0
        assert "27 have grade 2 or more, 0 have no grade" in err
        assert "on held-out queries" in err
        status, _, err = self.rerank(cli, files, "--calibration", files / "c.json", "--cutoff", "auto")
        assert status == 0
        assert "was fitted on 12 of these 12 queries" in err
        assert "nothing relevant for 3 queries (0, 4, 8)" in err
        summary = json.loads((files / "s.json").read_text())
        assert summary["cutoff"]["empty_queries"] == ["0", "4", "8"]
        assert summary["failed_queries"] == 0
        assert summary["precision"]["relevance_level"] == 2
        assert (files / "out.empty").read_text() == "0\n4\n8\n"
        assert not {line.split()[0] for line in (files / "out").read_text().splitlines()} & {"0", "4", "8"}
        rows = list(map(json.loads, (files / "j.jsonl").read_text().splitlines()))
        assert [row["kept"] for row in rows if row["query_id"] == "0"] == [0]
        assert all(0 <= row["relevance"] <= 1 for row in rows if "doc_id" in row)
        assert self.rerank(cli, files, "--calibration", files / "c.json", "--cutoff", "precision=0.2")[0] == 0
        assert cli(*fitted, "--output", files / "c2.json")[0] == 0  # the rows on queries are passed over

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--cutoff", "auto"], "needs a calibration"),
            (["--threshold", "0.5"], "needs a calibration"),
            (["--cutoff", "auto", "--threshold", "0.5"], "leave one out"),
            (["--cutoff", "some"], "should be auto"),
            (["--calibration", "nowhere.json"], "cannot read the calibration"),
        ],
    )
    def test_bad_options(self, cli, files, options, message):
        status, _, err = self.rerank(cli, files, *options)
        assert (status, message in err) == (1, True), err

    def test_scores_of_another_strategy_are_mentioned(self, cli, files):
        Calibration(Logistic(1.0, 0.0), 1, (), 0, {}, strategy="swiss", model="").save(files / "c.json", "0")
        assert (
            "of the strategy swiss; those of pointwise may"
            in self.rerank(cli, files, "--calibration", files / "c.json")[2]
        )

    def test_a_run_without_scores_cannot_be_fitted(self, cli, files):
        (files / "j.jsonl").write_text('{"query_id": "1", "doc_id": "1-1", "score": null, "provenance": "judged"}\n')
        status, _, err = cli(
            "calibrate", "--jsonl", files / "j.jsonl", "--qrels", files / "qrels", "--output", files / "c"
        )
        assert (status, "its strategy gives none" in err) == (1, True)
