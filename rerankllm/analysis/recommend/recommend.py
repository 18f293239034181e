"""recommend."""

from collections import Counter

from rerankllm.analysis.recommend.choice import JUDGES, weights, weights_like
from rerankllm.analysis.recommend.measurements import Measured
from rerankllm.analysis.recommend.options import Lists
from rerankllm.analysis.recommend.speed import Speed, measure
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.data import Query
from rerankllm.drivers.estimate import Sizes, Texts
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.source import Source


def _lists(source: Source | None, depth: int, number: int, passage_tokens: int) -> Lists:
    """What is to be ranked: the user's own, or so many lists of one length."""
    if source is None:
        texts = Texts(passage="word " * passage_tokens, criterion="word " * 10)
        return Lists({depth: number}, Sizes(texts, texts, texts))
    source.tell_skipped()
    cut = [(query, candidates[:depth]) for query, candidates in source.queries]
    documents = (candidate.document for _, candidates in cut for candidate in candidates)
    sizes = Sizes.of([query for query, _ in cut], documents)
    return Lists(Counter(len(candidates) for _, candidates in cut), sizes)


def _weights(measured: Measured, judge: str | None) -> tuple[dict[str, float], str]:
    """How much each simulated judge counts, and in words."""
    if judge is None or judge in JUDGES:
        said = "a good, a poor and a RankVicuna-like judge alike" if judge is None else f"a judge like the {judge} one"
        return weights(measured, judge), said
    shares = weights_like(measured, JudgeProfile.load(judge))
    parts = ", ".join(f"{own} {shares[name]:.0%}" for own, name in JUDGES.items())
    return shares, f"a judge as in {judge} ({parts})"


def _stated(call: float | None, tokens: float | None, concurrency: int) -> Speed | None:
    """As the user says; None where that is nothing."""
    each = 1 / tokens if tokens else 0.0
    return None if call is None and tokens is None else Speed(call or 0.0, each, each, concurrency)


def _measured(reranker: Reranker, source: Source | None, lists: Lists, concurrency: int) -> Speed:
    """As a few calls show, with a line on stderr about what was sent."""
    query, passages = _probe(source, lists)
    found = measure(reranker, query, passages, concurrency)
    sent = sum(sample.prompt_tokens for sample in found.samples)
    tell(
        f"measured with 5 calls to {reranker.backend.model}: one to begin with, then four with {sent:,.0f} tokens that "
        f"took {sum(sample.seconds for sample in found.samples):.2f} s; {found.call:.3g} s a call, "
        f"{found.prompt:.3g} s a token sent, {found.completion:.3g} s one generated"
    )
    return found


def _probe(source: Source | None, lists: Lists) -> tuple[Query, list[str]]:
    """What the calls that are timed ask about."""
    if source is None:
        return Query("", lists.sizes.middle.query), [lists.sizes.middle.passage]
    query, candidates = source.queries[0]
    return query, [candidate.document.content for candidate in candidates[:8]]
