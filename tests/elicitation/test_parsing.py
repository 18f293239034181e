"""The parser never raises, and always gives a weak order over exactly the labels shown."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.elicitation.labels import letters, numbers
from rerankllm.elicitation.parsing import answer_part, parse_choice, parse_order
from rerankllm.judgements import Status

PARSED, REPAIRED, FAILED = Status.PARSED, Status.REPAIRED, Status.FAILED

FRAGMENTS = st.sampled_from(
    [*"[]>=,. \n;:*#", "[1]", "[2]", "] > [", " > ", "12", "3", "０", "²", "①", "Passage", "A", "[B]", "<think>",
     "</think>", "9" * 5000, "I cannot", "\ud800", "\x00"]
)  # fmt: skip
ANSWERS = st.one_of(st.text(), st.lists(FRAGMENTS, max_size=40).map("".join))


@given(text=ANSWERS, n=st.integers(0, 30), decode=st.one_of(st.none(), st.integers(1, 30)), of=st.sampled_from("1A"))
def test_total_and_exactly_the_labels_shown(text, n, decode, of):
    parsed = parse_order(text, numbers(n) if of == "1" else letters(n), decode)
    everything = [i for group in parsed.groups for i in group] + list(parsed.omitted)
    assert sorted(everything) == list(range(n))
    assert all(parsed.groups)
    assert list(parsed.omitted) == sorted(parsed.omitted)
    if parsed.report.status is PARSED:
        assert not parsed.report.repairs
        assert sum(map(len, parsed.groups)) >= min(decode or n, n)
    else:
        assert parsed.report.repairs
    assert (parsed.report.status is FAILED) == (not parsed.groups)


@given(text=ANSWERS, labels=st.sampled_from([("A", "B"), ("Yes", "No"), ("0", "1", "2", "3")]))
def test_choices_are_total(text, labels):
    index, report = parse_choice(text, labels)
    assert (index is None) == (report.status is FAILED)
    assert index is None or 0 <= index < len(labels)


@given(st.permutations(list(range(1, 21))), st.sampled_from(["[{}]", "{}", "Passage {}", "[ {} ]"]), st.booleans())
def test_a_well_formed_answer_is_read_as_it_is(order, form, spaced):
    text = (" > " if spaced else ">").join(form.format(i) for i in order)
    parsed = parse_order(text, numbers(20))
    assert parsed.groups == tuple((i - 1,) for i in order)
    assert parsed.report.status is PARSED


@given(st.permutations(list(range(1, 21))), st.integers(0, 200))
def test_an_answer_cut_anywhere_is_a_prefix(order, cut):
    """An answer cut off mid-label never names a label it was not about to name."""
    text = " > ".join(f"[{i}]" for i in order)
    ranked = [group[0] + 1 for group in parse_order(text[:cut], numbers(20)).groups]
    assert ranked == list(order[: len(ranked)])


@pytest.mark.parametrize(
    ("text", "n", "groups", "status"),
    [
        ("[2] > [1]", 2, [[2], [1]], PARSED),
        ("[2]>[1].", 2, [[2], [1]], PARSED),
        ("2] > [1] > [3]", 3, [[2], [1], [3]], PARSED),  # the prompt printed the opening bracket
        ("2 > [1] > [3]", 3, [[2], [1], [3]], PARSED),
        ("2 > 1 > 3", 3, [[2], [1], [3]], PARSED),
        ("3, 1, 2", 3, [[3], [1], [2]], PARSED),
        ("3\n1\n2", 3, [[3], [1], [2]], PARSED),
        ("[3] = [1] > [2]", 3, [[1, 3], [2]], PARSED),
        ("3 > 1 = 2", 3, [[3], [1, 2]], PARSED),
        ("Passage 3 > Passage 1 > Passage 2", 3, [[3], [1], [2]], PARSED),
        ("1. [3]\n2. [1]\n3. [2]", 3, [[3], [1], [2]], PARSED),
        ("The 3 passages, best first: [3] > [1] > [2]", 3, [[3], [1], [2]], PARSED),
        ("［２］＞［１］", 2, [[2], [1]], PARSED),
        ("② > ①", 2, [[2], [1]], PARSED),
        ("[02] > [01]", 2, [[2], [1]], PARSED),
        ("<think>[1] > [2]</think>[2] > [1]", 2, [[2], [1]], PARSED),
        ("reasoning with no opening, [1] > [2]</think>[2] > [1]", 2, [[2], [1]], PARSED),
        ("Final ranking: 2 > 1 > 3", 3, [[2], [1], [3]], PARSED),
        ("**2 > 1 > 3**", 3, [[2], [1], [3]], PARSED),
        ("**2** > **1** > **3**", 3, [[2], [1], [3]], PARSED),
        (r"\boxed{2 > 1 > 3}", 3, [[2], [1], [3]], PARSED),
        ("<answer>2, 1, 3</answer>", 3, [[2], [1], [3]], PARSED),
        ('{"ranking": [2, 1, 3]}', 3, [[2], [1], [3]], PARSED),
        ('```json\n["2", "1", "3"]\n```', 3, [[2], [1], [3]], PARSED),
        ("- 2\n- 1\n- 3", 3, [[2], [1], [3]], PARSED),
        ("(2) > (1) > (3)", 3, [[2], [1], [3]], PARSED),
        ("2 → 1 → 3", 3, [[2], [1], [3]], PARSED),
        ("2 &gt; 1 &gt; 3", 3, [[2], [1], [3]], PARSED),
        ("[ID 2] > [ID 1] > [ID 3]", 3, [[2], [1], [3]], PARSED),
        ("[1] is off topic, [2] is good.\n\n[2] > [1] > [3]", 3, [[2], [1], [3]], PARSED),
        ("[1], [2] and [3] are irrelevant; [5] > [4]", 5, [[5], [4]], REPAIRED),
        ("5 people > 3 dogs", 5, [], FAILED),
        ("[1] dogs bark [2] fleas live [3] cats meow", 3, [], FAILED),  # the passages again, not a ranking
        ("<|channel|>analysis<|message|>[1] > [2]<|channel|>final<|message|>[2] > [1]", 2, [[2], [1]], PARSED),
        ("[2] > [1] > [2]", 2, [[2], [1]], REPAIRED),
        ("[2] > [7] > [1]", 2, [[2], [1]], REPAIRED),
        ("[2]", 3, [[2]], REPAIRED),
        ("[12] > [1", 12, [[12]], REPAIRED),
        ("1", 1, [[1]], PARSED),
        ("20 passages were provided.", 20, [], FAILED),
        ("In 2019, 3 of 5 fleas", 5, [], FAILED),
        ("I am sorry, I cannot rank these.", 3, [], FAILED),
        ("<think>[1] > [2]", 2, [], FAILED),
        ("", 3, [], FAILED),
    ],
)
def test_orders(text, n, groups, status):
    parsed = parse_order(text, numbers(n))
    assert [[i + 1 for i in group] for group in parsed.groups] == groups
    assert parsed.report.status is status


def test_letters_are_read_as_they_are_spelt():
    parsed = parse_order("[b] > [A] > a", letters(28))
    assert parsed.groups == ((27,), (0,), (26,))


def test_decoding_fewer_is_complete_with_fewer():
    assert parse_order("[3] > [1]", numbers(5), decode=2).report.status is PARSED
    assert parse_order("[3]", numbers(5), decode=2).report.repairs == {"missing": 1}


@pytest.mark.parametrize(
    ("text", "labels", "choice", "status"),
    [
        ("A", "AB", 0, PARSED),
        ("[B]", "AB", 1, PARSED),
        ("B]", "AB", 1, PARSED),
        ("Passage A", "AB", 0, PARSED),
        ("Passage B is the better one.", "AB", 1, PARSED),
        ("**B**", "AB", 1, PARSED),
        ("Answer: B", "AB", 1, PARSED),
        ("A. It says more than passage B.", "AB", 0, REPAIRED),
        ("Passage B is better than Passage A", "AB", 1, REPAIRED),
        ("Passage B is not as relevant as Passage A", "AB", 0, REPAIRED),
        ("I think [A] is not relevant.", "AB", None, FAILED),
        ("[A] or [B]", "AB", None, FAILED),
        ("Both A and B", "AB", None, FAILED),
        ("The answer is B.", "AB", 1, PARSED),
        ("`Passage B`", "AB", 1, PARSED),
        ("b", "AB", 1, PARSED),
        ("Ｂ。", "AB", 1, PARSED),
        (r"\boxed{B}", "AB", 1, PARSED),
        ("A passage about fleas", "AB", None, FAILED),
        ("Neither", "AB", None, FAILED),
        ("", "AB", None, FAILED),
        ("<think>A", "AB", None, FAILED),
        ("<think>A or B</think> B", "AB", 1, PARSED),
        ("yes.", ("Yes", "No"), 0, PARSED),
        ("No, it does not.", ("Yes", "No"), 1, PARSED),
        ("Nothing", ("Yes", "No"), None, FAILED),
        ("2", "0123", 2, PARSED),
        ("Relevance: [3]", "0123", 3, PARSED),
        ("Score: 3/3", "0123", 3, PARSED),
        ("2 (partial)", "0123", 2, PARSED),
        ("3 - full answer", "0123", 3, PARSED),
        ("-1", "0123", None, FAILED),
        ("1.5", "0123", None, FAILED),
        ("10", "0123", None, FAILED),
    ],
)
def test_choices(text, labels, choice, status):
    index, report = parse_choice(text, list(labels))
    assert (index, report.status) == (choice, status)


def test_reasoning_is_dropped_and_unclosed_reasoning_is_no_answer():
    assert answer_part("a</think>b</think>c") == "c"
    assert answer_part("<think>a") is None
    assert answer_part("the word <think> inside") == "the word <think> inside"


def records(path):
    return [json.loads(line) for line in path.read_text().split("\n") if line]


@pytest.mark.slow
def test_the_real_answers(shared_data):
    """1,081 answers of Vicuna models; 929 are no plain permutation."""
    status, repairs = Counter(), Counter()
    for record in records(shared_data / "transcripts.jsonl"):
        parsed = parse_order(record["response"], numbers(record["passages"]))
        assert sorted([i for g in parsed.groups for i in g] + list(parsed.omitted)) == list(range(record["passages"]))
        status[parsed.report.status] += 1
        repairs.update(parsed.report.repairs.keys() if parsed.report.status is REPAIRED else ())
    # 11 are none: sentences, and three that repeat passages, of which two broke off after the first.
    assert status == {PARSED: 153, REPAIRED: 917, FAILED: 11}
    assert repairs == {"repeated": 899, "missing": 165, "unknown": 4, "separator": 3}


@pytest.mark.slow
def test_the_recorded_runs(shared_data):
    for name, expected in (("rankvicuna", {PARSED: 387}), ("vicuna-ft", {PARSED: 1, REPAIRED: 386})):
        found = records(shared_data / f"{name}-dl19-bm25.jsonl")
        reports = [parse_order(r["response"], numbers(len(r["doc_ids"]))).report.status for r in found]
        assert Counter(reports) == expected
