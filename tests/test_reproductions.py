"""Published figures: every file is an experiment whose model has a card and whose calls can be told without weights."""

import json
import sys
from pathlib import Path

import pytest

from rerankllm.experiments.experiment import Experiment

EVAL = Path(__file__).parents[1] / "eval" / "reproductions"
DATA = Path(__file__).parents[2] / "shared" / "data"
pytest.importorskip("scipy", reason="needs the extra `stats`")


@pytest.fixture(scope="module")
def run():
    sys.path.insert(0, str(EVAL))
    try:
        sys.modules.pop("run", None)
        import run
    finally:
        sys.path.remove(str(EVAL))
        sys.modules.pop("run", None)
    return run


@pytest.mark.parametrize("path", sorted(EVAL.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_is_an_experiment_that_can_be_planned(run, path):
    (each,) = (one for one in run.reproductions() if one.name == path.stem)
    published = each.config.published
    assert published is not None
    assert published.source
    assert each.plan.calls.high >= 1
    assert path.read_text(encoding="utf-8").startswith("# ")
    if published.system == "first stage":
        return
    assert each.card is not None or "prompt=" in str(each.config.strategies), each.called
    assert each.card is None or not each.card.cannot
    (strategy,) = each.config.strategies.values()
    if each.card is not None:
        assert {asked.__name__.lower() for asked in strategy.stage.strategy.asks} <= set(each.card.answers)


def test_there_is_a_file_for_every_figure_on_these_candidates(run):
    files = {each.card.name for each in run.reproductions() if each.card is not None}
    known = map(run.cards.load, run.cards.names())
    named = {card.name for card in known if card.models and any("DL19" in f and "BM25" in f for f in card.figures)}
    assert named <= files


def test_the_page_is_what_the_files_and_what_was_found_say(run):
    found = json.loads(run.FOUND.read_text(encoding="utf-8"))
    assert run.page(run.reproductions(), found) == run.PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_recorded_figure_is_come_to_again(tmp_path):
    if not DATA.is_dir():
        pytest.skip("needs ../shared/data beside the project")
    experiment = Experiment.load(EVAL / "rankvicuna-dl19-recorded.yaml", tmp_path / "out")
    (forecast,) = experiment.forecast()
    assert forecast.forecast is not None
    results = experiment.run(quiet=True)
    (published,) = results.document["published"]
    assert published["reproduced"]
    assert published["here"] == pytest.approx(0.6682, abs=5e-5)
    assert results.document["notes"][-1].endswith(": reproduced.")
    assert results.markdown().count("0.6682 here, 0.6682 ± 0.0001 published (castorini") == 1
