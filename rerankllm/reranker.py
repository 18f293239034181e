"""The facade: lists of texts or whole runs in, rankings out."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from rerankllm.backends.loaded import LoadedModels
from rerankllm.backends.remote import RemoteBackend
from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.calibration.relevance import Calibration
from rerankllm.calls import Backend
from rerankllm.data import Candidate, Document, Query, Ranking, Usage
from rerankllm.drivers.base import Driver
from rerankllm.drivers.budget import Amount, Budget, Limits
from rerankllm.drivers.concurrent import Concurrent
from rerankllm.drivers.estimate import Estimate, Sizes, estimate, planned
from rerankllm.drivers.events import Failed, QueryOutcome
from rerankllm.drivers.panel import Panel, model_named_by
from rerankllm.drivers.results import Finish, Run, with_unread
from rerankllm.drivers.rounds import Rounds
from rerankllm.drivers.task import Observer
from rerankllm.elicitation.base import Settings
from rerankllm.errors import InputError, QueryFailed
from rerankllm.formats.demonstrations import read_demonstrations
from rerankllm.formats.join import join
from rerankllm.formats.objects import AnyDocument, to_candidates, to_query
from rerankllm.journal.store import Journal
from rerankllm.judgements import Compare, within
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage, inner_stages

if TYPE_CHECKING:
    from ray.data import Dataset

    from rerankllm.drivers.recipe import Recipe

DEFAULT_MODEL = "llamacpp:smollm2"
LIVE_QUERIES, LIVE_CALLS = 256, 200_000
"""Queries under way at a time, and calls they may take together: the next are submitted as the first are done, so that
memory stays bounded."""

DriverName: TypeAlias = Literal["rounds", "concurrent"]


class Reranker:
    """A strategy, a way of eliciting and a model, ready to rank. Reusable, thread-safe, and a context manager.

    Args:
        strategy: A stage spec such as `sliding(window=20, stride=10) / labels`; the model's default when None.
        model: `kind:name[?key=value&…]`; the embedded model when None.
        instruction: What counts as relevant, for prompts that show it.
        passage_tokens: Cut of every passage; the template's own when None.
        demonstrations: Worked examples for comparisons, instead of the template's own: JSON lines or a folder with
            judged queries, as `rerankllm.formats.demonstrations` reads them.
        depth: Candidates a query that are read; the rest follow in input order, marked unread.
        driver: `rounds` or `concurrent`; the one that suits the model when None. Rankings do not depend on it.
        observer: Called with every event while queries run, on another thread.
        options: Options of the model, such as `base_url`, as in its spec after `?`; these win over those there.
        journal: A file, or an open `Journal`, that keeps every completed call; what it holds is not asked again.
        limits: What may be spent, all queries together, or an open `Budget` that others spend of too, and that was told
            what the journal holds; queries that it does not suffice for fail by name.
        per_query: What each query may spend. A strategy that has an order at any time (`active`) ends there with the
            order it has; with any other the query fails by name. Seconds are a deadline, from its first call.
        calibration: Says how likely each result is relevant: a file that `rerankllm calibrate` wrote, or a
            `Calibration`. It should have been fitted on scores of the same strategy and model.
        cutoff: Where rankings stop: `auto`, `f1`, `precision=P`, `recall=R` or `threshold=P`, by the calibration. An
            empty ranking then says that nothing is relevant; a query that failed raises, here as anywhere.
        profile: How the judge errs: a file that `rerankllm judge-profile` wrote, or a `JudgeProfile`. It sets trust,
            scale and sharpness of every `active` in the strategy, whatever is written there.
        shelf: Keeps engines that compute here loaded for the next one that is given it.

    Raises:
        InputError: A spec, a model or a template that does not load.
        CapabilityError: The model cannot do what the strategy or the elicitation needs.
        MissingExtra: A package is not installed; the message says how to.
    """

    def __init__(
        self,
        strategy: str | Stage | None = None,
        model: str | None = None,
        *,
        instruction: str | None = None,
        passage_tokens: int | None = None,
        demonstrations: str | Path | None = None,
        depth: int | None = None,
        driver: DriverName | None = None,
        observer: Observer | None = None,
        options: Mapping[str, str] | None = None,
        journal: str | Path | Journal | None = None,
        limits: Limits | Budget | None = None,
        calibration: str | Path | Calibration | None = None,
        cutoff: str | Cutoff | None = None,
        per_query: Limits | None = None,
        profile: str | Path | JudgeProfile | None = None,
        shelf: LoadedModels | None = None,
    ) -> None:
        if depth is not None and depth < 1:
            raise InputError(f"depth should be at least 1, found {depth}")
        if passage_tokens is not None and passage_tokens < 1:
            raise InputError(f"a passage should be cut to at least 1 token, found {passage_tokens}")
        fitted = calibration if isinstance(calibration, Calibration | None) else Calibration.load(calibration)
        self._finish = Finish(fitted, Cutoff.parse(cutoff) if isinstance(cutoff, str) else cutoff)
        stage = Stage.parse(strategy) if isinstance(strategy, str) else strategy
        if model and stage and stage.model and stage.model != model:
            raise InputError(f"the strategy names the model {stage.model}, and {model} is given too: leave one out")
        examples = () if demonstrations is None else read_demonstrations(demonstrations)
        self.model = model or (stage and model_named_by(stage)) or DEFAULT_MODEL
        self._panel = Panel(self.model, Settings(instruction, passage_tokens, examples), options or {}, shelf)
        self.defaulted = stage is None
        stage = stage or Stage.parse(self._panel.backend.default_strategy)
        self.profile = profile if isinstance(profile, JudgeProfile | None) else JudgeProfile.load(profile)
        self.stage = self._panel.complete(self.profile.apply(stage) if self.profile else stage)
        if examples and Compare not in self.stage.strategy.asks:
            asked = ", ".join(kind.__name__ for kind in self.stage.strategy.asks)
            raise InputError(f"demonstrations are worked comparisons, and this strategy asks {asked}: leave them out")
        self.depth = depth
        self._budget = limits if isinstance(limits, Budget) else Budget(limits)
        self._counts = self._budget.counts and limits is not self._budget
        self._per_query = per_query
        self._given: dict[str, Any] = {
            "demonstrations": demonstrations,
            "driver": driver,
            "options": dict(options or {}),
        }
        for backend in self._panel.backends:
            self._budget.check(backend)
            self._own_budget().check(backend)
        remote = any(backend.capabilities.remote for backend in self._panel.backends)
        kind = driver or ("concurrent" if remote else "rounds")
        make: type[Driver] = Concurrent if kind == "concurrent" else Rounds
        self._driver = make(self._panel.resolve, observer, self._budget)
        self.journal: Journal | None = None
        self._context: list[Any] = []
        self._entered: set[str] = set()
        if journal is not None:
            self.keep(journal)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that judge, as their specs print."""
        return self._panel.models

    @property
    def calibration(self) -> Calibration | None:
        """What says how likely results are relevant."""
        return self._finish.calibration

    @property
    def cutoff(self) -> Cutoff | None:
        """Where rankings stop."""
        return self._finish.cutoff

    @property
    def paid(self) -> bool:
        """Whether any of the models is one whose calls cost money, or may."""
        return any(backend.cost(Usage(1, 1)) != 0 for backend in self._panel.backends)

    @property
    def backend(self) -> Backend:
        """The model that judges where a stage names none."""
        return self._panel.backend

    @property
    def gives_probabilities(self) -> bool:
        """Whether scores are expected values of labels worth 0 to 1, such as P(yes)."""
        return self._panel.gives_probabilities(self.stage)

    def rerank(self, query: str | Query, documents: Sequence[AnyDocument], *, top_k: int | None = None) -> Ranking:
        """Ranks documents for one query; works in scripts, threads and notebooks alike.

        Args:
            query: The query.
            documents: Texts; dicts with `text` and, if wanted, `id` (or `doc_id`, `_id`), `title`, `score` (the first
                stage's) and anything else, which comes back as `metadata`; or `Document`s. Documents without an id
                are called by their position, from "0".
            top_k: How many first places matter. Strategies that can spend less on the rest do; every document is
                in the ranking all the same, and `Ranking.top` cuts it.

        Returns:
            Every document once, best first; fewer where a cut-off was asked for.

        Raises:
            QueryFailed: It could not be ranked; there is no ranking then, not even the input order.
        """
        return _ranking(self.submit(query, documents, top_k=top_k).result())

    async def arerank(
        self, query: str | Query, documents: Sequence[AnyDocument], *, top_k: int | None = None
    ) -> Ranking:
        """`rerank`, awaited."""
        return _ranking(await asyncio.wrap_future(self.submit(query, documents, top_k=top_k)))

    def submit(
        self,
        query: str | Query,
        documents: Sequence[AnyDocument],
        *,
        top_k: int | None = None,
        observer: Observer | None = None,
    ) -> "Future[QueryOutcome]":
        """Starts ranking documents for one query, beside whatever else is under way.

        Args:
            query: The query.
            documents: As `rerank` takes them.
            top_k: How many first places matter.
            observer: Called with every event of this query, on another thread.

        Returns:
            A future of the ranking, or of `Failed`; cancelling it ends the query. It raises only what concerns more
            than this query, such as a wrong key.
        """
        return self._submit(to_query(query), to_candidates(documents), top_k, observer)

    def rerank_run(
        self,
        run: Mapping[str, Sequence[tuple[str, float]]],
        queries: Mapping[str, str],
        corpus: Mapping[str, Document],
        *,
        top_k: int | None = None,
        skip_missing: bool = False,
    ) -> Run:
        """Ranks every query of a run.

        Args:
            run: (doc_id, score) pairs by query id, best first, as `rerankllm.formats.trec.read_run` gives them.
            queries: Query texts by id.
            corpus: Documents by id.
            top_k: How many first places matter.
            skip_missing: Leave out queries and documents without a text instead of refusing.

        Returns:
            Rankings and failures, in the run's order.

        Raises:
            InputError: A text is missing.
            BackendError: The model cannot be used at all, for instance a key that is wrong.
        """
        joined = join(run, queries, corpus, skip_missing=skip_missing)
        return Run.of(self.stream(joined.queries, top_k=top_k))

    def stream(
        self, queries: Iterable[tuple[Query, Sequence[Candidate]]], *, top_k: int | None = None
    ) -> Iterator[QueryOutcome]:
        """Ranks queries as they come and yields their outcomes in the same order, keeping few in memory."""
        waiting: deque[tuple[Future[QueryOutcome], int]] = deque()
        live_calls, run = 0, object()
        if self._counts and isinstance(queries, Sequence):  # what is spent already, before more is
            for query, candidates in queries:
                self._key(self._aimed(top_k), query, candidates[: self.depth])
        try:
            for query, candidates in queries:
                calls = self.plan(len(candidates), top_k=top_k).calls.high
                while waiting and (len(waiting) >= LIVE_QUERIES or live_calls + calls > LIVE_CALLS):
                    yield waiting[0][0].result()
                    live_calls -= waiting.popleft()[1]
                waiting.append((self._submit(query, candidates, top_k, party=run), calls))
                live_calls += calls
            while waiting:
                yield waiting[0][0].result()
                waiting.popleft()
        finally:
            for future, _ in waiting:
                future.cancel()

    def plan(self, n: int, *, top_k: int | None = None) -> Plan:
        """What ranking `n` documents takes."""
        stage = self._aimed(top_k)
        return planned(stage, n if self.depth is None else min(n, self.depth))

    def estimate(self, queries: Sequence[tuple[Query, Sequence[Candidate]]], *, top_k: int | None = None) -> Estimate:
        """Tokens and money that ranking these queries will take, from their own texts; nothing is sent."""
        stage = self._aimed(top_k)
        lengths = Counter(min(len(candidates), self.depth or len(candidates)) for _, candidates in queries)
        documents = (c.document for _, candidates in queries for c in candidates[: self.depth])
        return estimate(self._panel, stage, lengths, Sizes.of([query for query, _ in queries], documents))

    def estimate_any(self, n: int) -> Estimate:
        """Tokens and money for one query of `n` documents of any length: bounds."""
        return self.estimate_sized({n if self.depth is None else min(n, self.depth): 1}, Sizes())

    def estimate_sized(self, lengths: Mapping[int, int], sizes: Sizes) -> Estimate:
        """Tokens and money for queries of which only this is known: how many have lists of which length, and sizes."""
        return estimate(self._panel, self.stage, lengths, sizes)

    def on(self, stage: Stage) -> "Reranker":
        """One with another strategy, on the same models, journal and budget; only this one is to be closed.

        Raises:
            CapabilityError: The model cannot do what the strategy needs.
            InputError: A template does not load.
        """
        other = copy(self)
        other.stage, other.defaulted = self._panel.complete(stage), False
        return other

    def parts(self) -> "list[Reranker]":
        """One for each stage inside, on the same models, journal and budget; only this one is to be closed."""
        found = [copy(self) for _ in inner_stages(self.stage.strategy)]
        for part, stage in zip(found, inner_stages(self.stage.strategy), strict=True):
            part.stage = stage
        return found

    def beside(
        self,
        strategy: str | Stage | None = None,
        model: str | None = None,
        *,
        instruction: str | None = None,
        passage_tokens: int | None = None,
    ) -> "Reranker":
        """Another strategy, or other prompts, on the same engines, journal and budget; only this one is to be closed.

        What queries of both ask is batched together. What is not given is as it is here, but for a calibration and its
        cut-off, which belong to the scores that are given here.

        Args:
            strategy: A stage spec; the model's default where only a model is given.
            model: Which model judges where the strategy names none.
            instruction: What counts as relevant.
            passage_tokens: Cut of every passage.

        Raises:
            InputError, CapabilityError, MissingExtra: As in making a `Reranker`.
        """
        panel = self._panel.beside(instruction=instruction, passage_tokens=passage_tokens)
        stage = Stage.parse(strategy) if isinstance(strategy, str) else strategy
        if stage is None:
            stage = self.stage if model is None else Stage.parse(panel.load(model).default_strategy)
        other = self.calibrated(None)
        other.stage = panel.complete(stage if stage.model or model is None else replace(stage, model=model))
        other._panel = panel  # noqa: SLF001
        other._context = panel.context() if self.journal is not None else []  # noqa: SLF001
        for backend in panel.backends:
            self._budget.check(backend)
        return other

    def calibrated(self, calibration: Calibration | None) -> "Reranker":
        """One that says how likely each result is relevant, on the same engines; only this one is to be closed.

        Args:
            calibration: Fitted on scores of the same strategy and model; None says nothing.
        """
        other = copy(self)
        other._finish = Finish(calibration)  # noqa: SLF001
        return other

    def keep(self, journal: str | Path | Journal) -> Journal:
        """Keeps every completed call of the queries that follow in `journal`, and asks nothing again that it holds.

        Raises:
            InputError: The file is no journal, or cannot be written.
        """
        self._own_journal = not isinstance(journal, Journal)
        self.journal = journal if isinstance(journal, Journal) else Journal(journal)
        self._context = self._panel.context()
        self._driver.keep(self.journal)
        return self.journal

    @property
    def recipe(self) -> "Recipe":
        """What makes another one like this, in another process."""
        from rerankllm.drivers.recipe import Recipe  # noqa: PLC0415

        settings, finish = self._panel.settings, self._finish
        return Recipe(
            strategy=str(self.stage),
            model=self.model,
            instruction=settings.instruction,
            passage_tokens=settings.passage_tokens,
            depth=self.depth,
            limits=self._budget.limits,
            per_query=self._per_query,
            calibration=finish.calibration,
            cutoff=finish.cutoff,
            **self._given,
        )

    def key(self, query: Query, candidates: Sequence[Candidate], *, top_k: int | None = None) -> str:
        """What the journal knows a query by; empty without a journal."""
        return self._key(self._aimed(top_k), query, candidates[: self.depth])

    def share(self, part: int, parts: int) -> None:
        """Keeps one part of the requests that hosts may be sent at a time, of several processes that share them.

        To be called before anything is ranked.

        Args:
            part: Which, from 0.
            parts: How many processes there are.

        Raises:
            InputError: There is not one request at a time for each.
        """
        for backend in self._panel.backends:
            if isinstance(backend, RemoteBackend):
                backend.share(part, parts)

    def map_dataset(self, dataset: "Dataset", *, workers: int = 1, gpus_per_worker: float = 0) -> "Dataset":
        """Ranks every row of a Ray Dataset, in processes of their own with an engine each; lazily, as Ray Data does.

        Workers have this one's strategy, model, limits (all together), calibration and so on, and journals of their own
        beside this one's, which a later call takes in. This one's engine takes no part: close it if memory is short.

        Args:
            dataset: Rows of `query_id`, `query` and `candidates`, a list of structs with `doc_id`, `text`, and, if
                wanted, `title` and `score`.
            workers: How many processes.
            gpus_per_worker: GPUs of each.

        Returns:
            The rows with `results`, a list of structs with `doc_id`, `rank`, `score` and `provenance`, best first; for
            a query that failed that is null, and `failure` says why. The order of rows is Ray Data's affair.

        Raises:
            InputError: The journal is being written to by another run.
            MissingExtra: Ray is not installed.
        """
        from rerankllm.distributed.dataset import map_dataset  # noqa: PLC0415

        return map_dataset(self, dataset, workers=workers, gpus_per_worker=gpus_per_worker)

    def stop(self, reason: str) -> None:
        """Sends nothing more: calls under way come back and are kept, queries that need more fail with `reason`."""
        self._budget.stop(reason)

    def close(self) -> None:
        """Stops, and frees the model."""
        self._driver.close(self._panel.own)
        if self.journal is not None and self._own_journal:
            self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _submit(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        top_k: int | None,
        observer: Observer | None = None,
        party: object = None,
    ) -> "Future[QueryOutcome]":
        if top_k is not None and top_k < 1:
            raise InputError(f"top_k should be at least 1, found {top_k}")
        stage = self._aimed(top_k)
        depth = len(candidates) if self.depth is None else self.depth
        found = list(candidates)  # at once: they may be read as they are looked at
        head, tail = found[:depth], found[depth:]
        steps = within(stage, stage.strategy.rank(query, head))
        key, budget = self._key(stage, query, head), self._own_budget()
        inner = self._driver.submit(
            query, head, steps, key, budget, resolve=self._panel.resolve, observer=observer, party=party
        )
        outer: Future[QueryOutcome] = Future()

        def finish(_: object) -> None:
            with suppress(InvalidStateError):  # cancelled meanwhile
                error = inner.exception()
                if error is not None:
                    outer.set_exception(error)
                else:
                    outer.set_result(self._finish(with_unread(inner.result(), tail)))

        inner.add_done_callback(lambda _: None if inner.cancelled() else finish(_))
        outer.add_done_callback(lambda _: inner.cancel() if outer.cancelled() else None)
        return outer

    def _own_budget(self) -> Budget:
        return Budget(self._per_query, "the query's budget")

    def _key(self, stage: Stage, query: Query, candidates: Sequence[Candidate]) -> str:
        if self.journal is None:
            return ""
        key = self.journal.enter(query, [c.document for c in candidates], str(stage), self._context)
        if self._counts and key not in self._entered:
            self._entered.add(key)
            self._budget.spend(Amount.of(*self.journal.spent(key)))
        return key

    def _aimed(self, top_k: int | None) -> Stage:
        return self.stage if top_k is None else self.stage.aiming(top_k)


def _ranking(outcome: QueryOutcome) -> Ranking:
    if isinstance(outcome, Failed):
        raise QueryFailed(outcome.reason, outcome.query.query_id)
    return outcome
