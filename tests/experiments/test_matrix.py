"""The cells: which combinations there are, and what is filled in."""

import pytest
import yaml

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError
from rerankllm.experiments.load import read_config
from rerankllm.experiments.matrix import cells, chosen, digest_of_file, systems
from rerankllm.experiments.rules import Rule

FILES = {"run": "run.txt", "queries": "queries.tsv", "corpus": "corpus.jsonl", "qrels": "qrels.txt"}


QUERIES = ((Query("q", "text"), (Candidate(Document("d", "body"), 1.0),)),)


def plan(tmp_path, **more):
    content = {
        "datasets": {"a": FILES, "b": FILES},
        "strategies": {"sliding": "sliding", "mixed": "psc(sliding, seed=4)"},
        "models": {"best": "oracle:{qrels}", "mild": "simulated:{qrels}?world=mild"},
    } | more
    file = tmp_path / "trial.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    config = read_config(file)
    return config, cells(config, {name: tmp_path / f"{name}.qrels" for name in config.datasets})


def names(found):
    return [(each.cell.dataset, each.cell.system, each.cell.seed) for each in found]


def test_without_seeds_everything_keeps_its_own(tmp_path):
    config, found = plan(tmp_path)
    assert len(found) == 8
    assert {each.cell.seed for each in found} == {0}
    assert "seed=4" in found[2].cell.strategy
    assert found[0].model == f"oracle:{tmp_path / 'a.qrels'}"
    assert found[0].cell.run == "runs/a/first/sliding@best.0.txt"
    assert list(systems(config)) == ["sliding@best", "sliding@mild", "mixed@best", "mixed@mild"]
    assert systems(config)["mixed@mild"].strategy == "psc(sliding, seed=4)"


def test_seeds_are_given_to_all_that_draws_and_what_does_not_runs_once(tmp_path):
    _, found = plan(tmp_path, seeds=[5, 6], exclude=[{"dataset": "b"}])
    assert names(found) == [
        ("a", "sliding@best", 5), ("a", "sliding@mild", 5), ("a", "sliding@mild", 6),
        ("a", "mixed@best", 5), ("a", "mixed@best", 6), ("a", "mixed@mild", 5), ("a", "mixed@mild", 6),
    ]  # fmt: skip
    seeds = [each.model.partition("?")[2] for each in found]
    assert seeds == ["", "world=mild&seed=5", "world=mild&seed=6", "", "", "world=mild&seed=5", "world=mild&seed=6"]
    assert "seed=6" in found[-1].cell.strategy


def test_a_model_that_is_another_one_for_a_seed_runs_with_it(tmp_path):
    heard = {"spec": "recorded:one.jsonl", "where": [{"seed": 6, "spec": "recorded:two.jsonl"}]}
    _, found = plan(tmp_path, seeds=[5, 6, 7], strategies={"sliding": "sliding"}, models={"heard": heard},
                    datasets={"a": FILES})  # fmt: skip
    assert [(each.cell.seed, each.model) for each in found] == [(5, "recorded:one.jsonl"), (6, "recorded:two.jsonl")]


def test_a_file_that_a_strategy_names_is_part_of_the_digest(tmp_path):
    template, judge = tmp_path / "own.yaml", tmp_path / "judge.txt"
    strategies = {
        "asked": f"sliding / text(prompt='{template}')",
        "inner": f"cascade([pointwise @ oracle:{judge}, sliding], depths=[20, 10])",
    }
    found = {}
    for number in (1, 2):
        for path in (template, judge):
            path.write_text(f"{number}")
        digest_of_file.cache_clear()
        _, planned = plan(tmp_path, strategies=strategies, models={"best": "oracle:x"}, datasets={"a": FILES})
        found[number] = [each.digest(QUERIES) for each in planned]
    assert not set(found[1]) & set(found[2])


def test_rules_pick_combinations(tmp_path):
    _, found = plan(tmp_path, only=[{"dataset": "a", "strategy": ["sliding", "mixed"]}, {"model": "mild"}],
                    exclude=[{"strategy": "mixed", "dataset": "b"}])  # fmt: skip
    assert {(dataset, system) for dataset, system, _ in names(found)} == {
        ("a", "sliding@best"), ("a", "sliding@mild"), ("a", "mixed@best"), ("a", "mixed@mild"), ("b", "sliding@mild"),
    }  # fmt: skip
    with pytest.raises(InputError, match="leave no combination"):
        plan(tmp_path, exclude=[{"dataset": ["a", "b"]}])


def test_a_model_may_be_another_one_for_some(tmp_path):
    (tmp_path / "answers.jsonl").touch()
    where = [{"dataset": "a", "strategy": "sliding", "spec": "recorded:answers.jsonl"}]
    spec = "recorded:{dataset}-{strategy}-{first_stage}-{seed}.jsonl"
    _, found = plan(tmp_path, models={"heard": {"spec": spec, "where": where}}, seeds=[7, 8])
    assert [each.model for each in found if each.cell.seed == 7] == [
        f"recorded:{tmp_path / 'answers.jsonl'}",  # a file beside the configuration
        "recorded:a-mixed-first-7.jsonl",
        "recorded:b-sliding-first-7.jsonl",
        "recorded:b-mixed-first-7.jsonl",
    ]
    assert [each.cell.dataset for each in found if each.cell.seed == 8] == ["a", "b", "b"]


def test_a_model_says_how_it_is_asked_where_a_strategy_does_not(tmp_path):
    _, found = plan(
        tmp_path, datasets={"a": FILES}, strategies={"own": "sliding / text", "open": "sliding"},
        models={"small": {"spec": "llamacpp:smollm2", "elicitation": "labels"}, "best": "oracle:x"},
    )  # fmt: skip
    assert [each.cell.strategy.partition(" / ")[2].partition("(")[0] for each in found] == [
        "text",
        "text",
        "labels",
        "",
    ]


def test_settings_of_models_come_before_those_of_strategies_and_of_all(tmp_path):
    _, found = plan(
        tmp_path, settings={"depth": 50, "top_k": 10, "instruction": "new"}, datasets={"a": FILES},
        strategies={"sliding": {"spec": "sliding", "depth": 30, "top_k": 5}},
        models={"best": {"spec": "oracle:x", "settings": {"top_k": 3, "instruction": None}}, "mild": "oracle:y"},
    )  # fmt: skip
    assert [(s.depth, s.top_k, s.instruction) for s in (each.settings for each in found)] == [
        (30, 3, None), (30, 5, "new"),
    ]  # fmt: skip


class TestDigest:
    """It changes with what rankings depend on, and with nothing else."""

    def digest(self, tmp_path, queries=QUERIES, **more):
        return plan(tmp_path, **more)[1][0].digest(queries)

    def test_it_stays(self, tmp_path):
        assert self.digest(tmp_path) == self.digest(tmp_path, measures=["RR@10"], exclude=[{"strategy": "mixed"}])
        assert self.digest(tmp_path) == self.digest(tmp_path, limits={"max_calls": 3})
        one, two = ({"models": {"a": {"spec": "openai:x", "concurrency": n}}} for n in (1, 2))
        assert self.digest(tmp_path, **one) == self.digest(tmp_path, **two)

    @pytest.mark.parametrize(
        "more",
        [
            {"strategies": {"sliding": "sliding(window=4, stride=2)"}},
            {"settings": {"top_k": 3}},
            {"models": {"best": "simulated:{qrels}"}},
            {"models": {"best": {"spec": "oracle:{qrels}", "elicitation": "labels"}}},
            {"models": {"best": {"spec": "oracle:{qrels}", "settings": {"depth": 3}}}},
            {"queries": [(Query("q", "other"), [Candidate(Document("d", "body"), 1.0)])]},
            {"queries": [(Query("q", "text"), [Candidate(Document("d", "other"), 1.0)])]},
            {"queries": [(Query("q", "text"), [Candidate(Document("d", "body"), 2.0)])]},
        ],
    )
    def test_it_changes(self, tmp_path, more):
        assert self.digest(tmp_path) != self.digest(tmp_path, **more)

    def test_a_file_is_its_content_wherever_it_lies(self, tmp_path):
        found = []
        for folder, text in (("x", "q 0 d 1\n"), ("y", "q 0 d 1\n"), ("z", "q 0 d 2\n")):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "a.qrels").write_text(text)
            found.append(self.digest(tmp_path / folder))
        assert found[0] == found[1] != found[2]


def test_only_of_the_command_line(tmp_path):
    config, found = plan(tmp_path)
    rules = [Rule.parse("dataset=a,strategy=sliding"), Rule.parse("strategy=mixed,model=mild")]
    assert len(chosen(config, found, rules)) == 4
    assert chosen(config, found, []) == found
    with pytest.raises(InputError, match="'b' should read AXIS=NAME"):
        Rule.parse("dataset=a,b")
    with pytest.raises(InputError, match="there is no model 'milf'; did you mean 'mild'"):
        chosen(config, found, [Rule.parse("model=milf")])
    config, found = plan(tmp_path, exclude=[{"dataset": "b", "model": "best"}])
    with pytest.raises(InputError, match="no cell fits"):
        chosen(config, found, [Rule.parse("dataset=b,model=best")])
