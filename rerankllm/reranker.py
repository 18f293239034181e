"""`Reranker`: lists of texts or whole runs in, rankings out."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rerankllm.backends.loaded import LoadedModels
from rerankllm.backends.remote import RemoteBackend
from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.calibration.relevance import Calibration
from rerankllm.calibration.scale import Scale
from rerankllm.calls import Backend
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.drivers.budget import ANYTHING, Budget, Limits
from rerankllm.drivers.cutting import cut_by, reads_whole
from rerankllm.drivers.estimate import Estimate, Sizes
from rerankllm.drivers.events import QueryOutcome, ranking_of
from rerankllm.drivers.recipe import DriverName, Recipe
from rerankllm.drivers.results import Run
from rerankllm.drivers.session import Session
from rerankllm.drivers.task import Observer
from rerankllm.drivers.unusable import Unusable
from rerankllm.errors import InputError
from rerankllm.formats.join import join
from rerankllm.formats.objects import AnyDocuments, to_candidates, to_query
from rerankllm.journal.store import Journal
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage

if TYPE_CHECKING:
    from ray.data import Dataset


class Reranker:
    """A strategy, a way of eliciting and a model, ready to rank. Reusable, thread-safe, and a context manager.

    Args:
        strategy: A stage spec such as `sliding(window=20, stride=10) / labels`; the model's default when None.
        model: `kind:name[?key=value&…]`; the default model when None.
        instruction: What counts as relevant, for prompts that show it.
        passage_tokens: Cut of every passage; the template's own when None.
        demonstrations: Worked examples for comparisons, instead of the template's own: JSON lines or a folder with
            judged queries, as `rerankllm.formats.demonstrations` reads them.
        depth: Candidates a query that are read; the rest follow in input order, marked unread.
        driver: `rounds` or `concurrent`; the one that suits the model when None. Rankings do not depend on it.
        observer: Called with every event while queries run, on another thread.
        options: Options of the model, such as `base_url`, as in its spec after `?`; these win over those there.
        journal: A file, or an open `Journal`, that keeps every completed call; what it holds is not asked again.
        limits: What all queries together may spend; or an open `Budget` that several rerankers share and that already
            counts what the journal holds. Queries that the budget does not suffice for fail, each by name.
        per_query: What each query may spend. `active` then ends with the order it has; with other strategies the query
            fails. Seconds count from the query's first call.
        calibration: Says how likely each result is relevant: a file that `rerankllm calibrate` wrote, or a
            `Calibration`. It should have been fitted on scores of the same strategy and model.
        cutoff: Where rankings stop: `auto`, `f1`, `precision=P`, `recall=R` or `threshold=P`, by the calibration. An
            empty ranking then says that nothing is relevant; a query that failed raises, here as anywhere.
        profile: How the model errs: a file that `rerankllm judge-profile` wrote, or a `JudgeProfile`. It replaces
            trust, scale and sharpness of every `active` in the strategy.
        unusable: What follows an answer in which nothing can be used. `keep`: it is asked once more, with the documents
            in another order; after that it is no evidence, and the query fails only where half of its answers cannot be
            used. `fail`: it is not asked again, and the query fails unless its strategy can do without.
        shelf: Keeps models of this process loaded for the next reranker that is given the same shelf.

    Attributes:
        session: The open models with their driver; rerankers made by `on`, `parts`, `beside` and `calibrated` share it.

    Raises:
        InputError: A spec, a model or a template that does not load.
        CapabilityError: The model cannot do what the strategy or the elicitation needs.
        MissingExtra: A package is not installed; the message says how to.
    """

    session: Session

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
        unusable: Unusable = "keep",
        shelf: LoadedModels | None = None,
    ) -> None:
        recipe = Recipe(
            strategy=strategy,
            model=model,
            instruction=instruction,
            passage_tokens=passage_tokens,
            demonstrations=demonstrations,
            depth=depth,
            driver=driver,
            options=dict(options or {}),
            limits=limits if isinstance(limits, Limits) else Limits(),
            per_query=per_query,
            calibration=calibration,
            cutoff=cutoff,
            profile=profile,
            unusable=unusable,
        )
        budget = limits if isinstance(limits, Budget) else None
        self.session = Session.open(recipe, budget, observer=observer, shelf=shelf)
        if journal is not None:
            self.keep(journal)

    @classmethod
    def from_recipe(
        cls,
        recipe: Recipe,
        budget: Budget | None = None,
        *,
        observer: Observer | None = None,
        journal: str | Path | Journal | None = None,
        shelf: LoadedModels | None = None,
    ) -> Self:
        """Makes a `Reranker` from its arguments as data, and from what belongs to this process.

        Args:
            recipe: The arguments.
            budget: An open budget that others share, instead of one of its own with the recipe's limits.
            observer: As in making a `Reranker`, like the other two.
            journal: Keeps every completed call.
            shelf: Keeps models loaded for the next one that is given it.

        Raises:
            RerankError: As in making a `Reranker`.
        """
        made = cls._of(Session.open(recipe, budget, observer=observer, shelf=shelf))
        if journal is not None:
            made.keep(journal)
        return made

    @classmethod
    def _of(cls, session: Session) -> Self:
        made = cls.__new__(cls)
        made.session = session
        return made

    @property
    def stage(self) -> Stage:
        """The strategy, complete."""
        return self.session.stage

    @property
    def model(self) -> str:
        """The model that judges where a stage names none, as it was named."""
        return self.session.model

    @property
    def defaulted(self) -> bool:
        """Whether the strategy is the model's default."""
        return self.session.defaulted

    @property
    def default_of(self) -> str | None:
        """The model whose default strategy it is; None if a strategy was named."""
        return self.backend.model if self.defaulted else None

    @property
    def depth(self) -> int | None:
        """Candidates a query that are read; None for all."""
        return self.session.depth

    @property
    def profile(self) -> JudgeProfile | None:
        """How the judge errs."""
        return self.session.profile

    @property
    def journal(self) -> Journal | None:
        """Keeps every completed call; None for none."""
        return self.session.driver.journal

    @property
    def models(self) -> tuple[str, ...]:
        """The models that judge, as their specs print."""
        return self.session.panel.models

    @property
    def calibration(self) -> Calibration | None:
        """Says how likely each result is relevant."""
        return self.session.finish.calibration

    @property
    def cutoff(self) -> Cutoff | None:
        """Where rankings stop."""
        return self.session.finish.cutoff

    @property
    def paid(self) -> bool:
        """Whether any of the models is one whose calls cost money, or may."""
        return any(backend.cost(ANYTHING) != 0 for backend in self.session.panel.backends)

    @property
    def backend(self) -> Backend:
        """The model that judges where a stage names none."""
        return self.session.panel.backend

    @property
    def scale(self) -> Scale:
        """What scores are: probabilities, other numbers that are at most 1, such as cosines, or on any scale."""
        return self.session.panel.scale(self.stage)

    def rerank(
        self,
        query: str | Query,
        documents: AnyDocuments,
        *,
        top_k: int | None = None,
        columns: Mapping[str, str] | None = None,
        top_n: int | None = None,
    ) -> Ranking:
        """Ranks documents for one query; works in scripts, threads and notebooks alike.

        Args:
            query: The query.
            documents: Texts; dicts with `text` and, if wanted, `id`, `title`, `score` (the first stage's) and anything
                else, which comes back as `metadata`; `Document`s or `Candidate`s; a table of pandas, polars, pyarrow or
                `datasets`; or a `Path` to a CSV, TSV, JSON, JSON lines or Parquet file. Documents without an id are
                called by their position, from "0".
            top_k: How many results to return; all when None. Strategies that can spend less on the others do.
            columns: Names of keys or columns by field (`text`, `id`, `title`, `score`), where they are not the usual
                ones.
            top_n: What other libraries call `top_k`; refused with a hint.

        Returns:
            Every document once, best first; the first `top_k`, or fewer where a cut-off was asked for.

        Raises:
            QueryFailed: It could not be ranked; there is no ranking then, not even the input order.
            InputError: The query or a document cannot be one.
        """
        _refuse_top_n(top_n)
        found = self.session.submit(to_query(query), to_candidates(documents, columns), top_k)
        return ranking_of(found.result()).top(top_k)

    async def arerank(
        self,
        query: str | Query,
        documents: AnyDocuments,
        *,
        top_k: int | None = None,
        columns: Mapping[str, str] | None = None,
        top_n: int | None = None,
    ) -> Ranking:
        """`rerank`, awaited."""
        _refuse_top_n(top_n)
        found = self.session.submit(to_query(query), to_candidates(documents, columns), top_k)
        return ranking_of(await asyncio.wrap_future(found)).top(top_k)

    def submit(
        self,
        query: str | Query,
        documents: AnyDocuments,
        *,
        top_k: int | None = None,
        observer: Observer | None = None,
    ) -> "Future[QueryOutcome]":
        """Starts ranking documents for one query, beside whatever else is under way.

        Args:
            query: The query.
            documents: As `rerank` takes them.
            top_k: How many first places matter: strategies that can spend less on the others do. Nothing is left out;
                `Ranking.top` does that.
            observer: Called with every event of this query, on another thread.

        Returns:
            A future of the ranking of all documents, or of `Failed`; cancelling it ends the query. It raises only what
            concerns more than this query, such as a wrong key.
        """
        return self.session.submit(to_query(query), to_candidates(documents), top_k, observer=observer)

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
        return self.session.stream(queries, top_k)

    def plan(self, n: int, *, top_k: int | None = None) -> Plan:
        """What ranking `n` documents takes."""
        return self.session.plan(n, top_k)

    def estimate(self, queries: Sequence[tuple[Query, Sequence[Candidate]]], *, top_k: int | None = None) -> Estimate:
        """Tokens and money that ranking these queries will take, from their own texts; nothing is sent."""
        return self.session.estimate(queries, top_k)

    def estimate_any(self, n: int) -> Estimate:
        """Tokens and money for one query of `n` documents of any length: bounds."""
        return self.session.estimate_any(n)

    def estimate_sized(self, lengths: Mapping[int, int], sizes: Sizes) -> Estimate:
        """Tokens and money for queries of which only this is known: how many have lists of which length, and sizes."""
        return self.session.estimate_sized(lengths, sizes)

    def on(self, stage: Stage) -> "Reranker":
        """One with another strategy, on the same models, journal and budget; only this one is to be closed.

        Raises:
            CapabilityError: The model cannot do what the strategy needs.
            InputError: A template does not load.
        """
        return self._of(self.session.on(stage))

    def parts(self) -> "list[Reranker]":
        """One for each stage inside, on the same models, journal and budget; only this one is to be closed."""
        return [self._of(part) for part in self.session.parts()]

    def beside(
        self,
        strategy: str | Stage | None = None,
        model: str | None = None,
        *,
        instruction: str | None = None,
        passage_tokens: int | None = None,
    ) -> "Reranker":
        """Another strategy, or other prompts, on the same engines, journal and budget; only this one is to be closed.

        Calls of both are batched together. Arguments that are left out are taken from this one, except the calibration
        and its cut-off, which belong to this one's scores.

        Args:
            strategy: A stage spec; the model's default where only a model is given.
            model: Which model judges where the strategy names none.
            instruction: What counts as relevant.
            passage_tokens: Cut of every passage.

        Raises:
            InputError, CapabilityError, MissingExtra: As in making a `Reranker`.
        """
        return self._of(self.session.beside(strategy, model, instruction, passage_tokens))

    def calibrated(self, calibration: Calibration | None) -> "Reranker":
        """One that says how likely each result is relevant, on the same engines; only this one is to be closed.

        Args:
            calibration: Fitted on scores of the same strategy and model; None says nothing.
        """
        return self._of(self.session.calibrated(calibration))

    def keep(self, journal: str | Path | Journal) -> Journal:
        """Keeps every completed call of the queries that follow in `journal`, and asks nothing again that it holds.

        Raises:
            InputError: The file is no journal, or cannot be written.
        """
        return self.session.keep(journal)

    @property
    def recipe(self) -> Recipe:
        """The recipe of another one like this, for another process."""
        return self.session.recipe

    def key(self, query: Query, candidates: Sequence[Candidate], *, top_k: int | None = None) -> str:
        """The key by which the journal knows a query; empty without a journal."""
        return self.session.key(query, candidates, top_k)

    def share(self, part: int, parts: int) -> None:
        """Keeps one part of the requests that hosts may be sent at a time, of several processes that share them.

        To be called before anything is ranked.

        Args:
            part: Which, from 0.
            parts: How many processes there are.

        Raises:
            InputError: There is not one request at a time for each.
        """
        for backend in self.session.panel.backends:
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
        from rerankllm.distributed.pool import Size  # noqa: PLC0415

        recipe = self.recipe
        make = partial(Reranker.from_recipe, recipe)
        return map_dataset(dataset, make, recipe.limits, self.journal, Size(workers, gpus_per_worker))

    def cut_by(self, tokens: int, documents: Sequence[str]) -> bool:
        """Whether a cut at so many tokens shows another text of any document than this one's own cut does.

        False for models that are shown no prompts, which cut by themselves.
        """
        return cut_by(self.session.panel, tokens, documents)

    def reads_whole(self, query: str, documents: Sequence[str]) -> bool:
        """Whether no document is cut; False also where that is not known."""
        return reads_whole(self.session.panel, query, documents)

    def stop(self, reason: str) -> None:
        """Sends nothing more: calls under way come back and are kept, queries that need more fail with `reason`."""
        self.session.driver.budget.stop(reason)

    def close(self) -> None:
        """Stops, and frees the model."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refuse_top_n(top_n: int | None) -> None:
    if top_n is not None:
        raise InputError(f"top_n is called top_k here: rerank(query, documents, top_k={top_n})")
