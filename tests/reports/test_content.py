"""What a report says: its data, apart from how it looks."""

import base64
import json
import random
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm import Reranker
from rerankllm.analysis.diagnose.probe import Answers
from rerankllm.evaluation.comparison import Design, Estimate, compare
from rerankllm.evaluation.cost import NOTHING, Cost
from rerankllm.evaluation.measures import parse_measures
from rerankllm.evaluation.pairwise import Pair, every_pair
from rerankllm.evaluation.systems import Pool
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.reports.calls import read_calls
from rerankllm.reports.consistency import consistency
from rerankllm.reports.headline import headline
from rerankllm.reports.packing import ELEMENT, as_data, pack, packed
from rerankllm.sample import path as sample
from rerankllm.web.prompts import MARK, pieces

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=80)


@given(st.dictionaries(TEXTS, st.one_of(TEXTS, st.lists(TEXTS, max_size=3)), max_size=4))
def test_data_cannot_end_its_element_and_comes_back(value):
    text = as_data(value)
    assert not {"<", ">", "&", "\u2028", "\u2029", "\0"} & set(text)
    whole = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    assert json.loads(text) == whole
    assert json.loads(zlib.decompress(base64.b64decode(packed(value)))) == whole


@given(st.lists(st.text(max_size=120), min_size=1, max_size=5), st.lists(st.text(max_size=30), min_size=6, max_size=6),
       st.randoms(use_true_random=False))  # fmt: skip
def test_a_prompt_is_put_together_again(texts, between, chance):
    shown = [text[: chance.randint(0, len(text))] for text in texts]
    prompt = "".join(word + text for word, text in zip(between, [*shown, ""], strict=False))

    def whole(piece):
        place, length = piece if isinstance(piece, list) else (piece, None)
        return texts[place][:length]

    assert "".join(p if isinstance(p, str) else whole(p) for p in pieces(prompt, texts)) == prompt


def test_a_document_is_in_a_prompt_once_by_its_place():
    text = "a passage that is long enough to be known by its beginning"
    assert len(text) > MARK
    assert pieces(f"Read: {text[:40]} …\nRelevant?", [text]) == ["Read: ", [0, 40], " …\nRelevant?"]
    assert pieces(f"{text} or {text}", [text, text]) == [0, " or ", 1]


def test_calls_are_left_out_before_texts_and_texts_before_the_limit_is_passed():
    def query(seed):
        chance = random.Random(seed)
        word = lambda: "".join(chance.choices("abcdefghij", k=8))  # noqa: E731
        runs = {"a": [{"order": [0], "made": 1, "calls": [{"prompt": [word() for _ in range(60)]}]}],
                "b": [{"order": None, "made": None, "calls": []}]}  # fmt: skip
        return {"docs": [{"id": "d", "text": " ".join(word() for _ in range(60))}], "systems": runs}

    queries = {str(i): query(i) for i in range(6)}
    whole = pack(queries, 10**9)
    assert (whole.queries, whole.without, whole.silent) == (queries, [], [])
    assert sorted(whole.scripts) == sorted(f"{kind}-{i}" for kind in ("query", "calls") for i in range(6))
    size = lambda found: sum(len(text) + ELEMENT for text in found.scripts.values())  # noqa: E731
    texts = sum(len(text) + ELEMENT for name, text in whole.scripts.items() if name.startswith("query"))
    for room in (size(whole) - 1, texts + 900, texts, texts - 1, 900, 0):
        found = pack(queries, room)
        assert size(found) <= room
        assert not found.without or len(found.silent) == len(found.queries)
        assert [name for name in queries if name not in found.queries] == found.without
        for name, data in found.queries.items():
            assert (
                bool(data["systems"]["a"][0]["calls"])
                == (name not in found.silent)
                == (f"calls-{name}" in found.scripts)
            )
            assert data["docs"] == queries[name]["docs"]
    assert pack(queries, size(whole) - 1).silent == ["5"]  # the last, on which systems differ least


@pytest.fixture(scope="module", params=[0.0, 0.3], ids=["all parsed", "some cut short"])
def asked(request, tmp_path_factory):
    """A journal of both orders of pairs and of shuffled lists, and what `diagnose` saw of the same answers."""
    journal, answers = tmp_path_factory.mktemp("journal") / "calls.db", Answers()
    run, texts = read_run(sample("run.txt")), read_queries(sample("queries.tsv"))
    queries = [(q, c[:6]) for q, c in join(run, texts, read_corpus(sample("corpus.jsonl")), skip_missing=False).queries]
    stage = "rankfusion([prp(sort=allpair), psc(sliding(window=20, stride=10), shuffles=3)])"
    model = f"simulated:{sample('qrels.txt')}?world=harsh&malformed={request.param}"
    with Reranker(stage, model, journal=journal, observer=answers, unusable="fail") as reranker:
        list(reranker.stream(queries))
    return journal, answers.findings(queries)


def test_consistency_is_what_diagnose_finds_in_the_same_answers(asked):
    journal, diagnosis = asked
    found = consistency(read_calls(journal).values())
    assert found.contradicted == diagnosis.compared.inconsistent
    malformed = diagnosis.compared.malformed + diagnosis.lists.malformed
    if malformed.count:
        assert 0 < found.contradicted.count < found.contradicted.of < 8 * 15
    else:
        assert found.contradicted.of == 8 * 15
        assert found.first_wins == pytest.approx(diagnosis.compared.first)
    assert found.agreement == pytest.approx(diagnosis.lists.agreement)
    assert found.places == diagnosis.lists.places
    assert found.statuses["repaired"] + found.statuses["failed"] == malformed.count
    assert sum(found.statuses.values()) == malformed.of


def test_calls_of_another_stage_are_left_out_where_the_run_says_which(asked):
    journal, _ = asked
    calls = read_calls(journal)
    (stage,) = {call.stage for of_query in calls.values() for call in of_query}
    assert read_calls(journal, stage) == calls
    assert read_calls(journal, "full") == calls  # nothing of it: rather all than none
    assert set(calls) == {f"q{i}" for i in range(1, 9)}
    for of_query in calls.values():
        assert [(c.step, c.item) for c in of_query] == sorted((c.step, c.item) for c in of_query)


def noisy(pool, name, noise, cost):
    chance = random.Random(name)
    run = {
        query_id: sorted(grades, key=lambda d, g=grades: -g[d] + noise * chance.random())
        for query_id, grades in pool.qrels["sample"].items()
    }
    return pool.system(name, [{"sample": run}], cost=cost)


@pytest.fixture(scope="module")
def compared():
    pool = Pool({"sample": read_qrels(sample("qrels.txt"))}, parse_measures(["nDCG@10", "RR@10"]))
    systems = [noisy(pool, "worst", 40, NOTHING), noisy(pool, "good", 1, Cost(calls=9.0, rounds=9, tokens=1234.0)),
               noisy(pool, "also", 1.2, Cost(calls=3.0, rounds=1, tokens=400.0))]  # fmt: skip
    return compare(pool, systems, Design("worst"))


def test_pairs_with_the_baseline_are_the_differences_to_it(compared):
    pairs = {(p.one, p.other): p for p in every_pair(compared, "nDCG@10", ["good", "also", "worst"])}
    assert list(pairs) == [("good", "also"), ("good", "worst"), ("also", "worst")]
    for each in compared.differences:
        if each.measure == "nDCG@10":
            pair = pairs[each.system, "worst"]
            assert (pair.p, pair.record, pair.estimate) == (each.fisher, each.record, each.estimate)
    assert all(pair.adjusted >= pair.p for pair in pairs.values())
    least = min(pairs.values(), key=lambda pair: pair.p)
    assert least.adjusted == min(1.0, 3 * least.p)


def test_the_headline_says_which_how_sure_and_at_what_cost(compared):
    gap = Estimate(-0.02, -0.05, 0.01)
    pairs = [
        Pair("also", "good", gap, 0.2, 0.4, (2, 1, 5)),
        *(Pair(name, "worst", replace(gap, mean=0.5), 0.01, 0.02, (8, 0, 0)) for name in ("good", "also")),
    ]
    best, lead, cost, *cheaper = headline(compared, pairs, "tokens")
    mean = compared.means["good", "nDCG@10"]
    assert best == f"good ranks best: nDCG@10 {mean.mean:.3f} [{mean.low:.3f}, {mean.high:.3f}] over 8 queries."
    assert lead == "That is 0.020 above the next, also, which chance could explain (p = 0.400)."
    assert cost == "It takes 1,234 tokens a query, in at most 9 rounds."
    (last,) = cheaper
    assert last == (
        "also takes 400 tokens, and these queries do not tell it from good (−0.020, p = 0.400), which does not prove "
        "it as good."
    )
    sure = [replace(pair, adjusted=0.0001) for pair in pairs]
    assert headline(compared, sure, "tokens")[1:] == [
        "That is 0.020 above the next, also, more than chance explains (p < 0.001).", cost
    ]  # fmt: skip
