"""Journals and experiments that others made: what they name is shown before it is used, and stays in its folder."""

import json
import shutil
import sqlite3

import pytest
from scripted_server import Answer, ScriptedServer

from rerankllm.errors import InputError
from rerankllm.experiments.folder import read_manifest
from rerankllm.sample import path as sample

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
