"""How far a judge can be trusted: what order, place and chance do to its answers, on the user's own queries."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rerankllm.analysis.diagnose.conclusion import conclusion
from rerankllm.analysis.diagnose.probe import PROBES, Answers, Findings, ask, probe, within_budget
from rerankllm.analysis.diagnose.replay import heard, recording
from rerankllm.analysis.diagnose.table import table
from rerankllm.analysis.queries import Queries, as_source
from rerankllm.backends.recorded import Recorded
from rerankllm.data import Candidate, Query, Usage
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.estimate import NONE, Estimate
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

DEPTH = 8
"""Documents of a query that a model is asked about."""
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

    Of `recorded:FILE` all is measured that the file holds about the queries and their candidates; nothing is asked.

    Attributes:
        model: The judge: a MODEL, or None for the default.
        elicitation: Such as `text` or `labels(prompt=prp-demos)`; the model's own when None.
        max_calls: Calls in all; as many of the first queries are taken as fit.
        depth: Documents of each query; None for 8, and for all of them where a recording answers.
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
    depth: int | None = None
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
        source = as_source(queries)
        if (judge := recording(self.model, self.options)) is not None:
            _, held = self._heard(judge, source)
            return Forecast(len(held), NONE, Estimate(NONE, NONE, Usage(), (0.0, 0.0)))
        with self._reranker(source) as (reranker, chosen):
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
        source, answers = as_source(queries), Answers()
        if (judge := recording(self.model, self.options)) is not None:
            answers, held = self._heard(judge, source)
            return Diagnosis(judge.model, " or ".join(judge.strategies), 0, 0, {}, answers.findings(held))

        def observe(event: Event) -> None:
            for each in (answers, progress, observer):
                if each is not None:
                    each(event)

        with self._reranker(source, journal, observe) as (reranker, chosen):
            calls = sum(reranker.plan(len(candidates)).calls.high for _, candidates in chosen)
            with nullcontext() if progress is None else progress.showing(len(chosen), calls):
                asked = ask(reranker, chosen, answers)
            models, spent = ", ".join(reranker.models), asked.ledger
        findings = answers.findings(chosen)
        return Diagnosis(models, str(reranker.stage), spent.calls, spent.replayed, asked.failed, findings)

    def _heard(self, judge: Recorded, source: Source) -> tuple[Answers, Chosen]:
        """What a recording holds, and about which queries.

        Raises:
            CapabilityError: Something is said about prompts.
        """
        for name in ("elicitation", "instruction", "passage_tokens", "demonstrations"):
            if getattr(self, name) is not None:
                said = name.replace("_", " ")
                raise CapabilityError(f"{judge.model} answers without a prompt: it takes no {said}, leave it out")
        source.tell_skipped()
        answers, held = heard(judge, [(query, candidates[: self.depth]) for query, candidates in source.queries])
        tell(f"{judge.model} holds answers about {len(held)} of {len(source.queries)} queries; nothing is asked")
        return answers, held

    @contextmanager
    def _reranker(
        self, source: Source, journal: str | Path | None = None, observer: Observer | None = None
    ) -> Iterator[tuple[Reranker, Chosen]]:
        """The reranker that asks, and the queries that the calls suffice for."""
        depth = DEPTH if self.depth is None else self.depth
        with prober(
            self.elicitation, self.shuffles, self.seed, model=self.model, instruction=self.instruction,
            passage_tokens=self.passage_tokens, demonstrations=self.demonstrations, depth=depth,
            options=self.options, limits=Limits(calls=self.max_calls), journal=journal, observer=observer,
        ) as reranker:  # fmt: skip
            source.tell_skipped()
            cut = [(query, candidates[:depth]) for query, candidates in source.queries]
            chosen = within_budget(reranker, cut, self.max_calls)
            tell(f"{reranker.stage} on {len(chosen)} of {len(source.queries)} queries")
            yield reranker, chosen


def diagnose(
    queries: Queries,
    *,
    model: str | None,
    elicitation: str | None = None,
    max_calls: int = 500,
    depth: int | None = None,
    shuffles: int = 4,
    seed: int = 0,
    journal: str | Path | None = None,
    observer: Observer | None = None,
) -> Diagnosis:
    """Measures what order, place and chance do to a judge's answers, on the first of some queries.

    Every pair of documents is compared in both orders, and all of them are listed in several. What the model cannot be
    asked is left out, with a note. `DiagnosisPlan` takes more settings, and says beforehand what it will cost. Of a
    recording (`recorded:FILE`) all is measured that it holds about these queries and documents, and nothing is asked.

    Args:
        queries: Queries with their candidates, best first.
        model: The judge: a MODEL, or None for the default.
        elicitation: Such as `text` or `labels(prompt=prp-demos)`; the model's own when None.
        max_calls: Calls in all; as many of the first queries are taken as fit.
        depth: Documents of each query; None for 8, and for all of them where a recording answers.
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
