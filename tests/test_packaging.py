"""What is built is what works: the wheel, unpacked somewhere else, has its prompts and its sample."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rerankllm.reports import frame as reports
from rerankllm.server import page as server

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_carries_prompts_sample_and_types(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
        names = archive.namelist()
    assert {"rerankllm/py.typed", "rerankllm/backends/openai/models.yaml"} <= set(names)
    for room, count in (("reports", len(reports.SCRIPTS) + 2), ("server", len(server.SCRIPTS) + 3), ("web", 6)):
        files = {f"rerankllm/{room}/files/{path.name}" for path in (ROOT / f"rerankllm/{room}/files").iterdir()}
        assert files <= set(names)
        assert len(files) == count
    assert {f"rerankllm/analysis/recommend/{name}.json" for name in ("dl19-bm25", "noveleval")} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "eval/", "prompts/"))]
    code = (
        "import rerankllm; from rerankllm.elicitation.templates import load, names; from rerankllm.sample import path;"
        "from rerankllm.elicitation import cards; known = [cards.load(name) for name in cards.names()];"
        "assert 'installed' in rerankllm.__file__; found = names(); [load(*n.split('/')) for n in found];"
        "found = sorted([*found, *(f'models/{card.name}' for card in known)]);"
        "assert path('run.txt').is_file(); print(*found)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert shown == sorted(str(p.relative_to(ROOT / "prompts"))[:-5] for p in (ROOT / "prompts").glob("*/*.yaml"))
