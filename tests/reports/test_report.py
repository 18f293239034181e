"""`report` in Python, and what its command writes."""

import json

import pytest
from report_pages import read_page

import rerankllm
from rerankllm.errors import InputError
from rerankllm.sample import path as sample


@pytest.fixture
def runs(cli, tmp_path):
    """Two seeds of a system, with their journals."""
    source = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]
    paths = [tmp_path / f"{seed}.txt" for seed in (0, 1)]
    for seed, path in enumerate(paths):
        model = f"simulated:{sample('qrels.txt')}?world=mild&malformed=0.7&seed={seed}"
        status, _, err = cli("rerank", *source, "--strategy", "full", "--model", model, "--output", path, "--journal",
                             f"{path}.journal", "--quiet")  # fmt: skip
        assert status == 0, err
    return paths


@pytest.mark.slow
def test_the_command_writes_what_the_verb_gives(cli, runs, tmp_path):
    status, _, err = cli("report", "--qrels", sample("qrels.txt"), "--first-stage", sample("run.txt"), "--run",
                         f"full={runs[0]},{runs[1]}", "--queries", sample("queries.tsv"), "--corpus",
                         sample("corpus.jsonl"), "--calls", "failed", "--queries-shown", 5, "-o",
                         tmp_path / "page.html")  # fmt: skip
    assert status == 0, err
    found = rerankllm.report(
        {"full": runs}, qrels=sample("qrels.txt"), first_stage=sample("run.txt"), query_texts=sample("queries.tsv"),
        corpus=sample("corpus.jsonl"), calls="failed", queries=5, output=tmp_path / "verb.html",
    )  # fmt: skip
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert found.html == page == (tmp_path / "verb.html").read_text(encoding="utf-8")
    assert found.size == (tmp_path / "page.html").stat().st_size
    main, queries = read_page(page)
    assert found.to_dict() == {"main": main, "queries": queries}
    assert len(queries) == 5


@pytest.mark.slow
def test_what_robustness_found_is_a_section(runs, tmp_path):
    queries = rerankllm.load_collection("sample")
    model = f"simulated:{sample('qrels.txt')}?world=harsh"
    with rerankllm.Reranker("full", model) as reranker:
        asked = [(rerankllm.Query("q1", queries.queries["q1"]), ["one", "two", "three"])]
        measured = rerankllm.robustness(reranker, asked, shuffles=1, folder=tmp_path / "orders")
    given = {"qrels": sample("qrels.txt"), "first_stage": sample("run.txt")}
    from_report = rerankllm.report({"full": runs[0]}, robustness=measured, **given)
    from_file = rerankllm.report({"full": runs[0]}, robustness=tmp_path / "orders" / "robustness.json", **given)
    assert from_report.html == from_file.html
    assert len(from_report.to_dict()["main"]["parts"][0]["robust"]) == 1


def test_runs_need_judgements(runs):
    with pytest.raises(InputError, match="give their qrels"):
        rerankllm.report({"full": runs})


@pytest.mark.slow
def test_what_attacks_did_is_a_section(runs, cli, tmp_path):
    from rerankllm.runs.source import read_source

    file, model = tmp_path / "attacks.json", f"simulated:{sample('qrels.txt')}?world=harsh"
    source = read_source(
        sample=True, run=None, queries=None, corpus=None, requests=None, qrels=None, skip_missing=False
    )
    with rerankllm.Reranker("prp(sort=allpair)", model) as reranker:
        found = rerankllm.attack(reranker, source, attacks=["labels", "claim"], depth=4, top_k=1)
    file.write_text(json.dumps(found.to_dict()), encoding="utf-8")
    given = {"qrels": sample("qrels.txt"), "first_stage": sample("run.txt")}
    page = rerankllm.report({"full": runs[0]}, attacks=[found], **given)
    status, _, err = cli("report", "--qrels", sample("qrels.txt"), "--first-stage", sample("run.txt"), "--run",
                         f"full={runs[0]}", "--attacks", file, "-o", tmp_path / "page.html")  # fmt: skip
    assert status == 0, err
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page.html
    (section,) = page.to_dict()["main"]["attacks"]
    assert [row["attack"] for row in section["rows"][:2]] == ["labels", "claim"]
    assert any("certified: had any" in line for line in section["notes"])


@pytest.mark.parametrize("text", ["no json", "{}", '{"certified": {"q": {"survives": 1, "more": 2}}}', "[]"])
def test_a_file_of_attacks_that_is_none_is_refused(runs, tmp_path, text):
    (tmp_path / "attacks.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"attacks.json is not what `rerankllm attack --json` writes"):
        rerankllm.report({"full": runs[0]}, qrels=sample("qrels.txt"), attacks=[tmp_path / "attacks.json"])
