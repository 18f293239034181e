"""What a server may spend, what it remembers, and scores that say how likely a document is relevant."""

import json
from contextlib import contextmanager

import httpx
import pytest
from serving import PATHS, ask, commanded, inside, offering
from waiting import GUARD

from rerankllm import Reranker
from rerankllm.calibration.relevance import Calibration
from rerankllm.calls import Reply
from rerankllm.cli.aliases import calibrated
from rerankllm.drivers.budget import Budget, Limits
from rerankllm.errors import InputError
from rerankllm.journal.store import Journal
from rerankllm.server.pairs import asked_together

TEXTS = ["worth 1", "worth 3", "worth 2"]
LADDER = {f"q{n}": [(f"d{score}", float(score)) for score in range(4)] for n in range(30)}
GRADES = {query_id: {f"d{score}": int(score * 7 > n) for score in range(4)} for n, query_id in enumerate(LADDER)}


@pytest.fixture
def fit(tmp_path):
    """A calibration file for `pointwise` on the counting engine, whose scores are 0 to 3 here."""
    path = tmp_path / "fit.json"
    Calibration.fit(LADDER, GRADES, strategy="pointwise", model="counting:test").save(path, "test")
    return path


@contextmanager
def spending(**settings):
    """A server of `points`, and a client of it, whose `engine` is the one behind."""
    with (
        Reranker("pointwise", "counting:test", driver="concurrent", **settings) as points,
        offering({"points": points, "order": points.beside("sliding")}) as live,
        httpx.Client(base_url=live.url, timeout=GUARD) as client,
    ):
        client.engine = points.backend
        yield client


def post(client, path="/v1/rerank", documents=TEXTS, **more):
    return client.post(path, json=ask(path, documents, **more))


class TestSpending:
    def test_pairs_are_one_query_unless_something_counts_by_the_query(self):
        queries = ["q", "r", "q", "q"]
        with Reranker("pointwise", "counting:test") as plain:
            assert asked_together(plain, queries) == [[0, 2, 3], [1]]
        for settings in ({"per_query": Limits(calls=1)}, {"depth": 2}):
            with Reranker("pointwise", "counting:test", **settings) as limited:
                assert asked_together(limited, queries) == [[0], [1], [2], [3]]

    def test_what_a_pair_may_spend_is_counted_for_each(self):
        with spending(per_query=Limits(calls=1)) as client:
            response = post(client, "/score")
        assert response.status_code == 200
        assert len(response.json()["data"]) == 3

    def test_a_pair_that_cannot_be_scored_fails_the_request(self):
        with spending() as client:
            response = client.post("/score", json={"queries": ["q", "cannot"], "documents": ["worth 1", "worth 2"]})
        assert response.status_code == 502
        assert "scripted failure" in response.json()["error"]["message"]

    def test_so_does_one_whose_answer_cannot_be_used(self):
        with spending() as client:
            engine = client.engine
            engine.run = lambda works: [Reply(float("nan") if work.doc.text == "no" else 1.0) for work in works]
            response = client.post("/score", json={"text_1": "q", "text_2": ["worth 1", "no", "worth 2"]})
        assert response.status_code == 502
        assert "1 of 3 pairs could not be scored" in response.json()["error"]["message"]

    @pytest.mark.slow
    @pytest.mark.parametrize("path", [*PATHS, "/page/rerank"])
    def test_a_server_that_has_spent_all_says_so_in_every_dialect(self, path):
        with spending(limits=Budget(Limits(calls=3))) as client:
            assert post(client).status_code == 200
            on_the_page = path == "/page/rerank"
            second = client.post(path, json=ask("/rerank", TEXTS, model="points") if on_the_page else ask(path, TEXTS))
            assert second.status_code == (200 if on_the_page else 402)  # the page hears it as an event
            assert "is used up (3 calls spent)" in second.text
            assert "results" not in second.text
            assert client.engine.calls == 3
            counted = client.get("/metrics").text
            assert f'alias="points",route="{path}",status="402"}} 1.0' in counted

    def test_teis_shape(self):
        with spending(limits=Budget(Limits(calls=1))) as client:
            answer = client.post("/rerank", json=ask("/rerank", TEXTS, texts=True))
        assert (answer.status_code, answer.json()["error_type"]) == (402, "Overloaded")

    def test_a_request_that_takes_more_than_one_may_stands_alone(self):
        with spending(per_query=Limits(calls=2)) as client:
            assert post(client).status_code == 402
            assert post(client, documents=TEXTS[:2]).status_code == 200

    def test_a_model_that_fails_is_no_question_of_money(self):
        with inside() as client:
            assert post(client, query="it cannot").status_code == 502


class TestJournal:
    @pytest.mark.slow
    def test_what_was_asked_is_not_asked_again_and_costs_nothing(self, tmp_path):
        path = tmp_path / "asked.journal"
        for calls in (3, 0):  # the server, and the server started anew
            with spending(journal=path, limits=Budget(Limits(calls=3))) as client:
                answers = [post(client, "/v2/rerank") for _ in range(3)]
                assert [answer.status_code for answer in answers] == [200] * 3
                assert len({json.dumps(answer.json()["results"]) for answer in answers}) == 1
                assert client.engine.calls == calls
        journal = Journal(path, create=False)
        assert journal.spent()[0] == 3
        journal.close()

    @pytest.mark.slow
    def test_another_query_and_other_documents_are_asked(self, tmp_path):
        with spending(journal=tmp_path / "j") as client:
            post(client)
            post(client, query="something else")
            post(client, documents=[*TEXTS, "worth 9"])
            assert client.engine.calls == 3 + 3 + 1  # three of the last four were asked in the same words


class TestCalibration:
    @pytest.mark.slow
    def test_scores_are_how_likely_a_document_is_relevant(self, fit):
        curve = Calibration.load(fit).curve
        with inside() as client:
            assert post(client).headers["x-rerankllm-scores"] == "logistic"
        with Reranker("pointwise", "counting:test", driver="concurrent") as points:
            aliases = calibrated({"points": points, "order": points.beside("sliding")}, [str(fit)])
            with offering(aliases) as live, httpx.Client(base_url=live.url, timeout=GUARD) as client:
                for path in ("/v2/rerank", "/v1/rerank"):
                    answer = post(client, path)
                    assert answer.headers["x-rerankllm-scores"] == "calibrated"
                    found = [result["relevance_score"] for result in answer.json()["results"]]
                    assert found == pytest.approx([curve(3.0), curve(2.0), curve(1.0)])
                scored = post(client, "/score")
                assert scored.headers["x-rerankllm-scores"] == "calibrated"
                assert [each["score"] for each in scored.json()["data"]] == pytest.approx(
                    [curve(1.0), curve(3.0), curve(2.0)]
                )
                raw = client.post("/rerank", json=ask("/rerank", TEXTS, texts=True, raw_scores=True))
                assert [place["score"] for place in raw.json()] == [3.0, 2.0, 1.0]
                other = post(client, model="order")
                assert other.headers["x-rerankllm-scores"] == "rank"
                cut = post(client, max_tokens_per_doc=3)  # which changes nothing, as there are no prompts
                assert cut.headers["x-rerankllm-scores"] == "calibrated"

    def test_whose_it_is(self, fit, caplog):
        with Reranker("pointwise", "counting:test", driver="concurrent") as points:
            aliases = {"points": points, "other": points.beside("pointwise", "counting:two")}
            found = calibrated(aliases, [f"other={fit}"])
            assert (found["points"].calibration, found["other"].calibration) == (None, Calibration.load(fit))
            assert "fitted on scores of the model counting:test; those of counting:two" in caplog.text
            for wrong, said in (([str(fit), f"points={fit}"], "has one already"), (["nobody=x"], "cannot read")):
                with pytest.raises(InputError, match=said):
                    calibrated(aliases, wrong)


@pytest.mark.slow
def test_from_the_command_line(tmp_path, fit):
    qrels, journal = tmp_path / "qrels.txt", tmp_path / "asked.journal"
    qrels.write_text("query 0 0 0\nquery 0 1 2\nquery 0 2 1\n")
    given = ["--model", f"oracle:{qrels}", "--strategy", "pointwise", "--journal", journal, "--max-calls", "3"]
    with commanded(*map(str, given), "--calibration", str(fit), "--per-query", "calls=3") as (url, lines, _):
        assert any("the calibration was fitted on scores of the model counting:test" in line for line in lines)
        with httpx.Client(base_url=url, timeout=GUARD) as client:
            for _ in range(2):
                answer = post(client)
                assert (answer.status_code, answer.headers["x-rerankllm-scores"]) == (200, "calibrated")
                assert [place["index"] for place in answer.json()["results"]] == [1, 2, 0]
            spent = post(client, query="something else")
            assert (spent.status_code, spent.json()["error"]["type"]) == (402, "PaymentRequiredError")
            assert "the server's budget of 3 calls is used up" in spent.json()["error"]["message"]
    assert journal.is_file()
