"""Systems against a baseline: what is counted, what is tested, and what is said of it."""

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.data import Document, Ledger, Query, Ranking, Result, Usage
from rerankllm.errors import InputError, MissingExtra
from rerankllm.evaluation import extras
from rerankllm.evaluation.as_json import by_query, document, flat
from rerankllm.evaluation.as_tables import cheapest_best, notes, tables, usual_axis
from rerankllm.evaluation.calibration import expected_calibration_error
from rerankllm.evaluation.comparison import Design, compare
from rerankllm.evaluation.cost import NOTHING, Cost
from rerankllm.evaluation.figures import FORMATS
from rerankllm.evaluation.measures import mean, parse_measures, per_query
from rerankllm.evaluation.multiplicity import holm
from rerankllm.evaluation.pairwise import every_pair
from rerankllm.evaluation.paper import paper_table
from rerankllm.evaluation.pareto import front
from rerankllm.evaluation.rbp import rbp
from rerankllm.evaluation.systems import Pool, ideal
from rerankllm.evaluation.tables import Table, as_latex, as_markdown, as_text

DOCS = [f"d{i}" for i in range(8)]
QRELS = {f"q{i}": {d: (i + j) % 3 for j, d in enumerate(DOCS[:6])} for i in range(12)}
NDCG, RR = "nDCG@10", "RR@10"


def shuffled(seed, queries=QRELS):
    rng = np.random.default_rng(seed)
    return {"c": {query_id: [str(d) for d in rng.permutation(DOCS)] for query_id in queries}}


def pool(measures=(NDCG,), qrels=None, level=None):
    return Pool(qrels or {"c": QRELS}, parse_measures(measures), level)


def compared(design=None, measures=(NDCG, RR), **systems):
    here = pool(measures)
    found = [here.system(name, runs if isinstance(runs, list) else [runs]) for name, runs in systems.items()]
    return compare(here, found, design or Design(found[0].name, resamples=10_000))


class TestSystems:
    def test_values_are_those_of_eval(self):
        found = pool().system("a", [shuffled(0)])
        (measure,) = parse_measures([NDCG])
        assert found.by_query(NDCG).mean() == pytest.approx(
            mean(per_query(QRELS, shuffled(0)["c"], [measure]), measure)
        )

    def test_a_missing_query_counts_as_nothing(self):
        whole, part = pool().system("a", [shuffled(0)]), pool().system("b", [shuffled(0, list(QRELS)[:-3])])
        assert (whole.answered, part.answered) == (12, 9)
        assert list(part.by_query(NDCG)).count(0.0) == 3
        assert part.judged == pytest.approx(0.75)
        assert part.rbp < whole.rbp
        assert part.residual == pytest.approx(whole.residual * 9 / 12, rel=0.5)

    def test_runs_are_averaged_by_query(self):
        both = pool().system("a", [shuffled(0), shuffled(1)])
        apart = [pool().system("a", [shuffled(seed)]).by_query(NDCG) for seed in (0, 1)]
        assert both.by_query(NDCG) == pytest.approx(np.mean(apart, axis=0))
        assert (both.runs, both.values[NDCG].shape) == (2, (2, 12))

    def test_collections_have_their_own_levels_and_may_share_ids(self):
        fine = {"q0": {"a": 0, "b": 1, "c": 2, "d": 3}}
        here = pool([RR], {"fine": fine, "coarse": {"q0": {"a": 0, "b": 1}}})
        assert (here.levels, here.names) == ({"coarse": 1, "fine": 2}, [RR])
        found = here.system("s", [{"fine": {"q0": ["b", "c"]}, "coarse": {"q0": ["b"]}}])
        assert list(found.by_query(RR)) == [1.0, 0.5]
        assert pool([RR], {"fine": fine}).names == ["RR(rel=2)@10"]
        assert pool([RR], {"fine": fine}, level=1).names == [RR]

    def test_what_cannot_be_measured(self):
        with pytest.raises(InputError, match="no judged query"):
            Pool({"c": {}}, parse_measures([NDCG]))
        with pytest.raises(InputError, match="asked for twice: RR@10, RR@10"):
            pool([RR, "RR(rel=1)@10"])
        with pytest.raises(InputError, match="ranks none of the 12"):
            pool().system("s", [{"c": {"other": ["d0"]}}])

    def test_no_order_beats_the_ideal(self):
        best = pool().system("oracle", [ideal(shuffled(0), {"c": QRELS}, 8)])
        assert best.by_query(NDCG) == pytest.approx(np.ones(12))
        shallow = ideal({"c": {"q0": ["d0", "d1", "d2"]}}, {"c": QRELS}, 2)
        assert shallow == {"c": {"q0": ["d1", "d0", "d2"]}}


class TestComparison:
    def test_all_runs_and_measures_are_tested_together(self):
        found = compared(base=shuffled(0), a=shuffled(1), b=ideal(shuffled(0), {"c": QRELS}, 8))
        assert [(d.system, d.measure) for d in found.tested] == [(s, m) for s in "ab" for m in (NDCG, RR)]
        assert [d.adjusted for d in found.tested] == holm([d.fisher for d in found.tested])

    @pytest.mark.parametrize(
        "family, tests", [(("b",), 2), ((NDCG,), 2), (("b", NDCG), 1), (("base",), 0), (("a", "b", NDCG, RR), 4)]
    )
    def test_the_family_is_what_was_declared(self, family, tests):
        found = compared(Design("base", family, resamples=10_000), base=shuffled(0), a=shuffled(1), b=shuffled(2))
        assert len(found.tested) == tests
        assert len(found.differences) == 4

    def test_references_are_tested_only_where_they_are_named(self):
        here = pool()
        systems = [here.system(n, [shuffled(i)], reference=n != "a") for i, n in enumerate(("base", "a", "minilm"))]
        for family, expected in (((), ["a"]), (("minilm",), ["minilm"])):
            found = compare(here, systems, Design("base", family, resamples=10_000))
            assert [d.system for d in found.tested] == expected

    def test_a_system_does_not_differ_from_itself(self):
        (gap,) = compared(measures=[NDCG], base=shuffled(0), same=shuffled(0)).differences
        assert (gap.estimate.mean, gap.fisher, gap.student.p, gap.paired_d, gap.record) == (0, 1, 1, 0, (0, 12, 0))

    def test_sides_change_signs_and_no_p(self):
        one = compared(a=shuffled(1), b=shuffled(2)).differences
        other = compared(Design("b", resamples=10_000), a=shuffled(1), b=shuffled(2)).differences
        for x, y in zip(one, other, strict=True):
            assert (x.fisher, x.detectable) == pytest.approx((y.fisher, y.detectable))
            assert (x.student.t, x.paired_d) == pytest.approx((-y.student.t, -y.paired_d))
            assert x.record == y.record[::-1]

    def test_equivalence_is_adjusted_instead(self):
        found = compared(Design("a", margin=0.5, resamples=10_000), a=shuffled(1), b=shuffled(2))
        assert [d.adjusted for d in found.tested] == holm([d.equivalence.p for d in found.tested])

    def test_runs_may_be_resampled(self):
        runs = [shuffled(i) for i in range(4)]
        averaged = compared(measures=[NDCG], a=shuffled(9), b=runs)
        both = compared(Design("a", resample_runs=True, resamples=10_000), [NDCG], a=shuffled(9), b=runs)
        (x,), (y,) = averaged.differences, both.differences
        assert (x.estimate.mean, x.fisher) == (y.estimate.mean, y.fisher)
        assert y.estimate.high - y.estimate.low > x.estimate.high - x.estimate.low

    @pytest.mark.parametrize(
        "design, message",
        [
            (Design("c"), "baseline 'c' is no system; there are a, b"),
            (Design("a", ("nDCG@5",)), "family names 'nDCG@5', which is neither a system"),
            (Design("a", margin=0), "above 0"),
            (Design("a", resamples=100), "at least 10000"),
        ],
    )
    def test_what_the_design_cannot_be(self, design, message):
        with pytest.raises(InputError, match=message):
            compared(design, a=shuffled(0), b=shuffled(1))

    def test_names_are_one_systems(self):
        here = pool()
        with pytest.raises(InputError, match="called the same"):
            compare(here, [here.system("a", [shuffled(0)])] * 2, Design("a"))

    def test_without_scipy_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setattr(extras.importlib, "import_module", lambda name: (_ for _ in ()).throw(ModuleNotFoundError))
        with pytest.raises(MissingExtra, match=r"scipy.stats is not installed: pip install 'rerankllm\[stats\]'"):
            compared(a=shuffled(0), b=shuffled(1))


@pytest.fixture(scope="module")
def found():
    here = pool((NDCG, RR))
    first = here.system("first", [shuffled(0)], cost=NOTHING, reference=True)
    systems = [
        first,
        here.system("a|b_c", [shuffled(1)], cost=Cost(2, 1, 8, 900, 0.5, None)),
        here.system("seeds", [shuffled(2), shuffled(3, list(QRELS)[:-1])]),
        here.system("oracle", [ideal(shuffled(0), {"c": QRELS}, 8)], reference=True),
    ]
    return compare(here, systems, Design("first", resamples=10_000))


class TestReport:
    def test_every_format_shows_every_cell(self, found):
        shown = tables(found, "tokens")
        assert [table.title.split()[0] for table in shown] == ["Quality", "Differences", "Cost"]
        cells = {cell for table in shown for row in (table.head, *table.rows) for cell in row}
        text, markdown, latex = as_text(shown, [], None), as_markdown(shown, []), as_latex(shown, [])
        for cell in cells:
            assert cell in text
            assert cell.replace("|", r"\|") in markdown
        assert r"a\textbar{}b\_c" in latex
        assert latex.count(r"\\") == sum(1 + len(table.rows) for table in shown)
        assert all(len(row) == len(table.head) for table in shown for row in table.rows)

    def test_the_document_and_the_rows_say_the_same(self, found):
        whole, rows = document(found, "tokens"), flat(found, "tokens")
        assert len({tuple(row) for row in rows}) == 1
        assert len(rows) == 4 * 2
        gaps = {(d["system"], d["measure"]): d for d in whole["differences"]}
        for row in rows:
            expected = gaps.get((row["system"], row["measure"]), {})
            assert row["p_adjusted"] == expected.get("p_adjusted")
            assert row["difference"] == expected.get("difference")

    def test_queries_make_up_the_means(self, found):
        rows = list(by_query(found))
        assert len(rows) == 4 * 2 * 12
        for each in found.differences:
            own = [r["difference"] for r in rows if (r["system"], r["measure"]) == (each.system, each.measure)]
            assert sum(own) / 12 == pytest.approx(each.estimate.mean)

    def test_notes_say_what_is_missing_and_how_many_were_tested(self, found):
        said = "\n".join(notes(found))
        assert "seeds lacks 0.5 of 12 judged queries: they count as 0" in said
        assert "adjusted over the family of 4: a|b_c, seeds on nDCG@10, RR@10" in said
        assert "Several runs of a system are averaged" in said
        assert "80 % power" in said

    def test_the_front_has_those_whose_cost_is_known(self, found):
        best = cheapest_best(found, "tokens")
        assert best <= {"first", "a|b_c"}
        assert "first" in best
        assert cheapest_best(found, "usd") == {"first"}
        assert usual_axis(found.systems) == "tokens"
        uncounted = dataclasses.replace(found.systems[1], cost=Cost(2, 1, 8, None, 0.5, 0))
        assert usual_axis([uncounted]) == "slots"

    def test_latex_is_plain_text(self):
        (line,) = as_latex([Table("50 %", ("a_b & \\x",), ())], []).split("\n")[4:5]
        assert line == r"a\_b \& \textbackslash{}x \\"

    @pytest.mark.slow
    def test_pictures(self, found, tmp_path):
        pytest.importorskip("matplotlib", reason="needs the extra `dev`")
        from rerankllm.evaluation.plots import plot

        written = plot(found, tmp_path)
        assert [path.name for path in written] == [f"{n}.{f}" for n in ("intervals", "queries") for f in FORMATS]
        before = [path.read_bytes() for path in written]
        for each, start in zip(before, (b"\x89PNG", b"<?xml", b"%PDF") * 2, strict=True):
            assert each.startswith(start)
        assert b"difference in nDCG@10 to first" in before[1]  # text, which can be searched and edited
        assert [path.read_bytes() for path in plot(found, tmp_path)] == before


class TestRankBiasedPrecision:
    def test_by_hand(self):
        """Moffat and Zobel's weights (1 − p) p^(i − 1): relevant at 1 and 3, place 2 unjudged, nothing below 3."""
        assert rbp(["a", "x", "b"], {"a": 1, "b": 2}, p=0.5) == pytest.approx((0.5 + 0.125, 0.25 + 0.125))
        assert rbp(["a", "x", "b"], {"a": 1, "b": 2}, p=0.5, level=2) == pytest.approx((0.125, 0.375))
        assert rbp([], {"a": 1}) == (0.0, 1.0)

    @given(st.lists(st.sampled_from([None, 0, 1, 2]), max_size=60), st.sampled_from([0.5, 0.8, 0.95]))
    def test_value_and_residual_bound_what_judging_would_show(self, grades, p):
        docs = [str(i) for i in range(len(grades))]
        known = {doc: grade for doc, grade in zip(docs, grades, strict=True) if grade is not None}
        low, residual = rbp(docs, known, p=p)
        best, _ = rbp(docs, {doc: known.get(doc, 1) for doc in docs}, p=p)
        assert low <= best + 1e-12
        assert best + p ** len(docs) == pytest.approx(low + residual)


POINTS = st.lists(st.tuples(st.integers(0, 5).map(float), st.integers(0, 5).map(float)), max_size=12)


@given(POINTS)
def test_the_front_is_what_nothing_beats(points):
    def beaten(i):
        return any(c <= points[i][0] and v >= points[i][1] and (c, v) != points[i] for c, v in points)

    found = front(points)
    assert sorted(found) == [i for i in range(len(points)) if not beaten(i)]
    assert [points[i] for i in found] == sorted(points[i] for i in found)


def test_costs_are_of_a_query():
    ledger = Ledger(calls=10, rounds=3, slots=40, usage=Usage(900, 100), cost_usd=None)
    assert Cost.of(ledger, 5, 2.0) == Cost(2, 3, 8, 200, 0.4, None)
    assert Cost.of(Ledger(calls=10), 5, None).tokens is None
    assert Cost.of(Ledger(), 5, 1.0).tokens == 0
    assert Cost.of(Ledger(), 0, 1.0) == Cost()


class TestCalibration:
    def ranking(self, *probabilities):
        docs = [Document(f"d{i}", "") for i in range(len(probabilities))]
        return Ranking(Query("q", "x"), tuple(Result(i, d, probability=p) for i, (d, p) in
                                              enumerate(zip(docs, probabilities, strict=True), 1)))  # fmt: skip

    def test_true_statements_have_no_error(self):
        assert expected_calibration_error([self.ranking(1.0, 1.0, 0.0)], {"q": {"d0": 2, "d1": 1}}, k=2) == 0
        assert expected_calibration_error([self.ranking(0.0, 1.0)], {"q": {"d0": 1}}, k=1) == 1

    def test_equal_grades_share_their_places(self):
        assert expected_calibration_error([self.ranking(1.0, 1 / 3, 1 / 3, 1 / 3)], {"q": {"d0": 2}}, k=2) == (
            pytest.approx(0)
        )

    def test_lists_shorter_than_k_are_all_in(self):
        assert expected_calibration_error([self.ranking(1.0, 1.0)], {"q": {"d0": 1}}, k=10) == 0

    def test_what_states_nothing_is_refused(self):
        with pytest.raises(InputError, match="has no probability"):
            expected_calibration_error([self.ranking(None)], {})
        with pytest.raises(InputError, match="no ranking"):
            expected_calibration_error([], {})


def test_a_set_of_one_query_is_shown_without_tests():
    here = Pool({"c": {"q0": QRELS["q0"]}}, parse_measures([NDCG]))
    found = compare(here, [here.system(n, [shuffled(i)]) for i, n in enumerate("ab")], Design("a", margin=0.1))
    (gap,) = found.differences
    assert math.isnan(gap.student.p)
    assert gap.adjusted == 1.0
    assert as_text(tables(found, "tokens"), notes(found), None)


class TestPaper:
    @pytest.fixture
    def found(self):
        here = pool((NDCG, RR))
        best = ideal(shuffled(0), {"c": QRELS}, 8)
        costs = {"a_b": Cost(calls=9.0, slots=180.0), "ideal": Cost(calls=12_345.6)}
        runs = {"base": shuffled(0), "a_b": shuffled(1), "ideal": best, "oracle": best}
        systems = [here.system(n, [r], cost=costs.get(n), reference=n in {"base", "oracle"}) for n, r in runs.items()]
        return compare(here, systems, Design("base", resamples=10_000))

    def test_letters_are_those_of_all_pairs(self, found):
        table = paper_table(found)
        letters = {row.name: row.letter for row in table.rows}
        assert letters == {"base": "a", "a_b": "b", "ideal": "c", "oracle": ""}
        for place, measure in enumerate(table.measures):
            beats = {row.name: set(row.cells[place].beats) for row in table.rows}
            for pair in every_pair(found, measure, ["base", "a_b", "ideal"]):
                better, worse = (pair.one, pair.other) if pair.estimate.mean > 0 else (pair.other, pair.one)
                assert (letters[worse] in beats[better]) == (pair.adjusted < 0.05)
                assert letters[better] not in beats[worse]
        assert table.rows[2].cells[0].beats == "ab"

    def test_the_best_is_the_best_of_what_was_tested(self, found):
        assert [row.cells[0].best for row in paper_table(found).rows] == [False, False, True, False]

    def test_against_says_who_has_letters(self, found):
        table = paper_table(found, ["a_b"])
        assert [row.letter for row in table.rows] == ["", "a", "", ""]
        assert table.rows[2].cells[0].beats == "a"
        with pytest.raises(InputError, match="'nobody' is no system; there are base, a_b"):
            paper_table(found, ["nobody"])

    def test_latex_and_markdown_have_a_cell_for_each(self, found):
        table = paper_table(found)
        latex, markdown = table.latex(), table.markdown()
        lines = [line for line in latex.splitlines() if line.endswith(r"\\")]
        assert {len(re.split(r"(?<!\\)&", line)) for line in lines} == {2 + 2 + 2}
        assert [latex.count(f"\\{word}{{") for word in ("begin", "end", "caption", "label")] == [2, 2, 1, 1]
        assert len(re.findall(r"(?<!\\){", latex)) == len(re.findall(r"(?<!\\)}", latex))
        assert r"a\_b" in latex
        assert r"\textbf{1.0000}$^{\mathrm{ab}}$" in latex
        assert "12,346" in latex
        piped = [line for line in markdown.splitlines() if line.startswith("|")]
        assert {line.count("|") for line in piped} == {7}
        assert "**1.0000**<sup>ab</sup>" in markdown

    def test_more_systems_than_letters(self):
        many = compared(measures=(NDCG,), **{f"s{i}": shuffled(i) for i in range(30)})
        letters = [row.letter for row in paper_table(many).rows]
        assert len(set(letters)) == 30
        assert set(map(len, letters)) == {2}


def test_a_pool_names_the_collections_where_a_measure_counts_other_grades_than_usual():
    deep, binary = {"q": {"a": 0, "b": 1, "c": 2, "d": 3}}, {"q": {"a": 0, "b": 1}}
    both = {"deep": deep, "binary": {"r": binary["q"]}}
    assert Pool(both, parse_measures(["nDCG@10", "RR(rel=1)@10"])).raised == []
    assert Pool(both, parse_measures(["nDCG@10", "RR@10"])).raised == ["deep"]
    assert Pool(both, parse_measures(["RR@10"]), 1).raised == []
