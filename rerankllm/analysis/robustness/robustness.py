"""Reranks the same candidates in several orders, and measures how far rankings and quality depend on the order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from rerankllm.analysis.certified import Certified, certified_by_journal
from rerankllm.analysis.queries import Queries, as_source
from rerankllm.analysis.robustness.orders import JOURNAL, ORDERS, Ordered, Runs, ordered
from rerankllm.analysis.robustness.report import RobustnessReport
from rerankllm.analysis.robustness.results import USUAL, OrderedRun, RobustnessSettings
from rerankllm.analysis.robustness.systems import CERTIFIED, SystemRuns
from rerankllm.errors import Interrupted
from rerankllm.evaluation.extras import scipy_module
from rerankllm.evaluation.measures import Qrels
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.cost import cost_beside
from rerankllm.runs.notices import estimate_line
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_judgements

KEPT = "what is done is kept in the journal: the same command goes on"


@dataclass(frozen=True, slots=True)
class RobustnessPlan:
    """The orders that a system is to be measured on.

    Attributes:
        orders: The queries in each order.
        qrels: Judgements; without any, how rankings agree is measured, and no quality.
        depth: Candidates a query.
        top_k: How many first places matter.
        origins: Which files or environment variables set the options that nobody typed, for the provenance records.
    """

    orders: Sequence[Ordered]
    qrels: Qrels | None = None
    depth: int = 100
    top_k: int | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        queries: Queries,
        *,
        qrels: str | PathLike[str] | Qrels | None = None,
        orders: Sequence[str] = ORDERS,
        shuffles: int = 3,
        seed: int = 0,
        first_stages: Mapping[str, Queries] | None = None,
        depth: int = 100,
        top_k: int | None = None,
        origins: Mapping[str, str] | None = None,
    ) -> Self:
        """Puts the candidates into the orders; the arguments are those of `robustness`.

        Raises:
            InputError, MissingExtra: As `robustness`.
        """
        scipy_module("stats")  # before anything is paid for
        source = as_source(queries)
        others = {name: as_source(each) for name, each in (first_stages or {}).items()}
        wanted = ordered(source, orders, shuffles=shuffles, seed=seed, others=others, depth=depth)
        if qrels is None:
            qrels = source.judgements()
        elif not isinstance(qrels, Mapping):
            qrels = read_judgements(Path(qrels))
        return cls(wanted, qrels, depth, top_k, origins or {})

    @property
    def longest(self) -> int:
        """Candidates of the longest list."""
        return max(len(found) for order in self.orders for _, found in order.source.queries)

    def forecast(self, reranker: Reranker) -> str:
        """What all orders will take, in a line; nothing is sent."""
        line = estimate_line(reranker, [each for order in self.orders for each in order.source.queries], self.top_k)
        names = ", ".join(order.name for order in self.orders)
        return (
            f"{len(self.orders)} orders ({names}), {line}; what was asked in the same words before is not asked again"
        )

    def run(
        self,
        reranker: Reranker,
        folder: str | PathLike[str] | None = None,
        *,
        settings: RobustnessSettings = USUAL,
        progress: ProgressBar | None = None,
    ) -> RobustnessReport:
        """Ranks every order, and measures.

        Args:
            reranker: What ranks.
            folder: Where runs, their candidates, journal and result are written.
            settings: How to measure.
            progress: Shows progress; it should observe the reranker.

        Raises:
            InputError, Interrupted: As `robustness`.
        """
        if folder is None:
            with TemporaryDirectory() as scratch:
                return RobustnessReport.of([self._ranked(reranker, Path(scratch), progress, keep=False)], settings)
        report = RobustnessReport.of([self._ranked(reranker, Path(folder), progress, keep=True)], settings)
        report.save(folder)
        return report

    def _ranked(self, reranker: Reranker, folder: Path, progress: ProgressBar | None, *, keep: bool) -> SystemRuns:
        """The runs of every order, written into a folder; `keep` is whether a journal is kept there."""
        bar = progress or ProgressBar(quiet=True)
        runs = Runs(reranker, folder, depth=self.depth, top_k=self.top_k, bar=bar, origins=self.origins)
        if keep and reranker.journal is None:
            reranker.keep(folder / JOURNAL)
        ranked = runs.all(self.orders, self.qrels)
        if ranked is None:
            raise Interrupted(KEPT if reranker.journal is not None else "interrupted")
        if runs.failures and reranker.journal is not None:
            tell(KEPT)
        return SystemRuns(
            {"strategy": str(reranker.stage), "model": ", ".join(reranker.models)},
            ranked,
            self.qrels,
            {each.name: cost_beside([runs.path(each.name)]) for each in self.orders},
            {each.name: each.seed for each in self.orders if each.seed is not None},
            runs.failures,
            self._certified(reranker, ranked[0]),
            self.top_k or CERTIFIED,
        )

    def _certified(self, reranker: Reranker, ranked: OrderedRun) -> dict[str, Certified]:
        """What the first places of the first order survive, by query; nothing without a journal."""
        if reranker.journal is None:
            return {}
        top_k = self.top_k or CERTIFIED
        return {
            query.query_id: certified_by_journal(reranker, query, found, doc_ids, top_k, self.top_k)
            for query, found in self.orders[0].source.queries
            if (doc_ids := ranked.rankings.get(query.query_id))
        }


def robustness(
    reranker: Reranker,
    queries: Queries,
    *,
    qrels: str | PathLike[str] | Qrels | None = None,
    orders: Sequence[str] = ORDERS,
    shuffles: int = 3,
    seed: int = 0,
    first_stages: Mapping[str, Queries] | None = None,
    depth: int = 100,
    top_k: int | None = None,
    folder: str | PathLike[str] | None = None,
    settings: RobustnessSettings = USUAL,
) -> RobustnessReport:
    """Reranks the same candidates in several orders; measures how far rankings agree and their quality varies.

    Args:
        reranker: What ranks. Without a journal of its own it keeps one in the folder, if there is a folder: what was
            asked in the same words before is then not asked again.
        queries: Queries with their candidates in the given order.
        qrels: Judgements, a file or a mapping; those of the queries' source when None. Without any, no quality is
            measured.
        orders: Of the first `depth` candidates: `given`, `reversed`, `shuffled`.
        shuffles: How many shuffles.
        seed: Of the first shuffle; the next ones count on.
        first_stages: Other first stages' candidates for the same queries, by name.
        depth: Candidates a query; those beyond are in no order.
        top_k: How many first places matter.
        folder: Where runs, their candidates, journal and result are written; nothing is kept when None.
        settings: How to measure.

    Raises:
        InputError: There are fewer than two orders, a name is unknown, or the folder cannot be written.
        MissingExtra: scipy is not installed.
        Interrupted: Ctrl-C; with a journal, the same call goes on from there.
    """
    plan = RobustnessPlan.of(
        queries, qrels=qrels, orders=orders, shuffles=shuffles, seed=seed, first_stages=first_stages, depth=depth,
        top_k=top_k,
    )  # fmt: skip
    return plan.run(reranker, folder, settings=settings)
