"""LLM-RankFusion: several rankers over one pool of judgements, and one order of theirs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.votes import Vote
from rerankllm.calibration.order import FORMS, Form
from rerankllm.data import Candidate, Query, Ranking, float32
from rerankllm.errors import SpecError
from rerankllm.judgements import Compare, Steps, Unanswered, in_parallel, within
from rerankllm.plan import Bound, Plan
from rerankllm.spec.stage import Stage, inner_stages, map_stages
from rerankllm.strategies.questions.answer_pool import Pool, asked_once


@dataclass(frozen=True, slots=True)
class RankFusion:
    """Runs several rankers, asks the questions that they share only once, and fuses their orders.

    LLM-RankFusion (Zeng et al. 2024), section 4: rankers are `prp` with different sorts, elicitations or models, their
    comparisons calibrated, each with a worked example in both orders (`/ labels(prompt=prp-demos)`), and their orders
    counted by Borda. Any other strategies will do: what they ask in the same words of the same model is shared. Sorters
    that share comparisons share the errors in them, too. These errors do not average out; only their effects on each
    sort do.

    `votes=comparisons` leaves the orders aside and aggregates the pooled comparisons themselves, p(win) against
    1 − p(win): `rankfusion([prp(sort=allpair)], aggregate=bradley_terry, votes=comparisons)` is Bradley–Terry on all
    pairs.

    Cost: at most the sum of the rankers', and no more than n(n−1) comparisons for each way of asking. Rankers run side
    by side where they ask the same model in the same way, and one after the other where not. At least what connects
    all documents, where rankers compare two at a time; one judgement elsewhere, since a ranker may repeat itself and
    another may ask nothing new. Equal scores keep the first stage's order. Settles the whole list where every ranker
    does and Borda counts; a shorter prefix is not safe, as equal documents at its edge may be in that of one ranker
    only.

    Attributes:
        rankers: Strategies, each with its own elicitation and model if it names them.
        calibrate: What two orders mean together, for every ranker that says it itself: each its own when none, and
            `logodds` for `votes=comparisons`.
        aggregate: What makes one order of them.
        votes: Whether `aggregate` is given the rankers' orders or the comparisons they made.
    """

    rankers: tuple[Stage, ...]
    calibrate: Form | None = None
    aggregate: Aggregation = field(default_factory=Borda)
    votes: Literal["rankings", "comparisons"] = "rankings"

    def __post_init__(self) -> None:
        if not self.rankers:
            raise SpecError("rankfusion: needs at least one ranker, such as prp(sort=heap)")
        if self.votes == "comparisons" and Compare not in self.asks:
            raise SpecError("rankfusion: votes=comparisons needs a ranker that compares two documents, such as prp")
        if self.calibrate is not None:
            rankers = tuple(_calibrated(stage, self.calibrate) for stage in self.rankers)
            object.__setattr__(self, "rankers", rankers)

    @property
    def asks(self) -> tuple[type, ...]:
        """What the rankers ask."""
        return tuple(dict.fromkeys(kind for stage in self.rankers for kind in stage.strategy.asks))

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        pool = Pool()
        tracks = (within(stage, stage.strategy.rank(query, candidates)) for stage in self.rankers)
        rankings = yield from asked_once(in_parallel(*tracks), pool)
        votes = [Vote.of(ranking.doc_ids) for ranking in rankings]
        if self.votes == "comparisons":
            votes = list(_comparisons(pool, self.calibrate or "logodds"))
        docs = [candidate.document for candidate in candidates]
        scores = [float32(score) for score in self.aggregate.scores([doc.doc_id for doc in docs], votes)]
        order = sorted(range(len(docs)), key=lambda i: -scores[i])
        notes = sum((Counter(ranking.ledger.notes) for ranking in rankings), Counter[str]())
        notes.update({"judgements shared": pool.saved} if pool.saved else {})
        return Ranking.of(query, [docs[i] for i in order], [scores[i] for i in order], notes)

    def plan(self, n: int) -> Plan:
        """Bounds: nothing shared that has to be asked, and nothing shared at all."""
        shares = [share for _, share in self.parts(n)]
        calls, slots = (
            Bound(sum(bound.low for bound in bounds), sum(bound.high for bound in bounds))
            for bounds in ([share.calls for share in shares], [share.slots for share in shares])
        )
        longest: dict[tuple[str, str | None], int] = {}
        for stage, share in zip(self.rankers, shares, strict=True):
            for judge in _judges(stage):
                longest[judge] = max(longest.get(judge, 0), share.rounds.high)
        return Plan(calls, Bound(min(1, calls.low), sum(longest.values())), slots)

    def parts(self, n: int) -> list[tuple[Stage, Plan]]:
        """What each ranker takes; the fewest calls are counted with the ranker that needs most."""
        plans = [stage.strategy.plan(n) for stage in self.rankers]
        fewest = [_fewest(stage, plan, n) for stage, plan in zip(self.rankers, plans, strict=True)]
        neediest = fewest.index(max(fewest))
        untold: dict[tuple[str, str | None], int] = {}
        shares: list[Plan] = []
        for i, (stage, plan) in enumerate(zip(self.rankers, plans, strict=True)):
            calls, slots = plan.calls.high, plan.slots.high
            if _only_compares(stage):
                (judge,) = _judges(stage)
                calls = min(calls, untold.setdefault(judge, n * (n - 1)))
                untold[judge] -= calls
                slots = 2 * calls
            low = fewest[i] if i == neediest else (0, 0)
            rounds = Bound(min(1, low[0]), plan.rounds.high)
            shares.append(Plan(Bound(min(low[0], calls), calls), rounds, Bound(min(low[1], slots), slots)))
        return list(zip(self.rankers, shares, strict=True))

    def aiming(self, top_k: int) -> "RankFusion":
        """Every ranker aims at `top_k`."""
        return replace(self, rankers=tuple(stage.aiming(top_k) for stage in self.rankers))

    def settles(self, n: int) -> int | None:
        """All or nothing."""
        whole = all(stage.strategy.settles(n) == n for stage in self.rankers)
        return n if whole and self.votes == "rankings" and isinstance(self.aggregate, Borda) else None


def _calibrated(stage: Stage, form: Form) -> Stage:
    """The stage with this form wherever it, or a stage inside it, has one."""
    strategy: Any = map_stages(stage.strategy, lambda inner: _calibrated(inner, form))
    if "calibrate" in (f.name for f in fields(strategy)):
        strategy = replace(strategy, calibrate=form)
    return replace(stage, strategy=strategy)


def _comparisons(pool: Pool, form: Form) -> Iterator[Vote]:
    """Two votes for every pair that was compared, by p(win); none where an answer cannot be used."""
    for asked, there in pool.answers.items():
        if not isinstance(asked.judgement, Compare):
            continue
        query, first, second = asked.judgement.query, asked.judgement.first, asked.judgement.second
        turned = asked._replace(judgement=Compare(query, second, first))
        back = pool.answers.get(turned)
        if isinstance(there, Unanswered) or isinstance(back, Unanswered):
            continue
        if back is not None and first.doc_id > second.doc_id:
            continue  # counted with its mirror image
        win = FORMS[form](there, 1 - there if back is None else back)
        yield Vote.of((first.doc_id, second.doc_id), win)
        yield Vote.of((second.doc_id, first.doc_id), 1 - win)


def _fewest(stage: Stage, plan: Plan, n: int) -> tuple[int, int]:
    """Calls and slots of the different judgements that a ranker makes at least."""
    if _only_compares(stage):
        calls = max(0, min(plan.calls.low, n - 1))
        return calls, 2 * calls
    return min(1, plan.calls.low), min(1, plan.slots.low)


def _only_compares(stage: Stage) -> bool:
    """Whether a stage asks, itself, for comparisons and nothing else."""
    return tuple(stage.strategy.asks) == (Compare,) and not inner_stages(stage.strategy)


def _judges(stage: Stage) -> set[tuple[str, str | None]]:
    """Which ways of asking which models a stage uses."""
    inside = inner_stages(stage.strategy)
    if not inside:
        return {(repr(stage.elicitation), stage.model)}
    filled = (replace(s, elicitation=s.elicitation or stage.elicitation, model=s.model or stage.model) for s in inside)
    return set().union(*map(_judges, filled))
