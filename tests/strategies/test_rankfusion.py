"""RankFusion: one pool of judgements, and what is made of it."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm import Reranker
from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.bradley_terry import BradleyTerry
from rerankllm.aggregation.votes import Vote
from rerankllm.calibration.order import logodds
from rerankllm.data import float32
from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import (
    Ask,
    Compare,
    Failure,
    Permute,
    Score,
    Select,
    Unanswered,
    WeakOrder,
    in_parallel,
    within,
)
from rerankllm.spec.stage import Stage, parts
from rerankllm.strategies.questions.answer_pool import Pool, asked_once

MOST = 130
FORMS = st.sampled_from(["none", "logodds", "average", "softmax", "agree"])
RANKERS = st.one_of(
    st.builds(
        "prp(sort={}, top_k={})".format, st.sampled_from(["heap", "bubble", "quickselect"]), st.integers(1, MOST)
    ),
    st.builds("prp(sort=graph, rounds={})".format, st.integers(1, 9)),
    st.builds("prp(top_k={}) / labels @ oracle:other".format, st.integers(1, 20)),
    st.builds("swiss(rounds={}, orders={})".format, st.integers(1, 9), st.integers(1, 2)),
    st.just("elimination"),
    st.builds("setwise(c={}, top_k={})".format, st.integers(3, 20), st.integers(1, 20)),
    st.builds("sliding(window={}, stride=5, passes={})".format, st.integers(6, 20), st.integers(1, 3)),
    st.builds("psc(tdpart, shuffles={})".format, st.integers(1, 3)),
    st.builds("cascade([pointwise, prp(sort=bubble) @ oracle:third], depths=[50, {}])".format, st.integers(1, 50)),
)
SPECS = st.builds(
    "rankfusion([{}], calibrate={}, aggregate={})".format,
    st.lists(RANKERS, min_size=1, max_size=3).map(", ".join),
    FORMS,
    st.sampled_from(["borda", "rrf"]),
)


def judge(seed, *, unusable=0.0):
    """Answers of any kind that depend on the judgement alone."""

    def answer(judgement):
        rng = random.Random(f"{seed}{type(judgement).__name__}{[doc.doc_id for doc in judgement.docs]}")
        if isinstance(judgement, Compare) and rng.random() < unusable:
            return Unanswered("?", Failure.ANSWER)
        ids = [doc.doc_id for doc in judgement.docs]
        shuffled = rng.sample(ids, len(ids))
        match judgement:
            case Compare():
                return rng.choice([0.0, 0.5, 1.0, rng.random()])
            case Permute():
                return WeakOrder(tuple((doc_id,) for doc_id in shuffled))
            case Select():
                return tuple(shuffled[: judgement.m])
            case Score():
                return rng.random()

    return answer


def asked(played):
    return Counter(judgement for batch in played.rounds for judgement in batch)


@pytest.mark.slow
@given(spec=SPECS, n=st.integers(0, MOST), seed=st.integers(0, 99))
@settings(max_examples=120)
def test_every_document_once_plan_kept_and_nothing_asked_twice(spec, n, seed, make_candidates, play, query):
    strategy = Stage.parse(spec).strategy
    candidates = make_candidates(n)
    try:
        played = play(strategy.rank(query, candidates), judge(seed, unusable=0.01))
    except QueryFailed as failed:
        assert "no usable answer" in failed.reason  # noqa: PT017
        return
    assert sorted(played.ranking.doc_ids) == sorted(c.doc_id for c in candidates)
    plan = strategy.plan(n)
    assert played.calls in plan.calls
    assert len(played.rounds) in plan.rounds
    assert played.slots in plan.slots
    shares = [share for _, share in parts(strategy, n, strategy.plan(n))]
    for what in ("calls", "slots"):
        bounds = [getattr(share, what) for share in shares]
        assert getattr(plan, what) == (sum(b.low for b in bounds), sum(b.high for b in bounds))
    again = play(Stage.parse(str(Stage.parse(spec))).strategy.rank(query, candidates), judge(seed, unusable=0.01))
    assert again.ranking == played.ranking
    if "@" not in spec:
        assert max(asked(played).values(), default=1) == 1


@pytest.mark.slow
@given(spec=SPECS, n=st.integers(0, 60), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_sharing_changes_no_ranking(spec, n, seed, make_candidates, play, query):
    """Where answers depend on the judgement alone, each ranker orders as it would by itself."""
    strategy = Stage.parse(spec).strategy
    candidates = make_candidates(n)
    alone = [play(stage.strategy.rank(query, candidates), judge(seed)) for stage in strategy.rankers]
    together = play(strategy.rank(query, candidates), judge(seed))
    ids = [c.doc_id for c in candidates]
    scores = list(map(float32, strategy.aggregate.scores(ids, [Vote.of(played.ranking.doc_ids) for played in alone])))
    assert together.ranking.doc_ids == tuple(sorted(ids, key=lambda i: -scores[ids.index(i)]))
    if "@" not in spec:
        everything = sum((asked(played) for played in alone), Counter())
        assert set(asked(together)) == set(everything)
        saved = together.ranking.ledger.notes.get("judgements shared", 0)
        assert saved == sum(everything.values()) - len(everything)


@pytest.mark.slow
@given(n=st.integers(0, MOST), levels=st.sampled_from([2, 4, 1000]), seed=st.integers(0, 9))
@settings(max_examples=30)
def test_ideal_where_promised(n, levels, seed, make_candidates, play, query):
    rng = random.Random(seed)
    grade = {f"d{i}": rng.randrange(levels) for i in range(n)}

    def right(judgement):
        first, second = (grade[doc.doc_id] for doc in judgement.docs)
        return 0.5 if first == second else float(first > second)

    strategy = Stage.parse(f"rankfusion([prp(top_k={MOST}), prp(sort=quickselect, top_k={MOST})])").strategy
    assert strategy.settles(n) == n
    ranked = play(strategy.rank(query, make_candidates(n)), right).ranking
    assert [grade[doc_id] for doc_id in ranked.doc_ids] == sorted(grade.values(), reverse=True)
    assert Stage.parse("rankfusion([prp(top_k=10)])").strategy.settles(30) is None


def test_no_plan_has_more_comparisons_than_there_are():
    spec = "rankfusion([prp(sort=heap, top_k=20), prp(sort=bubble, top_k=20), prp(sort=allpair) @ oracle:other])"
    plan = Stage.parse(spec).strategy.plan(20)
    assert plan.calls == (19, 2 * 20 * 19)
    assert plan.slots == (2 * 19, 4 * 20 * 19)


def test_heap_and_bubble_share_a_pool(make_candidates, play, query):
    spec = "rankfusion([prp(sort=heap, top_k=20), prp(sort=bubble, top_k=20)])"
    both = play(Stage.parse(spec).strategy.rank(query, make_candidates(20)), judge(1))
    heap, bubble = (
        play(Stage.parse(f"prp(sort={sort}, top_k=20)").strategy.rank(query, make_candidates(20)), judge(1))
        for sort in ("heap", "bubble")
    )
    assert both.calls <= 20 * 19 < heap.calls + bubble.calls
    assert len(both.rounds) <= max(len(heap.rounds), len(bubble.rounds))


def test_comparisons_themselves_as_votes(make_candidates, play, query):
    spec = "rankfusion([prp(sort=allpair)], aggregate=bradley_terry, votes=comparisons)"
    answer = judge(3)
    ranked = play(Stage.parse(spec).strategy.rank(query, make_candidates(7)), answer).ranking
    ids = [f"d{i}" for i in range(7)]
    docs = {c.doc_id: c.document for c in make_candidates(7)}
    votes = []
    for a, b in ((a, b) for a in ids for b in ids if a < b):
        win = logodds(answer(Compare(query, docs[a], docs[b])), answer(Compare(query, docs[b], docs[a])))
        votes += [Vote.of((a, b), win), Vote.of((b, a), 1 - win)]
    scores = dict(zip(ids, BradleyTerry().scores(ids, votes), strict=True))
    assert list(ranked.doc_ids) == sorted(ids, key=lambda i: -scores[i])
    assert [r.score for r in ranked] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-5)


def test_one_order_alone_is_a_vote_and_an_unusable_one_is_none(make_candidates, play, query):
    spec = "rankfusion([elimination(seeding=first_stage)], aggregate=borda, votes=comparisons)"

    def answer(judgement):
        last = judgement.first.doc_id == "d3" or judgement.second.doc_id == "d3"
        return Unanswered("?", Failure.ANSWER) if last else 0.9

    played = play(Stage.parse(spec).strategy.rank(query, make_candidates(8)), answer)
    scores = dict.fromkeys((f"d{i}" for i in range(8)), 0.0)
    for first, second in ((j.first.doc_id, j.second.doc_id) for j in asked(played)):
        if "d3" not in (first, second):
            scores[first] += 0.9
            scores[second] += 0.1
    assert scores["d3"] == 0.0 < max(scores.values())
    assert {r.doc_id: r.score for r in played.ranking} == pytest.approx(scores)


def test_calibration_reaches_every_ranker_and_is_printed():
    spec = "rankfusion([prp, cascade([pointwise, prp(calibrate=average)], depths=[9, 3]), sliding], calibrate=agree)"
    printed = str(Stage.parse(spec))
    assert printed.count("calibrate=agree") == 3
    assert "average" not in printed
    assert str(Stage.parse(printed)) == printed
    assert "calibrate=average" in str(Stage.parse("rankfusion([prp(calibrate=average)])"))


def test_top_k_and_elicitation_reach_every_ranker(tmp_path):
    stage = Stage.parse("rankfusion([prp(sort=heap), prp(sort=bubble), sliding])").aiming(3)
    assert str(stage).count("top_k=3") == 2
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("query 0 1 3\nquery 0 2 1\n")
    with Reranker("rankfusion([prp, sliding])", f"oracle:{qrels}") as reranker:
        ranking = reranker.rerank("a", ["x", "y", "z"])
        assert ranking.doc_ids == ("1", "2", "0")
        assert ranking.ledger.calls in reranker.plan(3).calls


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("rankfusion([])", "needs at least one ranker"),
        ("rankfusion([sliding], votes=comparisons)", "needs a ranker that compares two documents"),
        ("rankfusion([prp], calibrate=platt)", "should be one of logodds, average, softmax, agree"),
    ],
)
def test_what_cannot_be(spec, message):
    with pytest.raises(SpecError, match=message):
        Stage.parse(spec)


def test_a_judgement_put_to_another_model_is_another(make_candidates, play, query):
    spec = "rankfusion([prp(sort=allpair) @ oracle:a, prp(sort=allpair) @ oracle:b])"
    played = play(Stage.parse(spec).strategy.rank(query, make_candidates(5)), judge(0))
    assert played.calls == 2 * 20
    assert len(played.rounds) == 2


def test_asked_once_keeps_order_and_answers_repeats(query, make_candidates):
    a, b = (Score(query, c.document) for c in make_candidates(2))

    def steps():
        first = yield Ask((a, b, a))
        second = yield Ask((b,))
        third = yield Ask((a,), model="other")
        return first, second, third

    pool = Pool()
    track = asked_once(steps(), pool)
    assert next(track) == Ask((a, b))
    assert track.send([1, 2]) == Ask((a,), model="other")
    with pytest.raises(StopIteration) as stop:
        track.send([3])
    assert stop.value.value == ([1, 2, 1], [2], [3])
    assert pool.saved == 2


def test_tracks_of_several_models_run_side_by_side(query, make_candidates):
    (score,) = (Score(query, c.document) for c in make_candidates(1))

    def steps(times):
        found = []
        for _ in range(times):
            found += yield Ask((score,))
        return found

    tracks = [within(Stage(None, model=model), steps(times)) for model, times in (("a", 2), ("b", 1), ("a", 1))]
    both = in_parallel(*tracks)
    sent = [next(both), both.send([1, 2]), both.send([3])]
    with pytest.raises(StopIteration) as stop:
        both.send([4])
    assert [(ask.model, len(ask.judgements)) for ask in sent] == [("a", 2), ("b", 1), ("a", 1)]
    assert stop.value.value == [[1, 4], [3], [2]]


def test_borda_is_the_default():
    assert Stage.parse("rankfusion([prp])").strategy.aggregate == Borda()
