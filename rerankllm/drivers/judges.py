"""Every judgement of a strategy finds its judge; what a judge has to know first is asked first."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias, TypeGuard

from rerankllm.calls import Backend, Reply, Response, Work
from rerankllm.data import Ledger, Ranking
from rerankllm.errors import QueryFailed
from rerankllm.judgements import Answer, Ask, Judgement, ParseReport, Prior, Steps, Unanswered


class Judge(Protocol):
    """Whoever answers one kind of judgement: a backend, and the elicitation in front of it."""

    @property
    def backend(self) -> Backend: ...

    @property
    def described(self) -> Mapping[str, Any]:
        """Who that is, ready for JSON: model, revision, and whatever else answers depend on."""
        ...

    def prepare(self, judgement: Judgement) -> Work:
        """The work for the backend. Raises InputError when there can be none, such as a prompt that does not fit."""
        ...

    def read(self, judgement: Judgement, outcome: Response | Reply) -> tuple[Answer | Unanswered, ParseReport]:
        """The answer in what came back."""
        ...


class NeedsPrior(Judge, Protocol):
    """A judge whose answers cannot be read before it is known what he says when there is nothing to judge."""

    @property
    def asked_first(self) -> Judge:
        """Who is asked that."""
        ...

    def prior(self, judgement: Judgement) -> Prior:
        """What is asked, for judgements such as this."""
        ...

    def given(self, prior: Answer) -> Judge:
        """The judge whose answers can be read."""
        ...


Resolve: TypeAlias = Callable[[Ask, type], Judge]
Pair: TypeAlias = tuple[Judgement, Judge]


def asking(steps: Steps[Ranking], resolve: Resolve) -> Generator[list[Pair], Sequence[Answer], Ranking]:
    """The batches of a strategy, with a judge for each judgement.

    Where a judge is biased, what he is to be asked first is a batch of its own, once for this query; the ledger notes
    how many there were.

    Raises:
        QueryFailed: One of those was not answered.
    """
    known: Known = {}
    answers: Sequence[Answer] | None = None
    while True:
        try:
            batch = next(steps) if answers is None else steps.send(answers)
        except StopIteration as stop:
            ranking: Ranking = stop.value
            noted = Ledger(notes={"label priors": len(known)} if known else {})
            return replace(ranking, ledger=ranking.ledger.then(noted))
        judges = {kind: resolve(batch, kind) for kind in dict.fromkeys(map(type, batch.judgements))}
        asked = [(judgement, judges[type(judgement)]) for judgement in batch.judgements]
        biased = {kind: judge for kind, judge in judges.items() if _is_biased(judge)}
        if biased:
            yield from _ask_first(batch.judgements, biased, known)
            asked = [(judgement, _informed(judgement, judge, known)) for judgement, judge in asked]
        answers = yield asked


Known: TypeAlias = dict[tuple[int, Prior], Answer]
"""Answers to priors, by the judge who needs them."""


def _ask_first(
    judgements: Sequence[Judgement], biased: Mapping[type, NeedsPrior], known: Known
) -> Generator[list[Pair], Sequence[Answer], None]:
    """Asks what is not known yet and adds it."""
    wanted: dict[tuple[int, Prior], Pair] = {}
    for judgement in judgements:
        judge = biased.get(type(judgement))
        if judge is not None and (key := (id(judge), judge.prior(judgement))) not in known:
            wanted[key] = (key[1], judge.asked_first)
    if not wanted:
        return
    for key, answer in zip(wanted, (yield list(wanted.values())), strict=True):
        if isinstance(answer, Unanswered):
            raise QueryFailed(f"what the labels are worth by themselves is not known: {answer.reason}")
        known[key] = answer


def _informed(judgement: Judgement, judge: Judge, known: Known) -> Judge:
    return judge.given(known[id(judge), judge.prior(judgement)]) if _is_biased(judge) else judge


def _is_biased(judge: Judge) -> TypeGuard[NeedsPrior]:
    return hasattr(judge, "asked_first")  # a protocol's own check takes longer than all else that a step does
