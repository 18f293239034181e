"""`recommend` in Python, and what its command prints."""

import json

import pytest

from rerankllm import recommend
from rerankllm.errors import InputError
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_run
from rerankllm.sample import path as sample

SIMULATED = f"simulated:{sample('qrels.txt')}"


@pytest.mark.slow
@pytest.mark.parametrize("limits", [{"calls": 20, "rounds": 5}, {"slots": 700}])
def test_the_command_prints_what_the_verb_gives(cli, limits):
    given = [part for axis, limit in limits.items() for part in (f"--max-{axis}", limit)]
    found = recommend(limits, model=SIMULATED, judge="poor")
    arguments = ["recommend", *given, "--model", SIMULATED, "--judge", "poor"]
    assert found.to_dict() == json.loads(cli(*arguments, "--format", "json")[1])
    assert cli(*arguments)[1] == f"{found}\n"
    assert found.strategy in found.command


def test_queries_of_ones_own(cli):
    texts = read_queries(sample("queries.tsv")), read_corpus(sample("corpus.jsonl"))
    queries = join(read_run(sample("run.txt")), *texts, skip_missing=False).queries
    found = recommend({"calls": 100}, queries=queries, model=SIMULATED).to_dict()
    arguments = ["recommend", "--max-calls", 100, "--sample", "--model", SIMULATED, "--format", "json"]
    printed = json.loads(cli(*arguments)[1])
    command = found.pop("command").replace("--run RUN --queries QUERIES --corpus CORPUS", "--sample")
    assert command == printed.pop("command")
    assert found == printed


def test_a_limit_that_needs_to_know_the_model():
    with pytest.raises(InputError, match="needs --model"):
        recommend({"cost": 1})
