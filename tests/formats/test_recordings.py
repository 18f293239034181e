"""What was recorded is answered again, exactly; what was not is said to be missing."""

import json
import math
import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm import Reranker, __version__
from rerankllm.backends.recorded import Recorded
from rerankllm.data import Candidate, Document, Query, Usage
from rerankllm.drivers.events import Failed
from rerankllm.errors import InputError
from rerankllm.formats import recordings
from rerankllm.journal.export import export
from rerankllm.journal.store import Journal
from rerankllm.judgements import (
    Assess,
    Assessment,
    Compare,
    Criterion,
    Draft,
    Embed,
    Ends,
    Failure,
    Grade,
    ParseReport,
    Permute,
    Score,
    Select,
    Status,
    Unanswered,
    WeakOrder,
    Write,
)
from rerankllm.sample import path as sample

DOCS = (Document("a", "one text"), Document("b", "another", title="On fleas"))
QUERY = Query("q", "which is it")
SOURCE = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]
finite = st.floats(allow_nan=False, allow_infinity=False)
criteria = st.builds(Criterion, st.text(), st.floats(0.1, 5))
answered = st.one_of(
    st.tuples(st.just(Score(QUERY, DOCS[0])), finite),
    st.tuples(st.just(Compare(QUERY, *DOCS)), st.floats(0, 1)),
    st.tuples(st.just(Select(QUERY, DOCS, worst=True)), st.sampled_from([("a",), ("b", "a"), ()])),
    st.tuples(st.just(Ends(QUERY, DOCS)), st.just(("b", "a"))),
    st.tuples(st.just(Draft(QUERY, 1)), st.text(min_size=1)),
    st.tuples(st.just(Permute(QUERY, DOCS, decode=1)), st.just(WeakOrder((("b",),), ("a",)))),
    st.tuples(st.just(Permute(QUERY, DOCS)), st.just(WeakOrder((("a", "b"),)))),
    st.tuples(st.just(Grade(QUERY, DOCS, scale=3)), st.tuples(finite, finite)),
    st.tuples(st.just(Write(QUERY, 3)), st.lists(criteria, min_size=1).map(tuple)),
    st.tuples(
        st.just(Assess(QUERY, DOCS[0], (Criterion("short"), Criterion("true", 2.0)))),
        st.builds(Assessment, st.tuples(finite, finite), st.tuples(st.text(), st.text())),
    ),
    st.tuples(st.just(Score(QUERY, DOCS[1])), st.builds(Unanswered, st.text(), st.just(Failure.ANSWER))),
)
reports = st.builds(
    ParseReport, st.sampled_from(Status), st.dictionaries(st.text(min_size=1), st.integers(1, 9), max_size=2)
)
usages = st.builds(Usage, st.integers(0, 10**9), st.integers(0, 10**9))


def written(path, records, strategies=("pointwise",)):
    header = recordings.Header(strategies, ("pointwise / labels",), {}, "0")
    with path.open("w", encoding="utf-8") as file:
        recordings.write(file, header, [json.dumps(record) for record in records])
    return path


@given(answered, reports, usages)
def test_answers_come_back_as_they_were(answered, report, usage):
    judgement, answer = answered
    record = json.loads(json.dumps(recordings.to_record(judgement, answer, report, usage), allow_nan=False))
    assert recordings.from_record(record, judgement) == (answer, report, usage)


def test_answers_that_compare_unlike_values_come_back_too():
    record = recordings.to_record(Grade(QUERY, DOCS), (math.nan, 2.0), ParseReport(), Usage())
    answer, *_ = recordings.from_record(json.loads(json.dumps(record, allow_nan=False)), Grade(QUERY, DOCS))
    assert math.isnan(answer[0])
    assert answer[1] == 2.0
    vectors = np.asarray([[0.1, 0.2], [0.3, 1e-30]], dtype=np.float32)
    record = recordings.to_record(Embed(QUERY, DOCS[:1]), vectors, ParseReport(), Usage())
    answer, *_ = recordings.from_record(json.loads(json.dumps(record)), Embed(QUERY, DOCS[:1]))
    assert answer.dtype == np.float32
    assert (answer == vectors).all()


def recorded(tmp_path, cli, model, strategy, *options):
    """A run by a model with its recording: exit status, the run's bytes and the recording's path."""
    run, journal, recording = tmp_path / "run.txt", tmp_path / "run.journal", tmp_path / "recording.jsonl"
    status, _, err = cli(
        "rerank", *SOURCE, "--output", run, "--model", model, "--strategy", strategy, "--journal", journal, *options
    )
    exported, _, err = cli("journal", journal, "--export", recording)
    assert exported == 0, err
    return status, run.read_bytes(), recording


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy", ["sliding(window=8, stride=4)", "prp(sort=heap, top_k=3)", "setwise(c=4, top_k=3)", "pointwise",
                 "cascade([pointwise, sliding(window=8, stride=4)], depths=[20, 10])"]
)  # fmt: skip
def test_a_run_repeats_from_its_recording_byte_for_byte(tmp_path, cli, strategy):
    model = f"simulated:{sample('qrels.txt')}?malformed=0.02"
    status, first, recording = recorded(tmp_path, cli, model, strategy)
    again = tmp_path / "again.txt"
    summary = tmp_path / "summary.json"
    arguments = [*SOURCE, "--output", again, "--model", f"recorded:{recording}", "--summary", summary]
    for strategy_option in ([], ["--strategy", strategy]):
        assert cli("rerank", *arguments, *strategy_option)[0] == status
        assert again.read_bytes() == first
    header = json.loads(recording.read_text().splitlines()[0])
    assert header["format"] == "rerankllm-recording"
    assert [judge["model"] for judge in header["judges"].values()] == [model.replace("?", "?world=mild&seed=0&")] * len(
        header["judges"]
    )
    assert json.loads(summary.read_text())["model"] == f"recorded:{recording}"


@pytest.mark.slow(seconds=20)
@pytest.mark.llamacpp
@pytest.mark.parametrize("elicitation", ["labels(prior=empty)", "text"])
def test_a_real_model_repeats_from_its_recording(tmp_path, cli, elicitation):
    options = ["--depth", 4, "--max-passage-tokens", 30]
    strategy = "sliding(window=3, stride=2)"
    status, first, recording = recorded(tmp_path, cli, "llamacpp:smollm2", f"{strategy} / {elicitation}", *options)
    again = tmp_path / "again.txt"
    assert cli("rerank", *SOURCE, "--output", again, "--model", f"recorded:{recording}", "--depth", 4)[0] == status
    assert again.read_bytes() == first
    lines = list(map(json.loads, recording.read_text().splitlines()))
    assert {line["judgement"] for line in lines[1:]} == {"Permute"}
    assert lines[0]["judges"]["Permute"]["passage_tokens"] == 30
    assert all(line["tokens"][0] > 0 for line in lines[1:])


class TestWhatIsMissing:
    RECORD = recordings.to_record(Permute(QUERY, DOCS), WeakOrder((("a",), ("b",))), ParseReport(), Usage(7, 1))

    @pytest.fixture
    def backend(self, tmp_path):
        return Recorded(name=str(written(tmp_path / "r.jsonl", [self.RECORD])))

    @pytest.mark.parametrize(
        ("judgement", "reason"),
        [
            (Permute(Query("r", "which is it"), DOCS), "holds nothing about query r"),
            (Permute(Query("q", "another"), DOCS), "holds query q with another text"),
            (Permute(QUERY, (DOCS[0], Document("b", "changed"))), "holds document b with another text"),
            (Permute(QUERY, DOCS[::-1]), r"holds Permute of query q for 2 documents \(b, a\) in another order only"),
            (Permute(QUERY, DOCS, decode=1), 'but not with {"decode": 1}'),
            (Permute(QUERY, DOCS[:1]), r"holds no Permute of query q for 1 documents \(a\): .* with pointwise"),
            (Select(QUERY, DOCS), "holds no Select of query q"),
        ],
    )
    def test_is_said(self, backend, judgement, reason):
        found = backend.answer(judgement)
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(found.reason)

    def test_the_query_fails_by_name(self, tmp_path):
        path = written(tmp_path / "r.jsonl", [self.RECORD])
        candidates = [Candidate(Document(name, "x")) for name in "abc"]
        with Reranker("sliding", f"recorded:{path}") as reranker:
            (outcome,) = reranker.stream([(QUERY, candidates)])
        assert isinstance(outcome, Failed)
        assert "holds document a, b with another text" in outcome.reason

    def test_usage_and_answer_are_those_of_then(self, backend):
        reply = backend.answer(Permute(QUERY, DOCS))
        assert (reply.answer, reply.usage) == (WeakOrder((("a",), ("b",))), Usage(7, 1))


def test_what_was_answered_differently_is_heard_in_that_order(tmp_path):
    values = [recordings.to_record(Score(QUERY, DOCS[0]), value, ParseReport(), Usage()) for value in (0.1, 0.9)]
    backend = Recorded(name=str(written(tmp_path / "r.jsonl", values)))
    assert [backend.answer(Score(QUERY, DOCS[0])).answer for _ in range(5)] == [0.1, 0.9, 0.1, 0.9, 0.1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"docs": 3}, ":2: expected judgement, query_id"),
        ({"judgement": "Guess"}, ":2: expected judgement, query_id"),
        ({"answer": "a > b"}, ":2: expected the answer to Permute"),
        ({"status": "fine"}, ":2: expected judgement, query_id"),
        ({"tokens": [-1, 0]}, ":2: expected judgement, query_id"),
        ({"tokens": [1.5, "3"]}, ":2: expected judgement, query_id"),
        ({"repairs": {"extra": "many"}}, ":2: expected judgement, query_id"),
        ({"reason": 5}, ":2: expected judgement, query_id"),
    ],
)
def test_damaged_lines_are_named(tmp_path, change, message):
    path = written(tmp_path / "r.jsonl", [{**TestWhatIsMissing.RECORD, **change}])
    with pytest.raises(InputError, match=message):
        Recorded(name=str(path))


TWO = (Criterion("short"), Criterion("true", 2.0))


@pytest.mark.parametrize(
    ("judgement", "answers"),
    [
        (Score(QUERY, DOCS[0]), ["1", None, True, [1]]),
        (Compare(QUERY, *DOCS), [1.5, -0.1, True]),
        (Select(QUERY, DOCS), [["c"], ["a", "a"], "a", [0]]),
        (Ends(QUERY, DOCS), [["a"], ["a", "a"], ["a", "c"], ["a", "b", "a"], "ab", []]),
        (Draft(QUERY), [["a text"], " ", None, 1]),
        (
            Permute(QUERY, DOCS),
            [
                {},
                {"groups": [["a"]], "omitted": None},
                {"groups": [["a"]], "omitted": []},
                {"groups": [["a", "b"]], "omitted": ["b"]},
                {"groups": [["a", "b", "c"]], "omitted": []},
                {"groups": "ab", "omitted": []},
            ],
        ),
        (Grade(QUERY, DOCS), [[1], [1, "2"], {"a": 1}]),
        (Write(QUERY, 2), [["short"], [{"text": "short"}], [{"text": "short", "weight": 0}], []]),
        (
            Assess(QUERY, DOCS[0], TWO),
            [{"grades": [1], "rationales": ["x"]}, {"grades": [1, 2]}, {"grades": [1, 2], "rationales": [1, 2]}],
        ),
        (Embed(QUERY, DOCS[:1]), [[[1.0]], [[1.0], [1.0, 2.0]], [[1.0], ["2"]], [1.0, 2.0]]),
    ],
)
def test_what_is_no_answer_to_the_judgement_is_refused(tmp_path, judgement, answers):
    for answer in answers:
        record = {**recordings.to_record(judgement, Unanswered("", Failure.ANSWER), ParseReport(), Usage())}
        del record["reason"]
        path = written(tmp_path / "r.jsonl", [{**record, "answer": answer}])
        with pytest.raises(InputError, match=f":2: expected the answer to {type(judgement).__name__}"):
            Recorded(name=str(path))


@pytest.mark.slow
@given(answered=answered)
def test_every_kind_that_is_recorded_is_answered(answered, tmp_path_factory):
    judgement, answer = answered
    record = recordings.to_record(judgement, answer, ParseReport(), Usage(1, 2))
    backend = Recorded(name=str(written(tmp_path_factory.mktemp("kinds") / "r.jsonl", [record])))
    assert backend.capabilities.answers == {type(judgement)}
    assert backend.answer(judgement).answer == answer


def test_other_versions_are_refused(tmp_path):
    path = written(tmp_path / "r.jsonl", [TestWhatIsMissing.RECORD])
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(InputError, match="version 2, and this rerankllm reads version 1"):
        Recorded(name=str(path))


def journal_of(tmp_path, *stages, qrels="q a 0 1\nq b 0 2\n"):
    (tmp_path / "qrels").write_text("q 0 a 1\nq 0 b 2\n")
    path = tmp_path / "journal"
    for stage, options in stages:
        with Reranker(stage, f"simulated:{tmp_path / 'qrels'}{options}", journal=path) as reranker:
            reranker.rerank(QUERY, list(DOCS))
    return path


class TestExport:
    def test_two_judges_for_one_kind_are_refused_and_chosen_between(self, tmp_path, cli):
        path = journal_of(tmp_path, ("pointwise", ""), ("pointwise", "?seed=1"), ("sliding", ""))
        status, _, err = cli("journal", path, "--export", tmp_path / "r.jsonl")
        assert status == 1
        assert "Score was answered by simulated:" in err
        assert "--model" in err
        model = f"simulated:{tmp_path / 'qrels'}?world=mild&seed=1"
        assert cli("journal", path, "--export", tmp_path / "r.jsonl", "--model", model)[0] == 0
        assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 3
        assert cli("journal", path, "--export", tmp_path / "r.jsonl", "--model", "openai:x")[0] == 1

    def test_what_another_stage_was_answered_before_is_there_too(self, tmp_path):
        other = "sliding(window=10, stride=5, passes=1)"
        path = journal_of(tmp_path, ("sliding", ""), (other, ""))
        journal = Journal(path)
        found = export(journal, __version__, stage=other)
        both = export(journal, __version__)
        journal.close()
        assert len(found.records) == len(both.records) == 1
        assert len(both.header.strategies) == 2

    def test_journals_of_before_are_completed_by_running_again(self, tmp_path, cli):
        path = journal_of(tmp_path, ("sliding", ""))
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE answers")
            db.execute("DROP TABLE judges")
        db.close()
        status, _, err = cli("journal", path, "--export", tmp_path / "r.jsonl")
        assert status == 1
        assert "run the same command with it again" in err
        journal_of(tmp_path, ("sliding", ""))
        assert cli("journal", path, "--export", tmp_path / "r.jsonl")[0] == 0

    def test_nothing_to_export(self, tmp_path, cli):
        Journal(tmp_path / "journal").close()
        status, _, err = cli("journal", tmp_path / "journal", "--export", tmp_path / "r.jsonl")
        assert status == 1
        assert "holds no judgements yet" in err
        assert not (tmp_path / "r.jsonl").exists()

    def test_purged_judgements_are_gone(self, tmp_path, cli):
        path = journal_of(tmp_path, ("sliding", ""))
        assert cli("journal", path, "--purge")[0] == 0
        assert cli("journal", path, "--export", tmp_path / "r.jsonl")[0] == 1
        assert b"Permute" not in path.read_bytes()

    def test_choices_without_an_export_are_refused(self, tmp_path, cli):
        path = journal_of(tmp_path, ("sliding", ""))
        assert cli("journal", path, "--model", "x")[0] == 1
        assert cli("journal", path, "--export", path)[0] == 1
