"""The frontier's own arithmetic: what it runs exists, and what it fuses is what `interpolate` would give."""

import sys
from pathlib import Path

import pytest
import yaml

from rerankllm import Reranker
from rerankllm.registry import STRATEGIES
from rerankllm.spec.stage import Stage

FRONTIER = Path(__file__).parents[2] / "eval" / "frontier"
CONFIG = yaml.safe_load((FRONTIER / "strategies.yaml").read_text())


@pytest.fixture(scope="module")
def run():
    pytest.importorskip("matplotlib", reason="needs the extra `dev`")
    pytest.importorskip("scipy", reason="needs the extra `dev`")
    sys.path.insert(0, str(FRONTIER))
    try:
        import run
    finally:
        sys.path.remove(str(FRONTIER))
    return run


@pytest.mark.parametrize("spec", CONFIG["run"] + CONFIG["short"])
def test_every_stage_listed_parses(spec):
    if spec.partition("(")[0] not in STRATEGIES:
        pytest.skip(f"{spec} is not registered here")
    assert Stage.parse(spec)


@pytest.mark.slow
def test_every_strategy_is_run_or_left_out_for_a_reason(run, capsys):
    specs = run.stages(CONFIG, 20, [])
    ran = {name for spec in specs for name in run.names_in(Stage.parse(spec))}
    assert ran | set(CONFIG["left_out"]) == set(STRATEGIES)
    del CONFIG["run"][CONFIG["run"].index("iranker")]
    try:
        assert "iranker" in run.stages(CONFIG, 20, [])
        assert "in no list, run as it comes: iranker" in capsys.readouterr().out
    finally:
        CONFIG["run"].append("iranker")


@pytest.mark.slow
def test_fused_is_interpolate(run, shared_data):
    del shared_data  # where the collection is absent, this is skipped
    collection = run.Collection("noveleval")
    model = f"simulated:{collection.qrels_path}?world=harsh"
    orders = {}
    for spec in ("full", "interpolate(full, weight=0.8)"):
        with Reranker(spec, model) as reranker:
            orders[spec] = {r.query.query_id: r.doc_ids for r in reranker.stream(collection.queries)}
    assert collection.fused(orders["full"], 0.8) == orders["interpolate(full, weight=0.8)"] != orders["full"]


def test_seeds_reach_every_stage_inside(run):
    stage = run.reseeded(Stage.parse("cascade([psc(full, seed=1), jointrank], depths=[20, 10])"), 7)
    assert str(stage).count("seed=7") == str(stage).count("seed=") == 3


def test_intervals_are_students(run):
    assert run.interval([1.0, 2.0, 3.0]) == pytest.approx(4.3027 / 3**0.5, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dl19-bm25", "noveleval"])
def test_no_name_in_the_figure_covers_another(run, name):
    worlds = sys.modules["plots"].worlds_of(FRONTIER / "results" / f"{name}.md")
    with sys.modules["plots"].figures.style():
        figure = sys.modules["plots"].drawn({"harsh": worlds["harsh"]}, "a title")
    assert len(figure.axes) == 2
    text = pytest.importorskip("matplotlib.text", reason="needs matplotlib, of the extra `dev`").Text
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes:
        names = axes.texts
        assert names
        assert len({each.get_text() for each in names}) == len(names)
        boxes = [text.get_window_extent(each, renderer) for each in names]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert all(axes.get_window_extent().contains(*corner) for box in boxes for corner in (box.min, box.max))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dl19-bm25", "noveleval"])
def test_the_line_called_limit_is_one(run, name):
    """No stage, alone or fused, is above it; the judge's own belief is no such line."""
    for table in sys.modules["plots"].worlds_of(FRONTIER / "results" / f"{name}.md").values():
        limit = table.number(run.IDEAL, "nDCG@10")
        for cells in table.rows:
            if cells[-1] != run.IDEAL:
                assert all(table.number(cells[-1], column) <= limit for column in ("nDCG@10", "fused 0.5", "fused 0.8"))
