"""Help that teaches: every command has examples, and every example that it prints can be pasted and is taken."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from rerankllm.cli.app import _PANELS, FIRST, app
from rerankllm.cli.help import MANY, PANELS, parts
from rerankllm.display import folded
from rerankllm.drivers.recipe import DEFAULT_MODEL
from rerankllm.judgements import Score
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

ROOT = typer.main.get_command(app)
COMMANDS = {**ROOT.commands, "prompts show": ROOT.commands["prompts"].commands["show"]}


def as_a_shell_reads(text):
    """The command lines in a text: a backslash at the end of a line joins the next one, comments are none."""
    lines = [" ".join(line.split()) for line in text.replace("\\\n", "").split("\n")]
    return [line for line in lines if re.match(r"(?:\w+=\S+ )*(?:cat \S+ \| )?rerankllm [-\w]+(?: |$)", line)]


def examples(command):
    return as_a_shell_reads("\n".join(parts(command.epilog)[0]))


EXAMPLES = [(name, line) for name, command in COMMANDS.items() for line in examples(command)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_of_its_own(name):
    assert any(f"rerankllm {name}" in line for line in examples(COMMANDS[name]))
    assert "…" not in "".join(parts(COMMANDS[name].epilog)[0])


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("name", COMMANDS)
def test_what_help_prints_is_whole_and_can_be_pasted(cli, monkeypatch, name, width):
    monkeypatch.setenv("COLUMNS", str(width))
    status, out, _ = cli(*name.split(), "--help")
    assert status == 0
    printed = as_a_shell_reads(out.split("Examples:\n")[1])
    assert [shlex.split(line) for line in printed] == [shlex.split(line) for line in examples(COMMANDS[name])], out
    said = " ".join(out.split())
    for each in COMMANDS[name].params:
        assert " ".join((each.help or "").split()) in said
        assert all(option in said for option in each.opts if option.startswith("-"))
    assert not re.search(r"<(bool|path|str|int|float|list)\b|\brange>", out)
    for line in out.split("Examples:\n")[0].splitlines():
        assert len(line) <= width or len(line.split()) == 1 or line.startswith("  -"), line
    shown = out.split("Examples:\n")[1].split("\n\n")[0].split("\n")
    assert all(len(line) <= width or " " not in line.strip(" \\") or "'" in line or "#" in line for line in shown)


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_every_example_is_taken(name, line):
    words = shlex.split(re.sub(r"^cat \S+ \| ", "", line).split(" | ")[0], comments=True)
    words = words[words.index("rerankllm") + 1 :]
    given = parsed(words).params
    if isinstance(given.get("strategy"), str):
        Stage.parse(given["strategy"])
    if isinstance(given.get("model"), str):
        ModelSpec.parse(given["model"])
    for alias in given.get("alias") or ():
        assert "=" in alias


def parsed(words):
    """The context of the innermost command, its arguments read by the parser itself."""
    group, command = ROOT, ROOT.commands[words[0]]
    context = group.make_context("rerankllm", words)
    rest = words[1:]
    if rest and rest[0] in getattr(command, "commands", {}):
        context = command.make_context(words[0], rest, parent=context)
        command, rest = command.commands[rest[0]], rest[1:]
    return command.make_context(command.name, rest, parent=context)


def test_an_example_that_is_none_is_seen():
    for line in ("rerank --sampel", "plan --strategy x -n many", "retrieve --dataset dl19", "nothing at all"):
        with pytest.raises(Exception, match=r"sampel|integer|output|nothing"):
            parsed(line.split())


@pytest.mark.parametrize("width", [20, 40, 72, 300])
def test_a_folded_line_is_the_same_command(width):
    for _, line in EXAMPLES:
        shown = folded(line, width)
        assert shlex.split(shown.replace("\\\n", "")) == shlex.split(line)
        for part in shown.split("\n")[:-1]:
            assert part.endswith(" \\")
    assert folded("# " + "x " * 99, 20) == "# " + "x " * 99


def test_without_a_command_it_says_what_to_do_first(cli):
    status, out, err = cli()
    assert (status, err) == (0, "")
    assert out.strip() == FIRST.strip()
    lines = as_a_shell_reads(FIRST.partition(":")[2])
    assert len(lines) == 5
    for line in lines:
        if line != "rerankllm --help":
            parsed(shlex.split(line)[1:])


def test_five_commands_come_first(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = cli("--help")
    first = out.split("Start here:\n")[1].split("\n\n")[0]
    assert re.findall(r"^  (\S+)", first, re.MULTILINE) == list(_PANELS["Start here"])
    assert len(_PANELS["Start here"]) == 5


def test_options_of_long_helps_are_under_headings_in_one_order(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    known = {str(each.name) for command in COMMANDS.values() for each in command.params}
    for panel, names in PANELS.items():
        assert set(names.split()) <= known, (panel, set(names.split()) - known)
    for name, command in COMMANDS.items():
        _, out, _ = cli(*name.split(), "--help")
        shown = re.findall(r"^([A-Z][\w ]+):$", out.split("Examples:\n")[0], re.MULTILINE)
        options = [each for each in command.params if each.param_type_name == "option"]
        allowed = ["Arguments", *PANELS, "Other"] if len(options) >= MANY else ["Arguments", "Options", "Commands"]
        assert shown == [heading for heading in allowed if heading in shown], name
        others = out.partition("\nOther:\n")[2].partition("\n\n")[0]
        assert not set(re.findall(r"^  .*?--([\w-]+)", others, re.MULTILINE)) - {"quiet", "help"}, name


def test_what_a_flag_takes_is_nothing_and_an_option_says_what_it_takes(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = cli("rerank", "--help")
    lines = [line.split() for line in out.splitlines()]
    assert ["--sample", "Rerank"] in [line[:2] for line in lines]
    assert ["-o,", "--output", "FILE"] in [line[:3] for line in lines]
    assert ["--on-error", "partial|fallback|raise"] in lines
    assert ["--depth", "N"] in [line[:2] for line in lines]
    assert "[default: 100]" in out
    assert out.startswith("Usage: rerankllm rerank [OPTIONS]\n")
    assert cli("rank", "--help")[1].startswith("Usage: rerankllm rank [OPTIONS] QUERY FILE\n")


def test_init_writes_a_folder_whose_command_runs(cli, monkeypatch, tmp_path):
    monkeypatch.delenv("RERANKLLM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    model = "oracle:data/qrels.txt"
    status, out, _ = cli("init", "trial", "--model", model, "--strategy", "sliding(window=8, stride=4)")
    assert status == 0
    assert out.splitlines()[-1] == "  cd trial && rerankllm rerank"
    monkeypatch.chdir(tmp_path / "trial")
    status, _, err = cli("rerank")
    assert status == 0, err
    assert "nDCG@10" in err
    lines = as_a_shell_reads((tmp_path / "trial" / "README.md").read_text())
    assert [line.split()[1] for line in lines] == ["rerank", "compare", "experiment"]
    for line in lines:
        parsed(shlex.split(line, comments=True)[1:])
    status, out, err = cli("experiment", "trial.yaml", "--dry-run")
    assert status == 0, err
    monkeypatch.chdir(tmp_path)
    status, _, err = cli("init", "trial")
    assert (status, "trial is there already; name a new folder" in err) == (1, True)
    status, _, err = cli("init", "other", "--strategy", "slide")
    assert (status, "slide" in err, (tmp_path / "other").exists()) == (1, True, False)


def test_what_init_writes_fits_the_default_model(cli, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli("init", "trial")[0] == 0
    trial = yaml.safe_load(Path("trial/trial.yaml").read_text(encoding="utf-8"))
    assert trial["models"] == {"own": DEFAULT_MODEL}
    assert {Stage.parse(spec).strategy.asks for spec in trial["strategies"].values()} == {(Score,)}
