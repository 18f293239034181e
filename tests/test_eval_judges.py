"""What eval/judges says of a judge, held to judges of which it is known."""

import sys
from pathlib import Path

import pytest

from rerankllm import Reranker
from rerankllm.backends.simulated import WORLDS, Simulated
from rerankllm.data import Candidate, Document, Query
from rerankllm.drivers.results import Run
from rerankllm.formats.trec import read_qrels
from rerankllm.judgements import Compare, Permute, Score, Select, WeakOrder

EVAL = Path(__file__).parents[1] / "eval" / "judges"
DATA = Path(__file__).parents[2] / "shared" / "data" / "noveleval"
REPLAYED = {
    "yes-no": "pointwise",
    "grades": "pointwise",
    "likelihood": "pointwise",
    "choices": "setwise(c=4)",
    "letters": "sliding(window=10, stride=5)",
    "pairs": "prp(sort=heap, top_k=10)",
}


@pytest.fixture(scope="module")
def modules():
    sys.path.insert(0, str(EVAL))
    try:
        import likeness
        import record
        import recorded
    finally:
        sys.path.remove(str(EVAL))
    return likeness, record, recorded


@pytest.fixture(scope="module")
def likeness(modules):
    return modules[0]


def docs(*ids):
    return tuple(Document(doc_id, doc_id) for doc_id in ids)


def test_an_answer_is_counted_as_what_it_is(likeness):
    query, (a, b, c) = Query("q", "q"), docs("a", "b", "c")
    grades = {"a": 2, "b": 1}
    answered = [
        (Score(query, a), 0.9), (Score(query, b), 0.9), (Score(query, c), 0.1),
        (Compare(query, a, b), 0.9), (Compare(query, b, a), 0.8),
        (Compare(query, b, c), 0.6), (Compare(query, c, b), 0.1),
        (Select(query, (c, a)), ("c",)),
        (Permute(query, (a, b, c)), WeakOrder((("a",), ("b",), ("c",)))),
        (Permute(query, (c, b, a)), WeakOrder((("c",), ("b",)), ("a",))),
    ]  # fmt: skip
    found = likeness.numbers([likeness.tally(answered, grades)])
    assert found == pytest.approx({
        "scores of unlike grades, one apart: right": 0.75,  # a and b are tied, b is above c
        "scores of unlike grades, more apart: right": 1,
        "pairs, the better one first: the first wins": 1,
        "pairs, the better one second: the first wins": 0.5,
        "pairs: both orders agree": 0.5,
        "pairs, both orders together: right": 1,
        "choices: one of the best grade": 0,
        "choices: the first shown": 1,
        "choices: the last shown": 0,
        "lists of 3: given back as shown": 1,
        "lists of 3, unlike grades, one apart: right": 0.5,
        "lists of 3, unlike grades, more apart: right": 0.5,
        "lists of 3: two answers agree": 0,
    })  # fmt: skip


@pytest.fixture(scope="module")
def qrels(tmp_path_factory):
    path = tmp_path_factory.mktemp("judged") / "qrels.txt"
    path.write_text("".join(f"q{q} 0 d{q}-{d} {(q + d) % 4}\n" for q in range(24) for d in range(10)))
    return path


@pytest.mark.parametrize("world", WORLDS)
def test_a_simulated_judge_is_nearest_to_its_own_world(likeness, qrels, world):
    judge, answered = Simulated(name=str(qrels), world=world, seed=77), {}
    for q in range(24):
        query, shown = Query(f"q{q}", "q"), docs(*(f"d{q}-{d}" for d in range(10)))
        asked = [Permute(query, shown), Permute(query, shown[::-1]), *(Score(query, doc) for doc in shown)]
        asked += [Compare(query, a, b) for a in shown[:5] for b in shown[:5] if a is not b]
        answered[f"q{q}"] = [(judgement, judge.answer(judgement).answer) for judgement in asked]
    found = likeness.Likeness(qrels, read_qrels(qrels), answered)
    name, distance = found.nearest()
    assert name == world
    assert distance < 1.5
    assert all(found.distance(WORLDS[other]) > 2 * distance for other in WORLDS if other != world)
    one, other = found.halves()
    assert sorted([*one.answered, *other.answered]) == sorted(answered)


def asked_of(judge, qrels, likeness, ask, queries=24):
    answered = {}
    for q in range(queries):
        query, shown = Query(f"q{q}", "q"), docs(*(f"d{q}-{d}" for d in range(10)))
        answered[f"q{q}"] = [(judgement, judge.answer(judgement).answer) for judgement in ask(query, shown)]
    return likeness.Likeness(qrels, read_qrels(qrels), answered)


def one_by_one(query, shown):
    return [Score(query, doc) for doc in shown]


def two_by_two(query, shown):
    return [Compare(query, a, b) for a in shown[:5] for b in shown[:5] if a is not b]


def both_ways(query, shown):
    return [Permute(query, shown), Permute(query, shown[::-1])]


def test_of_scores_the_belief_error_is_found(likeness, qrels):
    judge = Simulated(name=str(qrels), seed=77, belief=2.0, noise=0.0, position=0.0)
    world = likeness.fitted([asked_of(judge, qrels, likeness, one_by_one)])
    error = (world.belief**2 + world.alone**2) ** 0.5
    assert (1.4 <= error <= 3, world.noise, world.position, world.pair) == (True, 0, 0, None)


def test_one_world_is_fitted_to_all_that_a_judge_was_asked(likeness, qrels):
    judge = Simulated(name=str(qrels), seed=77, belief=0.4, noise=0.4, position=2.0, alone=4.0, pair=-3.0)
    sets = [asked_of(judge, qrels, likeness, ask, 8) for ask in (one_by_one, two_by_two, both_ways)]
    assert [one.size for one in sets] == [1, 2, 10]
    world = likeness.fitted(sets)
    assert 1.0 <= world.position <= 4.0
    assert world.pair == -3.0
    assert 2.0 <= world.alone <= 8.0
    assert all(one.distance(world) < 2 for one in sets)
    plain = world._replace(alone=0.0, pair=None)
    assert all(one.distance(plain) > 2 * one.distance(world) for one in sets[:2])


def test_lists_ask_what_they_plan(modules):
    _, record, _ = modules
    candidates = [Candidate(document, 1 / i) for i, document in enumerate(docs(*map(str, range(20))), 1)]
    for strategy, calls, slots in (
        (record.Lists(), 2, 40),
        (record.Lists(windows=(10, 20)), 6, 80),
        (record.Lists(windows=(5, 10, 20), orders=4), 28, 240),
        (record.Lists(choose=True), 10, 40),
    ):
        plan = strategy.plan(20)
        asked = next(strategy.rank(Query("q", "q"), candidates)).judgements
        assert (len(asked), sum(len(one.docs) for one in asked)) == (calls, slots)
        assert (plan.calls.low, plan.slots.low) == (calls, slots)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_every_recording_replays_without_a_call_and_names_no_folder(modules):
    _, record, recorded = modules
    queries, judged = record.queries_of(DATA, 1), 0
    for folder in sorted(EVAL.glob("recordings/*/")):
        judge = recorded.Recorded(folder, "noveleval")
        for name, stage in REPLAYED.items():
            asked = {r["query_id"] for r in judge.records(name)}
            if not asked:
                continue
            depth = judge.cost(name)["depth"]
            with Reranker(stage, f"recorded:{judge.path(name)}", depth=depth) as reranker:
                done = Run.of(reranker.stream([each for each in queries if each[0].query_id in asked]))
            assert {ranking.query.query_id for ranking in done.rankings} == asked
            assert all(ranking.ledger.parsed == ranking.ledger.calls > 0 for ranking in done.rankings)
            assert "/" not in judge.cost(name)["model"]
            judged += len(done.rankings)
    assert judged >= 63
