"""How far a judge can be trusted: what order, place and chance do to its answers, on the user's own queries."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rerankllm.analysis.diagnose.conclusion import conclusion
from rerankllm.analysis.diagnose.probe import PROBES, Answers, Findings, ask, probe, within_budget
from rerankllm.analysis.diagnose.table import table
from rerankllm.analysis.queries import Queries, as_source
from rerankllm.data import Candidate, Query
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.events import Event
from rerankllm.drivers.task import Observer
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.evaluation.tables import as_text
from rerankllm.files import plain
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.forecast import Forecast
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import Source

WIDTH = 100
"""Columns of a sentence at most."""
Chosen: TypeAlias = Sequence[tuple[Query, Sequence[Candidate]]]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A judge's diagnosis.

    Attributes:
        model: The models that judged, as their specs print.
        stage: What was asked, as a stage.
        calls: How many calls were made.
        replayed: How many of them the journal answered.
        failures: Why queries have calls without an answer, by id.
        findings: What the answers show.
    """

    model: str
    stage: str
    calls: int
    replayed: int
    failures: Mapping[str, str]
    findings: Findings

    @property
    def conclusion(self) -> tuple[str, ...]:
        """What it means and what to do, a sentence or two a kind of question."""
        return tuple(conclusion(self.findings))

    def to_dict(self) -> dict[str, Any]:
        """All of it, as `rerankllm diagnose --json` writes it."""
        found: dict[str, Any] = plain(self)
        findings: dict[str, Any] = found.pop("findings")
        return found | {"conclusion": list(self.conclusion)} | findings

    def text(self, width: int | None = None) -> str:
        """The conclusion, then the table.

        Args:
            width: Columns of the terminal; None for as wide as the table is.
        """
        said = [textwrap.fill(each, min(width or WIDTH, WIDTH), break_on_hyphens=False) for each in self.conclusion]
        return "\n".join([*said, as_text([table(self.findings)], [], width)])

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True, slots=True)
class DiagnosisPlan:
    """What a judge is to be asked.

    Attributes:
        model: The judge: a MODEL, or None for the default.
        elicitation: Such as `text` or `labels(prompt=prp-demos)`; the model's own when None.
        max_calls: Calls in all; as many of the first queries are taken as fit.
        depth: Documents of each query.
        shuffles: Orders in which all of them are listed in one prompt.
        seed: Of the shuffles.
        instruction: What counts as relevant, for prompts that show it.
        passage_tokens: Cut of every passage; the template's own when None.
        demonstrations: Worked examples for comparisons, instead of the template's own.
        options: Options of the model, as in its spec after `?`.
    """

    model: str | None
    elicitation: str | None = None
    max_calls: int = 500
    depth: int = 8
    shuffles: int = 4
    seed: int = 0
    instruction: str | None = None
    passage_tokens: int | None = None
    demonstrations: str | Path | None = None
    options: Mapping[str, str] | None = None

    def forecast(self, queries: Queries) -> Forecast:
        """What asking will take; nothing is sent.

        Raises:
            InputError, CapabilityError: As `diagnose`.
        """
        with self._reranker(as_source(queries)) as (reranker, chosen):
            return Forecast.of(reranker, chosen, None)

    def ask(
        self,
        queries: Queries,
        *,
        journal: str | Path | None = None,
        observer: Observer | None = None,
        progress: ProgressBar | None = None,
    ) -> Diagnosis:
        """Asks, and measures what is answered.

        Args:
            queries: Queries with their candidates, best first.
            journal: Keeps every completed call; what it holds is not asked again.
            observer: Called with every event, on another thread.
            progress: Shows progress meanwhile.

        Raises:
            InputError, CapabilityError: As `diagnose`.
        """
        answers = Answers()

        def observe(event: Event) -> None:
            for each in (answers, progress, observer):
                if each is not None:
                    each(event)

        with self._reranker(as_source(queries), journal, observe) as (reranker, chosen):
            calls = sum(reranker.plan(len(candidates)).calls.high for _, candidates in chosen)
            with nullcontext() if progress is None else progress.showing(len(chosen), calls):
                asked = ask(reranker, chosen, answers)
            models, spent = ", ".join(reranker.models), asked.ledger
        findings = answers.findings(chosen)
        return Diagnosis(models, str(reranker.stage), spent.calls, spent.replayed, asked.failed, findings)

    @contextmanager
    def _reranker(
        self, source: Source, journal: str | Path | None = None, observer: Observer | None = None
    ) -> Iterator[tuple[Reranker, Chosen]]:
        """The reranker that asks, and the queries that the calls suffice for."""
        with prober(
            self.elicitation, self.shuffles, self.seed, model=self.model, instruction=self.instruction,
            passage_tokens=self.passage_tokens, demonstrations=self.demonstrations, depth=self.depth,
            options=self.options, limits=Limits(calls=self.max_calls), journal=journal, observer=observer,
        ) as reranker:  # fmt: skip
            source.tell_skipped()
            cut = [(query, candidates[: self.depth]) for query, candidates in source.queries]
            chosen = within_budget(reranker, cut, self.max_calls)
            tell(f"{reranker.stage} on {len(chosen)} of {len(source.queries)} queries")
            yield reranker, chosen


def diagnose(
    queries: Queries,
    *,
    model: str | None,
    elicitation: str | None = None,
    max_calls: int = 500,
    depth: int = 8,
    shuffles: int = 4,
    seed: int = 0,
    journal: str | Path | None = None,
    observer: Observer | None = None,
) -> Diagnosis:
    """Measures what order, place and chance do to a judge's answers, on the first of some queries.

    Every pair of documents is compared in both orders, and all of them are listed in several. What the model cannot be
    asked is left out, with a note. `DiagnosisPlan` takes more settings, and says beforehand what it will cost.

    Args:
        queries: Queries with their candidates, best first.
        model: The judge: a MODEL, or None for the default.
        elicitation: Such as `text` or `labels(prompt=prp-demos)`; the model's own when None.
        max_calls: Calls in all; as many of the first queries are taken as fit.
        depth: Documents of each query.
        shuffles: Orders in which all of them are listed in one prompt.
        seed: Of the shuffles.
        journal: Keeps every completed call; what it holds is not asked again.
        observer: Called with every event, on another thread.

    Raises:
        InputError: The calls do not suffice for one query, or a spec does not load.
        CapabilityError: The model can be asked nothing of the kind.
    """
    plan = DiagnosisPlan(model, elicitation, max_calls, depth, shuffles, seed)
    return plan.ask(queries, journal=journal, observer=observer)


def prober(elicitation: str | None, shuffles: int, seed: int, **settings: Any) -> Reranker:
    """A reranker that asks for comparisons and lists, or for one of them where the model cannot be asked the other.

    Raises:
        CapabilityError: The model can be asked nothing of the kind.
    """
    refused: dict[str, Exception] = {}
    for kinds in (tuple(PROBES), *((kind,) for kind in PROBES)):
        try:
            reranker = Reranker(probe(kinds, shuffles, elicitation, seed), unusable="fail", **settings)
        except (CapabilityError, TemplateError) as error:
            refused["/".join(kind.__name__ for kind in kinds)] = error
        else:
            for left_out in (kind.__name__ for kind in PROBES if kind not in kinds):
                tell(f"{left_out} is not asked: {refused.get(left_out) or next(iter(refused.values()))}")
            return reranker
    raise CapabilityError("; ".join(f"{kind}: {error}" for kind, error in refused.items() if "/" not in kind))
