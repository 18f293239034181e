"""Where the workers of a run keep their journals."""

from pathlib import Path

from rerankllm.cli.spread import Kept


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
