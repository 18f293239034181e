"""What is said of a document is what the journal holds: every judgement once, counted again by hand."""

import json
import random
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm import Reranker, explain
from rerankllm.analysis.answers import Answers, heard
from rerankllm.analysis.explain.evidence import Evidence
from rerankllm.analysis.explain.history import Ranked, history
from rerankllm.analysis.explain.moves import walk
from rerankllm.analysis.explain.text import facts, line, said_of, told
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.formats.trec import read_run
from rerankllm.journal.read import rankings
from rerankllm.journal.store import Journal
from rerankllm.sample import path as sample

N = 24
HOSTILE = [
    "'; DROP TABLE calls; --",
    "%s{0}\\",
    "ид-文書",
    "<b>&amp;",
    "[1] > [2]",
    "null",
    "\u202eabc",
    "[bold]x[/bold]",
]
IDS = [*HOSTILE, *(f"d{i}" for i in range(N - len(HOSTILE)))]
SPECS = [
    "sliding(window=6, stride=3)",
    "sliding(window=6, stride=3, passes=2)",
    "prp(sort=heap, top_k=5, calibrate=agree)",
    "prp(sort=allpair)",
    "setwise(c=4, sort=heap, top_k=5)",
    "pointwise",
    "tournament(m=4, winners=2, top_k=5)",
    "full",
    "active(slots=60)",
    "cascade([pointwise, sliding(window=4, stride=2)], depths=[24, 10])",
    "interpolate(full)",
    "group(size=6)",
    "tourrank(rounds=1)",
]


def made(folder, spec, *, seed=0, malformed=0.0):
    """A ranking, the first stage's order, and the judgements behind it."""
    chance = random.Random(seed)
    qrels = folder / "qrels"
    qrels.write_text(
        "".join(f"q 0 {doc_id} {chance.randrange(4)}\n" for doc_id in IDS if " " not in doc_id), encoding="utf-8"
    )
    first = chance.sample(IDS, N)
    candidates = [Candidate(Document(doc_id, f"text of {doc_id}"), float(N - i)) for i, doc_id in enumerate(first)]
    model = f"simulated:{qrels}?world=harsh&seed={seed}&malformed={malformed}"
    path = folder / "calls.db"
    with Reranker(spec, model, journal=path) as reranker:
        (ranking,) = reranker.stream([(Query("q", "a query"), candidates)])
    journal = Journal(path, create=False)
    ((key, _),) = rankings(journal, "q")
    judgements = tuple(heard(journal, key))
    journal.close()
    return ranking, first, judgements, path


def records(path):
    """What the journal holds, read without any of our code."""
    with sqlite3.connect(path) as database:
        found = [json.loads(record) for (record,) in database.execute("SELECT record FROM answers")]
    database.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_every_judgement_that_showed_a_document_is_listed_once(tmp_path, spec):
    ranking, first, judgements, path = made(tmp_path, spec)
    assert isinstance(ranking, Ranking)
    kept = records(path)
    ranked = Ranked(ranking.doc_ids, first, N, judgements)
    for doc_id in IDS:
        found = history(ranked, doc_id)
        assert found.rank == ranking.doc_ids.index(doc_id) + 1
        assert found.first_rank == first.index(doc_id) + 1
        rows = [record for record in kept if doc_id in [shown for shown, _ in record["docs"]]]
        assert len(found.appearances) == len(rows) == len({id(each.heard) for each in found.appearances})
        assert found.standing == ("judged" if rows else "never shown")
        for each in found.appearances:
            assert each.heard.docs[each.place - 1] == doc_id
            assert each.heard.call is not None
            assert "\n" not in line(each, doc_id)
        _same_record(found.record, [row for row in rows if row["judgement"] == "Compare"], doc_id)
        assert len(facts(found, ranked)) == 2 + (found.above is not None) + (found.below is not None)


def _same_record(record, compared, doc_id):
    """Wins, losses and ties, counted from the rows."""
    if record is None:
        assert not compared
        return
    outcome = {"won": 0, "lost": 0, "tied": 0}
    for row in compared:
        first = row["docs"][0][0] == doc_id
        p = row["answer"] if first else 1 - row["answer"]
        outcome["tied" if p == 0.5 else "won" if p > 0.5 else "lost"] += 1
    assert {name: len(getattr(record, name)) for name in outcome} == outcome
    assert record.unusable == 0


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["prp(sort=allpair)", "pointwise", "full", "setwise(c=4, sort=heap, top_k=5)"])
def test_answers_without_use_are_listed_and_count_for_nobody(tmp_path, spec):
    _, first, judgements, path = made(tmp_path, spec, malformed=0.3)
    unusable = [record for record in records(path) if "reason" in record]
    if spec == "prp(sort=allpair)":
        assert unusable
    ranked = Ranked(first, first, N, judgements)
    for doc_id in IDS:
        found = history(ranked, doc_id)
        lost = [record for record in unusable if doc_id in [shown for shown, _ in record["docs"]]]
        told = [each for each in found.appearances if each.heard.answer is None]
        assert len(told) == len(lost)
        assert all("no usable answer (the answer was cut short)" in line(each, doc_id) for each in told)
        if found.record is not None:
            assert found.record.unusable == len(lost)


@pytest.mark.parametrize(("spec", "moves"), [(SPECS[0], True), (SPECS[1], True), ("full", False), ("psc(full)", False)])
def test_moves_are_told_where_they_account_for_the_ranking(tmp_path, spec, moves):
    ranking, first, judgements, _ = made(tmp_path, spec)
    stretches = walk(first, judgements, ranking.doc_ids)
    if spec == "full":  # which may shuffle, or show the order as it is
        moves = judgements[0].docs == tuple(first)
    assert (stretches is not None) == moves
    if not moves:
        return
    for doc_id in IDS:
        place = first.index(doc_id) + 1
        for stretch in stretches:
            if doc_id in stretch.before:
                old, new = stretch.move(doc_id)
                passed, passed_by = stretch.passed(doc_id)
                assert old == place
                assert new == old - len(passed) + len(passed_by)
                place = new
        assert place == ranking.doc_ids.index(doc_id) + 1


def test_moves_are_not_told_of_another_ranking(tmp_path):
    ranking, first, judgements, _ = made(tmp_path, SPECS[0])
    assert walk(first, judgements, ranking.doc_ids) is not None
    assert walk(first, judgements, ranking.doc_ids[::-1]) is None
    assert walk(first[::-1], judgements, ranking.doc_ids) is None


def test_documents_beyond_the_depth_were_not_read(tmp_path):
    _, first, judgements, _ = made(tmp_path, "full")
    more = Ranked([*first, "beyond"], [*first, "beyond"], N, judgements)
    assert history(more, "beyond").standing == "beyond depth"
    assert "it is beyond depth 24" in facts(history(more, "beyond"), more)[1]
    unknown = Ranked([*first, "beyond"], None, None, judgements)
    assert history(unknown, "beyond").standing == "never shown"
    assert "where the first stage had it is not known" in facts(history(unknown, "beyond"), unknown)[0]


def order(*groups, omitted=(), decode=None, shown=None):
    docs = tuple(shown or [d for group in groups for d in group] + list(omitted))
    answer = {"groups": [list(group) for group in groups], "omitted": list(omitted)}
    return Answers(1, 1, "Permute", docs, {"decode": decode}, answer, None, "parsed", {}, '{"model": "m"}')


def compare(first, second, p):
    return Answers(1, 1, "Compare", (first, second), {}, p, None, "parsed", {}, '{"model": "m"}')


def test_what_an_order_says_of_two():
    said = order("a", "bc", omitted="de")
    assert [said.verdict(*pair) for pair in ("ab", "ba", "bc", "ad", "de")] == [1, -1, 0, None, None]
    aimed = order("a", "b", omitted="de", decode=2)  # only the first two were asked for: the others are behind
    assert [aimed.verdict(*pair) for pair in ("ab", "bd", "da", "de")] == [1, 1, -1, None]


def test_what_a_choice_says_of_two():
    best = Answers(1, 1, "Select", tuple("abcd"), {"m": 2, "worst": False}, ["c", "a"], None, "parsed", {}, "{}")
    assert [best.verdict(*pair) for pair in ("ca", "ab", "bd", "bc")] == [1, 1, None, -1]
    worst = Answers(1, 1, "Select", tuple("abcd"), {"m": 2, "worst": True}, ["c", "a"], None, "parsed", {}, "{}")
    assert [worst.verdict(*pair) for pair in ("ca", "ab", "bd", "bc")] == [-1, -1, None, 1]


def test_chains_go_through_others_only_where_nothing_else_tells():
    evidence = Evidence([compare("a", "b", 0.9), compare("c", "b", 0.2), compare("d", "c", 0.5)])
    assert (evidence.pair("a", "b").ground, evidence.pair("a", "b").better) == ("together", "a")
    chain = evidence.pair("c", "a")
    assert (chain.ground, chain.chain, chain.better) == ("others", ("a", "b", "c"), "a")
    assert evidence.pair("d", "c").ground == "nothing"  # a tie
    assert evidence.pair("d", "elsewhere").better is None


def test_both_orders_agree_or_do_not():
    agree = Evidence([compare("a", "b", 0.9), compare("b", "a", 0.3)]).pair("a", "b")
    differ = Evidence([compare("a", "b", 0.9), compare("b", "a", 0.8)]).pair("a", "b")
    once = Evidence([compare("a", "b", 0.9)]).pair("a", "b")
    assert [pair.orders for pair in (agree, differ, once)] == [(1, 0), (0, 1), (0, 0)]
    assert (differ.ground, differ.better) == ("strength", "a")  # .9 is more than .8


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.sampled_from([0, 0.3, 0.5, 1])))
       .map(lambda rows: [row for row in rows if row[0] != row[1]]))  # fmt: skip
def test_a_pair_is_the_same_from_either_side(rows):
    evidence = Evidence([compare(*row) for row in rows])
    for one, other in ("ab", "cd", "ef"):
        there, back = evidence.pair(one, other), evidence.pair(other, one)
        assert (there.ground, there.better, there.net) == (back.ground, back.better, -back.net)
        assert there.orders == back.orders
        for better, worse in zip(there.chain, there.chain[1:], strict=False):
            assert worse in evidence.beats[better]


def test_scores_are_those_of_what_was_asked():
    embedded = Answers(1, 1, "Embed", ("a", "b"), {"feedback": 0}, [[1, 0], [2, 0], [0, 3]], None, "parsed", {}, "{}")
    assert embedded.scores == {"a": 1, "b": 0}
    criteria = {"criteria": [{"text": "x", "weight": 3}, {"text": "y", "weight": 1}, {"text": "z", "weight": 9}]}
    assessed = Answers(1, 1, "Assess", ("a",), criteria, {"grades": [4, 8, None], "rationales": ["", "", ""]}, None,
                     "parsed", {}, "{}")  # fmt: skip
    assert assessed.scores == {"a": 5}
    evidence = Evidence([embedded, assessed])
    assert evidence.pair("b", "a").better == "a"
    assert evidence.pair("b", "a").ground == "scores"


def test_judgements_that_contradict_each_other_are_told_as_such():
    differ = Evidence([compare("a", "b", 0.9), compare("b", "a", 0.8)]).pair("a", "b")
    assert (differ.ground, differ.better) == ("strength", "a")
    assert told(differ) == (
        "Judgements that showed both contradict each other, 1 for each; by their probabilities, a is ahead "
        "(asked in both orders: they disagree)."
    )
    assert "yet it stands above" in told(Evidence(differ_ := [each for each, _ in differ.together]).pair("b", "a"))
    assert len(differ_) == 2
    even = Evidence([order("a", "b"), order("b", "a")]).pair("a", "b")
    assert even.ground == "nothing"
    assert told(even).startswith("Judgements that showed both contradict each other, 1 for each: ")
    around = Evidence([order("a", "b"), order("b", "a"), order("a", "c"), order("c", "b")]).pair("a", "b")
    assert told(around) == (
        "Judgements that showed both contradict each other, 1 for each, but a chain tells them apart: "
        "a before c before b."
    )
    tied = Evidence([compare("a", "b", 0.5)]).pair("a", "b")
    assert told(tied).startswith("Judgements that showed both call it a tie: ")


def test_a_choice_of_the_worst_is_told_as_such():
    worst = Answers(1, 1, "Select", tuple("abc"), {"m": 1, "worst": True}, ["b"], None, "parsed", {}, "{}")
    best = Answers(2, 2, "Select", tuple("abc"), {"m": 2, "worst": False}, ["b", "c"], None, "parsed", {}, "{}")
    assert [said_of(worst, d) for d in "ab"] == ["not chosen as the worst", "chosen as the worst"]
    assert [said_of(best, d) for d in "ab"] == ["not chosen among the best 2", "chosen as 1st of the best 2"]
    ranked = Ranked(list("acb"), list("abc"), 3, [worst, best])
    assert (
        "; chosen in 1 of 1 choices; chosen as the worst in 1 of 1;"
        in f"{facts(history(ranked, 'b'), ranked)[1][:-1]};"
    )
    assert "; chosen in 0 of 1 choices; chosen as the worst in 0 of 1" in facts(history(ranked, "a"), ranked)[1]


def score(doc_id, value, judge="m", kind="Score"):
    return Answers(1, 1, kind, (doc_id,), {}, value, None, "parsed", {}, json.dumps({"model": judge}))


def test_of_several_judges_the_last_one_tells():
    evidence = Evidence([score("a", 1), score("b", 2), score("a", 9, "later"), score("b", 3, "later")])
    assert (evidence.pair("a", "b").scores, evidence.pair("a", "b").better) == ((9, 3), "a")


def test_grades_are_compared_before_chains_are_looked_for():
    def grade(docs, answer):
        return Answers(1, 1, "Grade", tuple(docs), {"scale": 10}, answer, None, "parsed", {}, "{}")

    evidence = Evidence([grade("ab", [8, 6]), grade("cd", [5, 2]), grade("bc", [3, None]), grade("ad", [4, 1])])
    pair = evidence.pair("c", "b")
    assert (pair.ground, pair.scores, pair.better) == ("scores", (5, 4.5), "c")


@pytest.mark.slow
@pytest.mark.parametrize("inside", ["pointwise", "sliding(window=6, stride=3)", "prp(sort=heap)", "setwise"])
def test_a_document_is_explained_by_all_of_its_passages(tmp_path, cli, inside):
    texts = {"a": "one two three four five six", "b": "one", "c#2": "one two three", "d文": "one two three four"}
    qrels, requests, out = tmp_path / "qrels", tmp_path / "requests.jsonl", tmp_path / "out.txt"
    qrels.write_text("q 0 a 1\nq 0 b 2\nq 0 c#2 0\n")
    candidates = [{"docid": d, "score": 9.0 - i, "doc": {"contents": t}} for i, (d, t) in enumerate(texts.items())]
    requests.write_text(json.dumps({"query": {"qid": "q", "text": "a query"}, "candidates": candidates}) + "\n")
    status, _, err = cli("rerank", "--requests", requests, "--model", f"simulated:{qrels}?world=harsh", "--output",
                         out, "--journal", tmp_path / "calls.db", "--quiet",
                         "--strategy", f"maxp({inside}, passage_words=2, stride_words=1)")  # fmt: skip
    assert status == 0, err
    kept = records(tmp_path / "calls.db")
    own = {doc_id: [doc_id, *(f"{doc_id}#{i}" for i in range(2, 6))] for doc_id in ("a", "b", "c#2", "d文")}
    own["c#2"] = ["c#2", "c#2#2"]
    for doc_id in ("a", "b", "c#2", "d文"):
        _, text, _ = cli("explain", out, "q", doc_id, "--journal", tmp_path / "calls.db", "--format", "json")
        found = json.loads(text)
        ids = [[shown for shown, _ in record["docs"]] for record in kept]
        assert len(found["judgements"]) == sum(shown in own[doc_id] for docs in ids for shown in docs)
        assert {each["shown_as"] for each in found["judgements"]} == {d for docs in ids for d in docs} & {*own[doc_id]}
        for each in found["judgements"]:
            assert each["docs"][each["place"] - 1] == each["shown_as"]
        if inside == "pointwise":
            best = max(r["answer"] for r in kept if r["docs"][0][0] in own[doc_id])
            assert found["scores"][0]["score"] == pytest.approx(best)
            assert found["scores"][0]["rank"] == found["rank"]
            assert found["scores"][0]["of"] == 4
    _, said, _ = cli("explain", out, "q", "a", "--journal", tmp_path / "calls.db")
    assert ", cut into a, a#2, a#3, a#4, a#5" in said.replace("\n", " ")


@pytest.mark.slow
def test_the_command_writes_what_the_verb_gives(tmp_path, cli):
    run, journal = tmp_path / "out.txt", tmp_path / "calls.db"
    source = [part for name in ("run.txt", "queries.tsv", "corpus.jsonl") for part in
              (f"--{name.partition('.')[0]}", sample(name))]  # fmt: skip
    status, _, err = cli("rerank", *source, "--model", f"simulated:{sample('qrels.txt')}?world=harsh", "--strategy",
                         "prp(sort=heap)", "--output", run, "--journal", journal, "--quiet")  # fmt: skip
    assert status == 0, err
    first, *_, last = [doc_id for doc_id, _ in read_run(run)["q1"]]
    for doc_id, options, against in ((first, [], None), (last, ["--compare", first], first)):
        found = explain(run, "q1", doc_id, against=against, journal=journal)
        arguments = ["explain", run, "q1", doc_id, *options, "--journal", journal]
        assert found.to_dict() == json.loads(cli(*arguments, "--format", "json")[1])
        assert str(found).split() == cli(*arguments)[1].split()
        assert found.notes == ()
