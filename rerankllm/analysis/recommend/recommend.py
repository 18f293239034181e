"""Which strategy for a budget and a model: what each gave where it was measured, and would take here."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rerankllm.analysis.queries import Queries, as_source
from rerankllm.analysis.recommend import speed as speeds
from rerankllm.analysis.recommend.advice import Advice
from rerankllm.analysis.recommend.choice import JUDGES, choose, weights, weights_like
from rerankllm.analysis.recommend.measurements import Measured, nearest, shipped
from rerankllm.analysis.recommend.options import PASSAGE_TOKENS, Axis, Lists, Prices, offers
from rerankllm.analysis.recommend.speed import Speed
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.data import Query
from rerankllm.drivers.estimate import Sizes, Texts
from rerankllm.errors import InputError
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.source import Source

UNKNOWN: Mapping[Axis, str] = {
    "cost": "the model's prices are not known; give ?price_prompt=…&price_completion=… in --model",
    "tokens": "this model answers without prompts and counts none; give --max-slots or --max-calls",
}
"""Why a limit cannot be kept to, by what it is of."""
PLACEHOLDERS = ("--run", "RUN", "--queries", "QUERIES", "--corpus", "CORPUS")
"""The options that name the queries, in the command that is recommended, where nobody says."""


@dataclass(frozen=True, slots=True)
class Recommender:
    """What is known of the model and of how fast it is.

    Attributes:
        model: A MODEL; None for none in particular.
        judge: What the model is assumed to be like: `good`, `poor` or `fitted`, which were simulated, or a profile's
            file. All three alike when None.
        base_url: Address of an OpenAI-compatible server.
        concurrency: Calls at a time.
        passage_tokens: Cut of every passage; the template's own when None.
        options: Options of the model, `base_url` and `concurrency` among them, as in its spec after `?`.
        seconds_per_call: What a call takes whatever is in it; None where that is not known.
        tokens_per_second: Tokens that one call reads or writes in a second; None where that is not known.
        measure: Whether to find both out with five small calls.
    """

    model: str | None = None
    judge: str | None = None
    base_url: str | None = None
    concurrency: int | None = None
    passage_tokens: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    seconds_per_call: float | None = None
    tokens_per_second: float | None = None
    measure: bool = False

    @property
    def stated(self) -> bool:
        """Whether it is said how fast the model is."""
        return self.seconds_per_call is not None or self.tokens_per_second is not None

    def check(self, limits: Mapping[Axis, float]) -> None:
        """Refuses what cannot be recommended for, before anything is read.

        Raises:
            InputError: A limit needs to know more of the model, or the judge is none.
        """
        if self.model is None and (self.measure or "cost" in limits):
            raise InputError(f"{'--measure' if self.measure else '--max-cost'} needs --model")
        if self.measure and self.stated:
            raise InputError("--measure finds out what --seconds-per-call and --tokens-per-second state: leave one out")
        if "seconds" in limits and not (self.measure or self.stated):
            raise InputError("--max-seconds needs to know how fast the model is: give --seconds-per-call and "
                             "--tokens-per-second, or --measure")  # fmt: skip
        if self.judge is not None and self.judge not in JUDGES and not Path(self.judge).is_file():
            raise InputError(f"--judge {self.judge} should be one of {', '.join(JUDGES)}, or a profile's file")

    def recommend(
        self,
        limits: Mapping[Axis, float],
        queries: Queries | None = None,
        *,
        depth: int = 100,
        number: int = 1,
        text_tokens: int = PASSAGE_TOKENS,
        source_options: Sequence[str] = PLACEHOLDERS,
    ) -> Advice:
        """Chooses among the strategies that were measured.

        Args:
            limits: The budget.
            queries: Queries with their candidates; None for `number` lists of `depth` candidates.
            depth: Candidates a query; of longer lists, the first so many.
            number: Queries, where none are given.
            text_tokens: Of a passage, where no texts are given.
            source_options: How the queries are named on a command line.

        Raises:
            InputError, CapabilityError: As `recommend`.
        """
        self.check(limits)
        source = None if queries is None else as_source(queries)
        lists = _lists(source, depth, number, text_tokens)
        if max(lists.lengths, default=0) < 2:  # noqa: PLR2004
            raise InputError("there is nothing to put in order: no list has two candidates; give a larger --depth, or "
                             "other queries")  # fmt: skip
        measured = nearest(shipped(), lists.middle)
        shares, why = _weights(measured, self.judge)
        opened = (
            Reranker(None, self.model, passage_tokens=self.passage_tokens, options=self.options) if self.model else None
        )
        with opened or nullcontext():
            speed = self._speed(opened, source, lists)
            fused = source is None or all(c.score is not None for _, found in source.queries for c in found)
            found, left_out = offers(measured, shares, Prices(lists, measured.candidates, opened, speed), fused=fused)
        for axis, help_ in UNKNOWN.items():
            if axis in limits and not all(axis in offer.takes for offer in found):
                raise InputError(f"--max-{axis}: {help_}")
        choice = choose(measured, found, limits)
        more = ["--depth", str(depth), *(["--skip-missing"] if source is not None and source.skipped else [])]
        line = self._command(choice.chosen.stage, source_options, more)
        return Advice(measured, shares, why, lists, found, left_out, limits, choice, speed, line)

    def _speed(self, opened: Reranker | None, source: Source | None, lists: Lists) -> Speed | None:
        """How fast the model is: as a few calls show, or as stated; None where that is not known."""
        at_once = self.concurrency or (opened and opened.backend.capabilities.slots) or 1
        if self.measure and opened is not None:
            return _measured(opened, source, lists, at_once)
        if not self.stated:
            return None
        each = 1 / self.tokens_per_second if self.tokens_per_second else 0.0
        return Speed(self.seconds_per_call or 0.0, each, each, at_once)

    def _command(self, stage: str, source: Sequence[str], more: Sequence[str]) -> str:
        """The command line that runs a stage; empty where nothing is to be run."""
        if not stage:
            return ""
        settings = {"model": self.model, "base-url": self.base_url, "concurrency": self.concurrency,
                    "max-passage-tokens": self.passage_tokens}  # fmt: skip
        asked = [word for name, value in settings.items() if value is not None for word in (f"--{name}", str(value))]
        rest = ["--strategy", stage, *more, "--output", "reranked.txt"]
        return shlex.join(["rerankllm", "rerank", *source, *asked, *rest])


def recommend(
    limits: Mapping[Axis, float] | None = None,
    *,
    queries: Queries | None = None,
    model: str | None = None,
    judge: str | None = None,
    depth: int = 100,
    number: int = 1,
    seconds_per_call: float | None = None,
    tokens_per_second: float | None = None,
    measure: bool = False,
) -> Advice:
    """Which strategy for a budget and a model. Of what fits the budget, the cheapest that cannot be told from the best.

    Nothing is sent to the model, unless its speed is to be measured. What the numbers are and are not:
    docs/choosing.md. `Recommender` takes more settings of the model.

    Args:
        limits: What may be spent on the whole run, of `cost` (US dollars), `seconds`, `tokens`, `slots` (passages
            sent), `calls` and, of a single query, `rounds` (calls that wait for one another).
        queries: Queries with their candidates; None for `number` lists of `depth` candidates.
        model: A MODEL; None for none in particular.
        judge: What the model is assumed to be like: `good`, `poor` or `fitted`, which were simulated, or the file of a
            profile. All three alike when None.
        depth: Candidates a query; of longer lists, the first so many.
        number: Queries, where none are given.
        seconds_per_call: What a call takes whatever is in it.
        tokens_per_second: Tokens that one call reads or writes in a second.
        measure: Find both out with five small calls.

    Raises:
        InputError: Nothing fits, or a limit needs to know more of the model.
        CapabilityError: The model's speed cannot be measured.
    """
    recommender = Recommender(
        model, judge, seconds_per_call=seconds_per_call, tokens_per_second=tokens_per_second, measure=measure
    )
    return recommender.recommend(limits or {}, queries, depth=depth, number=number)


def _lists(source: Source | None, depth: int, number: int, passage_tokens: int) -> Lists:
    """What is to be ranked: the user's own lists, or so many of one length."""
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


def _measured(reranker: Reranker, source: Source | None, lists: Lists, concurrency: int) -> Speed:
    """The speed that a few calls show, with a note on what was sent."""
    query, passages = _probe(source, lists)
    found = speeds.measure(reranker, query, passages, concurrency)
    sent = sum(sample.prompt_tokens for sample in found.samples)
    tell(
        f"measured with 5 calls to {reranker.backend.model}: one to begin with, then four with {sent:,.0f} tokens that "
        f"took {sum(sample.seconds for sample in found.samples):.2f} s; {found.call:.3g} s a call, "
        f"{found.prompt:.3g} s a token sent, {found.completion:.3g} s one generated"
    )
    return found


def _probe(source: Source | None, lists: Lists) -> tuple[Query, list[str]]:
    """The query and the passages that the calls that are timed ask about."""
    if source is None:
        return Query("", lists.sizes.middle.query), [lists.sizes.middle.passage]
    query, candidates = source.queries[0]
    return query, [candidate.document.content for candidate in candidates[:8]]
