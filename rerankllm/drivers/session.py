"""Open models, ready to rank: what a `Reranker` does, without the forms in which users give queries and documents."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from rerankllm.backends.loaded import LoadedModels
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.calibration.relevance import Calibration
from rerankllm.data import Candidate, Query
from rerankllm.drivers.base import Driver
from rerankllm.drivers.budget import Budget, Limits, check_searches
from rerankllm.drivers.concurrent import Concurrent
from rerankllm.drivers.estimate import Estimate, Sizes, estimate, planned
from rerankllm.drivers.events import QueryOutcome
from rerankllm.drivers.gateway import Signature
from rerankllm.drivers.panel import Panel, model_named_by
from rerankllm.drivers.recipe import DEFAULT_MODEL, Recipe
from rerankllm.drivers.results import Finish, with_unread
from rerankllm.drivers.rounds import Rounds
from rerankllm.drivers.task import Observer
from rerankllm.elicitation.base import PromptSettings
from rerankllm.errors import InputError
from rerankllm.formats.demonstrations import read_demonstrations
from rerankllm.journal.store import Journal
from rerankllm.judgements import IN_WORDS, Compare, within
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage, inner_stages

LIVE_QUERIES, LIVE_CALLS = 256, 200_000
"""Most queries that `Session.stream` has under way at a time, and most calls that these may take together. Memory stays
bounded because the next queries are submitted only as earlier ones are done."""


@dataclass(frozen=True, slots=True)
class Session:
    """A strategy on open models, with a driver that has the journal and the budget.

    A session is frozen. `on`, `parts`, `beside` and `calibrated` make others, which share its models and its driver:
    what their queries ask is batched together, kept in one journal and counted in one budget. Closing one of them
    closes all.

    Attributes:
        opened_with: The recipe.
        model: The model that judges where a stage names none, as it was named.
        profile: How the judge errs.
        panel: The models and how they are asked.
        driver: Sends the calls of all queries.
        stage: The strategy, complete.
        finish: The calibration and the cut-off.
        defaulted: Whether the strategy is the model's default.
    """

    opened_with: Recipe
    model: str
    profile: JudgeProfile | None
    panel: Panel
    driver: Driver
    stage: Stage
    finish: Finish
    defaulted: bool

    @classmethod
    def open(
        cls,
        recipe: Recipe,
        budget: Budget | None = None,
        *,
        observer: Observer | None = None,
        shelf: LoadedModels | None = None,
    ) -> "Session":
        """Loads the models of a recipe and starts a driver.

        Args:
            recipe: What to open.
            budget: Counts the calls, together with those of others. Whoever made it has added what the journal holds.
                None for a budget of this session's own, with the limits of the recipe.
            observer: Called with every event.
            shelf: Keeps models loaded for the next session.

        Raises:
            RerankError: As in making a `Reranker`.
        """
        finish, given = recipe.finish, recipe.stage
        if recipe.model and given and given.model and given.model != recipe.model:
            raise InputError(
                f"the strategy names the model {given.model}, and {recipe.model} is given too: leave one out"
            )
        examples = () if recipe.demonstrations is None else read_demonstrations(recipe.demonstrations)
        model = recipe.model or (given and model_named_by(given)) or DEFAULT_MODEL
        settings = PromptSettings(recipe.instruction, recipe.passage_tokens, examples)
        panel = Panel(model, settings, recipe.options, shelf)
        profile = recipe.judge_profile
        stage = given or panel.default_strategy()
        stage = panel.complete(profile.apply(stage) if profile else stage)
        if examples and Compare not in stage.strategy.asks:
            asked = " and ".join(IN_WORDS[kind] for kind in stage.strategy.asks)
            raise InputError(
                f"demonstrations are worked comparisons, and this strategy asks to {asked}: leave them out"
            )
        total = budget or Budget(recipe.limits)
        _check_prices(panel, total, recipe.per_query)
        if budget is None and recipe.limits.searches is not None:
            check_searches(panel.backends)
        remote = any(backend.capabilities.remote for backend in panel.backends)
        name = recipe.driver or ("concurrent" if remote else "rounds")
        make: type[Driver] = Concurrent if name == "concurrent" else Rounds
        driver = make(panel.resolve, observer, total, counts_kept=budget is None and total.counts)
        return cls(
            opened_with=recipe,
            model=model,
            profile=profile,
            panel=panel,
            driver=driver,
            stage=stage,
            finish=finish,
            defaulted=given is None,
        )

    @property
    def recipe(self) -> Recipe:
        """The recipe of another session like this one."""
        return replace(
            self.opened_with,
            strategy=str(self.stage),
            model=self.model,
            instruction=self.panel.settings.instruction,
            passage_tokens=self.panel.settings.passage_tokens,
            limits=self.driver.budget.limits,
            calibration=self.finish.calibration,
            cutoff=self.finish.cutoff,
            profile=None,  # the stage has what it says
        )

    @property
    def depth(self) -> int | None:
        """Candidates a query that are read; None for all."""
        return self.opened_with.depth

    def on(self, stage: Stage) -> "Session":
        """The session with another strategy; see `Reranker.on`."""
        return replace(self, stage=self.panel.complete(stage), defaulted=False)

    def parts(self) -> "list[Session]":
        """A session for each stage inside the strategy."""
        return [replace(self, stage=stage) for stage in inner_stages(self.stage.strategy)]

    def beside(
        self, strategy: str | Stage | None, model: str | None, instruction: str | None, passage_tokens: int | None
    ) -> "Session":
        """The session with another strategy or other prompts; see `Reranker.beside`."""
        panel = self.panel.beside(instruction=instruction, passage_tokens=passage_tokens)
        stage = Stage.parse(strategy) if isinstance(strategy, str) else strategy
        defaulted = self.defaulted and strategy is None and model is None
        if stage is None:
            stage = self.stage if model is None else panel.default_strategy(model)
        stage = panel.complete(stage if stage.model or model is None else replace(stage, model=model))
        if self.driver.journal is not None:
            panel.fix_context()
        _check_prices(panel, self.driver.budget, self.opened_with.per_query)
        return replace(self, panel=panel, stage=stage, finish=Finish(), defaulted=defaulted)

    def calibrated(self, calibration: Calibration | None) -> "Session":
        """The session with another calibration and no cut-off."""
        return replace(self, finish=Finish(calibration))

    def keep(self, journal: str | Path | Journal) -> Journal:
        """Has the driver keep every completed call in a journal, and ask nothing that it holds.

        Raises:
            InputError: The file is no journal, or cannot be written.
        """
        kept = self.driver.keep(journal)
        self.panel.fix_context()
        return kept

    def key(self, query: Query, candidates: Sequence[Candidate], top_k: int | None = None) -> str:
        """The key by which the journal knows a query; empty without a journal."""
        return self.driver.enter(query, candidates[: self.depth], self._signature(self.aimed(top_k)))

    def submit(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        top_k: int | None = None,
        *,
        observer: Observer | None = None,
        party: object = None,
    ) -> "Future[QueryOutcome]":
        """Starts ranking one query: its strategy is handed to the driver, which asks what the strategy asks.

        Args:
            query: The query.
            candidates: What is ranked, in the first stage's order.
            top_k: How many first places matter.
            observer: Called with every event of this query.
            party: See `Driver.submit`.

        Returns:
            A future of the ranking, or of `Failed`; cancelling it ends the query.
        """
        if top_k is not None and top_k < 1:
            raise InputError(f"top_k should be at least 1, found {top_k}")
        self.panel.check()
        stage = self.aimed(top_k)
        found = list(candidates)  # read now: they may be read from a file as they are looked at
        head, tail = found[: self.depth], [] if self.depth is None else found[self.depth :]
        return self.driver.submit(
            query,
            head,
            within(stage, stage.strategy.rank(query, head)),
            self._signature(stage),
            budget=_own_budget(self.opened_with.per_query),
            resolve=self.panel.resolve,
            finish=lambda ranking: self.finish(with_unread(ranking, tail)),
            observer=observer,
            party=party,
            unusable=self.opened_with.unusable,
        )

    def stream(
        self, queries: Iterable[tuple[Query, Sequence[Candidate]]], top_k: int | None = None
    ) -> Iterator[QueryOutcome]:
        """Ranks queries as they come and yields their outcomes in the same order, keeping few in memory."""
        waiting: deque[tuple[Future[QueryOutcome], int]] = deque()
        live_calls, party = 0, object()
        most = lru_cache(maxsize=LIVE_QUERIES)(lambda n: self.plan(n, top_k).calls.high)
        if self.driver.counts_kept and isinstance(queries, Sequence):  # all that is spent already, before more is
            for query, candidates in queries:
                self.key(query, candidates, top_k)
        try:
            for query, candidates in queries:
                calls = most(len(candidates))
                while waiting and (len(waiting) >= LIVE_QUERIES or live_calls + calls > LIVE_CALLS):
                    yield waiting[0][0].result()
                    live_calls -= waiting.popleft()[1]
                waiting.append((self.submit(query, candidates, top_k, party=party), calls))
                live_calls += calls
            while waiting:
                yield waiting[0][0].result()
                waiting.popleft()
        finally:
            for future, _ in waiting:
                future.cancel()

    def plan(self, n: int, top_k: int | None = None) -> Plan:
        """What ranking `n` documents takes."""
        return planned(self.aimed(top_k), self._read_of(n))

    def estimate(self, queries: Sequence[tuple[Query, Sequence[Candidate]]], top_k: int | None = None) -> Estimate:
        """Tokens and money that ranking these queries will take."""
        lengths = Counter(self._read_of(len(candidates)) for _, candidates in queries)
        documents = (c.document for _, candidates in queries for c in candidates[: self.depth])
        sizes = Sizes.of([query for query, _ in queries], documents)
        return estimate(self.panel, self.aimed(top_k), lengths, sizes)

    def estimate_any(self, n: int) -> Estimate:
        """Tokens and money for one query of `n` documents of any length."""
        return self.estimate_sized({self._read_of(n): 1}, Sizes())

    def estimate_sized(self, lengths: Mapping[int, int], sizes: Sizes) -> Estimate:
        """Tokens and money for queries of which only the lengths of their lists and the sizes of texts are known."""
        return estimate(self.panel, self.stage, lengths, sizes)

    def aimed(self, top_k: int | None) -> Stage:
        """The strategy for so many first places."""
        return self.stage if top_k is None else self.stage.aiming(top_k)

    def close(self) -> None:
        """Stops the driver, which closes a journal that it opened, and frees the models."""
        self.driver.close(self.panel.own)

    def _signature(self, stage: Stage) -> Signature:
        return Signature(stage, self.panel.context)

    def _read_of(self, n: int) -> int:
        """How many of `n` candidates are read."""
        return n if self.depth is None else min(n, self.depth)


def _own_budget(per_query: Limits | None) -> Budget:
    return Budget(per_query, "the query's budget")


def _check_prices(panel: Panel, total: Budget, per_query: Limits | None) -> None:
    """Raises CapabilityError where money is limited and a model's price is not known."""
    for backend in panel.backends:
        total.check(backend)
        _own_budget(per_query).check(backend)
