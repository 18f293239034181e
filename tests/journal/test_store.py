"""What was completed once is never asked again, whatever happened in between; and nothing else is replayed."""

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import Answer, Hang, ScriptedServer, Status
from waiting import until

from rerankllm import Reranker
from rerankllm.backends.oracle import Oracle
from rerankllm.calls import (
    AfterThought,
    ChatPrompt,
    Generate,
    LabelForm,
    Message,
    ReadLabels,
    Reply,
    Request,
    Response,
    WriteLabels,
)
from rerankllm.data import Candidate, Document, Query, Usage
from rerankllm.errors import AuthError, InputError, QueryFailed
from rerankllm.journal.codec import digest, dump, load
from rerankllm.journal.read import entries, failures
from rerankllm.journal.store import CallPlace, Completed, Journal, content_of
from rerankllm.judgements import Compare, ParseReport, Permute, Score, WeakOrder
from rerankllm.judgements import Status as Read
from rerankllm.sample import path as sample

DOCS = [f"passage {i} " + "word " * i for i in range(12)]
QUERY = Query("q", "which passage")
ASKED = Score(QUERY, Document("d", "a text"))
REQUEST = Request(ChatPrompt((Message("user", "hello"),)), Generate(5))


def by_length(body, _):
    prompt = body["messages"][-1]["content"]
    shown = [line for line in prompt.splitlines() if line.startswith("[") and line[1].isdigit()]
    order = sorted(range(len(shown)), key=lambda i: -len(shown[i]))
    return Answer(" > ".join(f"[{i + 1}]" for i in order))


def model(server):
    return f"openai:scripted?base_url={server.url}"


@pytest.fixture
def oracle(tmp_path):
    (tmp_path / "qrels").write_text("q 0 0 1\nq 0 3 2\n")
    return f"oracle:{tmp_path / 'qrels'}"


finite = st.floats(allow_nan=False)
usages = st.builds(Usage, st.integers(0, 10**9), st.integers(0, 10**9))
responses = st.builds(
    Response,
    text=st.text(),
    logprobs=st.lists(finite).map(tuple),
    floor=finite,
    usage=usages,
    attempts=st.integers(1, 9),
    finish_reason=st.sampled_from(["stop", "length"]),
    reasoning=st.none() | st.text(),
)


@given(responses)
def test_responses_come_back_as_they_were(response):
    assert load(dump(response), REQUEST) == response


def test_unreported_labels_come_back_as_such():
    back = load(dump(Response(logprobs=(math.nan, -1.5), floor=math.nan)), REQUEST)
    assert math.isnan(back.logprobs[0])
    assert math.isnan(back.floor)
    assert back.logprobs[1] == -1.5


@pytest.mark.parametrize(
    ("work", "answer"),
    [
        (ASKED, 0.25),
        (Permute(QUERY, (Document("a", "x"), Document("b", "y"))), WeakOrder((("a",), ("b",)))),
        (Permute(QUERY, (Document("a", "x"), Document("b", "y"))), WeakOrder((("b",),), ("a",))),
    ],
)
def test_replies_come_back_as_they_were(work, answer):
    reply = Reply(answer, ParseReport(Read.REPAIRED, {"missing": 1}), Usage(3, 4))
    assert load(dump(reply), work) == reply


def test_calls_that_differ_in_anything_sent_differ():
    first, second = Document("a", "x"), Document("b", "y")
    works = [
        REQUEST,
        Request(REQUEST.prompt, Generate(6)),
        Request(REQUEST.prompt, ReadLabels(("A", "B"))),
        Request(ChatPrompt((Message("system", "hello"),)), Generate(5)),
        Compare(QUERY, first, second),
        Compare(QUERY, second, first),
        Compare(QUERY, first, Document("b", "z")),
        Permute(QUERY, (first, second)),
        Permute(QUERY, (first, second), decode=1),
    ]
    assert len({digest(work) for work in works}) == len(works)


def test_what_is_unsaid_is_no_part_of_a_digest_until_it_is_said():
    free = Generate(9)
    held = Generate(9, after=AfterThought("</think>", (WriteLabels(("A",), (((1,),),)),)))
    earlier = {"Generate": {"max_tokens": 9, "stop": (), "choices": (), "labels": None}}
    assert digest(free) == digest(earlier) != digest(held)


def test_a_second_run_repeats_no_call_and_gives_the_same(tmp_path):
    with ScriptedServer(by_length) as server:
        rankings, calls = [], []
        for _ in range(2):
            with Reranker("sliding(window=4, stride=2)", model(server), journal=tmp_path / "j") as reranker:
                rankings.append(reranker.rerank("which passage", DOCS))
            calls.append(server.calls)
    assert calls[0] == calls[1] == 5
    assert rankings[0].results == rankings[1].results
    assert (rankings[0].ledger.replayed, rankings[1].ledger.replayed) == (0, 5)
    assert rankings[0].ledger.usage == rankings[1].ledger.usage
    assert rankings[0].ledger.calls == rankings[1].ledger.calls


def test_within_one_reranker_too(tmp_path, oracle):
    with Reranker("prp(sort=allpair)", oracle, journal=tmp_path / "j") as reranker:
        assert reranker.rerank(QUERY, DOCS).ledger.replayed == 0
        assert reranker.rerank(QUERY, DOCS).ledger.replayed == 12 * 11


@pytest.mark.parametrize(
    "change",
    [
        {"query": "another question"},
        {"docs": [*DOCS[:-1], "another text"]},
        {"passage_tokens": 3},
        {"options": {"seed": "1"}},
        {"options": {"temperature": "0.5"}},
    ],
    ids=str,
)
def test_what_changes_a_call_is_asked_anew(tmp_path, change):
    with ScriptedServer(by_length) as server:
        for altered in ({}, change):
            docs, text = altered.get("docs", DOCS), altered.get("query", "which passage")
            given = {key: value for key, value in altered.items() if key in ("passage_tokens", "options")}
            with Reranker("sliding", model(server), journal=tmp_path / "j", **given) as reranker:
                reranker.rerank(text, docs)
        assert server.calls == 2


@pytest.mark.parametrize("change", [{"driver": "rounds"}, {"options": {"concurrency": "1"}}], ids=str)
def test_what_changes_no_call_is_not_asked_anew(tmp_path, change):
    with ScriptedServer(by_length) as server:
        for given in ({}, change):
            with Reranker("sliding(window=4, stride=2)", model(server), journal=tmp_path / "j", **given) as reranker:
                reranker.rerank("which passage", DOCS)
        assert server.calls == 5


def test_another_strategy_reuses_what_was_asked_in_the_same_words(tmp_path):
    """The first window of a run with stride 2 is the first of one with stride 4."""
    with ScriptedServer(by_length) as server:
        with Reranker("sliding(window=4, stride=2)", model(server), journal=tmp_path / "j") as reranker:
            reranker.rerank("which passage", DOCS)
        before = server.calls
        with Reranker("sliding(window=4, stride=4)", model(server), journal=tmp_path / "j") as reranker:
            ledger = reranker.rerank("which passage", DOCS).ledger
    assert ledger.replayed >= 1
    assert server.calls - before == ledger.calls - ledger.replayed


def test_the_same_call_twice_in_a_query_is_two_answers(tmp_path, oracle):
    """An answer from elsewhere serves a query once: repeated sampling stays repeated sampling."""
    backend = Oracle(name=oracle.removeprefix("oracle:"))
    journal = Journal(tmp_path / "j")
    content = content_of(ASKED, backend)
    key, other = (journal.enter(Query(name, "x"), [], "pointwise", []) for name in ("one", "two"))
    keys, others = set(), set()
    journal.record(CallPlace(key, 0, 0), content, Completed(ASKED, ASKED, backend, Reply(0.5), ParseReport()))
    assert journal.recall(CallPlace(key, 0, 0), content, ASKED, keys) == Reply(0.5)
    assert journal.recall(CallPlace(key, 0, 1), content, ASKED, keys) is None
    assert journal.recall(CallPlace(other, 0, 0), content, ASKED, others) == Reply(0.5)
    assert journal.recall(CallPlace(other, 0, 1), content, ASKED, others) is None
    journal.close()


def test_what_another_strategy_bought_serves_every_ranking(tmp_path):
    with ScriptedServer(by_length) as server:
        for strategy in ("sliding", "tdpart", "full(top_k=12)"):
            with Reranker(f"{strategy} / text", model(server), journal=tmp_path / "j") as reranker:
                for _ in range(2):
                    reranker.rerank("which passage", DOCS)
        assert server.calls == 1  # all three ask for the order of the whole list


def test_unusable_direct_answers_are_kept_as_such(tmp_path):
    (tmp_path / "r.jsonl").write_text(json.dumps({"query_id": "q", "doc_ids": ["0", "1"], "response": "no idea"}))
    for replayed in (0, 1):
        with Reranker("sliding", f"recorded:{tmp_path / 'r.jsonl'}", journal=tmp_path / "j") as reranker:
            (outcome,) = reranker.stream([(QUERY, [Candidate(Document(str(i), "x")) for i in range(2)])])
        assert "no idea" in outcome.reason
        assert outcome.ledger.replayed == replayed


def test_half_surrogates_are_no_obstacle(tmp_path, oracle):
    with Reranker("sliding", oracle, journal=tmp_path / "j") as reranker:
        assert len(reranker.rerank(Query("q", "caf\ud83d"), ["a \ud83d", "b"])) == 2


def test_rounds_keep_every_paid_answer_even_if_the_run_ends_with_an_error(tmp_path):
    """The key is refused from the tenth call on: the nine before it are kept."""
    with ScriptedServer(lambda body, n: Answer("2") if n < 9 else Status(401, "no")) as server:
        given = {"options": {"concurrency": "1"}, "driver": "rounds"}
        with (
            Reranker("pointwise / text", model(server), journal=tmp_path / "j", **given) as reranker,
            pytest.raises(AuthError),
        ):
            reranker.rerank("which passage", DOCS)
    journal = Journal(tmp_path / "j")
    assert len(list(entries(journal))) == 9
    journal.close()


@pytest.mark.slow
def test_many_processes_may_make_it_at_once(tmp_path):
    script = f"from rerankllm.journal.store import Journal; Journal({str(tmp_path / 'j')!r}).close()"
    started = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [process.wait() for process in started] == [0] * 4


def test_failed_calls_are_shown_and_not_replayed(tmp_path):
    broken = [True]

    def script(body, n):
        return Status(400, {"error": {"message": "too long"}}) if broken[0] else by_length(body, n)

    with ScriptedServer(script) as server:
        with (
            Reranker("sliding", model(server), journal=tmp_path / "j") as reranker,
            pytest.raises(QueryFailed, match="too long"),
        ):
            reranker.rerank("which passage", DOCS)
        broken[0] = False
        with Reranker("sliding", model(server), journal=tmp_path / "j") as reranker:
            assert len(reranker.rerank("which passage", DOCS)) == 12
    journal = Journal(tmp_path / "j")
    (lost,) = failures(journal)
    assert "too long" in lost.reason
    assert (lost.query_id, lost.attempts) == ("query", 1)
    assert len(list(entries(journal))) == 1
    journal.close()


def test_it_holds_no_key(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with ScriptedServer(by_length) as server, Reranker("sliding", model(server), journal=tmp_path / "j") as reranker:
        reranker.rerank("which passage", DOCS)
        assert server.headers[0]["authorization"] == "Bearer sk-very-secret"
    assert b"very-secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path, oracle, cli):
    (tmp_path / "text").write_text("not a database, but a text that is somebody's")
    with pytest.raises(InputError, match="cannot be used as a journal"):
        Reranker("sliding", oracle, journal=tmp_path / "text")
    assert (tmp_path / "text").read_text().startswith("not a database")
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE mine (x)")
    other.execute("PRAGMA user_version=1")
    other.close()
    with pytest.raises(InputError, match="no journal of this version"):
        Journal(tmp_path / "other")
    Journal(tmp_path / "corrupt").close()
    size = (tmp_path / "corrupt").stat().st_size
    with (tmp_path / "corrupt").open("r+b") as file:
        file.seek(4096)
        file.write(b"?" * (size - 4096))
    for command in (("journal",), ("journal", "--calls"), ("resume",)):
        status, _, err = cli(command[0], tmp_path / "corrupt", *command[1:])
        assert (status, err.count("\n")) == (1, 1), err
    with pytest.raises(InputError, match="no journal"):
        Journal(tmp_path / "absent", create=False)


def test_a_journal_that_cannot_be_written_stops_the_run(tmp_path, oracle):
    with Reranker("sliding", oracle, journal=tmp_path / "j") as reranker:
        assert reranker.journal is not None
        list(reranker.journal.rows("PRAGMA query_only=1"))
        with pytest.raises(InputError, match="cannot be written"):
            reranker.rerank(QUERY, DOCS)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    st.integers(2, 14),
    st.sampled_from(["prp(sort=heap)", "prp(sort=bubble, top_k=3)", "sliding(window=4, stride=2)"]),
    st.data(),
)
def test_cut_off_anywhere_it_ends_as_if_it_had_not_been(tmp_path_factory, n, spec, data):
    """Any prefix of a journal, resumed with either driver, gives the ranking and the ledger of the unbroken run."""
    folder = tmp_path_factory.mktemp("cut")
    (folder / "qrels").write_text("".join(f"q 0 {i} {i * 7 % 4}\n" for i in range(n)))
    docs, oracle = [f"text {i}" for i in range(n)], f"oracle:{folder / 'qrels'}"
    with Reranker(spec, oracle, journal=folder / "j") as reranker:
        whole = reranker.rerank(QUERY, docs)
    cut = data.draw(st.integers(0, whole.ledger.calls))
    journal = Journal(folder / "j")
    journal.take_over([("DELETE FROM calls WHERE id > ?", (cut,))])
    journal.close()
    with Reranker(spec, oracle, journal=folder / "j", driver=data.draw(st.sampled_from(["rounds", "concurrent"]))) as r:
        resumed = r.rerank(QUERY, docs)
    assert resumed.results == whole.results
    assert resumed.ledger.replayed == cut
    assert resumed.ledger.calls == whole.ledger.calls


SOURCE = [f"--{name}={sample(file)}" for name, file in
          (("run", "run.txt"), ("queries", "queries.tsv"), ("corpus", "corpus.jsonl"))]  # fmt: skip


@pytest.mark.slow
def test_kill_9_then_resume(tmp_path, cli):
    """Killed between two answers, then resumed by its journal alone: the same bytes, and no call twice."""
    with ScriptedServer(by_length) as server:
        strategy = ("--strategy", "sliding(window=8, stride=4)")
        assert cli("rerank", *SOURCE, *strategy, "--model", model(server), "-o", tmp_path / "whole")[0] == 0
        total = server.calls
        killed_at = total + total // 2

        def until_killed(body, n):
            return Hang() if n >= killed_at else by_length(body, n)

        server.script = until_killed
        process = subprocess.Popen(
            [sys.executable, "-m", "rerankllm", "rerank", *SOURCE, *strategy, "--model", model(server), "-o", "cut",
             "--concurrency", "2"],
            cwd=tmp_path, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: server.calls > killed_at or process.poll() is not None)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        until(lambda: not server.in_flight)  # what was sent before the kill
        server.script = by_length
        journal = Journal(tmp_path / "cut.journal")
        held = [entry.prompt.partition("\n")[2] for entry in entries(journal)]
        journal.close()
        before = server.calls
        status, _, err = cli("resume", tmp_path / "cut.journal")
        asked = [body["messages"][-1]["content"] for body in server.bodies[before:]]
    assert status == 0, err
    assert 0 < len(held) < total
    assert len(asked) == total - len(held)
    assert not set(asked) & set(held)
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()
    assert f"{len(held)} of them from the journal" in err


@pytest.mark.slow
def test_the_journal_command(tmp_path, cli):
    output = tmp_path / "out"
    with ScriptedServer(by_length) as server:
        cli("rerank", *SOURCE, "--strategy", "sliding", "--model", model(server), "-o", output, "-q")
    journal = f"{output}.journal"
    status, out, _ = cli("journal", journal)
    assert status == 0
    assert "calls\t8\n" in out
    assert "8 parsed, 0 repaired, 0 failed" in out
    assert "cost\tunknown" in out
    rows = [json.loads(line) for line in cli("journal", journal, "--json")[1].splitlines()]
    assert len(rows) == 8
    assert "[20]" in rows[0]["prompt"]
    one = cli("journal", journal, "--query", rows[3]["query_id"], "--calls")[1]
    assert one.count("\n") == 1
    shown = cli("journal", journal, "--show", rows[3]["number"])[1]
    assert rows[3]["prompt"] in shown
    assert rows[3]["outcome"]["text"] in shown
    assert cli("journal", journal, "--show", 99)[0] == 1
    assert "1 calls deleted" in cli("journal", journal, "--purge", "--query", rows[3]["query_id"])[2]
    assert "7 calls deleted" in cli("journal", journal, "--purge")[2]
    text = rows[3]["prompt"].splitlines()[-1].encode()
    assert text not in b"".join(path.read_bytes() for path in tmp_path.glob("out.journal*"))


def test_no_journal_where_none_is_wanted(tmp_path, cli, oracle):
    with ScriptedServer(by_length) as server:
        cli("rerank", *SOURCE, "--strategy", "sliding", "--model", model(server), "-o", tmp_path / "a", "--no-journal")
        assert cli("rerank", *SOURCE, "--model", model(server), "-o", tmp_path / "b", "--no-journal",
                   "--journal", tmp_path / "j")[0] == 1  # fmt: skip
    assert not list(tmp_path.glob("*journal*"))
    status, _, err = cli("resume", tmp_path / "nothing.journal")
    assert status == 1
    assert "no journal" in err


@pytest.mark.slow
def test_a_recorded_run_cut_off_and_resumed_is_the_published_one(shared_data, tmp_path, cli):
    """RankVicuna's own answers on DL19: stopped after 200 of 387 calls, resumed, and still 0.6682."""
    data, output = shared_data / "dl19-bm25", tmp_path / "r.run"
    run = [f"--run={data / 'run.txt'}", f"--queries={data / 'queries.tsv'}", f"--corpus={data / 'corpus.jsonl'}"]
    model = f"recorded:{shared_data / 'rankvicuna-dl19-bm25.jsonl'}"
    status, _, err = cli("rerank", *run, "--strategy", "sliding(window=20, stride=10)", "--model", model, "-o", output,
                         "--journal", tmp_path / "j", "--max-calls", 200)  # fmt: skip
    assert status == 3
    assert f"rerankllm resume {tmp_path / 'j'}" in err
    status, _, err = cli("resume", tmp_path / "j", "--max-calls", 1000)
    assert status == 0
    assert "387 calls (387 parsed, 0 repaired, 0 failed), 200 of them from the journal" in err
    assert "0.6682" in cli("eval", "--run", output, "--qrels", data / "qrels.txt", "--measure", "nDCG@10")[1]


def test_how_an_answer_may_be_had_is_no_part_of_a_call():
    """So a journal is replayed whether or not a host is asked to hold its answers to labels."""
    form = LabelForm(("1", "2"), 2, "[", "] > [", "]")
    assert digest(Generate(9, form=form)) == digest(Generate(9))
    assert digest(Generate(9)) == "b67d10d36b78af0ac972ebe6fd75fea48beb0907a4c0ac7664966ebac06170c4"
