"""Strategies around other strategies: cascade, psc, maxp, samples, interpolate."""

import math

import pytest

from rerankllm import Reranker
from rerankllm.data import Candidate, Document
from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import Failure, Permute, Score, Unanswered, WeakOrder
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage


def by(worth):
    """Scores and orders by worth."""

    def answer(judgement):
        if isinstance(judgement, Score):
            return worth[judgement.doc.doc_id]
        return WeakOrder(tuple((d.doc_id,) for d in sorted(judgement.docs, key=lambda d: -worth[d.doc_id])))

    return answer


def asks_of(steps, answer):
    """Every ask of a strategy, with the ranking it ends in."""
    asks, answers = [], None
    while True:
        try:
            batch = next(steps) if answers is None else steps.send(answers)
        except StopIteration as stop:
            return asks, stop.value
        asks.append(batch)
        answers = [answer(judgement) for judgement in batch.judgements]


class TestCascade:
    def test_each_stage_ranks_the_best_of_the_one_before(self, make_candidates, query):
        coarse = {f"d{i}": float(i % 10) for i in range(30)}
        fine = {f"d{i}": -float(i) for i in range(30)}
        spec = "cascade([pointwise / likelihood, sliding / text @ oracle:x], depths=[20, 6])"

        def answer(judgement):
            return by(coarse if isinstance(judgement, Score) else fine)(judgement)

        asks, ranking = asks_of(Stage.parse(spec).strategy.rank(query, make_candidates(30)), answer)
        assert [len(a.judgements) for a in asks] == [20, 1]
        assert [str(type(a.elicitation).__name__) for a in asks] == ["Likelihood", "Text"]
        assert [a.model for a in asks] == [None, "oracle:x"]
        by_coarse = sorted(range(20), key=lambda i: -coarse[f"d{i}"])
        order = sorted(by_coarse[:6]) + by_coarse[6:] + list(range(20, 30))
        assert ranking.doc_ids == tuple(f"d{i}" for i in order)
        assert {result.score for result in ranking} == {None}

    @pytest.mark.parametrize(
        ("first", "scores"), [("pointwise", [30.0, 20.0, 10.0, 0.0]), ("sliding", [4.0, 3.0, 2.0, 1.0])]
    )
    def test_a_stage_starts_from_the_scores_or_places_of_the_one_before(self, first, scores, play, query, monkeypatch):
        seen = []
        stage = Stage.parse(f"cascade([{first}, interpolate(sliding, weight=0)], depths=[4, 4])").strategy
        interpolate = type(stage.stages[1].strategy)
        rank = interpolate.rank
        monkeypatch.setattr(interpolate, "rank", lambda self, q, c: seen.extend(x.score for x in c) or rank(self, q, c))
        worth = {f"d{i}": 10.0 * i for i in range(4)}
        candidates = [Candidate(Document(f"d{i}", "x"), 100.0 - i) for i in range(4)]
        played = play(stage.rank(query, candidates), by(worth))
        assert seen == scores
        assert played.ranking.doc_ids == ("d3", "d2", "d1", "d0")

    def test_notes_add_up(self, make_candidates, play, query):
        answer = WeakOrder((("d1",), ("d0",)), ("d2",))
        stage = Stage.parse("cascade([sliding, tdpart], depths=[3, 3])").strategy
        played = play(stage.rank(query, make_candidates(3)), lambda _: answer)
        assert played.ranking.ledger.notes == {"omitted documents": 2}

    @pytest.mark.parametrize(
        ("spec", "n", "settled"),
        [
            ("cascade([pointwise, sliding], depths=[100, 20])", 100, 100),
            ("cascade([pointwise, sliding], depths=[100, 20])", 101, None),
            ("cascade([sliding, full(top_k=5)], depths=[100, 20])", 100, 5),
            ("cascade([tdpart(top_k=10), sliding], depths=[100, 20])", 100, 10),
            ("cascade([tdpart(top_k=10), full(top_k=3)], depths=[100, 20])", 100, 3),
            ("cascade([pointwise, full(top_k=3)], depths=[100, 20])", 3, 3),
            ("cascade([pointwise, jointrank(block=5)], depths=[100, 20])", 100, None),
        ],
    )
    def test_what_it_settles(self, spec, n, settled):
        assert Stage.parse(spec).strategy.settles(n) == settled

    @pytest.mark.parametrize(
        ("inside", "message"),
        [
            ("[], depths=[]", "a depth for each stage, found 0 and 0"),
            ("[sliding], depths=[3, 2]", "found 1 and 2"),
            ("[sliding, sliding], depths=[3, 4]", "never grow, found [3, 4]"),
            ("[sliding], depths=[0]", "at least 1"),
            ("[sliding]", "needs depths=…"),
        ],
    )
    def test_wrong_parameters(self, inside, message):
        with pytest.raises(SpecError) as caught:
            Stage.parse(f"cascade({inside})")
        assert message in str(caught.value)

    def test_through_the_front_door(self, tmp_path):
        path = tmp_path / "qrels.txt"
        path.write_text("query 0 0 1\nquery 0 1 2\nquery 0 2 3\n")
        spec = "cascade([group, psc(full(top_k=1), shuffles=3)], depths=[3, 2])"
        with Reranker(spec, f"oracle:{path}") as reranker:
            ranking = reranker.rerank("q", ["zero", "one", "two"])
        assert ranking.doc_ids == ("2", "1", "0")
        assert ranking.ledger.notes["repeated judgements"] == 1  # two of the three shuffles of two documents are alike
        assert (ranking.ledger.calls, ranking.ledger.rounds, ranking.ledger.slots) == (3, 2, 7)


class TestPermutationSelfConsistency:
    def test_what_a_judge_prefers_for_its_place_cancels_out(self, make_candidates, play, query):
        """A judge that moves every document up to eight places towards the start of the prompt."""
        worth = {f"d{i}": float(i) for i in range(12)}

        def biased(judgement):
            seen = {d.doc_id: worth[d.doc_id] - 0.7 * place for place, d in enumerate(judgement.docs)}
            return WeakOrder(tuple((i,) for i in sorted(seen, key=lambda i: -seen[i])))

        def distance(spec):
            ids = play(Stage.parse(spec).strategy.rank(query, make_candidates(12)), biased).ranking.doc_ids
            return sum(abs(int(doc_id[1:]) - place) for place, doc_id in enumerate(reversed(ids)))

        assert distance("psc(full(top_k=12), shuffles=20)") < distance("psc(full(top_k=12), shuffles=1)") / 2

    def test_orders_run_side_by_side_in_the_stage_they_belong_to(self, make_candidates, query):
        worth = {f"d{i}": float(i) for i in range(20)}
        spec = "psc(tdpart(window=8, top_k=3) / labels @ oracle:y, shuffles=4)"
        strategy = Stage.parse(spec).strategy
        asks, ranking = asks_of(strategy.rank(query, make_candidates(20)), by(worth))
        assert len(asks[0].judgements) == 4
        assert len({j.docs for j in asks[0].judgements}) == 4
        assert len(asks) <= strategy.plan(20).rounds.high
        assert {a.model for a in asks} == {"oracle:y"}
        assert ranking.doc_ids[:3] == ("d19", "d18", "d17")

    @pytest.mark.parametrize(
        ("aggregate", "scores"),
        [
            ("borda", [4, 4, 1]),
            ("rrf(k=0)", [2 + 1 / 3, 2, 2 / 3 + 1 / 2]),
            ("kemeny", [2, 1, 0]),
        ],
    )
    def test_the_aggregation_is_a_parameter(self, aggregate, scores, make_candidates, play, query):
        """Two orders say d0 > d1 > d2, one says d1 > d2 > d0: a tie at the top for Borda, not for reciprocal ranks."""
        said = iter([("d0", "d1", "d2"), ("d0", "d1", "d2"), ("d1", "d2", "d0")])
        strategy = Stage.parse(f"psc(full, shuffles=3, aggregate={aggregate})").strategy
        played = play(strategy.rank(query, make_candidates(3)), lambda _: WeakOrder(tuple((i,) for i in next(said))))
        assert played.ranking.doc_ids == ("d0", "d1", "d2")
        assert [result.score for result in played.ranking] == pytest.approx(scores)

    @pytest.mark.parametrize(
        "inside", ["pointwise", "interpolate(full)", "cascade([full], depths=[3])", "psc(full)", "full, shuffles=0"]
    )
    def test_wrong_parameters(self, inside):
        with pytest.raises(SpecError, match="psc: "):
            Stage.parse(f"psc({inside})")


class TestMaxP:
    def passages(self, text, play, query, **parameters):
        listed = "".join(f", {name}={value}" for name, value in parameters.items())
        strategy = Stage.parse(f"maxp(pointwise{listed})").strategy
        played = play(strategy.rank(query, [Candidate(Document("d", text, "T"))]), lambda _: 1.0)
        return [j.doc for j in played.rounds[0]], played.ranking.ledger.notes

    def test_passages_overlap_and_reach_the_end(self, play, query):
        words = " ".join(f"w{i}" for i in range(11))
        docs, notes = self.passages(words, play, query, passage_words=4, stride_words=3)
        assert [doc.text for doc in docs] == ["w0 w1 w2 w3", "w3 w4 w5 w6", "w6 w7 w8 w9", "w9 w10"]
        assert [doc.doc_id for doc in docs] == ["d", "d#2", "d#3", "d#4"]
        assert {doc.title for doc in docs} == {"T"}
        assert notes == {}

    def test_a_text_that_fits_is_one_passage_as_it_is(self, play, query):
        for text in ("", " a \n b  c ", "a b c d"):
            docs, _ = self.passages(text, play, query, passage_words=4, stride_words=2)
            assert [doc.text for doc in docs] == [text]

    def test_passages_beyond_the_most_are_left_out_and_noted(self, play, query):
        docs, notes = self.passages("a b c d e f g", play, query, passage_words=2, stride_words=2, most=3)
        assert [doc.text for doc in docs] == ["a b", "c d", "e f"]
        assert notes == {"documents not read to the end": 1}

    def test_scripts_without_spaces_are_cut_too(self, play, query):
        docs, _ = self.passages("跳蚤的寿命有多长 abc", play, query, passage_words=6, stride_words=4)
        assert [doc.text for doc in docs] == ["跳蚤的寿命有", "命有多长 abc"]

    def test_a_document_is_its_best_passage(self, play, query):
        texts = {"a": "x x x best", "b": "good good x x", "c": "x x x x"}
        worth = {"x": 0.0, "good": 1.0, "best": 2.0}
        strategy = Stage.parse("maxp(pointwise, passage_words=2, stride_words=2)").strategy
        played = play(
            strategy.rank(query, [Candidate(Document(name, texts[name])) for name in "cba"]),
            lambda j: sum(worth[word] for word in j.doc.text.split()),
        )
        assert [(r.doc_id, r.score) for r in played.ranking] == [("b", 2.0), ("a", 2.0), ("c", 0.0)]
        assert {r.document.text for r in played.ranking} == set(texts.values())

    def test_ids_of_passages_are_nobody_elses(self, play, query):
        docs = [Candidate(Document(name, "a b c")) for name in ("d", "d#2", "d#2'")]
        strategy = Stage.parse("maxp(sliding, passage_words=2, stride_words=1)").strategy
        played = play(strategy.rank(query, docs), lambda j: WeakOrder(tuple((d.doc_id,) for d in j.docs)))
        shown = [doc.doc_id for doc in played.rounds[0][0].docs]
        assert len(set(shown)) == len(shown) == 6
        assert isinstance(played.rounds[0][0], Permute)
        assert played.ranking.doc_ids == ("d", "d#2", "d#2'")

    @pytest.mark.parametrize("wrong", ["stride_words=0", "passage_words=5, stride_words=6", "most=0"])
    def test_wrong_parameters(self, wrong):
        with pytest.raises(SpecError, match="maxp: "):
            Stage.parse(f"maxp(pointwise, {wrong})")


class TestSamples:
    def test_answers_are_pooled_by_kind(self, make_candidates, query):
        """Each question is asked once a seed, the highest first, so that what draws nothing is refused at once."""
        candidates = make_candidates(3)
        told = {
            "pointwise": ([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 6.0, 1.0]], "d1 d0 d2", [3.0, 2.0, 2.0]),
            "group": ([[(4.0, 8.0, math.nan)], [(6.0, 2.0, math.nan)], [(8.0, 2.0, math.nan)]], "d0 d1 d2", None),
            "full": (
                [[order("d2 d0 d1")], [order("d0 d2 d1")], [order("d2 d1 d0")]],
                "d2 d0 d1",
                None,
            ),
            "setwise(c=3, top_k=1)": ([[("d1",)], [("d2",)], [("d1",)]], "d1 d0 d2", None),
        }
        for name, (answers, expected, scores) in told.items():
            stage = Stage.parse(f"samples({name} / reasoning(temperature=0.7), samples=3)")
            left, seeds = list(answers), []
            steps = stage.strategy.rank(query, candidates)
            batch = next(steps)
            try:
                while True:
                    seeds.append(batch.elicitation.seed)
                    batch = steps.send(left.pop(0))
            except StopIteration as stop:
                ranking = stop.value
            assert (left, seeds) == ([], [2, 1, 0])
            assert " ".join(ranking.doc_ids) == expected
            if scores is not None:
                assert [result.score for result in ranking] == scores

    def test_what_cannot_be_used_has_no_say_and_what_did_not_come_fails(self, make_candidates, play, query):
        candidates = make_candidates(2)
        stage = Stage.parse("samples(pointwise / reasoning(temperature=1.0), samples=2)").strategy
        useless, lost = Unanswered("no answer", Failure.ANSWER, math.nan), Unanswered("no connection", Failure.CALL)

        def scored(first):
            steps = stage.rank(query, candidates)
            next(steps)
            steps.send([first, 1.0])
            with pytest.raises(StopIteration) as stop:
                steps.send([5.0, 3.0])
            return [(result.doc_id, result.score) for result in stop.value.value]

        assert scored(useless) == [("d0", 5.0), ("d1", 2.0)]
        with pytest.raises(QueryFailed, match="no connection"):
            scored(lost)

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("samples(pointwise / labels)", "only 'reasoning' draws its answers"),
            ("samples(pointwise, samples=0)", "samples should be at least 1"),
            ("samples(psc(full))", "should wrap one strategy that asks"),
            ("samples(embed)", "should wrap one strategy that asks"),
        ],
    )
    def test_wrong_parameters(self, spec, message):
        with pytest.raises(SpecError) as caught:
            Stage.parse(spec)
        assert message in str(caught.value)

    def test_its_plan_is_the_stages_so_many_times(self):
        stage = Stage.parse("samples(sliding / reasoning(temperature=0.5), samples=3)").strategy
        assert stage.plan(100) == Plan.exactly(27, 27, 540)
        assert stage.settles(100) == Stage.parse("sliding").strategy.settles(100)


def order(ids):
    return WeakOrder(tuple((doc_id,) for doc_id in ids.split()))


class TestMixedScores:
    @pytest.mark.parametrize(
        ("spec", "worth", "first", "mixed"),
        [
            # `worked_example` in ../shared/golden/grouprank.json: mean grades, over 10, and the retriever's scores.
            ("weight=0.6, by=score, per=10", (4.5, 9.5, 0.5), (0.5, 0.7, 0.2), (0.47, 0.85, 0.11)),
            ("weight=0.9, by=minmax", (1.0, 3.0, 2.0), (20.0, 10.0, 30.0), (0.05, 0.9, 0.55)),
            ("weight=0.8, by=zscore", (0.0, 2.0, 4.0), (8.0, 6.0, 4.0), (-0.7348469, 0.0, 0.7348469)),
            ("weight=0.8, by=zscore", (3.0, 3.0, 3.0), (8.0, 6.0, 4.0), (0.2449490, 0.0, -0.2449490)),
        ],
    )
    def test_scores_are_mixed_as_published(self, spec, worth, first, mixed, play, query):
        candidates = [Candidate(Document(f"d{i}", "x"), score) for i, score in enumerate(first)]
        stage = Stage.parse(f"interpolate(pointwise, {spec})").strategy
        played = play(stage.rank(query, candidates), lambda asked: worth[int(asked.doc.doc_id[1:])])
        found = {result.doc_id: result.score for result in played.ranking}
        assert [found[f"d{i}"] for i in range(3)] == pytest.approx(mixed, abs=1e-6)
        assert list(found.values()) == sorted(found.values(), reverse=True)

    def test_a_document_without_a_score_counts_as_the_lowest(self, play, query):
        candidates = [Candidate(Document(f"d{i}", "x"), 1.0 - i / 10) for i in range(3)]
        stage = Stage.parse("interpolate(pointwise, weight=1, by=score)").strategy
        worth = {"d0": math.nan, "d1": 2.0, "d2": 5.0}
        ranking = play(stage.rank(query, candidates), lambda asked: worth[asked.doc.doc_id]).ranking
        assert [(result.doc_id, result.score) for result in ranking] == [("d2", 5.0), ("d0", 2.0), ("d1", 2.0)]
        assert ranking.ledger.notes["documents without a score, which count as the lowest"] == 1

    def test_orders_have_no_scores_to_mix(self, play, query):
        candidates = [Candidate(Document(f"d{i}", "x"), 1.0 - i / 10) for i in range(3)]
        stage = Stage.parse("interpolate(sliding, by=score)").strategy
        with pytest.raises(QueryFailed, match=r"interpolate\(by=score\) mixes scores, and sliding.* gives none"):
            play(stage.rank(query, candidates), by({"d0": 1.0, "d1": 2.0, "d2": 3.0}))

    @pytest.mark.parametrize("spec", ["per=10", "by=minmax, per=2", "by=score, per=0"])
    def test_wrong_parameters(self, spec):
        with pytest.raises(SpecError, match="per divides what by=score mixes"):
            Stage.parse(f"interpolate(pointwise, {spec})")
