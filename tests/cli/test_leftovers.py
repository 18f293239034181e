"""Files that tell of a run are of that run."""

from rerankllm.sample import path as sample

SOURCE = [f"--{name}={sample(file)}" for name, file in
          (("run", "run.txt"), ("queries", "queries.tsv"), ("corpus", "corpus.jsonl"))]  # fmt: skip


def test_what_an_earlier_run_left_beside_the_output_is_gone(cli, tmp_path):
    output, judge = tmp_path / "run.txt", f"--model=oracle:{sample('qrels.txt')}"
    for name in ("empty", "failed"):
        output.with_name(f"run.txt.{name}").write_text("1\n")
    assert cli("rerank", *SOURCE, judge, "--strategy", "pointwise", "-o", output)[0] == 0
    assert not list(tmp_path.glob("*.empty")) + list(tmp_path.glob("*.failed"))
