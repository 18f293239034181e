"""`diagnose` finds what is wrong with judges that err as stated, at the cost it says."""

import json
import re

import pytest
from scripted_server import Answer, ScriptedServer, Status

import rerankllm

SOURCE = ("--depth", "6", "--shuffles", "3")
CALLS = 6 * 5 + 3


@pytest.fixture
def judged(tmp_path):
    """A run of ten queries with as many grades as documents, and its files as options."""
    ids = [f"d{i}" for i in range(6)]
    (tmp_path / "run.txt").write_text(
        "".join(f"q{q} Q0 {doc} {i + 1} {9 - i} x\n" for q in range(10) for i, doc in enumerate(ids))
    )
    (tmp_path / "qrels.txt").write_text(
        "".join(f"q{q} 0 {doc} {(i * 5 + q) % 6}\n" for q in range(10) for i, doc in enumerate(ids))
    )
    (tmp_path / "queries.tsv").write_text("".join(f"q{q}\tquery {q}\n" for q in range(10)))
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps({"_id": doc, "text": doc}) + "\n" for doc in ids))
    names = {"run": "run.txt", "queries": "queries.tsv", "corpus": "corpus.jsonl"}
    options = [part for name, file in names.items() for part in (f"--{name}", tmp_path / file)]
    return (*options, *SOURCE), f"simulated:{tmp_path / 'qrels.txt'}?belief=0&noise=0"


def diagnose(cli, tmp_path, *arguments):
    path = tmp_path / "diagnosis.json"
    status, out, err = cli("diagnose", *arguments, "--json", path)
    assert status == 0, err
    found = json.loads(path.read_text())
    said, _, shown = out.partition("What was measured\n")
    assert said.split() == " ".join(found["conclusion"]).split()  # what it means comes first
    cells = [re.split(r"\s{2,}", line.strip()) for line in shown.splitlines() if line.strip()]
    return found, {each[0]: "\t".join(each[1:]) for each in cells}, err


@pytest.mark.slow
def test_a_fair_judge_and_one_that_likes_the_first_place(cli, judged, tmp_path):
    options, model = judged
    fair, _, _ = diagnose(cli, tmp_path, *options, "--model", f"{model}&position=0")
    assert fair["compared"]["inconsistent"]["count"] == 0
    assert fair["compared"]["margin"] == pytest.approx(0, abs=1e-9)
    assert all(share["count"] == 0 for share in fair["compared"]["cycles"].values())
    assert set(fair["compared"]["distances"]["logodds"].values()) == {0.0}
    assert fair["lists"]["agreement"] == pytest.approx(1)
    biased, table, _ = diagnose(cli, tmp_path, *options, "--model", f"{model}&position=1.5")
    assert biased["compared"]["margin"] == pytest.approx(1.5)
    assert table["mean margin A − B"].startswith("1.500")
    # Neighbouring grades, one apart, follow the order: 5 pairs of a query's 15.
    assert biased["compared"]["inconsistent"] == {"count": 50, "of": 150}
    assert table["order inconsistency"] == "0.333\t50 of 150 pairs"
    assert biased["compared"]["cycles"]["logodds"] == {"count": 0, "of": 200}
    assert biased["lists"]["places"][0]["rank"] < 3 < biased["lists"]["places"][-1]["rank"]
    assert biased["lists"]["agreement"] < 1
    assert biased["calls"] == 10 * CALLS


def test_the_conclusion_says_what_to_do(cli, judged, tmp_path):
    options, model = judged
    fair, _, _ = diagnose(cli, tmp_path, *options, "--model", f"{model}&position=0")
    asked, pairs, lists = fair["conclusion"]
    assert asked == "Asked about 10 queries, this judge shows:"
    assert pairs == (
        "Pairs: 0 of 150 pairs (0%) change their winner when shown the other way round. Pairs can be trusted: `prp` is "
        "worth its calls."
    )
    assert lists.endswith("agree by τ = 1.00 (1: the same). Lists can be trusted: `sliding` or `full` will do.")
    biased, _, _ = diagnose(cli, tmp_path, *options, "--model", f"{model}&position=1.5")
    said = " ".join(biased["conclusion"])
    assert "It prefers the passage shown first" in said
    assert "Single comparisons say little: prefer `pointwise`" in said
    broken, _, _ = diagnose(cli, tmp_path, *options, "--model", f"{model}&malformed=0.5")
    assert "of its comparisons had to be repaired or could not be read" in " ".join(broken["conclusion"])


def test_malformed_answers_are_counted(cli, judged, tmp_path):
    options, model = judged
    found, _, _ = diagnose(cli, tmp_path, *options, "--model", f"{model}&malformed=0.1")
    assert 15 < found["compared"]["malformed"]["count"] < 50
    assert found["compared"]["malformed"]["of"] == 300


def test_it_takes_what_it_says_and_a_journal_pays_once(cli, judged, tmp_path):
    options, model = judged
    arguments = (*options, "--model", model, "--max-calls", 4 * CALLS + 5)
    status, out, err = cli("diagnose", *arguments, "--dry-run")
    assert (status, "4 of 10 queries" in err) == (0, True)
    assert f"4 queries: 20 to {4 * CALLS} calls" in out
    journal = ("--journal", tmp_path / "calls.db")
    first, _, _ = diagnose(cli, tmp_path, *arguments, *journal)
    assert (first["calls"], first["replayed"]) == (4 * CALLS, 0)
    again, _, _ = diagnose(cli, tmp_path, *arguments, *journal)
    assert again["replayed"] == 4 * CALLS
    assert again["compared"] == first["compared"]
    status, _, err = cli("diagnose", *options, "--model", model, "--max-calls", CALLS - 1)
    assert (status, f"one query takes {CALLS} calls, and --max-calls is {CALLS - 1}" in err) == (1, True)


@pytest.fixture
def recorded(cli, judged, tmp_path):
    """What a diagnosis of a judge was answered about 4 of the 10 queries, as a journal and as a recording."""
    options, model = judged
    model = f"{model}&position=1.5&malformed=0.2"
    journal, recording = tmp_path / "calls.journal", tmp_path / "recording.jsonl"
    asked, _, _ = diagnose(cli, tmp_path, *options, "--model", model, "--max-calls", 4 * CALLS, "--journal", journal)
    assert cli("journal", journal, "--export", recording)[0] == 0
    return asked, journal, recording


def test_a_recording_is_diagnosed_by_what_it_holds(cli, judged, recorded, tmp_path):
    options, asked = judged[0][: -len(SOURCE)], recorded[0]
    found, _, err = diagnose(cli, tmp_path, *options, "--model", f"recorded:{recorded[2]}")
    assert "holds answers about 4 of 10 queries; nothing is asked" in err
    assert (found["calls"], found["failures"], found["queries"]) == (0, {}, 4)
    assert (found["compared"], found["lists"]) == (asked["compared"], asked["lists"])
    shallow, table, _ = diagnose(cli, tmp_path, *options, "--model", f"recorded:{recorded[2]}", "--depth", 4)
    assert shallow["compared"]["inconsistent"]["of"] <= 4 * 6 < found["compared"]["inconsistent"]["of"]
    assert shallow["lists"] is None
    assert all(value[:1] in "01–" for name, value in table.items() if name.startswith("Kendall"))
    status, out, _ = cli("diagnose", *options, "--model", f"recorded:{recorded[2]}", "--dry-run")
    assert (status, out) == (0, "estimate for 4 queries: 0 calls, no prompts; cost $0\n")


def test_raw_answers_to_windows_are_diagnosed(cli, judged, tmp_path):
    windows = [
        {"query_id": "q1", "doc_ids": ["d0", "d1", "d2", "d3"], "response": "[2] > [1] > [3] > [4]"},
        {"query_id": "q1", "doc_ids": ["d3", "d2", "d1", "d0"], "response": "no idea"},
        {"query_id": "q1", "doc_ids": ["d1", "d0", "d2", "d3"], "response": "[1] > [2] > [3] > [4]"},
        {"query_id": "q1", "doc_ids": ["d1", "elsewhere"], "response": "[1] > [2]"},
    ]
    path = tmp_path / "windows.jsonl"
    path.write_text("".join(json.dumps(window) + "\n" for window in windows))
    found, _, _ = diagnose(cli, tmp_path, *judged[0], "--model", f"recorded:{path}")
    assert found["compared"] is None
    assert found["lists"]["malformed"] == {"count": 1, "of": 3}
    assert found["lists"]["agreement"] == pytest.approx(1)
    assert found["lists"]["as_shown"] == {"count": 1, "of": 2}


def test_what_is_wrong_with_a_recording_is_said(cli, judged, recorded, tmp_path):
    options, (_, journal, recording) = judged[0], recorded
    scores = tmp_path / "scores.jsonl"
    scored = json.loads(recording.read_text().splitlines()[1]) | {"judgement": "Score", "answer": 1.0, "parameters": {}}
    scored = {**scored, "docs": scored["docs"][:1]} | {"status": "parsed", "repairs": {}}
    scored.pop("reason", None)
    scores.write_text(recording.read_text().splitlines()[0] + "\n" + json.dumps(scored) + "\n")
    corpus = tmp_path / "corpus.jsonl"
    for arguments, said in (
        (("--model", f"recorded:{journal}"), f"{journal} is a journal, not a recording: `rerankllm journal"),
        (("--model", f"recorded:{scores}"), "was only asked to score passages: a diagnosis needs comparisons or lists"),
        (("--model", f"recorded:{recording}", "--elicitation", "text"), "answers without a prompt: it takes no elicit"),
        (("--model", f"recorded:{recording}", "--max-passage-tokens", 9), "it takes no passage tokens, leave it out"),
    ):
        status, _, err = cli("diagnose", *options, *arguments)
        assert (status, said in err, err.count("\n")) == (1, True, 1), err
    corpus.write_text(corpus.read_text().replace('"text": "d', '"text": "another d'))
    status, _, err = cli("diagnose", *options, "--model", f"recorded:{recording}")
    assert (status, "holds no comparison and no list about these queries' documents" in err) == (1, True)


def test_what_a_model_cannot_be_asked_is_left_out_and_said(cli, judged, tmp_path):
    options, _ = judged

    def script(body, n):
        del n
        prompt = body["messages"][-1]["content"]
        return Answer("[A]" if "Which of the two" in prompt else "no idea")

    with ScriptedServer(script) as server:
        model = f"openai:scripted?base_url={server.url}"
        found, table, err = diagnose(
            cli, tmp_path, *options, "--model", model, "--elicitation", "text(prompt=prp-demos)", "--max-calls", 60
        )
    assert "Permute is not asked: no template 'prp-demos' for permute" in err
    assert found["lists"] is None
    assert found["compared"]["margin"] is None  # words have no log-odds
    assert table["mean p(first shown wins)"].startswith("1.000")
    assert table["order inconsistency"].startswith("1.000")


def test_answers_that_cannot_be_used_are_a_finding_and_lost_calls_a_failure(cli, judged, tmp_path):
    options, _ = judged
    with ScriptedServer(lambda body, n: Answer("no idea")) as server:
        model = f"openai:scripted?base_url={server.url}"
        arguments = (*options, "--model", model, "--elicitation", "text", "--max-calls", CALLS)
        found, table, _ = diagnose(cli, tmp_path, *arguments)
        assert found["failures"] == {}
        assert found["compared"]["malformed"] == {"count": 30, "of": 30}
        assert found["lists"]["malformed"] == {"count": 3, "of": 3}
        assert table["order inconsistency"] == "–\t0 of 0 pairs"
    with ScriptedServer(lambda body, n: Answer("A") if n < 20 else Status(500)) as server:
        model = f"openai:scripted?base_url={server.url}&retries=0"
        arguments = (*options, "--model", model, "--elicitation", "text", "--max-calls", CALLS)
        status, out, err = cli("diagnose", *arguments)
        assert status == 3
        assert "query q0 failed: " in err
        assert "order inconsistency" in out


def test_a_judge_that_can_be_asked_nothing(cli, judged):
    options, model = judged
    status, _, err = cli("diagnose", *options, "--model", model, "--elicitation", "likelihood")
    assert status == 1
    assert err.count("\n") == 1
    assert "Compare: " in err
    assert "Permute: " in err


@pytest.mark.slow
def test_plots(cli, judged, tmp_path, monkeypatch):
    options, model = judged
    found, _, _ = diagnose(cli, tmp_path, *options, "--model", model, "--plot", tmp_path / "plots" / "here")
    assert found["lists"]
    for name in ("margins.png", "places.png"):
        assert (tmp_path / "plots" / "here" / name).read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    status, _, err = cli("diagnose", *options, "--model", model, "--plot", tmp_path / "plots")
    assert (status, "pip install 'rerankllm[plots]'" in err) == (1, True)


def test_the_command_writes_what_the_verb_gives(cli, judged, tmp_path):
    options, model = judged
    arguments = (*options, "--model", f"{model}&position=1.5&malformed=0.2", "--max-calls", 2 * CALLS, "--seed", 5)
    whole, _, _ = diagnose(cli, tmp_path, *arguments)
    ids = [f"d{i}" for i in range(6)]
    queries = [(rerankllm.Query(f"q{q}", f"query {q}"), [{"id": doc, "text": doc} for doc in ids]) for q in range(10)]
    found = rerankllm.diagnose(
        queries, model=f"{model}&position=1.5&malformed=0.2", max_calls=2 * CALLS, depth=6, shuffles=3, seed=5
    )
    assert found.to_dict() == whole
    assert found.findings.queries == 2
