"""What is done on Ray before any worker starts, and where workers keep their journals."""

from pathlib import Path

import pytest

from rerankllm.runs.on_ray import Kept


def test_every_run_has_a_folder_of_its_own_and_finds_it_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = (str(tmp_path), {})
    beside = Kept(Path("out.journal"), None, command).folder
    assert beside == f"{tmp_path.resolve() / 'out.journal'}.parts"
    assert Kept(tmp_path / "out.journal", None, command).folder == beside
    shared = [Kept(Path(name), "$SCRATCH/kept", command).folder for name in ("a/out.journal", "b/out.journal")]
    assert len(set(shared)) == 2
    assert all(folder.startswith("$SCRATCH/kept/out.journal-") for folder in shared)
    assert Kept(tmp_path / "a" / "out.journal", "$SCRATCH/kept", command).folder == shared[0]
    assert Kept(Path("x"), "kept", command).folder.startswith(f"{tmp_path.resolve()}/kept/x-")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--requests", "none.jsonl"), "none.jsonl: no such file"),
        (("--requests", "first.jsonl"), "first.jsonl:1: expected one JSON object on the line"),
        (("--requests", "none.parquet"), "none.parquet: no such file"),
        (("--run", "none.txt", "--queries", "first.jsonl", "--corpus", "first.jsonl"), "none.txt: no such file"),
        (("--requests", "/dev/null"), "/dev/null: on Ray another process reads it, and it is no file"),
        (("--sample", "--strategy", "slidding"), "did you mean 'sliding'"),
        (("--sample", "--calibration", "none.json"), "none.json"),
    ],
)
def test_what_is_wrong_at_sight_is_said_before_a_cluster_is_there(cli, tmp_path, monkeypatch, options, complaint):
    monkeypatch.chdir(tmp_path)
    Path("first.jsonl").write_text("nothing\n")
    monkeypatch.setattr("rerankllm.runs.on_ray.Crew", None)
    status, _, err = cli("rerank", *options, "--output", "out", "--engine", "ray")
    assert status == 1
    assert complaint in err
    assert len(err.splitlines()) == 1
    assert not Path("out.journal").exists()
