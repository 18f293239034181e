"""Run files evaluated from Python."""

import json
import logging

import pytest

import rerankllm
from rerankllm.collections import catalogue
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.formats.trec import read_qrels
from rerankllm.runs.evaluate import evaluate_runs
from rerankllm.sample import path as sample

RUN, QRELS = sample("run.txt"), sample("qrels.txt")


@pytest.fixture
def some(tmp_path):
    """The sample's run without two of its eight queries."""
    lines = RUN.read_text().splitlines(keepends=True)
    path = tmp_path / "some.txt"
    path.write_text("".join(line for line in lines if line.split()[0] not in {"q2", "q5"}))
    return path


@pytest.mark.parametrize("per_query", [False, True])
@pytest.mark.parametrize("measures", [None, ["nDCG@10", "RR(rel=2)@10", "P@5"]])
def test_the_verb_gives_what_the_command_writes_as_json(cli, some, per_query, measures):
    asked = [word for measure in measures or () for word in ("--measure", measure)]
    more = ["--per-query"] if per_query else []
    status, out, _ = cli("eval", "--run", RUN, "--run", some, "--qrels", QRELS, *asked, *more, "--json")
    assert status == 0
    found = rerankllm.evaluate_runs([RUN, some], QRELS, measures=measures)
    assert json.loads(as_json(found.to_list(per_query=per_query))) == json.loads(out)
    lines = cli("eval", "--run", RUN, "--run", some, "--qrels", QRELS, *asked, *more)[1]
    assert list(found.lines(per_query=per_query)) == lines.splitlines()


def test_a_collection_brings_its_own_measures(cli):
    out = cli("eval", "--run", RUN, "--dataset", "sample", "--json")[1]
    found = evaluate_runs(RUN, catalogue.load("sample"))
    assert json.loads(as_json(found.to_list())) == json.loads(out)


def test_runs_and_judgements_are_given_in_several_ways(some, caplog):
    caplog.set_level(logging.WARNING, "rerankllm.notes")
    found = evaluate_runs({"whole": str(RUN), "some": some}, read_qrels(QRELS))
    assert found.mean == {each.run: each.mean for each in evaluate_runs({"whole": RUN, "some": some}, QRELS).runs}
    assert list(found.mean) == ["whole", "some"]
    assert [each.missing_queries for each in found.runs] == [(), ("q2", "q5")]
    assert f"{some} lacks 2 of 8 judged queries (q2, q5)" in caplog.messages
    values = found.runs[1].per_query
    assert found.mean["some"]["nDCG@10"] == pytest.approx(sum(v["nDCG@10"] for v in values.values()) / 6)
    assert str(found) == "\n".join(f"{name}\tnDCG@10\tall\t{mean['nDCG@10']:.4f}" for name, mean in found.mean.items())


def test_what_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        evaluate_runs(tmp_path / "nowhere.txt", QRELS)
    with pytest.raises(InputError, match="measure 'nDGC'"):
        evaluate_runs(RUN, QRELS, measures=["nDGC"])
    with pytest.raises(InputError, match="no run to evaluate"):
        evaluate_runs([], QRELS)
