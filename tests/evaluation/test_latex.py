"""The LaTeX of tables can be set: a reader of its own checks it, and TeX where it is installed."""

import re
import shutil
import subprocess

import pytest

from rerankllm.evaluation.tables import Table, as_latex, escaped

NAMES = (
    "[1mm] bracket", "*starred", "a & b", "50 % of $x_1^2$ #{y} ~z", "back\\slash", "a|b <c> ±3 −4 × 5 – 6 ≥ 7",
    "two\nlines", "sliding(window=20, stride=10) / labels @ openai:gpt-x",
)  # fmt: skip
COMMANDS = {
    "begin", "end", "caption", "label", "centering", "toprule", "midrule", "bottomrule", "textbf", "mathrm", "pm",
    "geq", "times", "textasciitilde", "textasciicircum", "textbackslash", "textbar",
}  # fmt: skip


def read_tables(text):
    """The cells of every table, as they are written; fails where TeX would, or would take a text for something else."""
    text = re.sub(r"(?m)^%.*$", "", text)
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= COMMANDS
    assert set(re.findall(r"\\([^A-Za-z])", text)) <= set("&%$#_{}\\")
    plain = re.sub(r"\\[^A-Za-z]", "", text)
    assert not set("#~%") & set(plain)
    assert plain.count("$") % 2 == 0
    depth = 0
    for sign in plain:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    found = []
    for columns, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL):
        rows = re.findall(r"(.*?)\\\\\n", re.sub(r"\\(?:top|mid|bottom)rule\n", "", body), re.DOTALL)
        cells = [re.split(r"(?<!\\)&", row) for row in rows]
        assert {len(row) for row in cells} == {len(columns)}
        for row in cells:
            assert row[0].lstrip()[:1] not in {"[", "*"}  # it would be an argument of what ends the row before
            for cell in row:
                assert "^" not in re.sub(r"\$[^$]*\$", "", cell)
        found.append([[cell.strip() for cell in row] for row in cells])
    return found


def tables():
    return as_latex(
        [Table("Title & 50 %", ("name", "x"), tuple((name, "+0.1 [0, 1]") for name in NAMES))], ["a\nnote & more"]
    )


def test_every_name_is_one_cell():
    (rows,) = read_tables(tables())
    assert [row[0] for row in rows] == ["name", *map(escaped, NAMES)]
    assert read_tables("\n".join(tables().splitlines()[:-1])) == [rows]  # the notes are comments


@pytest.mark.parametrize("broken", ["\\begin{tabular}{lr}\na \\\\\n\\end{tabular}", "50 % {", "\\input{x}", "$a", "}{"])
def test_what_tex_does_not_take_is_told(broken):
    with pytest.raises(AssertionError):
        read_tables(broken)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_tex_sets_it(tmp_path):
    def run(program, *arguments):
        command = [shutil.which(program), *arguments]
        return subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)

    document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{tables()}\n\\end{{document}}\n"
    (tmp_path / "a.tex").write_text(document, encoding="utf-8")
    done = run("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex")
    assert done.returncode == 0, done.stdout[-2000:]
    if shutil.which("pdftotext"):
        shown = run("pdftotext", "-layout", "a.pdf", "-").stdout
        assert "[1mm] bracket" in shown
        assert "*starred" in shown.replace("∗", "*")
