"""`rerankllm robustness` over files, with judges that need no weights."""

import json
import signal
import subprocess
import sys

import pytest

from rerankllm.data import Candidate, Document
from rerankllm.experiments.folder import Cell, Dataset, Manifest, Reordered, System, write_manifest
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.journal.read import entries
from rerankllm.journal.store import Journal
from rerankllm.runs.reorder import reordered
from rerankllm.sample import path as sample

SOURCE = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]
QRELS = ["--qrels", sample("qrels.txt")]
ORACLE = ["--model", f"oracle:{sample('qrels.txt')}"]
HARSH = ["--model", f"simulated:{sample('qrels.txt')}?world=harsh"]
SLIDING = ["--strategy", "sliding(window=8, stride=4)"]


def result(folder):
    whole = json.loads((folder / "robustness.json").read_text())
    assert whole["version"] == 1
    (found,) = whole["results"]
    return found


def families(found):
    return {(each["first"], each["second"]): each for each in found["families"]}


@pytest.fixture
def distinct(tmp_path):
    """The sample with a grade of its own for every document of a query, so that its ideal order is one."""
    run = read_run(sample("run.txt"))
    lines = [f"{q} 0 {doc} {(i * 7) % 20}\n" for q, docs in run.items() for i, (doc, _) in enumerate(docs)]
    (tmp_path / "distinct.txt").write_text("".join(lines))
    return tmp_path / "distinct.txt"


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy", ["full(top_k=20)", "pointwise", "prp(sort=heap, top_k=20)", "sliding(window=20, stride=10)"]
)
def test_an_oracle_does_not_mind_the_order(cli, distinct, tmp_path, strategy):
    status, out, _ = cli(
        "robustness", *SOURCE, "--qrels", distinct, "--model", f"oracle:{distinct}", "--strategy", strategy,
        "--output", tmp_path / "orders",
    )  # fmt: skip
    assert status == 0
    found = result(tmp_path / "orders")
    assert [order["name"] for order in found["orders"]] == ["given", "reversed", *(f"shuffled-{s}" for s in range(3))]
    assert {each["tau"]["mean"] for each in found["pairs"]} == {1}
    assert (found["same"]["range_of_means"], found["same"]["mean_range"]["high"], found["same"]["varying"]) == (0, 0, 0)
    assert found["orders"][0]["kept"]["mean"] == pytest.approx(-found["orders"][1]["kept"]["mean"])
    assert "given, reversed" in out


def test_the_orders_are_what_they_are_called(cli, tmp_path):
    cli("robustness", *SOURCE, *HARSH, *SLIDING, "--depth", 12, "--seed", 5, "--shuffles", 2, "--output", tmp_path)
    given = {q: [doc for doc, _ in docs][:12] for q, docs in read_run(sample("run.txt")).items()}
    went_in = {
        path.stem: {q: [doc for doc, _ in docs] for q, docs in read_run(path).items()}
        for path in (tmp_path / "candidates").iterdir()
    }
    assert set(went_in) == {"given", "reversed", "shuffled-5", "shuffled-6"}
    assert went_in["given"] == given
    for q, docs in given.items():
        assert went_in["reversed"][q] == docs[::-1]
        shuffles = [went_in[name][q] for name in ("shuffled-5", "shuffled-6")]
        drawn = [reordered([Candidate(Document(doc, "")) for doc in docs], "shuffled", q, seed) for seed in (5, 6)]
        assert shuffles == [[each.doc_id for each in order] for order in drawn]
        assert all(sorted(each) == sorted(docs) != each for each in shuffles)
        assert shuffles[0] != shuffles[1]
    found = result(tmp_path)
    assert found["seeds"] == {"shuffled-5": 5, "shuffled-6": 6}
    assert (found["judged"], found["same"], found["orders"][0]["quality"]) == (None, None, None)
    assert found["cost"]["reversed"]["slots"] == 16


@pytest.mark.slow
def test_the_sample_the_formats_and_compare_say_the_same(cli, tmp_path):
    arguments = ["robustness", "--sample", *HARSH, *SLIDING, "--output", tmp_path]
    status, out, _ = cli(*arguments, "--format", "json")
    assert status == 0
    assert json.loads(out) == json.loads((tmp_path / "robustness.json").read_text())
    found = result(tmp_path)
    shown = f"{found['same']['range_of_means']:.4f}"
    for form in ("table", "markdown"):
        assert shown in cli(*arguments, "--format", form)[1]
    runs = [part for name in ("given", "reversed") for part in ("--run", f"{name}={tmp_path / name}.txt")]
    systems = json.loads(cli("compare", *QRELS, *runs, "--format", "json")[1])["systems"]
    assert [system["means"]["nDCG@10"]["mean"] for system in systems] == [
        order["quality"]["mean"] for order in found["orders"][:2]
    ]
    both = ["--run", tmp_path / "given.txt", "--run", tmp_path / "reversed.txt"]
    assert "compare with care" in cli("eval", *both, *QRELS)[2]  # the record beside each tells the order


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["acurank", "interpolate(sliding(window=8, stride=4))", "active(slots=60)"])
def test_an_order_is_a_first_stage_of_that_order(cli, tmp_path, strategy):
    """`rerank` of what went in gives what came out, with strategies that take the first stage's word, too."""
    asked = [*HARSH, "--strategy", strategy, "--quiet"]
    cli("robustness", "--sample", *asked, "--orders", "given,reversed,shuffled", "--output", tmp_path / "orders")
    for name in ("reversed", "shuffled-1"):
        run = ["--run", tmp_path / "orders" / "candidates" / f"{name}.txt", *SOURCE[2:]]
        assert cli("rerank", *run, *asked, "--output", tmp_path / "again.txt")[0] == 0
        assert (tmp_path / "again.txt").read_text() == (tmp_path / "orders" / f"{name}.txt").read_text()


@pytest.mark.slow
def test_a_judge_that_prefers_the_first_place_is_seen(cli, tmp_path):
    judge = f"simulated:{sample('qrels.txt')}?belief=0&noise=0&position="
    taus = {}
    for position in (0, 8):
        folder = tmp_path / str(position)
        cli("robustness", "--sample", "--model", f"{judge}{position}", "--strategy", "full", "--output", folder)
        taus[position] = families(result(folder))["given", "reversed"]["tau"]["mean"]
    assert taus[8] < taus[0]


@pytest.mark.slow
def test_what_the_first_places_survive_is_certified_where_answers_are_counted(cli, tmp_path):
    """As `attack` certifies the same lists; a strategy in which an answer decides what is asked next has nothing."""
    from rerankllm import Reranker, attack
    from rerankllm.runs.source import read_source

    asked = [*SOURCE, *QRELS, *HARSH, "--depth", 6, "--orders", "given,reversed"]
    status, out, err = cli("robustness", *asked, "--strategy", "prp(sort=allpair)", "--output", tmp_path / "pairs")
    assert status == 0, err
    assert "certified, given order: had any" in " ".join(out.split())
    found = result(tmp_path / "pairs")["certified"]
    source = read_source(
        sample=True, run=None, queries=None, corpus=None, requests=None, qrels=None, skip_missing=False
    )
    with Reranker("prp(sort=allpair)", HARSH[1]) as reranker:
        expected = attack(reranker, source, attacks=["labels"], depth=6).to_dict()["certified"]
    assert found == {"top_k": 3, "by_query": expected}
    assert all(0 <= each["survives"] < each["of"] == 30 for each in expected.values())
    out = cli("robustness", *asked, *SLIDING, "--output", tmp_path / "windows")[1]
    assert "not certified, given order, 8 of 8 queries: a certificate needs" in " ".join(out.split())


@pytest.mark.parametrize(("aimed", "first"), [([], 3), (["--top-k", 2], 2)])
def test_the_places_that_matter_are_certified(cli, tmp_path, aimed, first):
    cli("robustness", *SOURCE, *HARSH, *aimed, "--depth", 5, "--orders", "given,reversed", "--strategy",
        "prp(sort=allpair)", "--output", tmp_path / "pairs")  # fmt: skip
    found = result(tmp_path / "pairs")["certified"]
    assert found["top_k"] == first
    assert all(isinstance(each, dict) for each in found["by_query"].values())


def test_a_repeated_run_asks_nothing_again(cli, tmp_path):
    arguments = ["robustness", *SOURCE, *QRELS, *HARSH, *SLIDING, "--output", tmp_path]
    cli(*arguments)
    first, calls = result(tmp_path), _calls(tmp_path)
    status, _, err = cli(*arguments, "--orders", "shuffled, reversed ,given")
    assert (status, _calls(tmp_path)) == (0, calls)
    assert err.count("32 of them from the journal") == 5
    again = {order["name"]: order for order in result(tmp_path)["orders"]}
    assert again == {order["name"]: order for order in first["orders"]}


def test_what_does_not_depend_on_the_order_is_asked_once(cli, tmp_path):
    cli("robustness", "--sample", *HARSH, "--strategy", "pointwise", "--output", tmp_path)
    assert len(_calls(tmp_path)) == 160
    summaries = [json.loads((tmp_path / f"{name}.txt.summary.json").read_text()) for name in ("given", "reversed")]
    assert [each["replayed"] for each in summaries] == [0, 160]
    assert {each["tau"]["mean"] for each in result(tmp_path)["pairs"]} == {1}


KILLED = """
import os, signal, sys
from rerankllm.cli import main
from rerankllm.journal.store import Journal

record, kept = Journal.record, []

def until_killed(self, *arguments):
    record(self, *arguments)
    kept.append(1)
    if len(kept) == 50:
        os.kill(os.getpid(), signal.SIGKILL)

Journal.record = until_killed
main()
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(cli, tmp_path):
    """Killed in the second order: the rest is asked once, and what comes out is as if nothing had been."""
    arguments = ["robustness", *SOURCE, *QRELS, *HARSH, *SLIDING, "--quiet"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert cli(*arguments, "--output", whole)[0] == 0
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments, "--output", str(cut)], capture_output=True,
                            check=False)  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = _calls(cut)
    assert (len(before), len(_calls(whole))) == (50, 160)
    assert not (cut / "robustness.json").exists()
    status, _, err = cli(*arguments, "--output", cut)
    assert (status, "from the journal" in err) == (0, True)
    assert _calls(cut).keys() == _calls(whole).keys()
    assert {place: at for place, at in _calls(cut).items() if place in before} == before
    for name in ("given", "reversed", "shuffled-2"):
        assert (cut / f"{name}.txt").read_text() == (whole / f"{name}.txt").read_text()
    assert result(cut)["pairs"] == result(whole)["pairs"]


@pytest.mark.slow
def test_ctrl_c_ends_it_in_order(cli, tmp_path):
    arguments = ["robustness", *SOURCE, *QRELS, *HARSH, *SLIDING, "--quiet", "--output", str(tmp_path)]
    stopped = subprocess.run([sys.executable, "-c", KILLED.replace("SIGKILL", "SIGINT"), *arguments], text=True,
                             capture_output=True, check=False)  # fmt: skip
    assert (stopped.returncode, stopped.stdout) == (130, "")
    assert "the same command goes on" in stopped.stderr
    assert not (tmp_path / "robustness.json").exists()
    assert cli(*arguments)[0] == 0
    assert len(_calls(tmp_path)) == 160


def _calls(folder):
    """When each call of the journal came back, by its place."""
    journal = Journal(folder / "journal", create=False)
    try:
        return {entry.place: entry.at for entry in entries(journal, texts=False)}
    finally:
        journal.close()


def test_failed_queries_are_named_and_counted(cli, tmp_path):
    qrels = {q: grades for q, grades in read_qrels(sample("qrels.txt")).items() if q != "q1"}
    judge = tmp_path / "judge.txt"
    judge.write_text("".join(f"{q} 0 {doc} {g}\n" for q, grades in qrels.items() for doc, g in grades.items()))
    status, out, err = cli(
        "robustness", *SOURCE, *QRELS, "--model", f"oracle:{judge}", "--strategy", "full", "--output", tmp_path / "o"
    )
    assert status == 3
    assert err.count("query q1 failed: no qrels for query q1") == 5
    assert "given lacks 1 queries (q1): they count as 0" in out
    found = result(tmp_path / "o")
    assert {order: list(failed) for order, failed in found["failures"].items()} == {
        order["name"]: ["q1"] for order in found["orders"]
    }
    assert [(o["queries"], o["missing"]) for o in found["orders"]] == [(7, ["q1"])] * 5
    assert (found["same"]["queries"], found["judged"]) == (7, 8)


def test_a_dry_run_says_what_all_orders_take(cli, tmp_path):
    folder = tmp_path / "orders"
    arguments = ["robustness", *SOURCE, *HARSH, *SLIDING, "--orders", "given,shuffled", "--shuffles", "2"]
    status, out, _ = cli(*arguments, "--output", folder, "--dry-run")
    assert (status, folder.exists()) == (0, False)
    assert out.startswith("3 orders (given, shuffled-0, shuffled-1), estimate for 24 queries: 96 calls, ")
    assert cli(*arguments, "--dry-run")[0] == 0
    cli(*arguments, "--output", folder)
    assert len(_calls(folder)) == 96


@pytest.mark.slow
def test_a_budget_ends_it_and_more_goes_on(cli, tmp_path):
    arguments = ["robustness", "--sample", *HARSH, *SLIDING, "--output", tmp_path]
    status, _, err = cli(*arguments, "--max-calls", 40)
    assert (status, "the same command goes on" in err) == (3, True)
    assert len(_calls(tmp_path)) == 40
    assert cli(*arguments)[0] == 0
    assert len(_calls(tmp_path)) == 160


def test_another_first_stage(cli, tmp_path):
    run = read_run(sample("run.txt"))
    other = tmp_path / "other.txt"
    other.write_text("".join(
        f"{q} Q0 {doc} 1 {i} x\n" for q, docs in run.items() for i, (doc, _) in enumerate(docs[4:])
    ))  # fmt: skip
    status, out, _ = cli(
        "robustness", "--sample", *ORACLE, "--strategy", "full", "--first-stage", f"dense={other}", "--output",
        tmp_path / "o", "--orders", "given,reversed",
    )  # fmt: skip
    assert status == 0
    found = result(tmp_path / "o")
    assert (found["same"]["orders"], found["stages"]["orders"]) == (["given", "reversed"], ["given", "dense"])
    assert families(found)["given", "dense"]["documents"] == 16
    assert "first stages" in out


def test_another_first_stage_has_its_own_queries(cli, tmp_path):
    lines = {q: [f"{q} Q0 {doc} 1 {s} x\n" for doc, s in docs] for q, docs in read_run(sample("run.txt")).items()}
    for name, queries in (("given", "12"), ("other", "23"), ("none", "3")):
        (tmp_path / f"{name}.txt").write_text("".join(line for q in queries for line in lines[f"q{q}"]))
    arguments = ["robustness", "--run", tmp_path / "given.txt", *SOURCE[2:], *QRELS, *ORACLE, "--strategy", "full",
                 "--orders", "given"]  # fmt: skip
    status, out, _ = cli(*arguments, "--first-stage", f"other={tmp_path / 'other.txt'}", "--output", tmp_path / "o")
    assert (status, "other lacks 1 queries (q1)" in out) == (0, True)
    found = result(tmp_path / "o")
    assert [order["queries"] for order in found["orders"]] == [2, 1]
    assert (found["same"], found["stages"]["queries"]) == (None, 1)
    status, _, err = cli(*arguments, "--first-stage", f"none={tmp_path / 'none.txt'}", "--output", tmp_path / "n")
    assert (status, "--first-stage none holds none of the 2 queries" in err) == (1, True)


@pytest.fixture
def there(cli, tmp_path):
    """A folder with runs of three orders."""
    cli("robustness", "--sample", *HARSH, *SLIDING, "--shuffles", "1", "--output", tmp_path / "runs")
    return tmp_path / "runs"


@pytest.mark.slow
def test_runs_that_are_there(cli, there):
    arguments = ["robustness", *QRELS, "--format", "json"]
    for name in ("given", "reversed", "shuffled-0"):
        arguments += ["--ranked", f"{name}={there / name}.txt,{there / 'candidates' / name}.txt"]
    status, out, _ = cli(*arguments)
    assert status == 0
    (found,) = json.loads(out)["results"]
    asked = result(there)
    for part in ("orders", "pairs", "same", "by_query"):
        assert found[part] == asked[part]
    assert found["cost"] == asked["cost"]
    cut = there / "cut.txt"
    cut.write_text("".join(line for line in (there / "given.txt").read_text().splitlines(True) if " 20 " not in line))
    two = ["robustness", "--ranked", f"given={there / 'given.txt'}", "--ranked", f"cut={cut}"]
    status, _, err = cli(*two)
    assert (status, "are no orders of the same candidates" in err) == (1, True)
    status, out, _ = cli(*two, "--other", "cut")
    assert (status, "1.000 [1.000, 1.000]" in out) == (0, True)


@pytest.fixture
def experiment(there):
    """An experiment's folder with those runs, its reversed cell not there for the second system."""
    for name in ("queries.tsv", "corpus.jsonl", "qrels.txt"):
        (there / name).write_text(sample(name).read_text())
    stages = {"bm25": "given", "back": "reversed", "mixed": "shuffled-0"}
    orders = {"back": Reordered("bm25", "reversed"), "mixed": Reordered("bm25", "shuffled", 0)}
    dataset = Dataset("queries.tsv", "corpus.jsonl", "qrels.txt",
                      {name: f"candidates/{file}.txt" for name, file in stages.items()}, orders)  # fmt: skip
    cells = [
        Cell("sample", stage, system, 0, f"{file}.txt", None, "done")
        if (system, stage) != ("other", "back")
        else Cell("sample", stage, system, 0, "none.txt", None, "failed", "no key")
        for system in ("sliding", "other", "once")
        for stage, file in stages.items()
        if system != "once" or stage == "bm25"
    ]
    systems = {name: System("sliding", "simulated:x") for name in ("sliding", "other", "once")}
    write_manifest(there, Manifest({"sample": dataset}, systems, tuple(cells)))
    return there


@pytest.mark.slow
def test_an_experiment(cli, experiment, tmp_path):
    asked = result(experiment)
    status, out, err = cli("robustness", experiment, "--output", tmp_path / "new")
    assert status == 0
    assert "sample, other, seed 0: order back is left out (no key)" in err
    first, second = json.loads((tmp_path / "new" / "robustness.json").read_text())["results"]
    assert [first[name] for name in ("dataset", "first_stage", "system", "seed")] == ["sample", "bm25", "sliding", 0]
    assert [order["name"] for order in second["orders"]] == ["bm25", "mixed"]
    assert [each["quality"] for each in first["orders"]] == [each["quality"] for each in asked["orders"]]
    assert [each["kept"] for each in first["orders"]] == [each["kept"] for each in asked["orders"]]
    assert first["seeds"] == {"mixed": 0}
    assert first["families"][1]["second"] == "shuffled"
    assert out.count("## sample, ") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sample"], "--output missing: name the folder"),
        ([], "give one source"),
        (["--sample", "--orders", "given"], "one order shows nothing"),
        (["--sample", "--orders", "given,backwards"], "--orders given,backwards should be some of given, reversed, s"),
        (["--sample", "--orders", "given,given"], "each once"),
        (["--sample", "--first-stage", "x"], "--first-stage x should read NAME=FILE"),
        (["--sample", "--first-stage", f"given={sample('run.txt')}"], "should have a name of its own"),
        (["--sample", "--first-stage", f"shuffled={sample('run.txt')}"], "should have a name of its own"),
        (["--sample", "--first-stage", f"a/b={sample('run.txt')}"], "should have a name of its own"),
        (["--sample", "--other", "x"], "--other names a --ranked"),
        (["--ranked", "a=b", "--sample"], "--ranked reads runs that are there: leave --sample out"),
        (["--ranked", "a=b", "FOLDER"], "EXPERIMENT reads runs that are there: leave --ranked out"),
        (["--ranked", f"a={sample('run.txt')}"], "one order shows nothing: give two --ranked"),
        (["--ranked", "a"], "--ranked a should read NAME=RUN or NAME=RUN,CANDIDATES"),
        (["--ranked", f"a={sample('run.txt')}", "--other", "b"], "--other b names no --ranked; there are a"),
        (["FOLDER", "--qrels", "x"], "an experiment has its own judgements"),
        (["FOLDER"], "FOLDER is no experiment's folder"),
    ],
)
def test_bad_input_is_one_line(cli, arguments, message, tmp_path):
    folder = [] if "--output" in message else ["--output", tmp_path / "orders"]
    status, out, err = cli("robustness", *arguments, *folder)
    assert not (tmp_path / "orders").exists()
    assert (status, out) == (1, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_an_experiment_without_orders_says_so(cli, experiment):
    cell = Cell("sample", "bm25", "sliding", 0, "given.txt", None, "done")
    dataset = Dataset("queries.tsv", "corpus.jsonl", "qrels.txt", {"bm25": "candidates/given.txt"})
    write_manifest(experiment, Manifest({"sample": dataset}, {"sliding": System("sliding", "x")}, (cell,)))
    status, _, err = cli("robustness", experiment)
    assert (status, "no system has run on two orders" in err) == (1, True)
