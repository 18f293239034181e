"""What ships is what the tables show, and what strategies exist."""

import re
from pathlib import Path

import pytest

from rerankllm.analysis.recommend.measurements import Measured, nearest, shipped
from rerankllm.errors import InputError
from rerankllm.evaluation.standard_error import Spread
from rerankllm.spec.stage import Stage

RESULTS = Path(__file__).parents[2] / "eval" / "frontier" / "results"
SHIPPED = shipped()


def test_both_collections_ship_the_longer_lists_first():
    assert [(each.name, each.candidates) for each in SHIPPED] == [("dl19-bm25", 100), ("noveleval", 20)]
    assert [nearest(SHIPPED, length).candidates for length in (1, 20, 44, 45, 100, 1000)] == [20, 20, 20, 100, 100, 100]


@pytest.mark.parametrize("measured", SHIPPED, ids=lambda each: each.name)
def test_every_stage_parses_and_every_judge_met_every_stage(measured):
    stages = {judge: [e.stage for e in measured.entries if e.judge == judge] for judge in measured.judges}
    assert set(stages) == {"mild", "harsh", "fitted", "small"}
    assert len({tuple(sorted(each)) for each in stages.values()}) == 1
    assert len(set(stages["mild"])) == len(stages["mild"])
    for spec in stages["mild"]:
        assert not spec or Stage.parse(spec)
    assert all(len(entry.by_query) == len(measured.queries) for entry in measured.entries)


@pytest.mark.parametrize("measured", SHIPPED, ids=lambda each: each.name)
def test_the_tables_are_of_the_same_run(measured):
    text = (RESULTS / f"{measured.name}.md").read_text(encoding="utf-8")
    assert f"Seeds 0 to {measured.seeds - 1}," in text
    worlds = {part.split(":")[0]: part for part in text.split("\n## ")[1:]}
    rows = re.compile(
        r"^\| ([\d.]+) ± ([\d.]+) \|.* \| ([\d.]+) \| ([\d.]+) \| (\d+) \| [\d.]+ \| \d+% \| `(.*)` \|$", re.MULTILINE
    )
    by_name = {(entry.judge, entry.stage): entry for entry in measured.entries}
    compared = 0
    for world, part in worlds.items():
        for mean, half, calls, rounds, slots, stage in rows.findall(part):
            entry = by_name[world, stage]
            assert measured.interval(entry.by_query) == pytest.approx((float(mean), float(half)), abs=0.0006)
            assert (entry.calls, entry.rounds) == pytest.approx((float(calls), float(rounds)), abs=0.051)
            assert entry.slots == pytest.approx(float(slots), abs=0.51)
            compared += 1
    assert 3 * compared == len(measured.entries) - len(measured.judges)  # alone, and twice fused


@pytest.mark.parametrize("measured", SHIPPED, ids=lambda each: each.name)
def test_intervals_are_those_of_the_evaluation(measured):
    np = pytest.importorskip("numpy")
    pytest.importorskip("scipy", reason="needs the extra `stats`")
    for entry in measured.entries[::20]:
        mean, half = measured.interval(entry.by_query)
        low, high = Spread.of(np.array(entry.by_query)).interval()
        assert (mean - half, mean + half) == pytest.approx((low, high), abs=1e-4)


def test_what_is_saved_is_read(tmp_path):
    SHIPPED[0].save(tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert Measured.read(text, "x.json") == SHIPPED[0]
    for broken in ("{}", "[]", "nonsense", text.replace('"version": 1', '"version": 2')):
        with pytest.raises(InputError, match="x.json holds no measurements of this version"):
            Measured.read(broken, "x.json")
