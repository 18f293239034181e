"""The simulated judge: seeded, consistent, and wrong in the ways it says."""

import re
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev

import pytest

from rerankllm import Reranker
from rerankllm.backends.simulated import WORLDS, World
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Compare, Failure, Grade, ParseReport, Permute, Score, Select, Status, Unanswered
from rerankllm.spec.model import ModelSpec

QUERY = Query("q", "how long do fleas live")
DOCS = tuple(Document(f"d{i}", f"passage {i}") for i in range(20))
QUIET = "belief=0&noise=0&position=0"


@pytest.fixture(scope="module")
def qrels(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulated") / "qrels"
    grades = "".join(f"q 0 d{i} {i % 4}\n" for i in range(20))
    path.write_text(grades + "".join(f"other{j} 0 d0 0\n" for j in range(200)))
    return path


@pytest.fixture(scope="module")
def judge(qrels):
    return lambda options="", kind="simulated": ModelSpec.parse(f"{kind}:{qrels}?{options}").load()


def every_kind(docs=DOCS):
    return [
        Score(QUERY, docs[3]),
        Compare(QUERY, docs[0], docs[1]),
        Compare(QUERY, docs[1], docs[0]),
        Select(QUERY, docs, 3),
        Select(QUERY, docs, 3, worst=True),
        Permute(QUERY, docs),
        Permute(QUERY, docs, decode=7),
        Grade(QUERY, docs, scale=3),
    ]


def test_answers_depend_on_the_prompt_and_the_seed_only(judge):
    asked = every_kind()
    one, two, other = judge("world=harsh"), judge("world=harsh"), judge("world=harsh&seed=1")
    forward = [one.answer(judgement) for judgement in asked]
    backward = [two.answer(judgement) for judgement in reversed(asked)][::-1]
    assert forward == backward == [one.answer(judgement) for judgement in asked]
    assert forward != [other.answer(judgement) for judgement in asked]


@pytest.mark.parametrize("strategy", ["sliding(window=5, stride=2)", "prp(sort=heap)", "setwise(c=3)", "pointwise"])
@pytest.mark.parametrize("malformed", [0, 0.1])
def test_drivers_agree(qrels, strategy, malformed):
    candidates = [Candidate(doc, -float(i)) for i, doc in enumerate(DOCS)]
    model = f"simulated:{qrels}?world=harsh&malformed={malformed}"
    found = []
    for driver in ("rounds", "concurrent"):
        with Reranker(strategy, model, driver=driver) as reranker:
            found += reranker.stream([(QUERY, candidates)])
    assert found[0] == found[1]
    assert malformed or isinstance(found[0], Ranking)


@pytest.mark.parametrize("judgement", every_kind(), ids=repr)
def test_without_errors_it_is_the_oracle(judge, judgement):
    answer = judge(QUIET).answer(judgement).answer
    truth = judge(kind="oracle").answer(judgement).answer
    if isinstance(judgement, Compare):  # a probability, where the oracle is certain
        assert (answer > 0.5) == (truth > 0.5)
        assert (answer < 0.5) == (truth < 0.5)
    else:
        assert answer == truth


def test_a_belief_is_the_same_in_every_prompt(judge):
    lasting = judge("noise=0&position=0&belief=1")
    alone = {doc.doc_id: lasting.answer(Score(QUERY, doc)).answer for doc in DOCS}
    believed = tuple(sorted(alone, key=lambda doc_id: -alone[doc_id]))
    for shown in (DOCS, DOCS[::-1], DOCS[7:] + DOCS[:7]):
        assert lasting.answer(Permute(QUERY, shown)).answer.ranked == believed
        assert lasting.answer(Select(QUERY, shown, 4)).answer == believed[:4]
        assert lasting.answer(Select(QUERY, shown, 4, worst=True)).answer == believed[:-5:-1]
    for a, b in combinations(DOCS, 2):
        assert (lasting.answer(Compare(QUERY, a, b)).answer > 0.5) == (alone[a.doc_id] > alone[b.doc_id])
    assert believed != judge(QUIET).answer(Permute(QUERY, DOCS)).answer.ranked


def test_noise_is_new_in_every_prompt(judge):
    noisy = judge("belief=0&position=0&noise=1")
    orders = {noisy.answer(Permute(QUERY, DOCS[i:] + DOCS[:i])).answer.ranked for i in range(20)}
    assert len(orders) == 20
    whole, first = (noisy.answer(Permute(QUERY, DOCS, decode)).answer.ranked for decode in (None, 7))
    assert len(first) == 7
    assert first != whole[:7]  # another prompt


def test_errors_have_the_stated_size(judge):
    lasting, noisy = judge("belief=0.8&noise=0"), judge("belief=0&noise=1&position=0")
    assert stdev(lasting.believed(f"other{j}", f"d{i}") for j in range(200) for i in range(1, 11)) == pytest.approx(
        0.8, rel=0.08
    )
    queries = [Query(f"other{j}", "") for j in range(200)]
    scores = [noisy.answer(Score(query, doc)).answer for query in queries for doc in DOCS]
    assert fmean(scores) == pytest.approx(0, abs=0.03)
    assert stdev(scores) == pytest.approx(20**-0.25, rel=0.08)
    graded = [g for query in queries for g in noisy.answer(Grade(query, DOCS, scale=3000)).answer]
    # The half of it above zero, in thousandths: for a Laplace distribution of deviation 1 the mean is 1/√8.
    assert fmean(graded) / 1000 == pytest.approx(8**-0.5, rel=0.08)


def test_the_place_in_the_prompt_counts(judge):
    """A pair of equal grade, shown both ways round."""
    for position, winner in (("1", 1), ("-1", -1)):
        biased = judge(f"belief=0&noise=0&position={position}")
        ab = biased.answer(Compare(QUERY, DOCS[0], DOCS[4])).answer
        ba = biased.answer(Compare(QUERY, DOCS[4], DOCS[0])).answer
        assert ab == ba
        assert (ab > 0.5) == (winner > 0)
    biased = judge("belief=0&noise=0&position=1.5")
    order = biased.answer(Permute(QUERY, (DOCS[1], *DOCS[4:9], DOCS[2]))).answer.ranked
    assert order.index("d1") < order.index("d2")  # a grade behind, and a grade and a half ahead in the prompt
    assert biased.answer(Score(QUERY, DOCS[1])).answer == 1


def test_two_have_places_of_their_own_where_it_is_said(judge):
    biased = judge("belief=0&noise=0&position=1&pair=-3")
    assert biased.answer(Compare(QUERY, DOCS[0], DOCS[4])).answer < 0.5
    assert biased.answer(Compare(QUERY, DOCS[3], DOCS[2])).answer < 0.5  # a grade ahead does not help
    longer, plain = (judge(f"belief=0&noise=0&position=1{more}") for more in ("&pair=-3", ""))
    for judgement in (Permute(QUERY, DOCS), Select(QUERY, DOCS[:3]), Score(QUERY, DOCS[0])):
        assert longer.answer(judgement).answer == plain.answer(judgement).answer


def test_one_alone_is_judged_as_much_worse_as_is_said(judge):
    alone, plain = judge("belief=0&noise=1&position=0&alone=4"), judge("belief=0&noise=1&position=0")
    queries = [Query(f"other{j}", "") for j in range(200)]
    scores = [alone.answer(Score(query, doc)).answer for query in queries for doc in DOCS]
    assert stdev(scores) == pytest.approx((16 + 20**-0.5) ** 0.5, rel=0.08)
    for judgement in (Permute(QUERY, DOCS), Compare(QUERY, *DOCS[:2])):
        assert alone.answer(judgement).answer == plain.answer(judgement).answer


def test_malformed_answers_are_cut_short(judge):
    broken = judge("malformed=1")
    for judgement in every_kind():
        reply = broken.answer(judgement)
        if isinstance(judgement, Permute):
            wanted = judgement.decode or 20
            assert 1 <= len(reply.answer.ranked) < wanted
            assert {*reply.answer.ranked, *reply.answer.omitted} == {doc.doc_id for doc in DOCS}
            whole = judge().answer(judgement).answer
            assert reply.answer.ranked == whole.ranked[: len(reply.answer.ranked)]
            assert reply.report == ParseReport(Status.REPAIRED, {"missing": wanted - len(reply.answer.ranked)})
        else:
            assert isinstance(reply.answer, Unanswered)
            assert reply.answer.failure is Failure.ANSWER
            assert reply.report.status is Status.FAILED


@pytest.mark.slow
def test_as_many_are_malformed_as_stated(judge):
    some = judge("malformed=0.25")
    replies = [some.answer(Score(Query(f"other{j}", ""), doc)) for j in range(200) for doc in DOCS[:10]]
    assert fmean(reply.report.status is Status.FAILED for reply in replies) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("option", ["belief=-1", "noise=-0.1", "alone=-1", "malformed=1.5", "world=cruel"])
def test_options_out_of_range_are_refused(judge, option):
    with pytest.raises(SpecError, match="simulated: "):
        judge(option)


def test_the_printed_model_and_its_revision_tell_judges_apart(judge):
    options = (
        "",
        "world=harsh",
        "seed=1",
        "belief=0.1",
        "noise=0.1",
        "position=0.1",
        "alone=0.1",
        "pair=0.1",
        "malformed=0.1",
    )
    assert len({judge(option).model for option in options}) == len(options)
    assert judge("belief=0.1").revision != judge().revision == judge("seed=3").revision


def test_a_query_without_qrels_is_not_answered(judge):
    assert "no qrels" in judge().answer(Score(Query("unknown", ""), DOCS[0])).reason


def test_the_fitted_world_is_what_the_fit_wrote():
    written = (Path(__file__).parents[2] / "eval" / "frontier" / "results" / "fit.md").read_text()
    found = re.search(r"\*\*belief ([\d.]+), noise ([\d.]+), position ([\d.]+)\*\*", written)
    assert found is not None
    assert World(*map(float, found.groups())) == WORLDS["fitted"]
