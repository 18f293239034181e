"""Parity is measured, not assumed: what is the same reads as the same, what is not shows."""

import asyncio
import json

import packaged_model
import pytest
from scripted_server import Answer, ScriptedServer, Status

import rerankllm
from rerankllm.data import Document, Query


def answering(first, step=1.0):
    """A host that knows how likely each label is: `first` for the first, and `step` less for each that follows."""

    def script(body, n):
        prompt = body["messages"][-1]["content"]
        labels = "ABCDE" if "[C]" in prompt else "AB" if "[A]" in prompt else None
        names = list(labels) if labels else ["Yes", "No"]
        return Answer(names[0], logprobs=[(names[0], {name: first - step * i for i, name in enumerate(names)})])

    return script


def table(cli, *arguments):
    status, out, err = cli("parity", *arguments, "--json")
    return status, {(row["elicitation"], row["judgement"]): row for row in json.loads(out)}, err


@pytest.mark.slow
def test_hosts_that_agree_and_hosts_that_do_not(cli):
    with ScriptedServer(answering(-0.1)) as one, ScriptedServer(answering(-0.35, 2.0)) as other:
        models = [f"openai:scripted?base_url={server.url}" for server in (one, one, other)]
        status, rows, _ = table(cli, *models[:2], "--tolerance", 0)
        assert status == 0
        for row in rows.values():
            if row["elicitation"] == "labels":
                assert (row["largest"], row["failed"]) == (0, 0)
                assert row["same_first"] == row["same_prompt"] == row["calls"] > 0
            else:
                assert "likelihood" in row["refused"]
        status, rows, err = table(cli, *models[1:], "--tolerance", 0.2)
        assert status == 3
        assert "beyond 0.2 nats: Score / labels, Compare / labels, Permute / labels" in err
        assert rows["labels", "Compare"]["largest"] == pytest.approx(1.25)
        with ScriptedServer(answering(-0.6)) as held:  # to the labels: as likely among them, not on the whole
            status, rows, _ = table(cli, models[0], f"openai:scripted?base_url={held.url}", "--tolerance", 1e-9)
        assert status == 0
        assert rows["labels", "Compare"]["largest"] == pytest.approx(0.5)


def test_the_command_writes_what_the_verb_gives(cli):
    with ScriptedServer(answering(-0.1)) as one, ScriptedServer(answering(-0.35, 2.0)) as other:
        models = [f"openai:scripted?base_url={server.url}" for server in (one, other)]
        found = rerankllm.parity(*models, queries=2, depth=3)
        out = cli("parity", *models, "--queries", 2, "--depth", 3, "--json")[1]
        assert found.to_dict() == json.loads(out)
        out = cli("parity", *models, "--queries", 2, "--depth", 3)[1]
        assert out.splitlines()[0].startswith("elicitation\tjudgement\tcalls")
        assert [row.judgement for row in found.beyond(0.2)] == ["Score", "Compare", "Permute"]
        asked = [(Query("q", "fleas"), [Document("a", "they live"), Document("b", "they jump")])]
        assert [row.calls for row in rerankllm.parity(*models, asked)] == [2, 2, 1, 0]


async def two_models():
    with ScriptedServer(answering(-0.1)) as one:
        model = f"openai:scripted?base_url={one.url}"
        return rerankllm.parity(model, model, queries=1, depth=2)


def test_it_runs_where_an_event_loop_runs_already_as_in_a_notebook():
    assert {row.largest for row in asyncio.run(two_models()).compared} == {0}


def test_a_host_that_answers_nothing_is_no_parity(cli):
    with ScriptedServer(lambda body, n: Status(400, "no")) as server:
        model = f"openai:scripted?base_url={server.url}"
        status, rows, err = table(cli, model, model, "--tolerance", 1)
    assert status == 3
    assert "nothing" in err
    assert rows["labels", "Score"]["failed"] == rows["labels", "Score"]["calls"]


@pytest.mark.slow(seconds=40)
def test_types_of_the_embedded_model(cli):
    pytest.importorskip("llama_cpp", reason="needs the extra `llamacpp`")
    arguments = ("llamacpp:smollm2", "llamacpp:smollm2?type=f32", "--queries", 1, "--depth", 3, "--tolerance", 0.2)
    status, rows, err = table(cli, *arguments)
    assert status == 0, err
    assert len(rows) == 4
    for row in rows.values():
        assert row["same_prompt"] == row["calls"]
        assert 0 < row["mean"] <= row["largest"] < 0.2


@pytest.mark.slow(seconds=40)
def test_transformers_and_llamacpp_in_float32(cli):
    """The same weights in two engines: within a hundredth of a nat, and the same prompts token by token."""
    pytest.importorskip("llama_cpp", reason="needs the extra `llamacpp`")
    pytest.importorskip("transformers", reason="needs the extra `hf`")
    hf = f"hf:{packaged_model.converted()}?dtype=float32&threads=1"
    status, rows, err = table(cli, hf, "llamacpp:smollm2?type=f32", "--queries", 1, "--depth", 3, "--tolerance", 0.01)
    assert status == 0, err
    for row in rows.values():
        assert row["same_prompt"] == row["calls"]
        assert row["largest"] < 0.01
