"""The benchmark's own logic: ratios, limits, which rows, what is kept, the page. Nothing is timed here."""

import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
try:
    from eval.bench.harness import cli, measure, table
    from eval.bench.harness.prompts import differences, trie_tokens
    from eval.bench.harness.row import Limit, Line, NotHereError, Outcome, Row, Setting
    from eval.bench.rows import ROWS
finally:
    sys.path.remove(str(ROOT))

LINE = Line("speed", "tokens/s", (30.0, 10.0, 20.0), "a peer", (10.0, 10.0, 5.0), Limit("≥", 3.0))
SETTING = Setting(ROOT, ROOT)


def rows(*outcomes):
    def measured(outcome):
        if isinstance(outcome, str):
            raise NotHereError(outcome)
        return outcome

    return [Row(f"row{i}", i, f"about {i}", 1, lambda _, o=o: measured(o)) for i, o in enumerate(outcomes)]


def test_a_ratio_is_the_median_of_the_rounds_ratios():
    assert (LINE.ratio, LINE.spread, LINE.within) == (3.0, (1.0, 4.0), True)
    bound = Line("computed", "tokens", (12.0, 11.0), "least", (10.0,), Limit("≤", 1.15))
    assert (bound.ratio, bound.spread, bound.within) == (pytest.approx(1.15), (1.1, 1.2), True)
    assert Line("x", "s", (1.0,), "y", (2.0,)).within is None


@pytest.mark.parametrize(("ours", "theirs"), [((), (1.0,)), ((1.0, 2.0, 3.0), (1.0, 2.0)), ((1.0,), (0.0,))])
def test_rounds_that_do_not_match_are_no_line(ours, theirs):
    with pytest.raises(ValueError, match="rounds of ours"):
        Line("x", "s", ours, "y", theirs)


@pytest.mark.parametrize(
    ("text", "ratio", "holds"), [("≥ 1.5", 1.5, True), ("≥ 1.5", 1.49, False), ("≤ 2", 2.0, True), ("≤ 2", 2.1, False)]
)
def test_limits(text, ratio, holds):
    limit = Limit.parse(text)
    assert (str(limit), limit.holds(ratio)) == (text, holds)


def test_what_is_no_limit():
    with pytest.raises(ValueError, match="a limit is"):
        Limit.parse("< 3")


def test_a_line_survives_its_file():
    assert Line.of(json.loads(json.dumps(LINE.as_json()))) == LINE


@given(st.lists(st.lists(st.integers(0, 2), max_size=6), max_size=12))
def test_the_trie_has_every_prefix_once(prompts):
    assert trie_tokens(prompts) == len({tuple(p[: i + 1]) for p in prompts for i in range(len(p))})


def test_differences():
    assert "differ from plain by 0.75 at most; 1 of 3 pairs" in differences([1.0, 0.0, 5.0], [0.5, 0.75, 5.0], "plain")
    assert "0 of 1 pairs of prompts change order." in differences([1.0, 2.0], [1.0, 2.0], "plain")


def test_rows_are_selected_by_name():
    some = rows("a", "b", "c")
    assert cli.selected(some, []) == some
    assert [row.name for row in cli.selected(some, ["row2", "row0"])] == ["row0", "row2"]
    with pytest.raises(SystemExit, match="no row nope; there are row0, row1, row2"):
        cli.selected(some, ["nope"])


def test_the_rows_there_are():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {row.item for row in ROWS} == set(range(1, 9))
    assert all(row.minutes < 30 for row in ROWS)


def test_what_was_measured_outlives_a_run_that_could_not(tmp_path):
    good, bad = rows(Outcome([LINE], ["A note."], seeds=(1,)), "no GPU here")
    kept = tmp_path / "results" / "row0.json"
    cli.keep(cli.measured(good, SETTING), [good, bad], tmp_path)
    before = kept.read_text(encoding="utf-8")
    cli.keep(cli.measured(Row("row0", 0, "", 1, bad.measure), SETTING), [good, bad], tmp_path)
    assert kept.read_text(encoding="utf-8") == before
    cli.keep(cli.measured(bad, SETTING), [good, bad], tmp_path)
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "| row0 | speed, tokens/s | 20.0 | a peer: 10.0 | 3.00 (1.00–4.00) | ≥ 3 | yes |" in page
    assert "- row1, about 1: not run: no GPU here" in page
    assert re.search(r"\*\*row0\*\* \(item 0\), about 0. Written by `python -m eval.bench row0`; .* A note.", page)
    head = " ".join(page.split("\n## ")[0].split())
    assert re.search(r"rerankllm \d.*Python \d.*\d+ cores?.*seeds", head)


def test_a_row_not_run_yet_and_a_limit_not_kept(tmp_path):
    slow = Line("speed", "s", (2.0,), "a peer", (1.0,), Limit("≤", 1.0))
    first, second = rows(Outcome([slow]), "never")
    cli.keep(cli.measured(first, SETTING), [first, second], tmp_path)
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "| 2.00 | ≤ 1 | **no** |" in page
    assert "- row1, about 1: not run yet" in page


def test_a_rehearsal_is_kept_nowhere(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["eval.bench", "--quick", "--out", str(tmp_path), "--cache", str(tmp_path)])
    cli.main(rows(Outcome([LINE], ["A note."])))
    said = capsys.readouterr()
    assert "3.00 (1.00–4.00)" in said.out
    assert "A note." in said.err
    assert not list(tmp_path.iterdir())


def script(folder, text):
    path = folder / "script.py"
    path.write_text(text)
    return [sys.executable, str(path)]


def test_the_last_line_is_the_result_and_its_memory_is_known(tmp_path):
    found = measure.run(script(tmp_path, "print('loading')\nprint('{\"seconds\": 2}')"), tmp_path / "stderr")
    assert found["seconds"] == 2
    assert 1 < found["peak_mib"] < 4096


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise SystemExit('no such model')", "script.py failed with 1: no such model"),
        ("print('no JSON')", "script.py printed no JSON object as its last line: no JSON"),
        ("print(3)", "printed no JSON object"),
        ("", "printed no JSON object"),
    ],
)
def test_a_measurement_that_fails_says_why(tmp_path, text, why):
    with pytest.raises(NotHereError, match=re.escape(why)):
        measure.run(script(tmp_path, text), tmp_path / "stderr")


def test_they_take_turns(monkeypatch):
    asked = []
    monkeypatch.setattr(measure.Worker, "measure", lambda self: asked.append(self.script) or {"seconds": len(asked)})
    found = measure.in_turn({name: measure.Worker(name, {}) for name in "ab"}, 3)
    assert asked == ["a", "b", "b", "a", "a", "b"]
    assert measure.column(found["a"], "seconds") == (1, 4, 5)


def test_figures():
    assert [table.figure(value) for value in (12345.6, 123.4, 12.34, 1.234)] == ["12,346", "123", "12.3", "1.23"]
