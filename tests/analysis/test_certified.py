"""What is certified of a ranking is what changing its answers shows: counted again from the answers, by brute force."""

import itertools
import random

import pytest

from rerankllm import Reranker, explain
from rerankllm.aggregation.certified import Certificate
from rerankllm.analysis.answers import Answers, heard
from rerankllm.analysis.certified import certified, sentence
from rerankllm.calibration.order import FORMS
from rerankllm.data import Candidate, Document, Query
from rerankllm.journal.read import rankings
from rerankllm.journal.store import Journal
from rerankllm.sample import path as sample
from rerankllm.spec.stage import Stage


def compared(first, second, p):
    return Answers(1, 1, "Compare", (first, second), {}, p, None, "parsed", {}, '{"model": "m"}')


def all_pairs(items, said, form, *, both):
    """The order of all pairs, from the answers, as the paper counts."""
    wins = dict.fromkeys(items, 0.0)
    for i, a in enumerate(items):
        for b in items[i + 1 :]:
            if both:
                p = FORMS[form](said[a, b], said[b, a])
            else:
                x = said[a, b] if (a, b) in said else 1 - said[b, a]
                p = FORMS[form](x, 1 - x)
            wins[a] += p
            wins[b] += 1 - p
    return sorted(items, key=lambda item: -wins[item])


def tried(items, said, form, top_k, *, both):
    """The fewest answers that change the top k when each of them may be anything."""
    before = set(all_pairs(items, said, form, both=both)[:top_k])
    for count in range(1, len(said) + 1):
        for chosen in itertools.combinations(said, count):
            for answers in itertools.product((0.0, 0.5, 1.0), repeat=count):
                other = {**said, **dict(zip(chosen, answers, strict=True))}
                if set(all_pairs(items, other, form, both=both)[:top_k]) != before:
                    return count
    return len(said) + 1


@pytest.mark.slow
@pytest.mark.parametrize("both", [True, False], ids=["both", "one"])
@pytest.mark.parametrize("form", list(FORMS))
def test_comparisons_survive_what_brute_force_says(form, both):
    for seed in range(8):
        chance = random.Random(seed)
        items = ["a", "b", "c", "d"] if not both or seed % 2 else ["a", "b", "c"]
        words = chance.random() < 0.5
        pairs = [pair for a, b in itertools.combinations(items, 2) for pair in [(a, b), (b, a)]]
        if not both:
            pairs = [chance.choice(pairs[i : i + 2]) for i in range(0, len(pairs), 2)]
        said = {pair: chance.choice([0.0, 1.0]) if words else chance.choice([0.1, 0.3, 0.6, 0.9]) for pair in pairs}
        order = all_pairs(items, said, form, both=both)
        stage = Stage.parse(f"prp(sort=allpair, calibrate={form}, orders={2 if both else 1})")
        found = certified(stage, order, items, [compared(*pair, p) for pair, p in said.items()], 2)
        assert isinstance(found, Certificate), found
        fewest = tried(items, said, form, 2, both=both)
        assert (found.survives, found.of, found.exact) == (fewest - 1, len(said), True)


def made(folder, spec, n=8, world="mild"):
    """A ranking by a simulated judge, its candidates, and what the journal holds of it."""
    qrels = folder / "qrels"
    qrels.write_text("".join(f"q 0 d{i} {i % 4}\n" for i in range(n)), encoding="utf-8")
    candidates = [Candidate(Document(f"d{i}", f"text {i}"), float(n - i)) for i in range(n)]
    with Reranker(spec, f"simulated:{qrels}?world={world}", journal=folder / "calls.db") as reranker:
        (ranking,) = reranker.stream([(Query("q", "a query"), candidates)])
    journal = Journal(folder / "calls.db", create=False)
    ((key, stage),) = rankings(journal, "q")
    judgements = tuple(heard(journal, key))
    journal.close()
    return Stage.parse(stage), ranking.doc_ids, [c.doc_id for c in candidates], judgements


@pytest.mark.parametrize(
    ("spec", "exact"),
    [
        ("prp(sort=allpair)", True),
        ("prp(sort=allpair, orders=1)", True),
        ("psc(full, shuffles=6)", True),
        ("psc(full(top_k=3), shuffles=6)", False),
        ("psc(full, shuffles=6, aggregate=copeland)", True),
        ("jointrank(block=4, replicas=3, aggregate=win_rate)", True),
    ],
)
def test_answers_counted_again_give_the_ranking(tmp_path, spec, exact):
    stage, doc_ids, first, judgements = made(tmp_path, spec)
    found = certified(stage, doc_ids, first, judgements, 3)
    assert isinstance(found, Certificate), found
    assert (found.of, found.exact) == (len(judgements), exact)
    assert found.leaves in doc_ids[:3]
    assert found.enters in doc_ids[3:]
    own = [certified(stage, doc_ids, first, judgements, 3, only=doc_id).survives for doc_id in doc_ids]
    assert min(own[:3]) == min(own[3:]) == found.survives
    assert certified(stage, doc_ids[::-1], first, judgements, 3) == (
        "the answers, counted again, do not give this ranking"
    )


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("pointwise", "a certificate needs answers that are counted together"),
        ("prp", "a certificate needs answers that are counted together"),
        ("jointrank(block=4)", "nothing is known of BradleyTerry"),
        ("psc(sliding(window=4, stride=2), shuffles=3)", "a certificate needs answers that are counted together"),
    ],
)
def test_what_is_not_known_is_said(tmp_path, spec, why):
    stage, doc_ids, first, judgements = made(tmp_path, spec)
    assert certified(stage, doc_ids, first, judgements, 3).startswith(why)
    assert certified(stage, doc_ids, None, judgements, 3) == "the first stage's order is not known"


def test_lost_answers_leave_no_certificate(tmp_path):
    stage, doc_ids, first, judgements = made(tmp_path, "prp(sort=allpair)")
    assert certified(stage, doc_ids, first, judgements[1:], 3) == "not every pair has its answers"
    assert certified(stage, doc_ids, first, judgements, 8) == "8 documents were judged, and it takes more than 8"


def test_explain_says_how_surely_a_document_is_where_it_is(cli, tmp_path):
    run = tmp_path / "run.txt"
    model = f"simulated:{sample('qrels.txt')}?world=mild"
    options = ["--sample", "--strategy", "prp(sort=allpair)", "--depth", 6, "--model", model]
    status, _, err = cli("rerank", *options, "-o", run, "--journal", f"{run}.journal")
    assert status == 0, err
    doc_id = run.read_text().split()[2]
    found = explain(run, "q1", doc_id, top_k=3)
    assert isinstance(found.certified, Certificate)
    said = sentence(found.certified, 3, doc_id, inside=True)
    assert found.facts[-1] == said
    assert "of the 30 answers had been" in said
    assert said in cli("explain", run, "q1", doc_id, "--top-k", 3)[1].replace("\n", " ")
    assert found.to_dict()["certified"]["survives"] == found.certified.survives
    assert "reason" in explain(run, "q1", doc_id).to_dict()["certified"]
