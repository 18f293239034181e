"""Pairs every judgement of a strategy with its judge, and asks for the label priors that some judges need first."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias, TypeGuard

from rerankllm.calls import Backend, Reply, Response, Work
from rerankllm.data import Ledger, Ranking
from rerankllm.errors import QueryFailed
from rerankllm.judgements import Answer, Ask, Judgement, ParseReport, Prior, Steps, Unanswered


class Judge(Protocol):
    """Answers one kind of judgement: a backend, with the elicitation that makes its prompts."""

    @property
    def backend(self) -> Backend: ...

    @property
    def described(self) -> Mapping[str, Any]:
        """The model, its revision and everything else that answers depend on, ready for JSON."""
        ...

    def prepare(self, judgement: Judgement) -> Work:
        """The work for the backend. Raises InputError if it cannot be made, such as a prompt that is too long."""
        ...

    def read(self, judgement: Judgement, outcome: Response | Reply) -> tuple[Answer | Unanswered, ParseReport]:
        """Reads the answer from the outcome."""
        ...


class NeedsPrior(Judge, Protocol):
    """A judge calibrated by a content-free prompt, which must be answered first."""

    @property
    def asked_first(self) -> Judge:
        """The judge that is shown the content-free prompt."""
        ...

    def prior(self, judgement: Judgement) -> Prior:
        """The content-free prompt for judgements like this one."""
        ...

    def given(self, prior: Answer) -> Judge:
        """The judge calibrated by the answer to the content-free prompt."""
        ...


Resolve: TypeAlias = Callable[[Ask, type], Judge]
Pair: TypeAlias = tuple[Judgement, Judge]


def asking(steps: Steps[Ranking], resolve: Resolve) -> Generator[list[Pair], Sequence[Answer], Ranking]:
    """The batches of a strategy, with a judge for each judgement.

    The content-free prompts that a judge needs are a batch of their own, which comes first. Each is asked once a query,
    and the ledger notes how many there were.

    Raises:
        QueryFailed: A content-free prompt was not answered.
    """
    known: Known = {}
    informed: dict[tuple[int, Prior], Judge] = {}
    answers: Sequence[Answer] | None = None
    while True:
        try:
            batch = next(steps) if answers is None else steps.send(answers)
        except StopIteration as stop:
            ranking: Ranking = stop.value
            if not known:
                return ranking
            return replace(ranking, ledger=ranking.ledger.then(Ledger(notes={"label priors": len(known)})))
        judges = {kind: resolve(batch, kind) for kind in dict.fromkeys(map(type, batch.judgements))}
        asked = [(judgement, judges[type(judgement)]) for judgement in batch.judgements]
        calibrated = {kind: judge for kind, judge in judges.items() if _needs_prior(judge)}
        if calibrated:
            yield from _ask_priors(batch.judgements, calibrated, known)
            asked = [(judgement, _informed(judgement, judge, known, informed)) for judgement, judge in asked]
        answers = yield asked


Known: TypeAlias = dict[tuple[int, Prior], Answer]
"""Answers to content-free prompts, by the id of the judge that needs them."""


def _ask_priors(
    judgements: Sequence[Judgement], calibrated: Mapping[type, NeedsPrior], known: Known
) -> Generator[list[Pair], Sequence[Answer], None]:
    """Asks the content-free prompts that are not known yet, and adds their answers to `known`."""
    wanted: dict[tuple[int, Prior], Pair] = {}
    for judgement in judgements:
        judge = calibrated.get(type(judgement))
        if judge is not None and (key := (id(judge), judge.prior(judgement))) not in known:
            wanted[key] = (key[1], judge.asked_first)
    if not wanted:
        return
    for key, answer in zip(wanted, (yield list(wanted.values())), strict=True):
        if isinstance(answer, Unanswered):
            raise QueryFailed(f"what the labels are worth by themselves is not known: {answer.reason}")
        known[key] = answer


def _informed(judgement: Judgement, judge: Judge, known: Known, informed: dict[tuple[int, Prior], Judge]) -> Judge:
    """The judge calibrated by the prior of this judgement: one object a prior, so that it can be told from others."""
    if not _needs_prior(judge):
        return judge
    key = (id(judge), judge.prior(judgement))
    if key not in informed:
        informed[key] = judge.given(known[key])
    return informed[key]


def _needs_prior(judge: Judge) -> TypeGuard[NeedsPrior]:
    return hasattr(judge, "asked_first")  # isinstance with a protocol takes longer than the rest of a step
