"""Journals and experiments that others made: what they name is shown before it is used, and stays in its folder."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from scripted_server import Answer, ScriptedServer

from rerankllm.errors import InputError
from rerankllm.experiments.folder import read_manifest
from rerankllm.sample import path as sample

ELSEWHERE = "cohere:x?base_url=https://evil.invalid"
ORACLE = f"oracle:{sample('qrels.txt')}"


@pytest.fixture
def journal(cli, tmp_path, monkeypatch):
    """A finished run's journal, and the folder it is in."""
    monkeypatch.chdir(tmp_path)
    status, _, err = cli(
        "rerank", "--sample", "--model", ORACLE, "--strategy", "pointwise", "--output", "out", "--journal", "j"
    )
    assert status == 0, err
    return tmp_path / "j"


def changed(journal, **options):
    """The journal as a stranger might send it."""
    with sqlite3.connect(journal) as db:
        ((noted,),) = db.execute("SELECT options FROM runs")
        db.execute("UPDATE runs SET options = ?", (json.dumps(json.loads(noted) | options),))
    db.close()
    return journal


def test_ones_own_journal_is_resumed_without_a_question(cli, journal):
    (journal.parent / "out").unlink()
    assert cli("resume", "j")[0] == 0
    assert (journal.parent / "out").is_file()


def test_a_strangers_journal_sends_no_key_and_writes_no_file(cli, journal, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_MINE", "sk-secret")
    (tmp_path / "precious").write_text("mine")
    with ScriptedServer(lambda *_: Answer("[1]")) as server:
        model = f"openai:x?base_url={server.url}&api_key_env=SECRET_OF_MINE"
        changed(journal, model=model, output="precious")
        status, _, err = cli("resume", "j")
        assert (status, server.calls) == (1, 0)
    assert (tmp_path / "precious").read_text() == "mine"
    assert "SECRET_OF_MINE" in err
    assert "precious" in err
    assert "--yes" in err


def test_what_a_stranger_noted_runs_once_it_is_confirmed(cli, journal, tmp_path):
    changed(journal, output="elsewhere")
    assert cli("resume", "j")[0] == 1
    assert cli("resume", "j", "--yes")[0] == 0
    assert (tmp_path / "elsewhere").is_file()


def test_a_seal_of_another_user_is_none(cli, journal, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("another")))
    assert cli("resume", "j")[0] == 1


def test_what_is_shown_of_a_stranger_cannot_steer_the_terminal(cli, journal):
    changed(journal, output="\x1b[2Jgone")
    assert "\x1b" not in cli("resume", "j")[2]


def test_options_that_there_are_not_are_one_line(cli, journal):
    changed(journal, evil=1)
    status, _, err = cli("resume", "j", "--yes")
    assert status == 1
    assert "options that there are not: evil" in err


@pytest.mark.parametrize("field", ["queries", "corpus", "qrels", "run", "journal", "first_stages"])
@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "link"])
def test_an_experiment_names_nothing_outside_of_its_folder(tmp_path, field, path):
    (tmp_path / "secret").write_text("mine")
    folder = tmp_path / "trial"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    dataset = {"queries": "q", "corpus": "c", "qrels": "r", "first_stages": {"own": "f"}}
    cell = {"dataset": "d", "first_stage": "own", "system": "s", "seed": 0, "run": "x", "journal": None}
    manifest = {
        "version": 1,
        "datasets": {"d": dataset},
        "systems": {"s": {"strategy": "full", "model": "m"}},
        "cells": [cell],
    }
    (folder / "experiment.json").write_text(json.dumps(manifest))
    assert read_manifest(folder)
    (cell if field in cell else dataset)[field] = {"own": path} if field == "first_stages" else path
    (folder / "experiment.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="not in the folder"):
        read_manifest(folder)
    shutil.rmtree(folder)


def trial(folder, model, **more):
    """An experiment's configuration as a stranger might send it."""
    files = {Path(file).stem: str(sample(file)) for file in ("queries.tsv", "corpus.jsonl", "qrels.txt", "run.txt")}
    config = {
        "datasets": {"s": {**files, "candidates": 2}},
        "strategies": {"p": "pointwise / text"},
        "models": {"m": model},
        "references": [],
        **more,
    }
    path = folder / "trial.yaml"
    path.write_text(json.dumps(config))
    return path


def test_a_host_that_a_configuration_names_is_asked_about_once(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_MINE", "sk-secret")
    model = {"spec": "openai:x", "base_url": "http://evil.invalid/v1", "api_key_env": "SECRET_OF_MINE", "retries": 0}
    status, _, err = cli("experiment", trial(tmp_path, model))
    assert status == 1
    assert "sends queries and texts to http://evil.invalid/v1, with the key in SECRET_OF_MINE" in err.replace("\n", " ")
    assert "--yes" in err
    assert not (tmp_path / "trial").exists()
    assert "--yes" not in cli("experiment", trial(tmp_path, model), "--yes", "--dry-run")[2]
    assert "--yes" not in cli("experiment", trial(tmp_path, model), "--dry-run")[2]
    other = {**model, "api_key_env": "ANOTHER"}
    assert "with the key in ANOTHER" in cli("experiment", trial(tmp_path, other), "--dry-run")[2].replace("\n", " ")


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ({"spec": "openai:x?base_url=https://evil.invalid"}, {}, "evil.invalid, with the key in its usual variable"),
        ({"spec": "openai:x", "api_key_env": "SECRET"}, {}, "to openai's own host, with the key in SECRET"),
        ({"spec": "cross-encoder:x?trust_remote_code=true"}, {}, "runs code that x brings"),
        (ORACLE, {"output": "../elsewhere"}, "writes into"),
        (ORACLE, {"strategies": {"p": "psc(full @ 'openai:x?base_url=https://evil.invalid')"}}, "evil.invalid"),
        ({"spec": ORACLE, "where": [{"strategy": "p", "spec": ELSEWHERE}]}, {}, "evil.invalid"),
        ({"spec": "openai:x?base_url=http://localhost.evil.invalid:80/v1"}, {}, "localhost.evil.invalid"),
    ],
)  # fmt: skip
def test_what_goes_beyond_a_configurations_folder_is_asked_about(cli, tmp_path, model, more, said):
    (tmp_path / "in").mkdir()
    status, _, err = cli("experiment", trial(tmp_path / "in", model, **more), "--dry-run")
    assert (status, "--yes" in err) == (1, True), err
    assert said in err.replace("\n", " ")


def test_a_server_on_this_machine_and_what_is_packaged_need_no_answer(cli, tmp_path):
    for model in ("openai:x?base_url=http://127.0.0.1:1/v1", "openai:x?base_url=http://localhost:1", ORACLE):
        assert "--yes" not in cli("experiment", trial(tmp_path, model), "--dry-run")[2]
