"""A journal that an earlier version wrote is read whole: its keys have to stay what they are, byte for byte.

`tests/golden/journals` holds what commit 26217db wrote when it ran the two functions and the command below. Keys are
made of the stage, the models, the templates, the query and its documents, so paths of models are relative here. Only
a template or a model that is changed on purpose is a reason to write one of these journals anew.
"""

import gzip
import shutil
import sqlite3
from pathlib import Path

import pytest

from rerankllm import Reranker

GOLDEN = Path(__file__).parents[1] / "golden" / "journals"
QUERIES = {"q1": "how long do fleas live", "q2": "why do cats purr"}
TEXTS = {
    "a": "Fleas live for weeks.",
    "b": "Cats purr when content.",
    "c": "Dogs bark.",
    "d": "A flea bites 'ünd' jumps.",
}
GRADES = {"q1": "a d b", "q2": "b c d"}
FREE = "full / text(constrained=false)"
"""What was `full / text` when the journal was written: since then such answers are held to labels."""
COMMAND = (
    "rerank", "--run", "run.txt", "--queries", "queries.tsv", "--corpus", "corpus.jsonl",
    "--model", "simulated:qrels.txt?seed=3", "--top-k", "2",
    "--strategy", "cascade([pointwise, prp(sort=heap, top_k=2)], depths=[4, 2])",
    "--journal", "command.journal", "--output", "ranked.txt", "--quiet",
)  # fmt: skip


def write_collection(folder):
    """The files that all runs here are made of."""
    (folder / "qrels.txt").write_text(
        "".join(f"{q} 0 {doc} {3 - i}\n" for q, docs in GRADES.items() for i, doc in enumerate(docs.split()))
    )
    (folder / "queries.tsv").write_text("".join(f"{q}\t{text}\n" for q, text in QUERIES.items()))
    lines = (f'{{"_id": "{doc}", "title": "{doc.upper()}", "text": "{text}"}}\n' for doc, text in TEXTS.items())
    (folder / "corpus.jsonl").write_text("".join(lines), encoding="utf-8")
    rows = (f"{q} Q0 {doc} {i} {9 - i} bm25\n" for q in QUERIES for i, doc in enumerate(TEXTS, 1))
    (folder / "run.txt").write_text("".join(rows))


def rank_everything(journal):
    """One ranking by each way to come by a `Reranker`; returns how many calls each was replayed, and took."""
    documents = [{"id": doc, "text": text} for doc, text in TEXTS.items()]
    spent = []

    def rank(reranker, **how):
        ledger = reranker.rerank("query", documents, **how).ledger
        spent.append((ledger.replayed, ledger.calls))

    with Reranker("interpolate(pointwise)", "simulated:one.txt", depth=3, journal=journal) as whole:
        rank(whole)
        rank(whole.on(whole.stage.parse("sliding(window=2, stride=1)")), top_k=1)
        rank(whole.beside("prp(sort=heap)"), top_k=2)
        rank(whole.beside("tournament", "oracle:one.txt"))
        for part in whole.parts():
            rank(part)
    two_stages = "cascade([pointwise @ oracle:one.txt, sliding], depths=[4, 2])"
    with Reranker(two_stages, "simulated:one.txt?seed=2", journal=journal) as two:
        rank(two, top_k=2)
    return spent


def rank_by_prompts(journal):
    """The same for a model that is shown prompts, whose templates and settings are part of the keys."""
    with Reranker(
        "pointwise / labels", "llamacpp:smollm2?type=bf16", instruction="about fleas", passage_tokens=9, unusable="fail"
    ) as reranker:
        reranker.keep(journal)
        free = reranker.beside(FREE, instruction="about cats")
        outcomes = [each.submit("query", list(TEXTS.values())[:2]).result() for each in (reranker, free)]
    return [(outcome.ledger.replayed, outcome.ledger.calls) for outcome in outcomes]


def keys(journal):
    """Every query's key, and how many calls are kept."""
    with sqlite3.connect(journal) as database:
        (calls,) = database.execute("SELECT count(*) FROM calls").fetchone()
        return sorted(key for (key,) in database.execute("SELECT key FROM queries")), calls


@pytest.fixture
def earlier(tmp_path, monkeypatch):
    """Unpacks the journals into the folder that the test runs in."""
    monkeypatch.chdir(tmp_path)
    write_collection(tmp_path)
    (tmp_path / "one.txt").write_text("query 0 a 3\nquery 0 d 2\nquery 0 b 1\n")
    for packed in GOLDEN.glob("*.journal.gz"):
        with gzip.open(packed) as source, (tmp_path / packed.stem).open("wb") as target:
            shutil.copyfileobj(source, target)
    return tmp_path


def test_every_call_comes_from_the_journal(earlier):
    journal = earlier / "rank_everything.journal"
    before = keys(journal)
    assert all(replayed == calls > 0 for replayed, calls in rank_everything(journal))
    assert keys(journal) == before


@pytest.mark.llamacpp
def test_so_does_every_call_by_prompts_where_answers_are_free_as_they_were(earlier):
    journal = earlier / "rank_by_prompts.journal"
    before, calls = keys(journal)
    assert all(replayed == calls > 0 for replayed, calls in rank_by_prompts(journal))
    after = keys(journal)
    assert after[1] == calls
    assert len(set(after[0]) - set(before)) == 1  # of a spec that says `constrained=false`
    assert set(before) < set(after[0])


@pytest.mark.llamacpp
def test_a_free_answer_is_not_taken_for_one_held_to_labels(earlier):
    journal = earlier / "rank_by_prompts.journal"
    before, calls = keys(journal)
    with Reranker("full / text", "llamacpp:smollm2?type=bf16", instruction="about cats", passage_tokens=9) as reranker:
        reranker.keep(journal)
        ranking = reranker.rerank("query", list(TEXTS.values())[:2])
        assert str(reranker.stage).endswith("constrained=true)")
    assert (ranking.ledger.replayed, ranking.ledger.calls) == (0, 1)
    after = keys(journal)
    assert (set(before) < set(after[0]), after[1]) == (True, calls + 1)


def test_the_command_writes_the_same_run_without_a_call(earlier, cli):
    before = keys(earlier / "command.journal")
    status, _, err = cli(*COMMAND)
    assert status == 0
    assert f"{before[1]} of them from the journal" in err
    assert Path("ranked.txt").read_bytes() == (GOLDEN / "ranked.txt").read_bytes()
    assert keys(earlier / "command.journal") == before
