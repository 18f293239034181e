"""Reads the judged collections that may lie beside the checkout, up to figures known from elsewhere."""

from pathlib import Path

import ir_measures
import pytest
from ir_measures import nDCG

from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_qrels, read_run, write_run

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.mark.parametrize(
    ("name", "counts", "first_stage"),
    [("dl19-bm25", (43, 4300, 4297, 9260), 0.5058), ("noveleval", (21, 420, 420, 420), 0.6503)],
)
def test_a_collection_is_read_whole(tmp_path, name, counts, first_stage):
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"../shared/data/{name} is not beside the checkout")
    run = read_run(folder / "run.txt")
    wanted = {doc_id for pairs in run.values() for doc_id, _ in pairs}
    corpus = read_corpus(folder / "corpus.jsonl", wanted)
    qrels = read_qrels(folder / "qrels.txt")
    joined = join(run, read_queries(folder / "queries.tsv"), corpus, skip_missing=False)

    assert counts == (
        len(joined.queries),
        sum(len(candidates) for _, candidates in joined.queries),
        len(corpus),
        sum(len(judged) for judged in qrels.values()),
    )
    assert joined.skipped_documents == 0
    assert qrels.keys() == run.keys()
    assert all(candidate.document.text.strip() for _, found in joined.queries for candidate in found)

    with (tmp_path / "run.txt").open("w", encoding="utf-8") as file:
        for query, candidates in joined.queries:
            write_run(file, query.query_id, [candidate.doc_id for candidate in candidates], "same")
    for path in (folder / "run.txt", tmp_path / "run.txt"):
        scored = {query_id: dict(pairs) for query_id, pairs in read_run(path).items()}
        measured = ir_measures.calc_aggregate([nDCG @ 10], qrels, scored)[nDCG @ 10]
        assert measured == pytest.approx(first_stage, abs=5e-5)
