"""What workers share and what becomes of their journals, without a cluster."""

import fcntl
import pickle
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.backends.oracle import Oracle
from rerankllm.calls import CallFailed, Reply
from rerankllm.data import Candidate, Document, Query
from rerankllm.distributed import journals as parts
from rerankllm.distributed.coordinator import Coordinator, Seat
from rerankllm.distributed.shards import (
    LARGEST,
    SHARE,
    End,
    FlowError,
    Head,
    RankedShard,
    Shard,
    Spool,
    cut,
    rows,
    table,
)
from rerankllm.drivers.budget import Admission, Amount, Limits
from rerankllm.errors import AuthError, InputError
from rerankllm.journal.merge import TOGETHER, absorb, parcels
from rerankllm.journal.read import entries, failures
from rerankllm.journal.store import CallPlace, Completed, Journal
from rerankllm.judgements import ParseReport, Score

WORKS = [(Query(f"q{i}", "a question"), [Candidate(Document("d", "a text"), 1.0)]) for i in range(500)]


@pytest.mark.slow
@given(st.integers(0, 500), st.integers(1, 9))
def test_shards_hold_every_query_once_in_order(count, workers):
    first, *found, last = cut(lambda: ("said", iter(WORKS[:count])), workers)
    assert (first, last) == (Head("said"), End())
    assert [work for shard in found for work in shard.works] == WORKS[:count]
    sizes = [len(shard.works) for shard in found]
    assert max(sizes, default=0) <= LARGEST
    assert all(size <= max(1, sum(sizes[: i + 1]) / (SHARE * workers) + 1) for i, size in enumerate(sizes))


def test_a_file_that_is_no_good_ends_the_shards_with_the_reason():
    def read():
        def queries():
            yield WORKS[0]
            raise InputError("line 2 is no good")

        return None, queries()

    assert list(cut(read, 1))[-1].error().args == ("line 2 is no good",)


def test_an_error_keeps_its_kind_on_the_way():
    number, problem = rows(table(3, FlowError.of(AuthError("no such key"))))[0]
    assert number == 3
    assert isinstance(problem.error(), AuthError)
    assert str(problem.error()) == "no such key"
    assert str(FlowError("KeyError", "x").error()) == "x"


@pytest.mark.slow
@given(st.permutations(range(12)))
def test_shards_go_out_in_order_whatever_order_they_come_in(order):
    with Spool() as spool:
        out = [content for number in order for content in spool.put(number, RankedShard([], number))]
        assert [content.facts for content in out] == list(range(12))
        assert not spool.waiting


def test_what_is_missing_is_known():
    with Spool() as spool:
        assert not list(spool.put(1, Shard([])))
        assert spool.waiting == 1
    assert not spool._folder.exists()


def fill(journal, query_ids, *, worker=""):
    """A completed and a failed call for each query."""
    oracle = Oracle(name="/dev/null")
    for query_id in query_ids:
        query, document = Query(query_id, "a question"), Document("d", "a text")
        key = journal.enter(query, [document], "pointwise", [])
        score = Score(query, document)
        done = Completed(score, score, oracle, Reply(0.5), ParseReport())
        journal.record(CallPlace(key, 0, 0), f"content of {query_id}", done)
        journal.hear(CallPlace(key, 0, 0), {"model": f"judge{worker}"}, {"query_id": query_id})
        failed = Completed(score, score, oracle, CallFailed("lost"), ParseReport())
        journal.record(CallPlace(key, 1, 0), "other", failed)


def holds(journal):
    calls = [(entry.query_id, entry.place, entry.outcome) for entry in entries(journal)]
    heard = list(
        journal.rows("SELECT key, step, item, judges.judge, record FROM answers JOIN judges ON id = answers.judge")
    )
    return sorted(map(repr, calls)), sorted(heard), len(list(failures(journal)))


@pytest.mark.slow
@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_merging_is_a_union_and_merging_again_changes_nothing(first, second):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        one, two, whole = (Journal(Path(name) / stem) for stem in ("one", "two", "whole"))
        fill(one, [f"q{i}" for i in sorted(first)])
        fill(two, [f"q{i}" for i in sorted(second - first)], worker="2")
        fill(whole, [f"q{i}" for i in sorted(first)])
        fill(whole, [f"q{i}" for i in sorted(second - first)], worker="2")
        for _ in range(2):
            for parcel in list(parcels(two)):
                absorb(one, pickle.loads(pickle.dumps(parcel)))  # noqa: S301
        assert holds(one) == holds(whole)
        for journal in (one, two, whole):
            journal.close()


def test_parcels_are_of_few_queries_and_of_those_asked_for(tmp_path):
    journal = Journal(tmp_path / "journal")
    fill(journal, [f"q{i}" for i in range(3 * TOGETHER)])
    assert max(len(parcel.queries) for parcel in parcels(journal)) == TOGETHER
    key = journal.enter(Query("q7", "a question"), [Document("d", "a text")], "pointwise", [])
    (found,) = parcels(journal, [key, "unknown"])
    assert [row[1] for row in found.queries] == ["q7"]
    assert len(found.calls) == len(found.answers) == 1


def test_what_a_worker_left_is_read_once_nobody_writes_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    journal, new = parts.own("$SCRATCH/kept", "worker")
    assert new
    fill(journal, ["q1"])
    journal.close()
    parts._held.pop().close()
    names = [name for name, parcel in parts.left("$SCRATCH/kept") if parcel is None]
    assert names == ["worker.journal"]
    again, new = parts.own("$SCRATCH/kept", "worker")
    again.close()
    assert not new
    monkeypatch.setattr(parts, "PATIENCE", 0.0)
    with pytest.raises(InputError, match="is in use: another run is writing it"):
        list(parts.left("$SCRATCH/kept"))
    parts._held.pop().close()
    parts.discard("$SCRATCH/kept", names)
    assert not (tmp_path / "kept").exists()


def test_a_lock_is_no_leftover(tmp_path):
    (tmp_path / "worker.journal.lock").touch()
    assert not list(parts.left(str(tmp_path)))
    with (tmp_path / "worker.journal.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot keep journals in .*file/x"):
        parts.local_folder(str(tmp_path / "file" / "x"))


CALL = Amount(calls=1)


def test_what_a_dead_worker_had_under_way_is_spent():
    coordinator = Coordinator(Limits(calls=3), None)
    assert coordinator.join("a") == Seat(0, again=False, starts=1)
    assert coordinator.join("b") == Seat(1, again=False, starts=1)
    coordinator.ready("a")
    assert coordinator.reserve("a", CALL) is Admission.SEND
    assert coordinator.reserve("a", CALL) is Admission.SEND
    coordinator.charge("a", CALL, CALL)
    assert coordinator.join("a") == Seat(0, again=True, starts=1)
    assert coordinator.deaths() == 1
    assert coordinator.reserve("b", CALL) is Admission.SEND
    assert coordinator.reserve("b", CALL) is Admission.WAIT
    coordinator.charge("b", CALL, CALL)
    assert coordinator.reserve("b", CALL) == "the budget of 3 calls is used up (3 calls spent)"


def test_what_the_journal_holds_is_spent(tmp_path):
    journal = Journal(tmp_path / "journal")
    fill(journal, ["q1", "q2"])
    coordinator = Coordinator(Limits(calls=3), journal.path)
    assert coordinator.reserve("a", CALL) is Admission.SEND
    assert coordinator.reserve("b", CALL) is not Admission.SEND


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=40))
def test_no_order_of_events_overshoots(events):
    coordinator, sent, under_way = Coordinator(Limits(calls=5), None), 0, dict.fromkeys("abc", 0)
    for worker, what in events:
        if what == 0 and coordinator.reserve(worker, CALL) is Admission.SEND:
            sent += 1
            under_way[worker] += 1
        elif what == 1 and under_way[worker]:
            coordinator.charge(worker, CALL, CALL)
            under_way[worker] -= 1
        elif what == 2:
            coordinator.join(worker)
            under_way[worker] = 0
    assert sent <= 5


def test_once_stopped_nothing_is_sent():
    coordinator = Coordinator(Limits(), None)
    assert coordinator.stopped() == ""
    coordinator.stop("enough")
    assert coordinator.reserve("a", CALL) == coordinator.stopped() == "enough"


def test_a_worker_that_moves_takes_its_journal_along(tmp_path, monkeypatch):
    import ray

    old, new = tmp_path / "old", tmp_path / "new"
    before, _ = parts.own(str(old), "worker")
    fill(before, ["q1", "q2"])
    monkeypatch.setattr(parts, "nodes", lambda: ["here", "there"])
    monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "here"))
    monkeypatch.setattr(parts, "_at", lambda node, function, folder, *rest: function(str(old), *rest))
    after, fresh = parts.own(str(new), "worker")
    assert fresh
    parts.inherit(after, str(new), "worker")  # though the lock of the old one, whose process is dead, says nothing
    assert holds(after) == holds(before)
    for journal in (before, after):
        journal.close()
        parts._held.pop().close()
