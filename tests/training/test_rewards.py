"""Rewards against computations of their own and trec_eval's, and as TRL calls them."""

import math
import random

import ir_measures
import pytest

from rerankllm.data import Document, Query
from rerankllm.elicitation.parsing import parse_order
from rerankllm.errors import InputError
from rerankllm.training import rewards
from rerankllm.training.teacher import TeacherList

LABELS = ("1", "2", "3", "4")


@pytest.mark.parametrize(
    "text, worth",
    [("[2] > [1] > [4] > [3]", 1), ("[2] > [1] > [4]", 0), ("[2] > [2] > [1] > [4] > [3]", 0), ("I cannot", 0)],
)
def test_form_is_all_or_nothing(text, worth):
    assert rewards.form(parse_order(text, LABELS).report) == worth


def drawn(seed):
    """An order of some of eight documents, and grades of some of ten."""
    chance = random.Random(seed)
    order = [f"d{i}" for i in chance.sample(range(8), chance.randint(1, 8))]
    return order, {f"d{i}": chance.randint(0, 3) for i in chance.sample(range(10), 6)}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("depth", [1, 3, 10])
def test_ndcg_is_trec_evals(seed, depth):
    order, grades = drawn(seed)
    run = {"q": {doc_id: -float(rank) for rank, doc_id in enumerate(order)}}
    (found,) = ir_measures.iter_calc([ir_measures.nDCG @ depth], {"q": grades}, run)
    assert rewards.ndcg(order, grades, depth) == pytest.approx(found.value)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("depth", [1, 3, 10])
def test_recall_is_trec_evals_where_all_relevant_ones_fit(seed, depth):
    order, grades = drawn(seed)
    relevant = [doc_id for doc_id, grade in grades.items() if grade > 0]
    run = {"q": {doc_id: -float(rank) for rank, doc_id in enumerate(order)}}
    (found,) = ir_measures.iter_calc([ir_measures.R @ depth], {"q": grades}, run)
    scale = len(relevant) / min(len(relevant), depth) if relevant else 1
    assert rewards.recall(order, relevant, depth) == pytest.approx(found.value * scale)


def extrapolated(one, other, p):
    """Rank-biased overlap of orders of the same length: the sum to the end, and the last agreement for ever."""
    agreements = [len(set(one[:d]) & set(other[:d])) / d for d in range(1, len(one) + 1)]
    known = (1 - p) * sum(p ** (d - 1) * each for d, each in enumerate(agreements, 1))
    return known + p ** len(one) * agreements[-1]


@pytest.mark.parametrize("seed", range(10))
def test_overlap_is_the_sum_of_the_paper(seed):
    chance = random.Random(seed)
    one, other = (chance.sample("abcdefgh", 8) for _ in range(2))
    for p in (0.5, 0.9):
        assert rewards.overlap(one, other, p) == pytest.approx(extrapolated(one, other, p))
    assert rewards.overlap([], other) == 0


@pytest.mark.parametrize("seed", range(10))
def test_all_are_from_0_to_1_and_1_for_the_ideal_order(seed):
    order, grades = drawn(seed)
    ideal = sorted(grades, key=lambda doc_id: -grades[doc_id])
    relevant = {doc_id for doc_id, grade in grades.items() if grade > 0}
    for reward in (lambda o: rewards.ndcg(o, grades), lambda o: rewards.recall(o, relevant),
                   lambda o: rewards.overlap(o, ideal)):  # fmt: skip
        assert 0 <= reward(order) <= 1
        assert reward(ideal) == pytest.approx(1)


def test_nothing_relevant_is_worth_nothing():
    assert rewards.recall(["a"], []) == rewards.ndcg(["a"], {"a": 0, "b": -1}) == 0


def lists():
    documents = tuple(Document(f"d{i}", f"a text <|im_end|> number {i}") for i in range(6))
    return [TeacherList(Query(f"q{i}", f"query {i}"), documents, None, ("d5", "d4", "d3", "d2", "d1", "d0"))
            for i in range(3)]  # fmt: skip


def test_rows_show_documents_in_an_order_that_says_nothing_of_the_teachers():
    rows = rewards.rows(lists(), size=4, per_query=5, seed=1)
    assert len(rows) == 15
    for row in rows:
        assert row["teacher"] == sorted(row["doc_ids"])
        assert [10 - row["teacher"].index(doc_id) for doc_id in row["doc_ids"]] == row["grades"]
        assert row["labels"] == list(LABELS)
        shown = row["prompt"][-1]["content"]
        places = [shown.index(f"[{label}] a text") for label in row["labels"]]
        assert places == sorted(places)
        assert "<|im_end|>" not in shown
    assert len({tuple(row["doc_ids"]) for row in rows}) > 10
    assert rewards.rows(lists(), size=4, per_query=5, seed=1) == rows


def test_grades_are_those_of_the_qrels_where_there_are_any():
    (row, *_) = rewards.rows(lists(), qrels={"q0": {"d3": 2}}, size=6)
    assert dict(zip(row["doc_ids"], row["grades"], strict=True)) == {f"d{i}": 2.0 * (i == 3) for i in range(6)}


def answered(row, order, thought="<think>hm</think>"):
    labels = dict(zip(row["doc_ids"], row["labels"], strict=True))
    return thought + " > ".join(f"[{labels[doc_id]}]" for doc_id in order)


def test_trl_is_told_the_reward_of_each_completion_as_text_or_as_a_conversation():
    rows = rewards.rows(lists(), size=4, per_query=1)
    columns = {key: [row[key] for row in rows] for key in rows[0] if key != "prompt"}
    best, worst = (answered(row, row["teacher"][::step]) for row, step in zip(rows, (1, -1), strict=False))
    unclosed = answered(rows[2], rows[2]["teacher"], thought="<think>")
    said = [[{"role": "assistant", "content": text}] for text in (best, worst, unclosed)]
    values = {}
    for name in rewards.REWARDS:
        reward = rewards.for_trl(name, unread=-1.0)
        assert reward.__name__ == name
        values[name] = reward(prompts=[row["prompt"] for row in rows], completions=said, completion_ids=[], **columns)
        assert values[name] == reward(completions=[best, worst, unclosed], **columns)
    assert values["form"] == [1, 1, -1]
    assert values["recall"] == [1, 1, -1]
    gains = [10, 9, 8, 7]
    dcg = [sum(gain / math.log2(place + 2) for place, gain in enumerate(order)) for order in (gains[::-1], gains)]
    assert values["ndcg"] == pytest.approx([1, dcg[0] / dcg[1], -1])
    backwards = rows[1]["teacher"]
    assert values["overlap"] == pytest.approx([1, extrapolated(backwards[::-1], backwards, 0.9), -1])


def test_an_unknown_reward_is_refused():
    with pytest.raises(InputError, match="there is no reward 'mrr'; there are form, recall, ndcg, overlap"):
        rewards.for_trl("mrr")
