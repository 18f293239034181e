"""What must hold for every strategy: a permutation out, the plan kept, the oracle's order where promised."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.backends.oracle import Oracle
from rerankllm.calls import Reply
from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import QueryFailed
from rerankllm.judgements import Compare, Failure, Permute, Unanswered, WeakOrder
from rerankllm.spec.stage import Stage

SPECS = st.one_of(
    st.just("pointwise"),
    st.integers(2, 25).flatmap(
        lambda window: st.builds(
            f"sliding(window={window}, stride={{}}, passes={{}}, last={{}})".format,
            st.integers(1, window),
            st.integers(1, 4),
            st.sampled_from(["moved", "shortened"]),
        )
    ),
    st.builds("prp(sort={}, top_k={})".format, st.sampled_from(["heap", "bubble"]), st.integers(1, 70)),
    st.just("prp(sort=allpair)"),
    st.builds("interpolate(stage=sliding(window={}, stride=2), weight={})".format, st.integers(2, 9), st.just(0.7)),
)


@pytest.fixture(scope="module")
def grades():
    """Grades of d0…d59, with many ties, shuffled against the input order."""
    return {f"d{i}": random.Random(i).choice([0, 0, 0, 1, 1, 2, 3]) for i in range(61)}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory, grades):
    path = tmp_path_factory.mktemp("oracle") / "qrels.txt"
    path.write_text("".join(f"q 0 {doc_id} {grade}\n" for doc_id, grade in grades.items()))
    return Oracle(name=str(path))


def answer_with(oracle):
    def answer(judgement):
        reply = oracle.answer(judgement)
        assert isinstance(reply, Reply)
        return reply.answer

    return answer


@pytest.mark.slow
@given(spec=SPECS, n=st.integers(0, 60))
@settings(max_examples=400)
def test_every_document_once_plan_kept_and_ideal_where_promised(spec, n, oracle, grades, make_candidates, play, query):
    strategy = Stage.parse(spec).strategy
    candidates = make_candidates(n)
    played = play(strategy.rank(query, candidates), answer_with(oracle))

    assert sorted(played.ranking.doc_ids) == sorted(c.doc_id for c in candidates)
    plan = strategy.plan(n)
    assert played.calls in plan.calls
    assert len(played.rounds) in plan.rounds
    assert played.slots in plan.slots
    settled = strategy.settles(n) or 0
    ideal = sorted((grades[c.doc_id] for c in candidates), reverse=True)
    assert [grades[doc_id] for doc_id in played.ranking.doc_ids[:settled]] == ideal[:settled]


@pytest.mark.slow
@given(spec=SPECS, n=st.integers(0, 60), seed=st.integers(0, 1000))
@settings(max_examples=200)
def test_any_answers_at_all_still_give_every_document_once(spec, n, seed, make_candidates, play, query):
    rng = random.Random(seed)

    def answer(judgement):
        if isinstance(judgement, Compare):
            return rng.choice([0.0, 0.5, 1.0, rng.random()])
        if isinstance(judgement, Permute):
            ids = [doc.doc_id for doc in judgement.docs]
            rng.shuffle(ids)
            cut = rng.randint(1, len(ids))
            return WeakOrder((tuple(ids[:cut]),), tuple(d.doc_id for d in judgement.docs if d.doc_id in set(ids[cut:])))
        return rng.choice([0.0, 1.0, rng.gauss(0, 1)])

    strategy = Stage.parse(spec).strategy
    played = play(strategy.rank(query, make_candidates(n)), answer)
    assert sorted(played.ranking.doc_ids) == sorted(c.doc_id for c in make_candidates(n))
    assert played.calls in strategy.plan(n).calls
    assert len(played.rounds) in strategy.plan(n).rounds


@pytest.mark.parametrize(
    ("spec", "calls", "rounds", "slots"),
    [
        ("pointwise", 100, 1, 100),
        ("sliding", 9, 9, 180),
        ("sliding(passes=3)", 27, 13, 540),
        ("sliding(window=4, stride=2, passes=5)", 245, None, 980),
        ("prp(sort=allpair)", 9900, 1, 19800),
        ("prp(sort=bubble, top_k=10)", 1890, 108, 3780),
    ],
)
def test_published_costs_for_100_documents(spec, calls, rounds, slots):
    plan = Stage.parse(spec).strategy.plan(100)
    assert plan.calls.high == calls
    assert rounds is None or plan.rounds.high == rounds
    assert plan.slots.high == slots
    if "passes" in spec or "bubble" in spec:  # what was asked before is not sent again
        assert plan.calls.low < calls
    else:
        assert (plan.calls.low, plan.slots.low) == (calls, slots)


@pytest.mark.parametrize(("last", "final"), [("moved", 20), ("shortened", 15)])
def test_the_last_window_of_an_unaligned_list_is_moved_or_shortened(last, final, make_candidates, play, query):
    """rank_llm's 95 documents: windows end at 95, 85, … 25, and what is left for the last is the first 15."""
    strategy = Stage.parse(f"sliding(last={last})").strategy
    played = play(strategy.rank(query, make_candidates(95)), lambda j: WeakOrder(tuple((d.doc_id,) for d in j.docs)))
    assert [len(j.docs) for batch in played.rounds for j in batch] == [20] * 8 + [final]
    assert str(Stage.parse("sliding")) == "sliding(window=20, stride=10, passes=1)"


def test_heapsort_takes_about_490_prompts_and_132_rounds(make_candidates, play, query):
    """Noisy first stage, n = 100, k = 10: 488 prompts, 132 rounds in the published simulation."""
    strategy = Stage.parse("prp(sort=heap, top_k=10)").strategy
    calls, rounds = [], []
    for seed in range(20):
        rng = random.Random(seed)
        utility = {f"d{i}": -i / 25 + rng.gauss(0, 1) for i in range(100)}
        played = play(
            strategy.rank(query, make_candidates(100)),
            lambda j, u=utility: float(u[j.first.doc_id] > u[j.second.doc_id]),
        )
        calls.append(played.calls)
        rounds.append(len(played.rounds))
    assert 460 <= sum(calls) / len(calls) <= 545
    assert 120 <= sum(rounds) / len(rounds) <= 142


@pytest.mark.parametrize("window,stride,passes", [(20, 10, 3), (5, 2, 4), (4, 1, 2), (7, 7, 2)])
@pytest.mark.parametrize("n", [1, 6, 23, 41])
def test_pipelined_passes_give_the_order_of_sequential_ones(
    window, stride, passes, n, oracle, make_candidates, play, query
):
    answer = answer_with(oracle)
    together = play(
        Stage.parse(f"sliding(window={window}, stride={stride}, passes={passes})").strategy.rank(
            query, make_candidates(n)
        ),
        answer,
    )
    candidates = make_candidates(n)
    for _ in range(passes):
        one = play(Stage.parse(f"sliding(window={window}, stride={stride})").strategy.rank(query, candidates), answer)
        candidates = [Candidate(result.document) for result in one.ranking]
    assert together.ranking.doc_ids == tuple(c.doc_id for c in candidates)


def test_bubble_is_the_sequential_bubble_sort(make_candidates, play, query):
    rng = random.Random(3)
    said = {}

    def answer(judgement):  # an inconsistent judge, but one that repeats itself
        key = (judgement.first.doc_id, judgement.second.doc_id)
        return said.setdefault(key, rng.choice([0.0, 0.5, 1.0]))

    played = play(
        Stage.parse("prp(sort=bubble, top_k=4, calibrate=agree)").strategy.rank(query, make_candidates(12)), answer
    )
    docs = [c.document for c in make_candidates(12)]
    for settled in range(4):
        for i in range(10, settled - 1, -1):
            a, b = docs[i], docs[i + 1]
            if answer(Compare(query, a, b)) < 0.5 < answer(Compare(query, b, a)):
                docs[i], docs[i + 1] = b, a
    assert played.ranking.doc_ids == tuple(doc.doc_id for doc in docs)


def test_every_comparison_is_asked_in_both_orders(make_candidates, play, query):
    for sort in ("allpair", "heap", "bubble"):
        played = play(Stage.parse(f"prp(sort={sort})").strategy.rank(query, make_candidates(9)), lambda _: 1.0)
        for batch in played.rounds:
            for there, back in zip(batch[::2], batch[1::2], strict=True):
                assert (there.first, there.second) == (back.second, back.first)


def test_a_judge_that_always_prefers_the_first_leaves_the_order_alone(make_candidates, play, query):
    """Every pair contradicts itself, so every pair is a tie, and ties keep the first stage's order."""
    for sort in ("allpair", "bubble", "heap"):
        played = play(Stage.parse(f"prp(sort={sort})").strategy.rank(query, make_candidates(15)), lambda _: 1.0)
        assert played.ranking.doc_ids == tuple(f"d{i}" for i in range(15))


@pytest.mark.parametrize("sort", ["allpair", "heap", "bubble"])
def test_half_the_comparisons_unanswered_is_no_ranking(make_candidates, play, query, sort):
    """One order of every pair is unusable: every pair is a tie, and the input order must not pose as a ranking."""
    nothing = Unanswered("no label", Failure.ANSWER)
    strategy = Stage.parse(f"prp(sort={sort})").strategy
    with pytest.raises(QueryFailed, match="comparisons have no usable answer"):
        play(
            strategy.rank(query, make_candidates(6)),
            lambda j: 1.0 if j.first.doc_id < j.second.doc_id else nothing,
        )


def test_ties_are_noted(make_candidates, play, query):
    played = play(Stage.parse("prp(sort=allpair)").strategy.rank(query, make_candidates(4)), lambda _: 1.0)
    assert played.ranking.ledger.notes == {"tied comparisons": 6}
    answer = WeakOrder((("d3",), ("d0", "d1")), ("d2",))
    played = play(Stage.parse("sliding").strategy.rank(query, make_candidates(4)), lambda _: answer)
    assert played.ranking.ledger.notes == {"omitted documents": 1, "tied documents": 2}


def test_omitted_and_tied_documents_keep_the_order_of_their_window(play, query):
    docs = [Candidate(Document(name, name)) for name in "abcd"]
    played = play(Stage.parse("sliding").strategy.rank(query, docs), lambda _: WeakOrder((("d",), ("b", "c")), ("a",)))
    assert played.ranking.doc_ids == ("d", "b", "c", "a")


def test_interpolation_is_rrf_of_both_orders_and_nothing_without_first_stage_scores(play):
    scored = [Candidate(Document(name, name), score) for name, score in [("a", 3.0), ("b", 2.0), ("c", 1.0)]]
    own = {"a": 0.0, "b": 1.0, "c": 2.0}
    strategy = Stage.parse("interpolate(pointwise, weight=0.5)").strategy
    played = play(strategy.rank(Query("q", "q"), scored), lambda j: own[j.doc.doc_id])
    assert played.ranking.doc_ids == ("a", "c", "b")
    assert played.ranking[0].score == pytest.approx(0.5 / 63 + 0.5 / 61)
    unscored = [Candidate(c.document) for c in scored]
    played = play(strategy.rank(Query("q", "q"), unscored), lambda j: own[j.doc.doc_id])
    assert played.ranking.doc_ids == ("c", "b", "a")
    assert [r.score for r in played.ranking] == [2.0, 1.0, 0.0]
