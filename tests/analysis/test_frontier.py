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
