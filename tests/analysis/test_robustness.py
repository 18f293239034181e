"""Rankings from several orders: how far they agree, and how quality varies."""

import dataclasses
import itertools
import json
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

import rerankllm
from rerankllm import Reranker
from rerankllm.analysis.robustness.measure import measure_robustness
from rerankllm.analysis.robustness.results import OrderedRun, RobustnessSettings
from rerankllm.analysis.robustness.tables import notes, tables
from rerankllm.errors import InputError
from rerankllm.evaluation.agreement import kendall_tau, rank_biased_overlap, top_overlap
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_run
from rerankllm.sample import path as sample

FEW = RobustnessSettings(resamples=200)
IDS = st.lists(st.sampled_from([f"d{i}" for i in range(12)]), unique=True, max_size=12)


def brute_tau(one, other):
    """Pairs in the same order less those that are not, by all."""
    shared = [doc for doc in one if doc in other]
    signs = [1 if other.index(a) < other.index(b) else -1 for a, b in itertools.combinations(shared, 2)]
    return sum(signs) / len(signs) if signs else math.nan


def brute_rbo(one, other, p, depth=4000):
    """The infinite sum, with both rankings drawn on as Webber et al. extrapolate them: agreement at every depth."""
    short, long = sorted((one, other), key=len)
    s, n = len(short), len(long)

    def overlap(d):
        return len(set(short[:d]) & set(long[:d]))

    total = 0.0
    for d in range(1, depth):
        if d <= s:
            agreement = overlap(d) / d
        elif d <= n:
            agreement = (overlap(d) + overlap(s) / s * (d - s)) / d
        else:
            agreement = (overlap(n) + overlap(s) / s * (n - s)) / n
        total += (1 - p) * p ** (d - 1) * agreement
    return total


@pytest.mark.slow
@given(IDS, IDS)
def test_tau_is_that_of_all_pairs_and_of_scipy(one, other):
    found = kendall_tau(one, other)
    assert found == pytest.approx(brute_tau(one, other), nan_ok=True)
    assert found == pytest.approx(kendall_tau(other, one), nan_ok=True)
    shared = [doc for doc in one if doc in other]
    if len(shared) > 1:
        places = [[ranking.index(doc) for doc in shared] for ranking in (one, other)]
        assert found == pytest.approx(kendalltau(*places, variant="b").statistic)
        assert kendall_tau(shared, shared) == 1
        assert kendall_tau(shared, shared[::-1]) == -1


@pytest.mark.slow
@given(IDS, IDS, st.sampled_from([0.5, 0.9, 0.98]))
def test_rbo_is_the_sum_over_all_depths(one, other, p):
    found = rank_biased_overlap(one, other, p)
    assert found == pytest.approx(rank_biased_overlap(other, one, p), nan_ok=True)
    if one and other:
        assert found == pytest.approx(brute_rbo(one, other, p), abs=1e-9)
        assert 0 <= found <= 1 + 1e-12
        assert rank_biased_overlap(one, one, p) == pytest.approx(1)
    else:
        assert (found == 0) if one or other else math.isnan(found)


def test_rbo_of_rankings_worked_out_by_hand():
    """Depths 1 to 3 share 0, 2 and 3 of 1, 2 and 3: with p = ½, ½·0 + ¼·1 + ⅛·1 and the rest, ⅛, at 1."""
    assert rank_biased_overlap("bac", "abc", 0.5) == pytest.approx(0.5)
    assert rank_biased_overlap("ab", "cd") == 0


def test_the_top():
    assert top_overlap("abcd", "abdc", 3) == pytest.approx(2 / 3)
    assert top_overlap("ab", "ba", 10) == 1
    assert top_overlap("a", "abcd", 10) == 0.25
    assert math.isnan(top_overlap("", "", 10))


def shuffled(seed, rankings):
    rng = random.Random(seed)
    return {query_id: rng.sample(list(ids), len(ids)) for query_id, ids in rankings.items()}


@pytest.fixture
def world():
    """Thirty queries of 0 to 12 candidates, with grades."""
    rng = random.Random(7)
    ids = {f"q{q}": [f"d{i}" for i in range(q % 13)] for q in range(30)}
    qrels = {query_id: {doc: rng.randrange(4) for doc in docs} for query_id, docs in ids.items() if docs}
    given = shuffled(1, ids)
    inputs = {"given": given, "reversed": {q: docs[::-1] for q, docs in given.items()}}
    return inputs | {f"shuffled-{s}": shuffled(s, given) for s in range(3)}, qrels


def ranked(inputs, judge):
    return [
        OrderedRun(name, name.partition("-")[0], {q: judge(q, docs) for q, docs in candidates.items()}, candidates)
        for name, candidates in inputs.items()
    ]


def test_a_judge_that_does_not_look_at_the_order(world):
    inputs, qrels = world
    orders = ranked(inputs, lambda q, docs: sorted(docs, key=lambda d: (-qrels.get(q, {}).get(d, 0), d)))
    found = measure_robustness(orders, qrels, FEW)
    for pair in (*found.pairs, *found.families):
        assert (pair.tau.mean, pair.tau.low, pair.tau.high, pair.overlap) == (1, 1, 1, 1)
        assert pair.rbo == pytest.approx(1)
        assert (pair.queries, pair.ordered) == (30, sum(q % 13 > 1 for q in range(30)))
    assert (found.same.range_of_means, found.same.mean_range.mean, found.same.mean_deviation) == (0, 0, 0)
    assert (found.same.varying, found.stages, found.judged) == (0, None, len(qrels))
    assert {order.quality.mean for order in found.orders} == {found.same.means["given"]}
    kept = {order.name: order.kept.mean for order in found.orders}
    assert kept["given"] == pytest.approx(-kept["reversed"])


def test_a_judge_that_repeats_its_input(world):
    inputs, qrels = world
    found = measure_robustness(ranked(inputs, lambda _, docs: docs), qrels, FEW)
    taus = {(pair.first, pair.second): pair.tau.mean for pair in found.pairs}
    assert taus["given", "reversed"] == -1
    assert [order.kept.mean for order in found.orders] == [1] * 5
    assert found.same.range_of_means > 0
    assert found.same.varying > 0


def test_numbers_are_those_of_a_plain_loop(world):
    inputs, qrels = world
    noise = random.Random(3)
    orders = ranked(inputs, lambda q, docs: sorted(docs, key=lambda d: noise.gauss(-qrels.get(q, {}).get(d, 0), 1)))
    found = measure_robustness(orders, qrels, FEW)
    by_name = {each.order: each.rankings for each in orders}
    some = [q for q in inputs["given"] if len(inputs["given"][q]) > 1]
    pairs = {(a, b): [brute_tau(by_name[a][q], by_name[b][q]) for q in some]
             for a, b in itertools.combinations(by_name, 2)}  # fmt: skip
    for pair in found.pairs:
        assert pair.tau.mean == pytest.approx(np.mean(pairs[pair.first, pair.second]))
    families = {(each.first, each.second): each.tau.mean for each in found.families}
    assert list(families) == [("given", "reversed"), ("given", "shuffled"), ("reversed", "shuffled"),
                              ("shuffled", "shuffled")]  # fmt: skip
    own = [(f"shuffled-{i}", f"shuffled-{j}") for i, j in ((0, 1), (0, 2), (1, 2))]
    assert families["shuffled", "shuffled"] == pytest.approx(np.mean([pairs[pair] for pair in own]))
    values = np.array([[each.quality[name] for name in by_name] for each in found.by_query if each.quality])
    assert found.same.mean_range.mean == pytest.approx((values.max(axis=1) - values.min(axis=1)).mean())
    assert found.same.mean_deviation == pytest.approx(np.mean([np.std(row, ddof=1) for row in values]))
    assert found.same.range_of_means == pytest.approx(np.ptp(values.mean(axis=0)))
    assert found.same.varying == sum(np.ptp(row) > 0.1 for row in values)
    assert [each.range for each in found.by_query if each.quality] == pytest.approx(np.ptp(values, axis=1))
    for each in found.by_query:
        alone = [brute_tau(by_name[a][each.query_id], by_name[b][each.query_id]) for a, b in pairs]
        assert each.tau == pytest.approx(np.mean(alone), nan_ok=True)


def test_what_is_missing_is_named_and_costs_its_order_and_not_the_spread():
    qrels = {"1": {"a": 1}, "2": {"a": 1}, "3": {"a": 1}}
    candidates = {query_id: ["b", "a"] for query_id in "123"}
    orders = [
        OrderedRun("given", "given", {q: ["a", "b"] for q in "123"}, candidates),
        OrderedRun("reversed", "reversed", {q: ["a", "b"] for q in "13"}, candidates),
    ]
    found = measure_robustness(orders, qrels, FEW)
    assert [order.missing for order in found.orders] == [(), ("2",)]
    assert [order.quality.mean for order in found.orders] == pytest.approx([1, 2 / 3])
    assert (found.same.range_of_means, found.same.queries, found.pairs[0].queries) == (0, 2, 2)
    assert any("reversed lacks 1 queries (2)" in note for note in notes(found))
    nothing = measure_robustness([orders[0], OrderedRun("reversed", "reversed", {}, candidates)], qrels, FEW)
    assert nothing.orders[1].quality.mean == 0
    assert (nothing.same.queries, nothing.pairs[0].queries) == (0, 0)
    assert math.isnan(nothing.pairs[0].tau.mean)
    assert tables(nothing)


def test_other_first_stages_are_compared_on_what_they_share():
    given = OrderedRun("bm25", "bm25", {"q": ["a", "b", "c", "d"]})
    other = OrderedRun("splade", "splade", {"q": ["d", "x", "a"]}, same=False)
    back = OrderedRun("reversed", "reversed", {"q": ["d", "c", "b", "a"]})
    found = measure_robustness([given, back, other], {"q": {"a": 1}}, FEW)
    pair = found.pairs[1]
    assert (pair.first, pair.second, pair.documents, pair.tau.mean) == ("bm25", "splade", 2, -1)
    assert pair.overlap == 0.5
    assert found.same.orders == ("bm25", "reversed")
    assert found.stages.orders == ("bm25", "splade")
    assert found.by_query[0].range == pytest.approx(found.same.range_of_means)


def test_orders_of_other_candidates_are_refused_by_name():
    given, back = OrderedRun("given", "given", {"q": ["a", "b"]}), OrderedRun("reversed", "reversed", {"q": ["a"]})
    with pytest.raises(InputError, match="query q: order given ranks b and order reversed does not"):
        measure_robustness([given, back], None)
    with pytest.raises(InputError, match="order reversed, query q: a document is ranked twice"):
        measure_robustness([given, OrderedRun("reversed", "reversed", {"q": ["a", "a"]})], None)
    with pytest.raises(InputError, match="a name each"):
        measure_robustness([given, given], None)


def test_without_judgements_there_is_agreement_all_the_same(world):
    inputs, _ = world
    found = measure_robustness(ranked(inputs, lambda _, docs: docs), None, FEW)
    assert (found.judged, found.same, found.orders[0].quality) == (None, None, None)
    assert [table.title for table in tables(found)] == ["Orders", "Agreement of the rankings"]
    assert found.by_query[2].quality == {}


@pytest.mark.parametrize("docs", [[], ["a"], ["a", "b"]])
def test_short_lists(docs):
    given = OrderedRun("given", "given", {"q": docs}, {"q": docs})
    back = OrderedRun("reversed", "reversed", {"q": docs[::-1]}, {"q": docs[::-1]})
    found = measure_robustness([given, back], {"q": {"a": 1}}, FEW)
    tau = found.pairs[0].tau.mean
    assert (tau == -1) if len(docs) > 1 else math.isnan(tau)
    assert found.pairs[0].ordered == (len(docs) > 1)
    assert found.same.mean_range.mean == pytest.approx(1 - 1 / math.log2(3) if len(docs) > 1 else 0)
    json.dumps(dataclasses.asdict(found))


@pytest.mark.slow
def test_the_command_writes_what_the_verb_gives(cli, tmp_path):
    model = f"simulated:{sample('qrels.txt')}?world=harsh"
    options = ["--sample", "--model", model, "--strategy", "sliding(window=8, stride=4)", "--depth", 12]
    status, out, _ = cli("robustness", *options, "--shuffles", 1, "--output", tmp_path / "command", "--format", "json")
    assert status == 0
    texts = read_queries(sample("queries.tsv")), read_corpus(sample("corpus.jsonl"))
    queries = join(read_run(sample("run.txt")), *texts, skip_missing=False)
    asked = {"shuffles": 1, "depth": 12, "qrels": sample("qrels.txt")}
    with Reranker("sliding(window=8, stride=4)", model, depth=12) as reranker:
        found = rerankllm.robustness(reranker, queries.queries, folder=tmp_path / "verb", **asked)
    written = json.loads((tmp_path / "verb" / "robustness.json").read_text())
    assert found.to_dict() == written
    assert timeless(written) == timeless(json.loads(out))
    assert (tmp_path / "verb" / "reversed.txt").read_text() == (tmp_path / "command" / "reversed.txt").read_text()
    with Reranker("sliding(window=8, stride=4)", model, depth=12) as reranker:
        unkept = rerankllm.robustness(reranker, queries.queries, **asked)
        assert reranker.journal is None
    assert unkept.systems[0].found == found.systems[0].found


def timeless(whole):
    """The document without seconds, which are never the same twice."""
    (found,) = whole["results"]
    for cost in found["cost"].values():
        cost.pop("seconds")
    return whole
