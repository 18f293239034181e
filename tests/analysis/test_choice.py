"""What is recommended fits, is as good as what is best, and is the cheapest of that."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.analysis.recommend.choice import JUDGES, choose, difference, weights, weights_like
from rerankllm.analysis.recommend.measurements import shipped
from rerankllm.analysis.recommend.options import AXES, UNSCORED, Amount, Lists, Prices, offers
from rerankllm.analysis.recommend.speed import Sample, Speed
from rerankllm.calibration.judge_profile import Fitted, JudgeProfile
from rerankllm.data import Usage
from rerankllm.drivers.estimate import Sizes, Texts, planned
from rerankllm.errors import InputError
from rerankllm.reranker import Reranker
from rerankllm.sample import path as sample
from rerankllm.spec.stage import Stage

MEASURED = shipped()[0]
ALIKE = weights(MEASURED, None)


def found(lengths, **known):
    return offers(MEASURED, ALIKE, Prices(Lists(lengths, Sizes()), MEASURED.candidates, **known))[0]


HUNDRED = found({100: 1})


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from(["slots", "calls", "rounds", "tokens"]), st.floats(1, 20_000), max_size=3),
    st.sampled_from([None, *JUDGES]),
)
@settings(max_examples=60)
def test_the_choice(limits, judge):
    prices = Prices(Lists({100: 1}, Sizes()), MEASURED.candidates)
    all_, _ = offers(MEASURED, weights(MEASURED, judge), prices)

    def within(offer, which):
        return all(getattr(offer.takes[axis], which) <= limit for axis, limit in limits.items())

    try:
        choice = choose(MEASURED, all_, limits)
    except InputError:
        assert not [offer for offer in all_ if offer.stage and within(offer, "usual")]
        return
    certain = any(offer.stage and within(offer, "most") for offer in all_)
    fits = [offer for offer in all_ if within(offer, "most" if certain else "usual")]
    assert choice.chosen in fits
    assert choice.best.mean == max(offer.mean for offer in fits)
    mean, half = difference(MEASURED, choice.best, choice.chosen)
    assert 0 <= mean <= half or choice.best is choice.chosen
    assert next(iter(limits), "slots") in limits or choice.axis == "slots"
    for offer in fits:
        mean, half = difference(MEASURED, choice.best, offer)
        if mean <= half:
            assert offer.takes[choice.axis].usual >= choice.chosen.takes[choice.axis].usual
    if choice.better is not None:
        mean, half = difference(MEASURED, choice.better, choice.chosen)
        assert mean > half
        assert choice.better.takes[choice.axis].usual >= choice.chosen.takes[choice.axis].usual
    for offer in all_:  # nothing on the front is beaten
        for i in choice.front:
            cheaper = offer.takes[choice.axis].usual <= all_[i].takes[choice.axis].usual
            assert not (cheaper and offer.mean > all_[i].mean)


@pytest.mark.slow
@given(st.integers(1, 120), st.integers(1, 5))
@settings(max_examples=25)
def test_what_is_taken_is_planned(n, queries):
    for offer in found({n: queries}):
        if offer.stage:
            plan = planned(Stage.parse(offer.stage), n)
            assert offer.takes["rounds"].most == plan.rounds.high
            assert offer.takes["calls"].most == plan.calls.high * queries
            assert plan.slots.low * queries <= offer.takes["slots"].usual <= offer.takes["slots"].most + 1e-6


def test_what_was_measured_is_what_is_expected_there():
    entries = {entry.stage: entry for entry in MEASURED.entries if entry.judge == "mild"}
    for offer in HUNDRED:
        if offer.stage and offer.takes["slots"].usual == offer.takes["slots"].most:
            assert offer.takes["slots"].usual == pytest.approx(entries[offer.stage].slots, abs=0.5)


def test_lists_of_several_lengths_add_up_and_take_the_longest_chain():
    short, long = ({o.stage: o.takes for o in found(lengths)} for lengths in ({10: 2}, {60: 3}))
    for offer in found({10: 2, 60: 3}):
        for axis in ("calls", "slots"):
            both = [takes[offer.stage][axis] for takes in (short, long)]
            assert offer.takes[axis] == pytest.approx(Amount(*map(sum, zip(*both, strict=True))))
        chains = [takes[offer.stage]["rounds"].most for takes in (short, long)]
        assert offer.takes["rounds"].most == max(chains)


def test_a_model_is_offered_only_what_it_can_be_asked(tmp_path):
    recording = tmp_path / "lists.jsonl"
    recording.write_text('{"query_id": "q", "doc_ids": ["a", "b"], "response": "[1] > [2]"}\n')
    with Reranker(None, f"recorded:{recording}") as reranker:
        got, left_out = offers(MEASURED, ALIKE, Prices(Lists({100: 1}, Sizes()), 100, reranker))
    assert {"", "sliding(window=20, stride=10)", "full(top_k=10)"} <= {offer.stage for offer in got}
    assert "can put passages in order, and this strategy asks it to score passages" in left_out["pointwise"]
    assert (
        "can put passages in order, and this strategy asks it to score passages"
        in left_out["interpolate(pointwise, weight=0.8)"]
    )
    assert not {"pointwise", "prp(sort=heap, top_k=10)"} & {offer.stage for offer in got}
    assert all("tokens" not in offer.takes for offer in got if offer.stage)  # a recording counts none


@pytest.mark.slow
def test_prompts_longer_than_the_context_are_left_out():
    model = "openai:m?base_url=http://localhost:9/v1&context=4000"
    lists = Lists({100: 1}, Sizes(middle=Texts(passage="word " * 130)))
    with Reranker("sliding", model) as reranker:
        got, left_out = offers(MEASURED, ALIKE, Prices(lists, 100, reranker))
    assert "do not fit the model's context of 4,000 tokens" in left_out["full(top_k=10)"]
    assert "sliding(window=20, stride=10)" in {offer.stage for offer in got}
    assert "sliding(window=50, stride=25)" in left_out


def test_without_scores_there_is_nothing_to_fuse():
    got, left_out = offers(MEASURED, ALIKE, Prices(Lists({100: 1}, Sizes()), 100), fused=False)
    assert not [offer for offer in got if offer.stage.startswith("interpolate")]
    assert set(left_out.values()) == {UNSCORED}
    assert 3 * len(got) - 2 == len(HUNDRED)


@pytest.mark.slow
def test_a_models_tokens_and_money_are_its_own_estimate():
    model = "openai:m?base_url=http://localhost:9/v1&price_prompt=1&price_completion=2"
    lists = Lists({100: 3}, Sizes())
    with Reranker("sliding(window=20, stride=10)", model) as reranker:
        (offer,) = [
            o
            for o in offers(MEASURED, ALIKE, Prices(lists, 100, reranker))[0]
            if o.stage.startswith("sliding(window=20, stride=10)") and "passes" not in o.stage
        ]
        usage = reranker.estimate_sized(lists.lengths, lists.sizes).typical
    assert offer.takes["tokens"].usual == pytest.approx(usage.prompt_tokens + usage.completion_tokens, abs=2)
    assert offer.takes["cost"].usual == pytest.approx(
        (usage.prompt_tokens + 2 * usage.completion_tokens) / 1e6, rel=1e-4
    )


def profile(trust, scale):
    return JudgeProfile(("m",), Fitted(trust), Fitted(scale), None, Fitted(0.0), "qrels", 9, {"Permute": 9})


@given(st.floats(0.05, 1), st.floats(0.25, 16))
def test_weights_sum_to_one(trust, scale):
    assert sum(weights_like(MEASURED, profile(trust, scale)).values()) == pytest.approx(1)


@pytest.mark.parametrize("judge", MEASURED.judges)
def test_a_profile_like_a_judges_is_that_judge(judge):
    own = MEASURED.judges[judge]
    assert weights_like(MEASURED, profile(own.trust, own.scale))[judge] > 0.99
    assert weights(MEASURED, {name: own for own, name in JUDGES.items()}[judge])[judge] == 1


@pytest.mark.slow
@given(st.floats(0, 5), st.floats(0, 1e-2), st.floats(0, 1e-2))
def test_a_speed_is_found_from_calls(call, prompt, completion):
    tokens = [(300, 8), (1200, 40), (420, 40), (150, 8)]
    samples = [Sample(call + prompt * p + completion * c, p, c) for p, c in tokens]
    speed = Speed.of(samples, 1)
    assert min(speed.call, speed.prompt, speed.completion) >= 0
    for sample_ in samples:
        told = speed.seconds(1, 1, Usage(sample_.prompt_tokens, sample_.completion_tokens))
        assert math.isclose(told, sample_.seconds, rel_tol=1e-6, abs_tol=1e-9)


@given(st.floats(0, 5), st.integers(1, 64), st.integers(1, 500), st.integers(1, 50))
def test_seconds_are_those_of_the_work_and_of_the_chain(call, concurrency, calls, rounds):
    speed = Speed(call, 1e-3, 0.0, concurrency)
    rounds, usage = min(rounds, calls), Usage(calls * 100)
    alone = Speed(call, 1e-3, 0.0, 1).seconds(calls, rounds, usage)
    assert alone == pytest.approx(calls * (call + 0.1))
    seconds = speed.seconds(calls, rounds, usage)
    assert max(alone / concurrency, alone * rounds / calls / concurrency) - 1e-9 <= seconds <= alone + 1e-9


def test_every_axis_is_told_where_everything_is_known():
    with Reranker(None, f"simulated:{sample('qrels.txt')}") as reranker:
        got, _ = offers(MEASURED, ALIKE, Prices(Lists({20: 8}, Sizes()), 100, reranker, Speed(0.1, 0, 0)))
    assert all(set(offer.takes) == set(AXES) - {"tokens"} for offer in got if offer.stage)
    assert all(offer.takes["seconds"].usual == pytest.approx(0.1 * offer.takes["calls"].usual) for offer in got)
