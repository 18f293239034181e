"""Options from files and the environment: which holds, what is refused, and that they are noted."""

import json
import os
import tomllib
from pathlib import Path

import pytest

from rerankllm.cli.commands.config import TEMPLATE
from rerankllm.journal.store import Journal
from rerankllm.sample import path as sample

ORACLE = f"oracle:{sample('qrels.txt')}"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with a folder in it to work in, a home elsewhere, and nothing set."""
    monkeypatch.delenv("RERANKLLM_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path / "home" / "config")
    (tmp_path / "home" / "config").mkdir(parents=True)
    work = tmp_path / "repository" / "work"
    work.mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    monkeypatch.chdir(work)
    return tmp_path


def shown(cli, *arguments):
    status, out, err = cli("config", *arguments)
    assert status == 0, err
    return {line.split("\t")[0]: tuple(line.split("\t")[1:]) for line in out.splitlines()}


@pytest.mark.slow
def test_one_precedence(cli, project, monkeypatch):
    own, shared = project / "home" / "config" / "rerankllm.toml", project / "repository" / "rerankllm.toml"
    outside = project / "rerankllm.toml"
    outside.write_text("[rerank]\ndepth = 1\n")  # above the repository: nobody looks there
    assert shown(cli, "rerank")["depth"] == ("100", "default")
    own.write_text("[rerank]\ndepth = 2\ntop_k = 2\n")
    assert shown(cli, "rerank")["depth"] == ("2", str(own))
    shared.write_text("[rerank]\ndepth = 3\n")
    assert shown(cli, "rerank")["depth"] == ("3", str(shared))
    assert shown(cli, "rerank")["top_k"] == ("2", str(own))
    nearest = project / "repository" / "work" / "rerankllm.toml"
    nearest.write_text("[rerank]\ndepth = 4\n")
    assert shown(cli, "rerank")["depth"] == ("4", str(nearest))
    monkeypatch.setenv("RERANKLLM_RERANK_DEPTH", "5")
    assert shown(cli)["depth"] == ("5", "RERANKLLM_RERANK_DEPTH", "rerank")
    rows = project / "rows.jsonl"
    for typed, depth in ((["--depth", "6"], 6), ([], 5)):
        arguments = ["--model", ORACLE, "--strategy", "pointwise", "--jsonl", rows, *typed]
        assert cli("rerank", "--sample", "--output", "out.txt", *arguments)[0] == 0
        read = [json.loads(line)["provenance"] for line in rows.read_text().splitlines()]
        assert read.count("judged") == depth * 8
    assert [line.split("\t") for line in cli("config", "--path")[1].splitlines()] == [
        [str(nearest), "read"], [str(own), "read"]
    ]  # fmt: skip


def test_what_is_said_for_one_command_wins_over_what_is_said_for_all(cli, project, monkeypatch):
    Path("rerankllm.toml").write_text('strategy = "full"\n[plan]\nstrategy = "sliding"\n')
    assert shown(cli, "plan")["strategy"][0] == "sliding"
    assert shown(cli, "rank")["strategy"][0] == "full"
    monkeypatch.setenv("RERANKLLM_STRATEGY", "pointwise")  # the environment wins, whatever the file says it for
    assert shown(cli, "plan")["strategy"] == ("pointwise", "RERANKLLM_STRATEGY")
    monkeypatch.setenv("RERANKLLM_PLAN_STRATEGY", "tournament")
    assert shown(cli, "plan")["strategy"] == ("tournament", "RERANKLLM_PLAN_STRATEGY")
    status, out, err = cli("plan")
    assert (status, out.splitlines()[0].startswith("strategy\ttournament")) == (0, True)
    assert "options from elsewhere: strategy in RERANKLLM_PLAN_STRATEGY" in err
    assert "model" not in shown(cli, "journal") or shown(cli, "journal")["model"] == ("", "default")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('modle = "x"', "unknown key or table 'modle'; did you mean 'model'?"),
        ("depth = 3", "'depth' is not for all commands: write it under one, such as [rerank]"),
        ("[rerank]\ndpeth = 3", "unknown key in [rerank]: 'dpeth'; did you mean 'depth'?"),
        ('[rerank]\ndepth = "3"', "rerank.depth should be a whole number, found '3'"),
        ("[rerank]\ndepth = true", "rerank.depth should be a whole number, found True"),
        ("[rerank]\ndepth = 0", "rerank.depth cannot be 0: "),
        ("[rerank]\nsample = 1", "rerank.sample should be true or false, found 1"),
        ('[rerank]\non_error = "x"', "'partial', 'fallback', 'raise'"),
        ('[rerank.model]\nx = "1"', "rerank.model should be a string, found {'x': '1'}"),
        ('[eval]\nrun = "x"', "eval.run should be an array, found 'x'"),
        ("[eval]\nrun = [1]", "eval.run should be a string, found 1"),
        ('[serve]\nalias = "x"', "serve.alias should be an array or a table, found 'x'"),
        ('[reranc]\nmodel = "x"', "did you mean 'rerank'?"),
        ("rerank = 3", "'rerank' should be a table of options, as after [rerank]"),
        ("[resume]\nmax_calls = 3", "unknown key or table 'resume'"),
        ('api_key = "sk-1"', "keys are not read from files"),
        ("model = [", "is no TOML: "),
        ("\ud800", "is no TOML: "),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(cli, project, text, said):
    Path("rerankllm.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    status, out, err = cli("rerank", "--sample", "--model", ORACLE, "--quiet")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert said in err
    assert "rerankllm.toml" in err
    assert "sk-1" not in err


def test_variables_that_cannot_be(cli, project, monkeypatch):
    monkeypatch.setenv("RERANKLLM_RERANK_DEPTH", "many")
    monkeypatch.setenv("RERANKLLM_MODLE", "x")
    assert "rerankllm: RERANKLLM_RERANK_DEPTH cannot be 'many'" in cli("rerank", "--sample")[2]
    monkeypatch.setenv("RERANKLLM_RERANK_DEPTH", "")  # as if it were not there
    assert "RERANKLLM_MODLE sets no option" in cli("config")[2]


def test_files_are_chosen_and_paths_are_theirs(cli, project, monkeypatch):
    file = project / "other.toml"
    file.write_text('[serve]\nkeys = "keys.txt"\n[serve.alias]\nfast = "pointwise"\nbest = "sliding / labels"\n')
    Path("rerankllm.toml").write_text("not TOML")
    assert cli("config")[0] == 1
    for arguments in (["--config", file], []):
        status, out, _ = cli(*arguments, "config", "serve")
        assert status == 0
        assert f"keys\t{project / 'keys.txt'}\t{file}\n" in out
        assert f"alias\tfast=pointwise; best=sliding / labels\t{file}\n" in out
        monkeypatch.setenv("RERANKLLM_CONFIG", str(file))
    assert cli("--config", "none", "config")[1] == ""
    assert "no file nowhere" in cli("--config", "nowhere", "config")[2]
    monkeypatch.setenv("RERANKLLM_CONFIG", "none")
    monkeypatch.setenv("RERANKLLM_SERVE_ALIAS", "a=pointwise\n b = sliding / labels\n")
    assert cli("config", "serve")[1].startswith("alias\ta=pointwise; b = sliding / labels\t")


def test_a_file_that_somebody_else_put_there_is_left_unread(cli, project, monkeypatch):
    Path("rerankllm.toml").write_text('model = "openai:x"\nbase_url = "http://elsewhere"\n')
    assert cli("config")[1]
    if os.getuid() == 0:
        os.chown("rerankllm.toml", 4711, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 4711)
    status, out, err = cli("config")
    assert (status, out) == (0, "")
    assert "belongs to another user and is left unread" in err
    assert cli("--config", "rerankllm.toml", "config")[1]


def test_a_working_folder_that_is_gone(cli, project, monkeypatch):
    monkeypatch.setattr(Path, "cwd", lambda: Path("/nowhere").resolve(strict=True))
    assert cli("config")[:2] == (0, "")


def test_what_says_nothing_here_gives_way(cli, project, monkeypatch):
    """A host's settings where the model has none, a model where the strategy typed names one."""
    Path("rerankllm.toml").write_text(f'model = "{ORACLE}"\nbase_url = "http://127.0.0.1:9/v1"\nconcurrency = 4\n')
    status, _, err = cli("rerank", "--sample", "--strategy", "pointwise", "--output", "out.txt")
    assert (status, "base_url" in err) == (0, False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    named = cli("rerank", "--sample", "--strategy", "sliding @ openai:x", "--dry-run")  # where the host's are meant
    assert (named[0], "base_url, concurrency in" in named[2]) == (0, True)
    again = f"pointwise @ oracle:{sample('qrels.txt').parent}/./qrels.txt"
    assert cli("rerank", "--sample", "--strategy", again, "--output", "out.txt")[0] == 0
    assert cli("plan", "--strategy", "sliding", "--model", "openai:x")[1].count("127.0.0.1:9") == 1
    assert "has no option 'base_url'" in cli("rerank", "--sample", "--base-url", "http://x")[2]  # typed, it counts


def test_a_run_notes_what_nobody_typed_and_resume_repeats_it_whatever_the_file_says_now(cli, project, monkeypatch):
    file = Path("rerankllm.toml").absolute()
    text = f'model = "{ORACLE}"\nstrategy = "sliding(window=8, stride=4)"\n[rerank]\nmax_calls = 10\n'
    file.write_text(text)
    source = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]
    monkeypatch.setenv("RERANKLLM_RERANK_DEPTH", "12")
    status, _, err = cli("rerank", *source, "--output", "out.txt", "--journal", "out.journal")
    assert status == 3
    assert f"strategy, model, max_calls in {file}; depth in RERANKLLM_RERANK_DEPTH" in err
    noted = {"strategy": str(file), "model": str(file), "depth": "RERANKLLM_RERANK_DEPTH", "max_calls": str(file)}
    assert json.loads(Path("out.txt.provenance.json").read_text())["reranked"]["options from elsewhere"] == noted
    before = Journal("out.journal", create=False).command()[1]
    assert (before["strategy"], before["depth"], before["from"]) == ("sliding(window=8, stride=4)", 12, noted)

    file.write_text('strategy = "pointwise"\n[rerank]\ndepth = 3\ntop_k = 2\n[plan]\nnonsense = 1\n')
    monkeypatch.setenv("RERANKLLM_RERANK_DEPTH", "4")
    monkeypatch.setenv("RERANKLLM_CONCURRENCY", "9")
    status, _, err = cli("resume", "out.journal", "--max-calls", "1000")
    assert status == 0, err
    record = json.loads(Path("out.txt.provenance.json").read_text())["reranked"]
    assert (record["strategy"], record["depth"], record["top_k"]) == ("sliding(window=8, stride=4, passes=1)", 12, None)
    assert record["options from elsewhere"] == noted
    after = Journal("out.journal", create=False).command()[1]
    assert {**after, "max_calls": 10} == {**before, "journal": after["journal"], "sealed": after["sealed"]}


def test_nothing_is_noted_or_told_where_all_was_typed(cli, project):
    status, _, err = cli("rerank", "--sample", "--model", ORACLE, "--strategy", "pointwise", "--output", "out.txt")
    assert (status, "elsewhere" in err) == (0, False)
    assert "elsewhere" not in Path("out.txt.provenance.json").read_text()


def test_runs_that_are_there_need_no_model(cli, project):
    Path("rerankllm.toml").write_text(f'model = "{ORACLE}"\nstrategy = "pointwise"\n')
    for name in ("a.txt", "b.txt"):
        Path(name).write_bytes(sample("run.txt").read_bytes())
    given = ["robustness", "--qrels", sample("qrels.txt"), "--ranked", "given=a.txt", "--ranked", "reversed=b.txt"]
    assert cli(*given)[0] == 0
    assert "leave --model out" in cli(*given, "--model", ORACLE)[2]
    Path("rerankllm.toml").write_text("[robustness]\ndry_run = true\n")
    assert cli(*given)[0] == 0


def test_help_says_the_default_that_holds(cli, project):
    Path("rerankllm.toml").write_text("[rerank]\ndepth = 4242\n")
    assert "[default: 4242]" in cli("rerank", "--help")[1]


def test_a_file_to_begin_with(cli, project):
    status, out, err = cli("config", "--init")
    assert (status, out, Path("rerankllm.toml").read_text()) == (0, "", TEMPLATE)
    assert shown(cli) == {}
    status, _, err = cli("config", "--init")
    assert (status, "File exists" in err) == (1, True)
    lines = [line.removeprefix("# ") for line in TEMPLATE.splitlines() if " = " in line or line.startswith("# [")]
    Path("rerankllm.toml").write_text("\n".join(lines))
    assert len(shown(cli)) == 12
    assert tomllib.loads("\n".join(lines))["serve"]["alias"]["best"] == "sliding @ openai:NAME"


def test_the_python_library_reads_none_of_it(project, monkeypatch):
    from rerankllm import Reranker

    Path("rerankllm.toml").write_text('strategy = "full"\n')
    monkeypatch.setenv("RERANKLLM_STRATEGY", "full")
    with Reranker(None, ORACLE) as reranker:
        assert str(reranker.stage).startswith("sliding")


def test_unknown_commands(cli, project):
    assert "no options of 'reran' can be set; did you mean 'rerank'?" in cli("config", "reran")[2]
