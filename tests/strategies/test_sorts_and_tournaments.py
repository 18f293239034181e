"""Strategies that select from groups or sort by pairs: what must always hold, and what they were published to cost."""

import random
from statistics import mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.aggregation.pagerank import pagerank
from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import Compare, Failure, Select, Unanswered
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage
from rerankllm.strategies.blocks.swiss_pairing import swiss_pairs

FORMS = ["logodds", "average", "softmax", "agree"]
SPECS = st.one_of(
    st.builds("prp(sort=quickselect, top_k={}, calibrate={})".format, st.integers(1, 140), st.sampled_from(FORMS)),
    st.builds("prp(sort=heap, top_k={}, calibrate={})".format, st.integers(1, 140), st.sampled_from(FORMS)),
    st.builds(
        "prp(sort={}, top_k={}, calibrate={}, orders={}, seed={})".format,
        st.sampled_from(["tournament", "tournament", "heap", "quickselect", "graph"]),
        st.integers(1, 140),
        st.sampled_from(FORMS),
        st.integers(1, 2),
        st.integers(0, 9),
    ),
    st.builds("prp(sort=graph, rounds={}, calibrate={})".format, st.integers(1, 40), st.sampled_from(FORMS)),
    st.builds(
        "setwise(c={}, sort={}, top_k={}, permutations={})".format,
        st.integers(3, 25),
        st.sampled_from(["heap", "bubble", "insertion"]),
        st.integers(1, 140),
        st.sampled_from([1, 1, 3]),
    ),
    st.integers(2, 8).flatmap(
        lambda m: st.builds(
            f"tournament(m={m}, winners={{}}, top_k={{}})".format, st.integers(1, m - 1), st.integers(1, 30)
        )
    ),
    st.builds("tourrank(rounds={}, seed={})".format, st.integers(1, 4), st.integers(0, 9)),
    st.builds(
        "elimination(seeding={}, orders={}, calibrate={})".format,
        st.sampled_from(["anchor", "first_stage"]),
        st.integers(1, 2),
        st.sampled_from(FORMS),
    ),
    st.builds(
        "swiss(rounds={}, orders={}, calibrate={})".format,
        st.sampled_from(["none", 1, 5, 40]),
        st.integers(1, 2),
        st.sampled_from(FORMS),
    ),
)


def answers(value):
    """A judge that goes by `value` of an id, the first shown winning ties of a group."""

    def answer(judgement):
        if isinstance(judgement, Compare):
            first, second = value(judgement.first.doc_id), value(judgement.second.doc_id)
            return 0.5 if first == second else float(first > second)
        ids = [doc.doc_id for doc in judgement.docs]
        return tuple(sorted(ids, key=lambda doc_id: -value(doc_id)))[: judgement.m]

    return answer


def strategy(spec):
    return Stage.parse(spec).strategy


@pytest.mark.slow
@given(spec=SPECS, n=st.integers(0, 130), levels=st.sampled_from([2, 4, 1000]), seed=st.integers(0, 99))
@settings(max_examples=300)
def test_every_document_once_plan_kept_and_ideal_where_promised(spec, n, levels, seed, make_candidates, play, query):
    rng = random.Random(seed)
    grade = {f"d{i}": rng.randrange(levels) for i in range(n)}
    ranker = strategy(spec)
    played = play(ranker.rank(query, make_candidates(n)), answers(grade.__getitem__))
    assert sorted(played.ranking.doc_ids) == sorted(grade)
    plan = ranker.plan(n)
    assert played.calls in plan.calls
    assert len(played.rounds) in plan.rounds
    assert played.slots in plan.slots
    settled = ranker.settles(n) or 0
    ideal = sorted(grade.values(), reverse=True)
    assert [grade[doc_id] for doc_id in played.ranking.doc_ids[:settled]] == ideal[:settled]


@pytest.mark.slow
@given(spec=SPECS, n=st.integers(0, 130), seed=st.integers(0, 1000))
@settings(max_examples=300)
def test_any_answers_at_all_keep_the_plan_and_the_same_ones_give_the_same_ranking(
    spec, n, seed, make_candidates, play, query
):
    ranker = strategy(spec)

    def run():
        rng = random.Random(seed)

        def answer(judgement):
            if rng.random() < 0.02:
                return Unanswered("no label", Failure.ANSWER)
            if isinstance(judgement, Compare):
                return rng.choice([0.0, 0.5, 1.0, rng.random()])
            named = rng.sample([doc.doc_id for doc in judgement.docs], judgement.m)
            return tuple(named[: rng.randint(1, judgement.m)])

        try:
            return play(ranker.rank(query, make_candidates(n)), answer)
        except QueryFailed as failed:
            assert "no usable answer" in str(failed)  # noqa: PT017
            return None

    played, again = run(), run()
    if played is None:
        assert again is None
        return
    assert sorted(played.ranking.doc_ids) == sorted(f"d{i}" for i in range(n))
    assert played.calls in ranker.plan(n).calls
    assert len(played.rounds) in ranker.plan(n).rounds
    assert played.slots in ranker.plan(n).slots
    assert again is not None
    assert again.rounds == played.rounds
    assert again.ranking == played.ranking
    for judgement in (j for batch in played.rounds for j in batch if isinstance(j, Select)):
        assert 1 <= judgement.m < len(judgement.docs) == len(set(judgement.docs))


@pytest.mark.parametrize(
    ("spec", "calls", "rounds", "slots"),
    [
        ("prp(sort=graph, rounds=10)", 1000, 10, 2000),
        ("prp(sort=graph, rounds=20)", 2000, 20, 4000),
        ("prp(sort=graph, rounds=40)", 4000, 40, 8000),
        ("tourrank(rounds=1)", 13, 5, 185),
        ("tourrank(rounds=2)", 26, 5, 370),
        ("tourrank(rounds=10)", 130, 5, 1850),
        ("elimination", 198, 8, 396),
        ("swiss", 350, 7, 700),
        ("swiss(orders=2)", 700, 7, 1400),
    ],
)
def test_published_costs_for_100_documents(spec, calls, rounds, slots):
    plan = strategy(spec).plan(100)
    assert (plan.calls.high, plan.rounds.high, plan.slots.high) == (calls, rounds, slots)
    least = {"elimination": (99, 1, 198)}  # the anchor's games, which its seeding has shown
    least |= {f"tourrank(rounds={n})": (13, 5, 185) for n in (2, 10)}  # groups that are shuffled as in an earlier one
    assert (plan.calls.low, plan.rounds.low, plan.slots.low) == least.get(spec, (calls, rounds, slots))


def test_tournaments_that_shuffle_a_small_group_alike_keep_to_the_plan(tmp_path, make_candidates):
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("".join(f"q 0 d{i} {i % 3}\n" for i in range(4)))
    candidates = make_candidates(4)
    with Reranker("tourrank(rounds=20)", f"simulated:{qrels}") as reranker:
        (ranking,) = reranker.stream([(Query("q", "q"), candidates)])
        plan, used = reranker.plan(4), ranking.ledger
    assert used.calls < plan.calls.high
    assert (used.calls in plan.calls, used.rounds in plan.rounds, used.slots in plan.slots) == (True, True, True)


SIMULATED = [
    # spec, calls, rounds, slots: bands around the figures published or simulated for n = 100, k = 10
    ("setwise(c=3)", (118, 142), (64, 70), (353, 425)),
    ("setwise(c=4)", (72, 82), (41, 45), (295, 330)),
    ("setwise(c=10)", (29, 32), (21, 24), (290, 315)),
    ("setwise(c=20)", (19, 24), (15, 20), (360, 450)),
    # Published 460: that code asks again what it has asked; without asking twice it is 375 to 445.
    ("setwise(c=3, sort=bubble)", (350, 475), (60, 63), (1050, 1420)),
    # Published 23 % below the heap's 125, on a first stage that is some good.
    ("setwise(c=3, sort=insertion)", (85, 115), (83, 113), (225, 310)),
    ("tournament(winners=1)", (51, 52), (29, 30), (234, 241)),
    ("tournament(winners=2)", (76, 82), (47, 50), (360, 390)),
    # Published 392 ± 113 and 90 for the sort; pairs known from the partitions are not asked again.
    ("prp(sort=quickselect)", (370, 500), (5, 7), (740, 1000)),
    ("prp(sort=heap)", (460, 545), (120, 142), (920, 1090)),
    ("prp(sort=tournament)", (310, 345), (68, 82), (620, 690)),
    # Published 232: that code plays a group all over again for its next best.
    ("prp(sort=tournament, orders=1)", (155, 173), (68, 82), (310, 346)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "calls", "rounds", "slots"), SIMULATED, ids=[row[0] for row in SIMULATED])
def test_a_noisy_judge_takes_as_many_as_published(spec, calls, rounds, slots, make_candidates, play, query):
    runs = []
    for seed in range(20):
        rng = random.Random(seed)
        utility = {f"d{i}": -i / 25 + rng.gauss(0, 1) for i in range(100)}
        judge = answers(lambda doc_id, u=utility, r=rng: u[doc_id] + r.gauss(0, 0.3))
        runs.append(play(strategy(spec).rank(query, make_candidates(100)), judge))
    assert calls[0] <= mean(run.calls for run in runs) <= calls[1]
    assert rounds[0] <= mean(len(run.rounds) for run in runs) <= rounds[1]
    assert slots[0] <= mean(run.slots for run in runs) <= slots[1]


@pytest.mark.parametrize(
    "spec",
    [
        "prp(sort=quickselect, top_k=7)",
        "prp(sort=tournament, top_k=7)",
        "setwise(c=3, sort=heap, top_k=7)",
        "setwise(c=9, sort=insertion, top_k=7)",
        "tournament(m=4, winners=3, top_k=7)",
    ],
)
def test_a_perfect_judge_gives_the_sorted_top_and_the_first_stage_behind_it(spec, make_candidates, play, query):
    for n in (1, 6, 7, 8, 31):
        ids = [f"d{i}" for i in range(n)]
        utility = dict(zip(ids, random.Random(n).sample(range(n), n), strict=True))
        played = play(strategy(spec).rank(query, make_candidates(n)), answers(utility.__getitem__))
        top = sorted(ids, key=lambda doc_id: -utility[doc_id])[:7]
        assert list(played.ranking.doc_ids) == [*top, *(doc_id for doc_id in ids if doc_id not in top)]


def inconsistent(seed):
    """A judge that goes by nothing, but repeats itself when shown the same group in the same order."""
    rng, said = random.Random(seed), {}

    def answer(judgement):
        ids = tuple(doc.doc_id for doc in judgement.docs)
        return said.setdefault((ids, judgement.m), tuple(rng.sample(ids, judgement.m)))

    return answer


class TestSetwise:
    @pytest.mark.parametrize("c", [3, 5, 9, 40])
    def test_heap_is_the_sequential_heapsort(self, c, make_candidates, play, query):
        answer, docs = inconsistent(c), [candidate.document for candidate in make_candidates(33)]

        def sift(heap, node):
            children = [i for i in range((c - 1) * node + 1, (c - 1) * (node + 1) + 1) if i < len(heap)]
            if children:
                group = [heap[i] for i in (node, *children)]
                (best,) = answer(Select(query, tuple(group)))
                place = [node, *children][[doc.doc_id for doc in group].index(best)]
                if place != node:
                    heap[node], heap[place] = heap[place], heap[node]
                    sift(heap, place)

        heap, top = list(docs), []
        for node in reversed(range(len(heap))):
            sift(heap, node)
        for _ in range(6):
            top.append(heap[0].doc_id)
            heap[0] = heap[-1]
            heap.pop()
            sift(heap, 0)
        played = play(strategy(f"setwise(c={c}, top_k=6)").rank(query, make_candidates(33)), answer)
        assert list(played.ranking.doc_ids[:6]) == top

    @pytest.mark.parametrize("c", [3, 5, 20, 40])
    def test_bubble_is_the_sequential_one_and_asks_nothing_twice(self, c, make_candidates, play, query):
        answer, order = inconsistent(c), [candidate.document for candidate in make_candidates(33)]
        for settled in range(6):
            stop = len(order)
            while stop - settled > 1:
                start = max(settled, stop - c)
                (best,) = answer(Select(query, tuple(order[start:stop])))
                place = [doc.doc_id for doc in order].index(best)
                order[start], order[place] = order[place], order[start]
                stop = start + 1
        played = play(strategy(f"setwise(c={c}, sort=bubble, top_k=6)").rank(query, make_candidates(33)), answer)
        assert list(played.ranking.doc_ids) == [doc.doc_id for doc in order]
        asked = [judgement for batch in played.rounds for judgement in batch]
        assert len(asked) == len(set(asked))

    def test_insertion_reads_nothing_twice_where_the_first_stage_is_right(self, make_candidates, play, query):
        judge = answers(lambda doc_id: -int(doc_id[1:]))
        played = play(strategy("setwise(c=5, sort=insertion, top_k=1)").rank(query, make_candidates(21)), judge)
        assert [[doc.doc_id for doc in j.docs] for (j,) in played.rounds] == [
            ["d0", *(f"d{i}" for i in range(start, start + 4))] for start in range(1, 21, 4)
        ]

    def test_the_majority_of_shuffled_groups_decides(self, make_candidates, play, query):
        """The judge names what stands first, but sees d2 when it stands second too."""

        def biased(judgement):
            ids = [doc.doc_id for doc in judgement.docs]
            return ("d2",) if "d2" in ids[:2] else (ids[0],)

        alone = play(strategy("setwise(top_k=1)").rank(query, make_candidates(3)), biased)
        assert alone.ranking.doc_ids[0] == "d0"
        voted = play(strategy("setwise(top_k=1, permutations=15)").rank(query, make_candidates(3)), biased)
        assert voted.ranking.doc_ids[0] == "d2"
        assert (voted.calls, len(voted.rounds)) == (15, 1)
        orders = [judgement.docs for judgement in voted.rounds[0]]
        assert len(set(orders)) > 3
        other = play(strategy("setwise(top_k=1, permutations=15, seed=1)").rank(query, make_candidates(3)), biased)
        assert orders != [judgement.docs for judgement in other.rounds[0]]

    def test_an_unusable_answer_goes_to_the_first_stage_and_not_to_the_root(self, make_candidates, play, query):
        """Asked about the root d1 and its children d0 and d2, the model says nothing: d0 is next, not d1."""
        value = {"d3": 9, "d0": 5, "d1": 2, "d2": 1}

        def answer(judgement):
            ids = [doc.doc_id for doc in judgement.docs]
            mute = ids == ["d1", "d0", "d2"]
            return Unanswered("no label", Failure.ANSWER) if mute else answers(value.__getitem__)(judgement)

        played = play(strategy("setwise(top_k=2)").rank(query, make_candidates(4)), answer)
        assert [[doc.doc_id for doc in judgement.docs] for (judgement,) in played.rounds] == [
            ["d1", "d3"],
            ["d0", "d3", "d2"],
            ["d0", "d1"],
            ["d1", "d0", "d2"],
        ]
        assert played.ranking.doc_ids == ("d3", "d0", "d1", "d2")
        assert played.ranking.ledger.notes == {"unanswered selections": 1}

    @pytest.mark.parametrize("sort", ["heap", "bubble", "insertion"])
    def test_half_the_answers_unusable_is_no_ranking_and_a_failed_call_none_either(
        self, sort, make_candidates, play, query
    ):
        ranker = strategy(f"setwise(sort={sort})")
        for unanswered, message in (
            (Unanswered("no label", Failure.ANSWER), "selections have no usable answer"),
            (Unanswered("refused"), "refused"),
        ):
            with pytest.raises(QueryFailed, match=message):
                play(ranker.rank(query, make_candidates(9)), lambda _, u=unanswered: u)


class TestTournament:
    @pytest.mark.parametrize(("m", "winners"), [(5, 1), (5, 2), (3, 2), (8, 5)])
    def test_it_is_the_tree_replayed_without_its_winners(self, m, winners, make_candidates, play, query):
        answer, n, k = inconsistent(m), 41, 9
        docs = [candidate.document for candidate in make_candidates(n)]

        def best_of(group, count):
            named = answer(Select(query, tuple(docs[i] for i in group), count))
            return sorted(int(doc_id[1:]) for doc_id in named)

        top = []
        for _ in range(k):
            seats = [None if i in top else i for i in range(n)]
            while len(seats) > m:
                above = []
                for start in range(0, len(seats), m):
                    group = [i for i in seats[start : start + m] if i is not None]
                    through = best_of(group, winners) if len(group) > winners else sorted(group)
                    above += (through + [None] * winners)[: min(winners, len(seats[start : start + m]))]
                seats = above
            final = [i for i in seats if i is not None]
            top += best_of(final, 1) if len(final) > 1 else final
        played = play(
            strategy(f"tournament(m={m}, winners={winners}, top_k={k})").rank(query, make_candidates(n)), answer
        )
        assert [int(doc_id[1:]) for doc_id in played.ranking.doc_ids[:k]] == top
        asked = [judgement for batch in played.rounds for judgement in batch]
        assert len(asked) == len(set(asked))

    def test_short_answers_are_filled_up_and_noted(self, make_candidates, play, query):
        played = play(
            strategy("tournament(m=5, winners=2, top_k=1)").rank(query, make_candidates(10)),
            lambda j: (j.docs[-1].doc_id,),
        )
        assert [[doc.doc_id for doc in j.docs] for j in played.rounds[-1]] == [["d0", "d4", "d5", "d9"]]
        assert played.ranking.ledger.notes == {"selections filled up": 2}

    def test_parameters(self):
        for spec in ("tournament(m=3, winners=3)", "tournament(winners=0)", "tournament(top_k=0)", "setwise(c=2)"):
            with pytest.raises(SpecError, match="should be"):
                Stage.parse(spec)
        for spec in ("setwise(permutations=0)", "tourrank(rounds=0)", "swiss(rounds=0)", "prp(rounds=0)"):
            with pytest.raises(SpecError, match="should be"):
                Stage.parse(spec)
        with pytest.raises(SpecError, match="orders should be one of 1, 2"):
            Stage.parse("swiss(orders=3)")


class TestTourRank:
    def test_stages_and_groups_are_the_papers(self, make_candidates, play, query):
        judge = answers(lambda doc_id: -int(doc_id[1:]))
        played = play(strategy("tourrank(rounds=3)").rank(query, make_candidates(100)), judge)
        shapes = [[(len(j.docs), j.m) for j in batch] for batch in played.rounds]
        assert shapes == [[(20, 10)] * 15, [(10, 4)] * 15, [(20, 10)] * 3, [(10, 5)] * 3, [(5, 2)] * 3]
        for group, judgement in enumerate(played.rounds[0]):
            shown = [int(doc.doc_id[1:]) for doc in judgement.docs]
            assert sorted(shown) == list(range(group % 5, 100, 5))
        assert len({j.docs for j in played.rounds[0]}) == 15
        assert [result.score for result in played.ranking[:21]] == [15.0] * 2 + [12.0] * 3 + [9.0] * 5 + [6.0] * 10 + [
            3.0
        ]
        assert list(played.ranking.doc_ids[:10]) == [f"d{i}" for i in range(10)]

    def test_the_seed_shuffles_groups_and_nothing_else(self, make_candidates, play, query):
        judge = answers(lambda doc_id: -int(doc_id[1:]))
        one, other = (
            play(strategy(f"tourrank(seed={seed})").rank(query, make_candidates(40)), judge) for seed in (0, 1)
        )
        assert one.rounds != other.rounds
        assert [[set(j.docs) for j in batch] for batch in one.rounds] == [
            [set(j.docs) for j in batch] for batch in other.rounds
        ]
        assert one.ranking == other.ranking

    def test_more_tournaments_find_more_of_the_best(self, make_candidates, play, query):
        def found(rounds):
            hits = 0
            for seed in range(15):
                rng = random.Random(seed)
                utility = {f"d{i}": rng.gauss(0, 1) for i in range(100)}
                judge = answers(lambda doc_id, u=utility, r=rng: u[doc_id] + r.gauss(0, 0.6))
                played = play(strategy(f"tourrank(rounds={rounds})").rank(query, make_candidates(100)), judge)
                hits += len(set(played.ranking.doc_ids[:10]) & set(sorted(utility, key=lambda d: -utility[d])[:10]))
            return hits

        assert found(10) > found(1)


class TestElimination:
    def test_the_two_best_seeds_meet_in_the_final_and_byes_are_for_the_best(self, make_candidates, play, query):
        judge = answers(lambda doc_id: -int(doc_id[1:]))
        for n in range(2, 70):
            played = play(strategy("elimination(seeding=first_stage)").rank(query, make_candidates(n)), judge)
            (final,) = played.rounds[-1]
            assert {final.first.doc_id, final.second.doc_id} == {"d0", "d1"}
            byes = 2 ** (n - 1).bit_length() - n
            opening = {doc.doc_id for j in played.rounds[0] for doc in j.docs}
            assert opening == {f"d{i}" for i in range(byes, n)}
            assert set(played.ranking.doc_ids[:2]) == {"d0", "d1"}

    def test_the_anchor_seeds(self, make_candidates, play, query):
        """d7 and d6 beat the anchor, so they are seeds 1 and 2 and d0 is 3: it meets seed 2 in the semi-final."""
        value = {f"d{i}": 10 - i for i in range(6)} | {"d6": 50, "d7": 60}
        played = play(strategy("elimination").rank(query, make_candidates(8)), answers(value.__getitem__))
        assert {frozenset(doc.doc_id for doc in j.docs) for j in played.rounds[2]} == {
            frozenset({"d6", "d1"}),
            frozenset({"d7", "d0"}),
        }
        assert played.ranking.doc_ids[:2] == ("d7", "d6")

    def test_ties_go_to_the_better_seed(self, make_candidates, play, query):
        played = play(strategy("elimination").rank(query, make_candidates(13)), lambda _: 0.5)
        assert played.ranking.doc_ids[0] == "d0"
        assert played.ranking.ledger.notes == {"tied comparisons": 24}

    def test_in_one_order_neither_seed_is_always_shown_first(self, make_candidates, play, query):
        judge = answers(lambda doc_id: -int(doc_id[1:]))
        played = play(strategy("elimination(seeding=first_stage)").rank(query, make_candidates(64)), judge)
        better_first = sum(int(j.first.doc_id[1:]) < int(j.second.doc_id[1:]) for batch in played.rounds for j in batch)
        assert 25 <= better_first <= 38


class TestSwiss:
    @pytest.mark.parametrize("n", [2, 3, 6, 13, 20, 101])
    @pytest.mark.parametrize("spec", ["swiss(rounds=30)", "prp(sort=graph, rounds=30)"])
    def test_nobody_meets_twice_and_nobody_sits_out(self, n, spec, make_candidates, play, query):
        rng = random.Random(n)
        played = play(strategy(spec).rank(query, make_candidates(n)), lambda _: rng.random())
        games = [[frozenset((j.first.doc_id, j.second.doc_id)) for j in batch] for batch in played.rounds]
        if "graph" in spec:
            games = [batch[::2] for batch in games]
        met = [game for batch in games for game in batch]
        assert len(met) == len(set(met))
        certain = n // 2 if n % 2 == 0 else (n + 3) // 4
        for batch in games[:certain]:
            assert set().union(*batch) == {f"d{i}" for i in range(n)}
            assert len(batch) == -(-n // 2)
        if n <= 13:
            assert len(met) >= 0.8 * n * (n - 1) / 2

    def test_neighbours_meet_first_and_points_are_wins_above_even(self, make_candidates, play, query):
        judge = answers(lambda doc_id: int(doc_id[1:]))
        played = play(strategy("swiss(rounds=2)").rank(query, make_candidates(8)), judge)
        first, second = (
            {frozenset((int(j.first.doc_id[1:]), int(j.second.doc_id[1:]))) for j in r} for r in played.rounds
        )
        assert first == {frozenset(pair) for pair in ((0, 1), (2, 3), (4, 5), (6, 7))}
        assert second == {frozenset(pair) for pair in ((1, 3), (5, 7), (0, 2), (4, 6))}
        assert {r.doc_id: r.score for r in played.ranking} == {
            "d3": 1, "d7": 1, "d1": 0, "d5": 0, "d2": 0, "d6": 0, "d0": -1, "d4": -1,
        }  # fmt: skip

    def test_pairs_change_partners_when_the_last_two_have_met(self):
        met = [set(), set(), {3}, {2}]
        assert swiss_pairs([0, 1, 2, 3], met) == [(0, 2), (1, 3)] or swiss_pairs([0, 1, 2, 3], met) == [(0, 3), (1, 2)]


class TestGraph:
    def test_pagerank_solves_its_equation(self):
        rng = np.random.default_rng(0)
        weights = rng.random((9, 9)) * (rng.random((9, 9)) < 0.4)
        weights[4] = 0
        restart = rng.random(9)
        home = restart / restart.sum()
        moves = np.array([row / row.sum() if row.sum() else home for row in weights])
        walked = home
        for _ in range(200):
            walked = 0.85 * walked @ moves + 0.15 * home
        assert np.allclose(pagerank(weights, restart), walked, atol=1e-9)

    def test_the_first_stage_is_where_the_walk_restarts(self, play, query):
        def ranked(scores):
            candidates = [Candidate(Document(f"d{i}", "x"), score) for i, score in enumerate(scores)]
            played = play(strategy("prp(sort=graph, rounds=1)").rank(query, candidates), lambda _: 0.5)
            return {result.doc_id: result.score for result in played.ranking}

        assert ranked([9.0, 9.0, 1.0, 1.0])["d0"] == pytest.approx(9 / 20)
        by_rank = [1 / 2.5, 0.75 / 2.5]
        for unusable in ([-1.0, -2.0, -3.0, -4.0], [None] * 4, [0.0] * 4):
            shares = ranked(unusable)
            assert shares["d0"] + shares["d1"] == pytest.approx(sum(by_rank))
            assert sum(shares.values()) == pytest.approx(1)

    def test_twenty_rounds_beat_the_first_stage(self, make_candidates, play, query):
        kept = before = 0
        for seed in range(5):
            rng = random.Random(seed)
            utility = {f"d{i}": -i / 25 + rng.gauss(0, 1) for i in range(100)}
            best = set(sorted(utility, key=lambda d: -utility[d])[:10])
            played = play(strategy("prp(sort=graph)").rank(query, make_candidates(100)), answers(utility.__getitem__))
            kept += len(best & set(played.ranking.doc_ids[:10]))
            before += len(best & {f"d{i}" for i in range(10)})
        assert kept > before + 10


class TestQuickselect:
    def test_a_partition_is_one_round_and_no_pair_is_asked_twice(self, make_candidates, play, query):
        judge = answers(lambda doc_id: -int(doc_id[1:]))
        played = play(strategy("prp(sort=quickselect, top_k=5)").rank(query, make_candidates(30)), judge)
        assert [len(batch) for batch in played.rounds] == [2 * 29, 2 * 6]
        assert all("d4" in {doc.doc_id for doc in judgement.docs} for judgement in played.rounds[0])

    def test_a_judge_that_prefers_the_first_shown_leaves_the_order_alone(self, make_candidates, play, query):
        played = play(strategy("prp(sort=quickselect, top_k=5)").rank(query, make_candidates(15)), lambda _: 1.0)
        assert played.ranking.doc_ids == tuple(f"d{i}" for i in range(15))
        assert played.ranking.ledger.notes == {"tied comparisons": 20}


class TestTournamentSort:
    def test_groups_play_side_by_side_and_only_the_last_winners_way_is_played_again(self, make_candidates, play, query):
        judge = answers(lambda doc_id: -int(doc_id[1:]))
        played = play(strategy("prp(sort=tournament, top_k=2, orders=1)").rank(query, make_candidates(16)), judge)
        games = [{frozenset((j.first.doc_id, j.second.doc_id)) for j in batch} for batch in played.rounds]
        assert [len(batch) for batch in games] == [8, 4, 2, 1, 1, 1, 1]
        assert games[4] == {frozenset(("d2", "d4"))}  # d0 is gone, so d2 of its group goes on without a game
        assert games[-1] == {frozenset(("d2", "d1"))}

    def test_nothing_is_asked_twice(self, make_candidates, play, query):
        rng = random.Random(5)
        for n in (0, 1, 2, 9, 40):
            played = play(strategy("prp(sort=tournament)").rank(query, make_candidates(n)), lambda _: rng.random())
            asked = [judgement for batch in played.rounds for judgement in batch]
            assert len(asked) == len(set(asked))


class TestOneOrder:
    def test_chance_says_who_is_first_the_same_whenever_two_meet(self, make_candidates, play, query):
        def first_shown(seed):
            ranker = strategy(f"prp(sort=allpair, orders=1, seed={seed})")
            (asked,) = play(ranker.rank(query, make_candidates(40)), lambda _: 1.0).rounds
            return [judgement.first.doc_id for judgement in asked]

        first = first_shown(0)
        assert len(first) == 40 * 39 // 2
        assert first == first_shown(0) != first_shown(1)
        better = sum(int(doc_id[1:]) < 20 for doc_id in first)  # the first stage says nothing about who is shown first
        assert 330 < better < 450

    def test_a_liking_for_the_first_place_favours_nobody(self, make_candidates, play, query):
        """Shown as given it would put the whole list in the order, or the reverse, in which pairs are compared."""
        ranker = strategy("prp(sort=allpair, orders=1)")
        order = play(ranker.rank(query, make_candidates(60)), lambda _: 1.0).ranking.doc_ids
        places = [order.index(f"d{i}") for i in range(60)]
        assert abs(np.corrcoef(range(60), places)[0, 1]) < 0.4

    def test_the_answer_counts_for_whom_it_names(self, make_candidates, play, query):
        judge = answers(lambda doc_id: int(doc_id[1:]))
        for sort in ("allpair", "heap", "bubble", "quickselect", "tournament"):
            ranker = strategy(f"prp(sort={sort}, top_k=3, orders=1)")
            assert play(ranker.rank(query, make_candidates(9)), judge).ranking.doc_ids[:3] == ("d8", "d7", "d6")

    def test_specs_from_before_read_the_same(self):
        assert str(Stage.parse("prp")) == "prp(sort=heap, top_k=10, rounds=20, calibrate=logodds)"
        assert str(Stage.parse("prp(orders=1, seed=2)")).endswith("calibrate=logodds, orders=1, seed=2)")
