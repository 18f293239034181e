"""A judge of known character is found again, its file reads back, and `active` goes by it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from rerankllm import Reranker, judge_profile
from rerankllm.analysis.judge_profile.answers import Answers, JudgeAnswers, read_answers
from rerankllm.analysis.judge_profile.fitting import SCALE_GRID, fit_profile, uphill
from rerankllm.analysis.judge_profile.shrinkage import Regression
from rerankllm.calibration.judge_profile import Fitted, JudgeProfile
from rerankllm.errors import InputError
from rerankllm.judgements import WeakOrder
from rerankllm.sample import path as sample
from rerankllm.spec.stage import Stage
from rerankllm.strategies.belief.plackett_luce import choices
from rerankllm.strategies.belief.posterior import RISE, SPREAD

SOURCE = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]
MODEL = f"simulated:{sample('qrels.txt')}?world=mild&seed=0"
PROFILE = JudgeProfile(
    (MODEL,), Fitted(0.6, 0.5, 0.7), Fitted(2.0, 1.5, 2.5), Fitted(1.4, 1.2, 1.6), Fitted(0.5, 0.4, 0.6), "qrels", 21,
    {"Permute": 100, "Score": 9}, {"of Grade": 3}, {"run": "run.txt"}, 7
)  # fmt: skip
ACTIVE = "active(trust=0.6, scale=2.0, sharpness=1.4)"


def judged(trust, scale, *, sharpness=None, position=0.0, queries=20, n=24, prompts=10, window=12, seed=0):
    """Answers of a Plackett–Luce judge of this character, and what is truly relevant."""
    rng = np.random.default_rng(seed)
    heard, qrels = [], {}
    x = np.log(np.arange(1, n + 1))
    for q in range(queries):
        spread = SPREAD * scale
        relevance = RISE * (x.mean() - x) + rng.normal(size=n)
        error = rng.normal(size=n) * math.sqrt(1 / trust - 1)
        worth = spread * math.sqrt(trust) * (relevance + error)
        orders = []
        for _ in range(prompts):
            shown = rng.permutation(n)[:window]
            place = np.arange(window) / (window - 1) - 0.5
            order = np.argsort(-(worth[shown] - position * place + rng.gumbel(size=window)))
            ids = [str(i) for i in shown]
            orders.append(choices(shown.tolist(), ids, WeakOrder(tuple((ids[i],) for i in order))))
        ids = tuple(map(str, range(n)))
        seen = sharpness and worth + rng.gumbel(size=n) / sharpness
        heard.append(JudgeAnswers(str(q), ids, tuple(orders), dict(enumerate(seen)) if sharpness else {}))
        qrels[str(q)] = dict(zip(ids, np.round(4 * relevance).astype(int).tolist(), strict=True))
    return Answers(("m:x",), tuple(heard), {"Permute": queries * prompts}, {}), qrels


@pytest.mark.slow(seconds=6)
@pytest.mark.parametrize(("trust", "scale"), [(0.8, 1.0), (0.3, 4.0)])
def test_a_judge_of_known_character_is_found_again(trust, scale):
    answers, qrels = judged(trust, scale, position=1.0)
    inferred, measured = fit_profile(answers), fit_profile(answers, qrels)
    assert (inferred.trust_from, measured.trust_from) == ("evidence", "qrels")
    for found in (inferred, measured):
        assert found.scale.value == pytest.approx(scale, rel=0.25)
        assert found.position.value == pytest.approx(1, abs=0.3)
        assert found.trust.low <= found.trust.value <= found.trust.high
    assert measured.trust.value == pytest.approx(trust, abs=0.2)
    assert inferred.trust.low <= trust <= inferred.trust.high
    width = [found.trust.high - found.trust.low for found in (measured, inferred)]
    assert width[0] < width[1]


@pytest.mark.slow(seconds=5)
def test_scores_more_exact_than_orders_are_told_apart():
    answers, qrels = judged(0.7, 0.7, sharpness=3.0, prompts=5)
    found = fit_profile(answers, qrels)
    assert found.sharpness.value == pytest.approx(3, rel=0.35)
    assert found.scale.value == pytest.approx(0.7, rel=0.25)
    assert found.spec.endswith(f"sharpness={found.sharpness.value})")
    without = Answers(("m:x",), tuple(replace(each, scores={}) for each in answers.heard), {}, {})
    assert fit_profile(without, qrels).sharpness is None
    assert "sharpness" not in fit_profile(without, qrels).spec


@pytest.mark.slow
def test_trust_is_the_share_by_which_grades_follow_the_judge_and_not_the_first_stage():
    answers, qrels = judged(0.5, 2.0)
    ones = np.ones(len(answers.heard))
    by_first_stage = {q: {d: -int(10 * math.log(1 + int(d))) for d in grades} for q, grades in qrels.items()}
    trusts = [Regression(answers.heard, grades, 2.0, 0.5, 1.0).trust(ones) for grades in (by_first_stage, qrels)]
    assert trusts[0] < 0.1 < trusts[1]
    with pytest.raises(InputError, match="no grades for what was judged"):
        Regression(answers.heard, {"other": {"0": 1}}, 2.0, 0.5, 1.0)


@pytest.mark.slow
def test_few_queries_have_no_intervals_and_the_seed_decides_those_of_more():
    answers, _ = judged(0.7, 1.0, queries=6, prompts=3)
    few = replace(answers, heard=answers.heard[:3])
    assert fit_profile(few).trust.low is None
    assert str(fit_profile(few).trust) == f"{fit_profile(few).trust.value:g}"
    assert fit_profile(answers) == fit_profile(answers)
    assert fit_profile(answers, seed=1).scale != fit_profile(answers).scale


def test_scores_alone_are_refused():
    answers, _ = judged(0.7, 1.0, sharpness=1.0, queries=3, prompts=1)
    scores = replace(answers, heard=tuple(replace(each, orders=()) for each in answers.heard))
    with pytest.raises(InputError, match="scores alone"):
        fit_profile(scores)


def test_uphill_follows_a_slanting_ridge_to_its_top():
    assert uphill(lambda p: -((p[0] - p[1]) ** 2) * 10 - (p[0] - 7) ** 2, [10, 10], (0, 0)) == (7, 7)
    assert uphill(lambda p: 0.0, [3, 1, 4], (1, 0, 2)) == (1, 0, 2)


def test_a_profile_reads_back_as_it_was_and_becomes_the_spec(tmp_path):
    PROFILE.save(tmp_path / "judge.json", "0")
    assert JudgeProfile.load(tmp_path / "judge.json") == PROFILE
    assert PROFILE.spec == ACTIVE
    assert PROFILE.apply(Stage.parse("active")) == Stage.parse(ACTIVE)
    assert PROFILE.apply(Stage.parse("active(slots=60, trust=0.9)")).strategy.slots == 60
    inside = "cascade([pointwise, psc({}, shuffles=3)], depths=[50, 20])"
    assert PROFILE.apply(Stage.parse(inside.format("active"))) == Stage.parse(inside.format(ACTIVE))


@pytest.mark.slow
def test_results_and_journals_carry_the_numbers_and_not_the_file(tmp_path, cli):
    file = tmp_path / "judge.json"
    PROFILE.save(file, "0")
    with Reranker("active", MODEL, profile=file) as reranker:
        assert str(reranker.stage) == str(Stage.parse(ACTIVE))
    runs = {}
    for name, options in {"a": ["--strategy", "active", "--profile", file], "b": ["--strategy", ACTIVE]}.items():
        summary, journal = tmp_path / f"{name}.json", tmp_path / f"{name}.journal"
        arguments = [*SOURCE, "--output", tmp_path / name, "--model", MODEL, "--summary", summary]
        status, _, err = cli("rerank", *arguments, "--journal", journal, *options)
        assert (status, "profile" in err) == (0, False), err
        runs[name] = (tmp_path / name).read_bytes(), json.loads(summary.read_text())["strategy"]
        assert "trust=0.6, scale=2.0, sharpness=1.4" in cli("journal", journal)[1]
    assert runs["a"] == runs["b"]
    file.write_text(file.read_text().replace("0.6", "0.3"))
    assert "of the journal" not in cli("resume", tmp_path / "a.journal")[2].replace("0 of them", "")
    planned = cli("plan", "--strategy", "active", "--profile", file)[1]
    assert "trust=0.3" in planned


@pytest.mark.slow
def test_what_does_not_fit_is_said(tmp_path, cli):
    file = tmp_path / "judge.json"
    PROFILE.save(file, "0")
    status, _, err = cli("plan", "--strategy", "sliding", "--profile", file)
    assert status == 1
    assert "sliding(window=20, stride=10, passes=1) has none in it" in err
    status, _, err = cli("plan", "--strategy", "active", "--profile", file, "--model", f"oracle:{sample('qrels.txt')}")
    assert status == 0
    assert "others err otherwise" in err
    whole = json.loads(file.read_text())
    for broken in (
        {**whole, "version": 2}, {**whole, "trust": {"value": 1.2}}, {**whole, "scale": {"value": "1"}},
        {**whole, "scale": None}, {"format": "rerankllm-calibration"}, [], {**whole, "trust": {"worth": 1}},
    ):  # fmt: skip
        file.write_text(json.dumps(broken))
        status, _, err = cli("plan", "--strategy", "active", "--profile", file)
        assert (status, "is no profile of this version" in err) == (1, True), broken
    status, _, err = cli("plan", "--strategy", "active", "--profile", tmp_path / "none.json")
    assert (status, "cannot read the profile" in err) == (1, True)


@pytest.fixture(scope="module")
def journals(tmp_path_factory):
    """A journal of orders and of kinds that are not read, by one model."""
    folder = tmp_path_factory.mktemp("journals")
    strategies = {
        "active": "cascade([active(slots=60, regret=0), pointwise], depths=[20, 10])",
        "setwise": "setwise(c=4)",
        "group": "group",
    }
    for name, strategy in strategies.items():
        with Reranker(strategy, MODEL, journal=folder / name) as reranker:
            from rerankllm.runs.source import read_source

            source = read_source(
                sample=True, run=None, queries=None, corpus=None, requests=None, qrels=None, skip_missing=False
            )
            list(reranker.stream(source.queries))
    return folder


@pytest.mark.slow(seconds=5)
def test_a_journal_and_its_recording_give_the_same_profile(journals, tmp_path, cli):
    cli("journal", journals / "active", "--export", tmp_path / "recording.jsonl")
    outputs = []
    for name in (journals / "active", tmp_path / "recording.jsonl"):
        status, out, err = cli("judge-profile", name, "--run", sample("run.txt"), "--output", tmp_path / "p.json")
        assert status == 0, err
        assert "as if that were as good as BM25" in err
        found = json.loads((tmp_path / "p.json").read_text())
        assert found["models"] == [MODEL]
        assert set(found["answers"]) == {"Permute", "Score"}
        found.pop("source")
        outputs.append((found, out))
    assert outputs[0] == outputs[1]
    profile = JudgeProfile.load(tmp_path / "p.json")
    assert f"--strategy '{profile.spec}'" in outputs[0][1]
    graded = ["--qrels", sample("qrels.txt"), "--output", tmp_path / "q.json"]
    status, _, err = cli("judge-profile", journals / "active", "--run", sample("run.txt"), *graded)
    assert (status, "as good as BM25" in err) == (0, False)
    assert JudgeProfile.load(tmp_path / "q.json").trust_from == "qrels"


@pytest.mark.slow
def test_the_command_writes_what_the_verb_gives(journals, tmp_path, cli):
    options = {"qrels": sample("qrels.txt"), "seed": 3, "depth": 20, "model": MODEL}
    given = [part for name, value in options.items() for part in (f"--{name}", value)]
    arguments = ["--run", sample("run.txt"), *given, "--output", tmp_path / "p.json"]
    status, _, err = cli("judge-profile", journals / "active", *arguments)
    assert status == 0, err
    found = judge_profile(journals / "active", sample("run.txt"), **options)
    assert found.to_dict() == json.loads((tmp_path / "p.json").read_text())
    assert JudgeProfile.load(tmp_path / "p.json") == found


@pytest.mark.slow
def test_selections_are_read_and_what_is_not_is_counted(journals, tmp_path, cli):
    from rerankllm.formats.trec import read_run

    run = read_run(sample("run.txt"))
    whole = read_answers(journals / "setwise", run, 100)
    assert list(whole.kinds) == ["Select"]
    short = read_answers(journals / "setwise", run, 10)
    assert short.ignored == {"on documents beyond the run's depth": whole.kinds["Select"] - short.kinds["Select"]}
    half = dict(list(run.items())[::2])
    assert set(read_answers(journals / "setwise", half, 100).ignored) == {
        "on queries without a first stage, or without grades"
    }
    arguments = ["--run", sample("run.txt"), "--output", tmp_path / "p.json"]
    for file, said in (
        (journals / "group", "of Grade): is --run the first stage?"),
        (sample("run.txt"), "is neither a journal nor a recording"),
        (tmp_path / "none", "no such file"),
    ):
        status, _, err = cli("judge-profile", file, *arguments)
        assert (status, said in err) == (1, True), err
    status, _, err = cli("judge-profile", journals / "setwise", *arguments, "--model", "m:y")
    assert (status, "holds no such judgements" in err) == (1, True)


@pytest.mark.slow
def test_files_of_one_judge_are_read_together(journals, tmp_path, cli):
    """A recording of its orders, and one of its scores: sharpness takes both."""
    cli("journal", journals / "active", "--export", tmp_path / "all.jsonl")
    header, *lines = (tmp_path / "all.jsonl").read_text().splitlines()
    files = []
    for kind in ("Permute", "Score"):
        files.append(tmp_path / f"{kind}.jsonl")
        of_kind = [line for line in lines if json.loads(line)["judgement"] == kind]
        files[-1].write_text("\n".join([header, *of_kind]) + "\n")
    arguments = ["--run", sample("run.txt"), "--output", tmp_path / "p.json"]
    status, _, err = cli("judge-profile", *files, *arguments)
    assert status == 0, err
    found = json.loads((tmp_path / "p.json").read_text())
    whole = judge_profile(journals / "active", sample("run.txt")).to_dict()
    assert found["source"] == {"answers": "Permute.jsonl, Score.jsonl", "run": "run.txt"}
    assert {**found, "source": whole["source"]} == whole
    status, _, err = cli("judge-profile", files[0], *arguments)
    assert json.loads((tmp_path / "p.json").read_text())["sharpness"] is None
    other = tmp_path / "other.jsonl"
    other.write_text(files[1].read_text().replace(MODEL, "llamacpp:another"))
    status, _, err = cli("judge-profile", files[0], other, *arguments)
    assert (status, f"answers of 2 models are taken for one: {MODEL}, llamacpp:another" in err) == (0, True)


def test_scale_is_found_within_what_active_goes_by():
    from rerankllm.strategies.belief.relevance_model import SCALES

    assert (SCALE_GRID[0], SCALE_GRID[-1]) == (SCALES[0], SCALES[-1])


def test_help_shows_how(cli):
    status, out, _ = cli("judge-profile", "--help")
    assert status == 0
    for part in ("Examples", "--qrels qrels.txt", "--profile judge.json"):
        assert part in " ".join(out.split())
