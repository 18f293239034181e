"""The fastest way is found by what was measured, remembered for this machine, and measured anew on another."""

import json
import logging
import threading

import pytest

from rerankllm.backends import fastest as module
from rerankllm.backends.cpus import cpus
from rerankllm.backends.fastest import fastest, remembered, seconds


@pytest.fixture
def cache(tmp_path, monkeypatch):
    path = tmp_path / "deeper" / "fastest.json"
    monkeypatch.setattr(module, "path", lambda: path)
    return path


def measuring(asked, **taken):
    """Ways that take so many seconds, and note that they were measured."""

    def way(name, found):
        def measure():
            asked.append(name)
            if isinstance(found, Exception):
                raise found
            return found

        return measure

    return {name: way(name, found) for name, found in taken.items()}


def choose(ways, subject="a model", choice="engine: type"):
    return fastest(choice, subject, "numpy", ways)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ({"f32": 5.0, "bf16": 1.0}, "bf16"),
        ({"f32": 1.0, "bf16": 5.0}, "f32"),
        ({"f32": 1.0, "bf16": 0.96}, "f32"),  # what is alike is no reason
        ({"f32": 1.0, "bf16": 0.94}, "bf16"),
        ({"f32": RuntimeError("no such kernel"), "f16": 2.0, "bf16": 3.0}, "f16"),
    ],
)
def test_the_fastest_is_taken_unless_it_is_hardly_faster_than_the_first(cache, taken, expected):
    assert choose(measuring([], **taken)) == expected


def test_where_nothing_works_that_is_raised(cache):
    with pytest.raises(RuntimeError, match="one"):
        choose(measuring([], f32=RuntimeError("one"), bf16=RuntimeError("other")))
    assert not cache.exists()


def test_it_is_measured_once_for_a_model_a_choice_and_a_machine(cache, monkeypatch):
    asked = []
    ways = measuring(asked, f32=2.0, bf16=1.0)
    assert [choose(ways), choose(ways)] == ["bf16", "bf16"]
    assert asked == ["f32", "bf16"]
    choose(ways, subject="another model")
    choose(ways, choice="engine: threads")
    assert len(asked) == 6
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    module.machine.cache_clear()
    try:
        assert remembered() == []
        choose(ways)
        assert len(asked) == 8
        assert [found.machine.endswith("ATEN_CPU_CAPABILITY=avx2") for found in remembered()] == [True]
    finally:
        monkeypatch.undo()
        module.machine.cache_clear()


def test_another_version_of_the_package_is_measured_anew(cache, monkeypatch):
    asked = []
    choose(measuring(asked, f32=2.0, bf16=1.0))
    assert len(remembered()) == 1
    monkeypatch.setattr(module.metadata, "version", lambda name: "999")
    assert remembered() == []
    assert choose(measuring(asked, f32=1.0, bf16=2.0)) == "f32"


def test_what_was_measured_is_said(cache, caplog):
    with caplog.at_level(logging.INFO, "rerankllm"):
        choose(measuring([], f32=2.0, bf16=1.0))
    (found,) = remembered()
    assert str(found).startswith("engine: type of a model (numpy ")
    assert str(found).endswith("): bf16 1 s, f32 2 s")
    assert str(found) in caplog.text


@pytest.mark.parametrize("text", ["", "[1]", '{"x": 1}', '{"x": {"choice": "y"}}', "\x00"])
def test_a_damaged_file_is_as_none(cache, text):
    cache.parent.mkdir()
    cache.write_text(text)
    assert remembered() == []
    assert choose(measuring([], f32=2.0, bf16=1.0)) == "bf16"
    assert len(json.loads(cache.read_text())) == 1


def test_where_nothing_can_be_written_it_is_measured_and_taken(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(module, "path", lambda: tmp_path / "file" / "fastest.json")
    with caplog.at_level(logging.INFO, "rerankllm"):
        assert choose(measuring([], f32=2.0, bf16=1.0)) == "bf16"
    assert "cannot remember it" in caplog.text


def test_of_two_processes_one_measures_and_the_other_waits_for_it(cache):
    """The second one begins while the first measures."""
    asked, slower = [], measuring([], f32=1.0, bf16=9.0)

    def measure():
        other.start()
        other.join(0.2)
        asked.append(other.is_alive())
        return 2.0

    found = []
    other = threading.Thread(target=lambda: found.append(choose(slower)))
    assert choose({"f32": measure, "bf16": lambda: 1.0}) == "bf16"
    other.join()
    assert (asked, found) == ([True], ["bf16"])


def test_seconds_are_the_lesser_of_two_behind_one_that_does_not_count():
    computed, clock = [], iter([0.0, 3.0, 10.0, 12.0])
    assert seconds(lambda: computed.append(1), lambda: next(clock)) == 2.0
    assert len(computed) == 3


def test_the_machine_is_told_with_its_cpus():
    assert f"{cpus()} CPU" in module.machine()
