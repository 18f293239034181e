"""Teachers' lists: read, parted by query, refused where they leak, drawn."""

import dataclasses
import json
import math
from contextlib import closing

import pytest

from rerankllm import Reranker
from rerankllm.data import Document, Query, Usage
from rerankllm.drivers.results import Run
from rerankllm.errors import CapabilityError, InputError
from rerankllm.formats import recordings
from rerankllm.journal.export import export
from rerankllm.journal.store import Journal
from rerankllm.judgements import Compare, ParseReport, Score
from rerankllm.training.config import Config, HeldOut, Lists, Split
from rerankllm.training.lists import Example, Parts, draw, part, read, refuse_leaks, write
from rerankllm.training.teacher import TeacherList, mined, teach


def lists(count, **others):
    documents = tuple(Document(f"d{i}", f"text {i}") for i in range(5))
    return [
        TeacherList(Query(f"q{i}", others.get(f"q{i}", f"query {i}")), documents, None, ("d4", "d3", "d2", "d1", "d0"))
        for i in range(count)
    ]


def queries(count):
    return [each.query for each in lists(count)]


def ids(some):
    return {each.query.query_id for each in some}


def test_queries_are_parted_once_each_by_the_seed():
    some = lists(20)
    parts = part(some, Split(validation=0.2, test=0.3, seed=1))
    assert [len(each) for each in (parts.train, parts.validation, parts.test)] == [10, 4, 6]
    assert ids(parts.train) | ids(parts.validation) | ids(parts.test) == ids(some)
    assert part(some[::-1], Split(validation=0.2, test=0.3, seed=1)) == parts
    assert part(some, Split(validation=0.2, test=0.3, seed=2)) != parts


def test_queries_of_the_same_text_stay_together():
    some = lists(6, q1="Same  text", q4="same text")
    for seed in range(10):
        parts = part(some, Split(0.2, 0.3, seed))
        assert any({"q1", "q4"} <= ids(each) for each in (parts.train, parts.validation, parts.test))


def test_too_few_queries():
    with pytest.raises(InputError, match="2 queries are too few"):
        part(lists(2), Split())


def test_a_query_that_is_held_out_is_refused_by_text_or_by_id(tmp_path):
    (tmp_path / "queries.tsv").write_text("other7\tQUERY  3\nother8\tsomething else\n")
    (tmp_path / "qrels.txt").write_text("q2 0 d1 1\nq9 0 d1 1\n")
    for kind, name, found in (("queries", "queries.tsv", "q3"), ("qrels", "qrels.txt", "q2")):
        held_out = [HeldOut(kind, str(tmp_path / name))]
        with pytest.raises(InputError) as refused:
            refuse_leaks(queries(5), held_out, {})
        assert str(refused.value) == (
            f"1 queries of {tmp_path / name}, which is held out, are in the training data ({found}): "
            f"take them out of `data`, or {tmp_path / name} out of what is held out"
        )
        refuse_leaks(queries(2), held_out, {})
    with pytest.raises(InputError, match="1 queries of novel, which is held out"):
        refuse_leaks(queries(5), [], {"novel": {"Query 4"}})


def test_lists_are_drawn_in_the_teachers_order_with_its_labels():
    drawn = draw(lists(2), Lists(size=3, per_query=4, depth=4), seed=0)
    assert len(drawn) == 8
    for each in drawn:
        assert [document.doc_id for document in each.documents] == sorted(
            document.doc_id for document in each.documents
        )
        assert "d4" not in {document.doc_id for document in each.documents}
        assert each.labels == (1, 1 / 2, 1 / 3)
    assert len({each.documents for each in drawn}) > 1
    assert draw(lists(2), Lists(size=3, per_query=4, depth=4), seed=0) == drawn
    assert len(draw(lists(2), Lists(size=9, per_query=4), seed=0)) == 2


def test_a_list_that_is_drawn_keeps_what_was_compared_in_it():
    (each,) = lists(1)
    compared = dataclasses.replace(each, chances={("d0", "d3"): 0.9, ("d1", "d2"): 0.6, ("d2", "d3"): 0.5})
    for drawn in draw([compared], Lists(size=3, per_query=6), seed=0):
        named = [document.doc_id for document in drawn.documents]
        by_name = {(named[i], named[j]): chance for (i, j), chance in drawn.chances.items()}
        assert by_name == {pair: chance for pair, chance in compared.chances.items() if set(pair) <= set(named)}


def test_what_was_compared_is_a_matrix_beside_the_scores():
    torch = pytest.importorskip("torch")
    (each,) = lists(1)
    scores = torch.zeros(3, dtype=torch.float64)
    assert Example(each.query, each.documents[:3], (1.0, 0.5, 0.3)).chances_like(scores) is None
    matrix = Example(each.query, each.documents[:3], (1.0, 0.5, 0.3), {(0, 2): 0.75}).chances_like(scores)
    assert matrix.dtype == torch.float64
    assert matrix[[0, 2], [2, 0]].tolist() == [0.75, 0.25]
    assert matrix.isnan().sum() == 7


def test_what_is_written_is_read_again(tmp_path):
    scored = [dataclasses.replace(each, scores=(3.0, 2.5, 0.0, -1.0, -2.0)) for each in lists(3)]
    compared = [dataclasses.replace(each, chances={("d0", "d3"): 0.9}) for each in lists(2)]
    write(Parts(tuple(lists(4)), tuple(scored), tuple(compared)), tmp_path)
    assert read(tmp_path / "test.jsonl") == compared
    assert read(tmp_path / "train.jsonl") == lists(4)
    assert read(tmp_path / "validation.jsonl") == scored
    (tmp_path / "test.jsonl").write_text('{"query": 3}\n')
    with pytest.raises(InputError, match="is no file of lists that"):
        read(tmp_path / "test.jsonl")


def recording(path, source, answers):
    """A recording of these answers to questions about the first query."""
    query, candidates = source.queries[0]
    known = {each.doc_id: each.document for each in candidates}
    rows = [recordings.to_record(ask(query, *(known[doc_id] for doc_id in shown)), answer, ParseReport(), Usage())
            for ask, shown, answer in answers]  # fmt: skip
    strategies = ("prp(sort=allpair)",) if answers[0][0] is Compare else ("pointwise",)
    with path.open("w") as file:
        header = recordings.Header(strategies, strategies, {}, "0")
        recordings.write(file, header, [json.dumps(row) for row in rows])
    return query.query_id


def test_a_judge_that_compared_teaches_how_sure_it_was(planted, tmp_path):
    source = config(planted).data.read()
    ids = [each.doc_id for each in source.queries[0][1]]
    chance = {(a, b): 0.5 + 0.04 * (j - i) for i, a in enumerate(ids) for j, b in enumerate(ids) if i < j}
    both = [(Compare, pair, p) for pair, p in chance.items()]
    both += [(Compare, pair[::-1], 0.95 - p) for pair, p in chance.items()]  # it likes the second place
    asked = recording(tmp_path / "compared.jsonl", source, both)
    taught = teach(config(planted, teacher={"recording": str(tmp_path / "compared.jsonl")}).teacher, source, tmp_path)
    (own,) = (each for each in taught.lists if each.query.query_id == asked)
    assert own.doc_ids == tuple(ids)
    assert set(own.chances) == set(chance)
    for pair, p in chance.items():
        odds = math.sqrt(p / (1 - p) * (0.05 + p) / (0.95 - p))  # of both orders, the mean in log-odds
        assert own.chances[pair] == pytest.approx(odds / (1 + odds))


def test_expected_grades_are_labels_as_they_are(planted, tmp_path):
    source = config(planted).data.read()
    ids = [each.doc_id for each in source.queries[0][1]]
    grades = [2.75, 0.5, 1.25, 2.5, 0.125, 1.5, 0.25, 3.0]
    scored = [(Score, (doc_id,), grade) for doc_id, grade in zip(ids, grades, strict=True)]
    recording(tmp_path / "scored.jsonl", source, scored)
    taught = teach(config(planted, teacher={"recording": str(tmp_path / "scored.jsonl")}).teacher, source, tmp_path)
    (own,) = taught.lists
    assert dict(zip(own.doc_ids, own.scores, strict=True)) == dict(zip(ids, grades, strict=True))
    assert own.chances == {}
    (drawn,) = draw(taught.lists, Lists(size=8, per_query=1), seed=0)
    assert drawn.labels == tuple(sorted(grades, reverse=True))


def config(planted, **changes):
    return Config.read({**planted, "student": "embed:minilm", **changes})


def test_a_run_a_file_of_scores_and_qrels_teach(planted, tmp_path):
    source = config(planted).data.read()
    by_run = teach(config(planted).teacher, source, tmp_path)
    assert (len(by_run.lists), by_run.cost.usd, by_run.lists[0].scores) == (12, 0.6, None)
    rows = [{"query_id": each.query.query_id, "doc_id": doc_id, "rank": rank, "score": -float(rank)}
            for each in by_run.lists for rank, doc_id in enumerate(each.doc_ids)]  # fmt: skip
    (tmp_path / "scores.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    by_scores = teach(config(planted, teacher={"results": str(tmp_path / "scores.jsonl")}).teacher, source, tmp_path)
    by_grades = teach(config(planted, teacher={"qrels": True}).teacher, source, tmp_path)
    orders = [each.doc_ids for each in by_run.lists]
    assert [each.doc_ids for each in by_scores.lists] == [each.doc_ids for each in by_grades.lists] == orders
    assert by_scores.lists[0].scores == tuple(-float(rank) for rank in range(8))
    assert by_grades.lists[0].scores == tuple(map(float, range(7, -1, -1)))


def test_a_journal_and_its_recording_teach_what_was_ranked(planted, tmp_path):
    source = config(planted).data.read()
    model = f"simulated:{planted['data']['qrels']}"
    with closing(Journal(tmp_path / "judged.db")) as journal:
        with Reranker("prp", model, journal=journal) as reranker:
            run = Run.of(reranker.stream(source.queries))
        exported = export(journal, "0")
    with (tmp_path / "recording.jsonl").open("w") as file:
        recordings.write(file, exported.header, exported.records)
    for kind, name in (("journal", "judged.db"), ("recording", "recording.jsonl")):
        taught = teach(config(planted, teacher={kind: str(tmp_path / name)}).teacher, source, tmp_path)
        assert [each.doc_ids for each in taught.lists] == [ranking.doc_ids for ranking in run.rankings]
        assert taught.cost.calls == run.ledger.calls
        assert sum(len(each.chances) for each in taught.lists) * 2 == run.ledger.calls  # each pair in both orders
    with pytest.raises(
        CapabilityError, match="can compare two passages, and this strategy asks it to put passages in order"
    ):
        teach(config(planted, teacher={"recording": str(tmp_path / "recording.jsonl"), "strategy": "sliding"}).teacher,
              source, tmp_path)  # fmt: skip


@pytest.mark.parametrize(
    "checked, expected",
    [
        (None, ["b", "d", "e", "f"]),
        (["b", "c", "f", "a", "d", "e"], ["d", "e", "f"]),  # b may well be relevant: it is above c, which is
        (["c", "b", "d"], ["b", "d"]),  # e and f were not looked at
        (["b", "d", "e", "f"], []),  # where no relevant document was ranked, nothing can be said
    ],
)
def test_negatives_are_candidates_that_no_teacher_takes_for_relevant(checked, expected):
    assert mined(list("abcdef"), {"a": 0, "c": 2, "x": 1}, checked) == expected
    assert mined(list("abcdef"), {"a": 0}, checked) == []


def test_sparse_qrels_teach_with_hard_negatives_that_another_teacher_checks(planted, tmp_path):
    """One relevant document a query, as in MS MARCO, which is no list by itself."""
    sparse = {**planted["data"], "qrels": str(tmp_path / "sparse.txt")}
    whole = config(planted).data.read()
    orders = {each.query.query_id: each.doc_ids for each in teach(config(planted).teacher, whole, tmp_path).lists}
    (tmp_path / "sparse.txt").write_text("".join(f"{query} 0 {order[2]} 1\n" for query, order in orders.items()))

    def taught(**teacher):
        read = config(planted, data=sparse, teacher={"qrels": True, **teacher})
        return teach(read.teacher, read.data.read(), tmp_path)

    with pytest.raises(InputError, match="ranks two candidates or more of none of these queries"):
        taught()
    first = {query.query_id: [each.doc_id for each in own] for query, own in whole.queries}
    plain, checked = taught(negatives=3), taught(negatives=3, filter=planted["teacher"])
    for each in plain.lists:
        relevant = orders[each.query.query_id][2]
        others = [doc_id for doc_id in first[each.query.query_id] if doc_id != relevant]
        assert (each.doc_ids, each.scores) == ((relevant, *others[:3]), (1, 0, 0, 0))
    for each in checked.lists:
        *false, relevant = orders[each.query.query_id][:3]
        others = [doc_id for doc_id in first[each.query.query_id] if doc_id not in {relevant, *false}]
        assert each.doc_ids == (relevant, *others[:3])
    assert len(plain.lists) == len(checked.lists) == 12
    assert any(set(one.doc_ids) != set(other.doc_ids) for one, other in zip(plain.lists, checked.lists, strict=True))
    assert (checked.name, checked.cost.usd) == ("qrels, negatives checked by teacher.txt", 0.6)
    assert plain.name == "qrels"


def test_a_list_of_equal_scores_gets_the_best_document():
    (each,) = lists(1)
    sparse = dataclasses.replace(each, scores=(1.0, 0.0, 0.0, 0.0, 0.0))
    drawn = draw([sparse], Lists(size=2, per_query=20), seed=0)
    assert {each.labels for each in drawn} == {(1.0, 0.0)}
    assert {each.documents[1].doc_id for each in drawn} == {"d1", "d2", "d3", "d4"}
    equal = dataclasses.replace(each, scores=(1.0,) * 5)
    assert {each.labels for each in draw([equal], Lists(size=2, per_query=20), seed=0)} == {(1.0, 1.0)}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"los": "ranknet"}, "los: there is no such key"),
        ({"loss": "listnett"}, "loss: 'listnett' is none of ranknet, "),
        ({"student": "vllm:x"}, "student: should be embed:NAME, cross-encoder:NAME or hf:NAME"),
        ({"strategy": "pointwise / labels"}, "strategy: is for students that are shown prompts (hf:NAME)"),
        ({"loss": {"ranknet": 1, "listnett": 1}}, "loss: 'listnett' is none of ranknet, "),
        ({"loss": {"ranknet": 0}}, "loss: should be a name, or names with weights above 0"),
        ({"lora": {"rank": 0}}, "lora.rank: should be at least 1, found 0"),
        ({"smoothing": 1}, "smoothing: should be from 0 to below 1"),
        ({"teacher": {}}, "teacher: give one of recording, journal, results and run"),
        ({"teacher": {"run": "a", "strategy": "heap"}}, "teacher.strategy: is for a recording, a journal or a model"),
        ({"teacher": {"run": "a", "max_calls": 3}}, "max_cost, max_seconds are for a model to ask, not for run"),
        ({"teacher": {"run": "a", "negatives": 3}}, "teacher: negatives and filter are for qrels, not for run"),
        ({"teacher": {"qrels": True, "negatives": 0}}, "teacher.negatives: should be at least 1, found 0"),
        ({"teacher": {"qrels": True, "filter": {"run": "a"}}}, "teacher.filter: is of negatives: say how many"),
        ({"teacher": {"qrels": True, "negatives": 3, "filter": {}}}, "teacher: give one of recording, journal"),
        ({"split": {"test": 0.9, "validation": 0.2}}, "split: validation and test should be above 0"),
        ({"training": {"epochs": 0}}, "training.epochs: should be at least 1, found 0"),
        ({"lists": {"size": 1}}, "lists.size: should be at least 2"),
        ({"held_out": [{"qrels": "a", "dataset": "b"}]}, "give one of dataset, queries and qrels"),
    ],
)
def test_what_cannot_be_meant_is_one_line(planted, changes, message):
    with pytest.raises(InputError) as refused:
        config(planted, **changes)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_model_teaches_within_a_budget_and_is_not_asked_again(planted, tmp_path, caplog):
    model, calls = f"simulated:{planted['data']['qrels']}", 8 * 12
    source = config(planted).data.read()
    half = {"model": model, "strategy": "pointwise", "max_calls": calls // 2}
    taught = teach(config(planted, teacher=half).teacher, source, tmp_path)
    assert len(taught.lists) == 6
    assert taught.cost.calls == calls // 2
    assert (taught.cost.usd, taught.sha256) == (0, None)
    assert taught.cost.seconds > 0
    told = caplog.text
    assert "the teacher ranked 6 queries not at all, such as q6: " in told
    assert "says nothing of 6 of 12 queries: they are left out" in told
    unlimited = config(planted, teacher={"model": model, "strategy": "pointwise"}).teacher
    begun = teach(unlimited, source, tmp_path, {each.query.query_id for each in taught.lists})
    assert (begun.lists, begun.cost.calls) == (taught.lists, calls // 2)  # a training that began goes on with these
    whole = teach(unlimited, source, tmp_path)
    assert whole.lists[:6] == taught.lists
    assert whole.cost.calls == calls  # 48 of them were in the journal
    with Reranker("pointwise", model) as reranker:
        expected = Run.of(reranker.stream(source.queries))
    assert [each.doc_ids for each in whole.lists] == [ranking.doc_ids for ranking in expected.rankings]


def test_a_model_that_cannot_pay_for_one_query_teaches_nothing(planted, tmp_path):
    spec = config(planted, teacher={"model": f"simulated:{planted['data']['qrels']}", "strategy": "pointwise",
                                    "max_calls": 3}).teacher  # fmt: skip
    with pytest.raises(InputError, match="^teacher: .*budget"):
        teach(spec, config(planted).data.read(), tmp_path)
