"""What strategies promise, for every length of list: a permutation, the plan, the ideal top, the same for a seed."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.backends.oracle import Oracle
from rerankllm.data import Candidate, Document
from rerankllm.judgements import (
    Assess,
    Assessment,
    Criterion,
    Draft,
    Embed,
    Ends,
    Failure,
    Grade,
    Permute,
    Score,
    Select,
    Unanswered,
    WeakOrder,
    Write,
)
from rerankllm.spec.stage import Stage

MOST = 130
SEEDS = st.integers(0, 5)
SHORT = st.integers(1, 12)
ORDERS_ONCE = st.one_of(
    st.builds("blitzrank(window={}, top_k={})".format, st.integers(2, 25), st.integers(1, 20)),
    st.integers(2, 25).flatmap(
        lambda w: st.builds(
            f"listk(window={w}, pivots={{}}, top_k={{}})".format, st.integers(1, w - 1), st.integers(1, 40)
        ),
    ),
)
ONCE = st.one_of(
    ORDERS_ONCE,
    st.builds("dualend(top_k={})".format, st.integers(1, 80)),
    st.builds("snow(window={}, grade={})".format, st.integers(2, 25), st.integers(0, 3)),
)
"""Strategies that ask nothing twice, whatever is answered and however short the list."""
LISTWISE = st.one_of(
    ORDERS_ONCE,
    st.builds("full(top_k={}, seed={})".format, st.integers(1, 40), SEEDS),
    st.integers(2, 25).flatmap(
        lambda w: st.builds(f"tdpart(window={w}, top_k={{}})".format, st.integers(1, w)),
    ),
    st.builds(
        "jointrank(block={}, replicas={}, design={}, aggregate=borda, seed={})".format,
        st.integers(2, 30),
        st.integers(1, 5),
        st.sampled_from(["equi", "random"]),
        SEEDS,
    ),
    st.builds(
        "jointrank(block=17, replicas={}, design={}, aggregate=rrf)".format,
        st.sampled_from([2, 4]),
        st.sampled_from(["latin", "triangular"]),
    ),
    st.builds("jointrank(block={0}, replicas={0}, design=bibd, aggregate=borda)".format, st.sampled_from([12, 14])),
    st.builds(
        "acurank(window={}, top_k={}, few={}, max_calls={})".format,
        st.integers(3, 25),
        st.integers(1, 20),
        st.integers(1, 12),
        st.integers(1, 12),
    ),
    st.builds(
        "active(slots={}, window={}, top_k={}, batch={}, regret={}, seed={})".format,
        st.integers(2, 150),
        st.integers(4, 25),
        st.integers(1, 20),
        st.integers(1, 5),
        st.sampled_from([0, 0.05]),
        SEEDS,
    ),
)
OTHERS = st.one_of(
    st.builds("group(size={}, regroupings={}, seed={})".format, st.integers(1, 30), st.integers(1, 4), SEEDS),
    st.builds("group(size={}, regroupings={}, pool=mean)".format, st.integers(1, 30), st.integers(1, 4)),
    st.just("iranker"),
    st.just("embed"),
    st.builds("e2rank(feedback={})".format, st.integers(1, 40)),
    st.builds("criteria(count={})".format, st.integers(1, 9)),
)
SIMPLE = LISTWISE | ONCE | OTHERS | st.just("pointwise")
WRAPPED = st.one_of(
    st.builds("psc({}, shuffles={}, seed={})".format, LISTWISE, st.integers(1, 4), SEEDS),
    st.builds(
        "maxp({}, passage_words=9, stride_words={}, most={})".format,
        st.just("tdpart"),
        SHORT.map(lambda s: min(s, 9)),
        SHORT,
    ),
    st.builds(
        "maxp(group(size={}), passage_words={}, stride_words=4, most={})".format,
        st.integers(1, 9),
        st.integers(4, 20),
        st.integers(1, 4),
    ),
    st.builds("cascade([{}, {}], depths=[{}, {}])".format, SIMPLE, SIMPLE, st.integers(60, MOST), st.integers(1, 60)),
    st.builds("cascade([interpolate({})], depths=[{}])".format, SIMPLE, st.integers(1, MOST)),
)
SPECS = SIMPLE | WRAPPED


@pytest.fixture(scope="module")
def grades():
    """Grades with many ties, shuffled against the input order."""
    return {f"d{i}": random.Random(i).choice([0, 0, 0, 1, 1, 2, 3]) for i in range(MOST + 1)}


@pytest.fixture(scope="module")
def right(tmp_path_factory, grades):
    """Answers that are right, by those grades."""
    path = tmp_path_factory.mktemp("oracle") / "qrels.txt"
    path.write_text("".join(f"q 0 {doc_id} {grade}\n" for doc_id, grade in grades.items()))
    oracle = Oracle(name=str(path))

    def answer(judgement):
        if isinstance(judgement, Write):  # qrels hold no criteria: one that stands for them all
            return (Criterion("as the qrels have it"),)
        if isinstance(judgement, Assess):
            return Assessment((float(grades[judgement.doc.doc_id]),), ("",))
        if isinstance(judgement, Embed):
            return [[1.0, 0.0]] + [[grades[doc.doc_id], 3.0] for doc in judgement.docs]
        return oracle.answer(judgement).answer

    return answer


def candidates_of(n):
    """Of growing length, up to 41 words."""
    return [Candidate(Document(f"d{i}", f"word{i} " * (1 + i * 7 % 41)), float(n - i)) for i in range(n)]


def any_answers(seed):
    """Answers of any kind that a judgement may get, omissions, ties and missing grades among them."""
    rng = random.Random(seed)

    def answer(judgement):  # noqa: PLR0911 - a case a kind of judgement
        ids = [doc.doc_id for doc in judgement.docs]
        shuffled = rng.sample(ids, len(ids))
        match judgement:
            case Permute():
                cut = rng.randint(1, len(ids))
                ties = rng.randint(1, cut)
                groups = tuple((doc_id,) for doc_id in shuffled[ties:cut])
                return WeakOrder((tuple(shuffled[:ties]), *groups), tuple(i for i in ids if i in set(shuffled[cut:])))
            case Grade():
                return tuple(rng.choice([0.0, 3.0, 10.0, float("nan")]) for _ in ids)
            case Draft():
                return "a passage"
            case Ends():
                return rng.choice([tuple(shuffled[:2]), ()])
            case Select():
                return rng.choice([tuple(shuffled[: judgement.m]), Unanswered("?", Failure.ANSWER)])
            case Write() | Assess():
                return by_criteria(judgement, rng)
            case Score():
                return rng.choice([0.0, 1.0, rng.gauss(0, 1)])
            case Embed():
                return [[rng.gauss(0, 1) for _ in range(3)] for _ in range(len(ids) + 1)]

    return answer


def by_criteria(judgement, rng):
    """Criteria, fewer than asked for or not; and grades by them, of which all but the first may be missing."""
    if isinstance(judgement, Write):
        return tuple(Criterion(f"c{i}", float(rng.randint(1, 5))) for i in range(rng.randint(1, judgement.count)))
    grades = [5.0, *(rng.choice([0.0, 4.0, 10.0, math.nan]) for _ in judgement.criteria[1:])]
    return Assessment(tuple(grades), ("",) * len(grades))


def check(strategy, played, n):
    assert sorted(played.ranking.doc_ids) == sorted(c.doc_id for c in candidates_of(n))
    plan = strategy.plan(n)
    assert played.calls in plan.calls
    assert len(played.rounds) in plan.rounds
    assert played.slots in plan.slots
    scores = [result.score for result in played.ranking if result.score is not None]
    assert scores == sorted(scores, reverse=True)
    for judgement in (j for batch in played.rounds for j in batch):
        ids = [doc.doc_id for doc in judgement.docs]
        assert len(ids) == len(set(ids)) >= (0 if isinstance(judgement, Write | Draft) else 1)


@pytest.mark.slow
@given(spec=SPECS, n=st.integers(0, MOST))
@settings(max_examples=150)
def test_every_document_once_plan_kept_and_ideal_where_promised(spec, n, right, grades, play, query):
    strategy = Stage.parse(spec).strategy
    played = play(strategy.rank(query, candidates_of(n)), right)
    check(strategy, played, n)
    settled = strategy.settles(n) or 0
    ideal = sorted((grades[f"d{i}"] for i in range(n)), reverse=True)
    assert [grades[doc_id] for doc_id in played.ranking.doc_ids[:settled]] == ideal[:settled]


@pytest.mark.slow
@given(spec=SPECS, n=st.integers(0, MOST), seed=st.integers(0, 1000))
@settings(max_examples=150)
def test_any_answers_at_all_keep_the_documents_and_the_plan_and_repeat(spec, n, seed, play, query):
    strategy = Stage.parse(spec).strategy
    played = play(strategy.rank(query, candidates_of(n)), any_answers(seed))
    check(strategy, played, n)
    again = play(Stage.parse(str(Stage.parse(spec))).strategy.rank(query, candidates_of(n)), any_answers(seed))
    assert again.rounds == played.rounds
    assert again.ranking == played.ranking


@pytest.mark.slow
@given(spec=ONCE, n=st.integers(0, MOST), seed=st.integers(0, 1000))
@settings(max_examples=60)
def test_nothing_is_asked_twice(spec, n, seed, play, query):
    played = play(Stage.parse(spec).strategy.rank(query, candidates_of(n)), any_answers(seed))
    asked = [judgement for batch in played.rounds for judgement in batch]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize(
    ("spec", "calls", "rounds", "slots"),
    [
        ("full", (1, 2), (1, 2), (100, 200)),
        ("tdpart", (6, None), (2, None), (105, None)),
        ("listk", (8, None), (3, None), (128, None)),
        ("blitzrank", (11, 34), (2, 25), (110, 340)),
        ("jointrank", 20, 1, 400),
        ("jointrank(block=10, replicas=2, design=latin)", 20, 1, 200),
        ("jointrank(block=14, replicas=2, design=triangular)", 15, 1, 200),
        ("group", 5, 1, 100),
        ("group(regroupings=4)", 20, 1, 400),
        ("acurank", (5, 40), (1, 36), (100, 800)),
        ("acurank(max_calls=9)", (5, 9), (1, 5), (100, 180)),
        ("iranker", 99, 99, 5049),
        ("active", (1, 9), (1, 5), (20, 180)),
        ("active(slots=400)", (1, 20), (1, 5), (20, 400)),
        ("active(slots=60)", 1, 1, 60),
        ("embed", 1, 1, 100),
        ("e2rank", 1, 1, 120),
        ("e2rank(feedback=200)", 1, 1, 200),
        ("criteria", 101, 2, 100),
        ("dualend", 10, 10, 910),
        ("dualend(top_k=50)", 50, 50, 2550),
        ("snow", (7, 16), (2, 11), (106, 286)),
        ("cascade([pointwise, sliding], depths=[100, 20])", 101, 2, 120),
        ("cascade([sliding, psc(tdpart)], depths=[100, 20])", (10, 29), 10, (200, 580)),
    ],
)
def test_costs_for_100_documents(spec, calls, rounds, slots):
    plan = Stage.parse(spec).strategy.plan(100)
    for bound, expected in ((plan.calls, calls), (plan.rounds, rounds), (plan.slots, slots)):
        low, high = expected if isinstance(expected, tuple) else (expected, expected)
        assert (bound.low, bound.high if high is not None else None) == (low, high)


def noisy_judge(seed, *, noise=0.5):
    """A first stage worth following, and answers with Gaussian noise on every look."""
    rng = random.Random(seed)
    worth = {f"d{i}": -i / 25 + rng.gauss(0, 1) for i in range(100)}

    def answer(judgement):
        looks = {doc.doc_id: worth[doc.doc_id] + rng.gauss(0, noise) for doc in judgement.docs}
        if isinstance(judgement, Grade):
            return tuple(min(10.0, max(0.0, 5 + 2 * look)) for look in looks.values())
        order = sorted(looks, key=looks.__getitem__, reverse=True)
        named = order[: judgement.decode]
        return WeakOrder(tuple((i,) for i in named), tuple(i for i in looks if i not in set(named)))

    return worth, answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "calls", "rounds", "slots", "hits"),
    [
        ("full", (1, 1), (1, 1), (100, 100), 7),
        ("tdpart", (6, 8), (2, 4), (105, 130), 7),
        ("listk", (8, 10), (3, 4), (128, 155), 7),
        ("blitzrank", (12, 14), (3, 5), (120, 140), 7),
        ("jointrank(aggregate=borda)", (20, 20), (1, 1), (400, 400), 7),
        ("group", (5, 5), (1, 1), (100, 100), 7),
        ("acurank", (18, 27), (9, 18), (250, 400), 8),
        ("active", (9, 9), (5, 5), (180, 180), 8),
    ],
)
def test_costs_and_hits_with_a_noisy_judge(spec, calls, rounds, slots, hits, play, query):
    """Means over judges; `hits` of the ten best are found at least. The first stage itself has 4."""
    strategy = Stage.parse(spec).strategy
    used = []
    for seed in range(8):
        worth, answer = noisy_judge(seed)
        played = play(strategy.rank(query, [Candidate(Document(d, d), -float(i)) for i, d in enumerate(worth)]), answer)
        best = set(sorted(worth, key=worth.__getitem__, reverse=True)[:10])
        used.append((played.calls, len(played.rounds), played.slots, len(best & set(played.ranking.doc_ids[:10]))))
    means = [sum(values) / len(values) for values in zip(*used, strict=True)]
    for mean, (low, high) in zip(means, (calls, rounds, slots, (hits, 10)), strict=True):
        assert low <= mean <= high, means
