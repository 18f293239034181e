"""The cost of a run, read from the summary that `rerank` writes beside it, or from its journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rerankllm.errors import InputError
from rerankllm.evaluation.cost import Cost, tokens_of
from rerankllm.formats.trec import read_run
from rerankllm.journal.read import entries
from rerankllm.journal.store import Journal
from rerankllm.notes import tell
from rerankllm.runs.summary import summary_beside, summary_of
from rerankllm.runs.writer import unfinished

Totals = dict[str, float | None]


def cost_beside(runs: Sequence[Path]) -> Cost | None:
    """The mean cost of a query over these run files together, from their summaries or journals.

    None where one of them has neither, or has changed since its summary was written.
    """
    found = [_from_summary(run) if _summarized(run) else _from_journal(run) for run in runs]
    known = [each for each in found if each is not None]
    if not known or len(known) < len(found):
        return None
    total = known[0]
    for each in known[1:]:
        total = total.plus(each)
    return Cost.shared(total.totals, total.rounds, total.queries)


@dataclass(frozen=True, slots=True)
class _Spent:
    """The totals of some runs, their longest chain of calls, and how many queries they have."""

    totals: Totals
    rounds: float
    queries: int

    def plus(self, other: Self) -> "_Spent":
        sums = {name: _sum(value, other.totals[name]) for name, value in self.totals.items()}
        return _Spent(sums, max(self.rounds, other.rounds), self.queries + other.queries)


def _summarized(run: Path) -> bool:
    """Whether its summary is its own: a run in progress may lie beside that of an earlier one."""
    return summary_beside(run).is_file() and not unfinished(run).exists()


def _from_summary(run: Path) -> _Spent | None:
    path, report = summary_beside(run), summary_of(run)
    if report is None:
        tell(f"{path} is of another run than what {run} holds now: its cost is left out")
        return None
    try:
        totals: Totals = {
            "calls": report["calls"],
            "slots": report["slots"],
            "tokens": tokens_of(report["calls"], report["prompt_tokens"] + report["completion_tokens"]),
            "seconds": None if report["replayed"] else report["wall_seconds"],  # the rest was spent in another run
            "usd": report["cost_usd"],
        }
        return _Spent(totals, report["rounds"], report["queries"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is no summary that `rerankllm rerank` wrote: {error!r}") from None


def _from_journal(run: Path) -> _Spent | None:
    path = run.with_name(f"{run.name}.journal")
    if not path.is_file():
        return None
    journal = Journal(path, create=False)
    try:
        calls = list(entries(journal, texts=False))
    finally:
        journal.close()
    if unfinished(run).exists():  # calls of queries that are under way are no query's cost yet
        whole = set(list(read_run(run, unfinished=True))[:-1])
        calls = [entry for entry in calls if entry.query_id in whole]
    if len({entry.stage for entry in calls}) != 1:
        return None  # of several runs, or of none
    money = [entry.cost_usd for entry in calls]
    totals: Totals = {
        "calls": len(calls),
        "slots": None,
        "tokens": tokens_of(len(calls), sum(entry.prompt_tokens + entry.completion_tokens for entry in calls)),
        "seconds": None,
        "usd": None if None in money else sum(filter(None, money)),
    }
    return _Spent(totals, 1 + max(e.place.step for e in calls), len({e.query_id for e in calls}))


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second
