"""What a system cost, as it stands beside what it gave."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from rerankllm.data import Ledger


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one query, in the mean; None is unknown.

    Attributes:
        calls: Judgements answered.
        rounds: Longest chain of calls that had to wait for one another, over all queries.
        slots: Passage copies sent.
        tokens: Sent and generated; unknown for a model that was called and counts none.
        seconds: Wall time of the run by its queries: less than a query takes alone where they run side by side.
        usd: Money; 0 for local models.
    """

    calls: float | None = None
    rounds: float | None = None
    slots: float | None = None
    tokens: float | None = None
    seconds: float | None = None
    usd: float | None = None

    @classmethod
    def of(cls, ledger: Ledger, queries: int, seconds: float | None) -> Self:
        """Of a run of so many queries, which took so many seconds."""
        counted = ledger.usage.prompt_tokens + ledger.usage.completion_tokens
        totals = {
            "calls": ledger.calls,
            "slots": ledger.slots,
            "tokens": tokens_of(ledger.calls, counted),
            "seconds": seconds,
            "usd": ledger.cost_usd,
        }
        return cls.shared(totals, ledger.rounds, queries)

    @classmethod
    def shared(cls, totals: Mapping[str, float | None], rounds: float | None, queries: int) -> Self:
        """Totals of a run by its queries."""
        if queries < 1:
            return cls()
        return cls(rounds=rounds, **{name: None if x is None else x / queries for name, x in totals.items()})


def tokens_of(calls: int, counted: int) -> int | None:
    """Tokens of so many calls, None where they were not counted: recorded and simulated answers have none."""
    return None if calls and not counted else counted


KINDS = tuple(field.name for field in fields(Cost))
NOTHING = Cost(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Of a system that asks no model."""
