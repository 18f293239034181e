"""Pairwise ranking prompting."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from rerankllm.calibration.order import Form
from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Compare, Steps
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.blocks.swiss_pairing import swiss_cost
from rerankllm.strategies.questions.pairs import Pairs
from rerankllm.strategies.sorting import comparison_sorts as sorting
from rerankllm.strategies.sorting.prp_graph import graph
from rerankllm.strategies.sorting.tournament_sort import tournament, tournament_plan

SORTS = {
    "allpair": (sorting.allpair, sorting.allpair_plan),
    "heap": (sorting.heap, sorting.heap_plan),
    "bubble": (sorting.bubble, sorting.bubble_plan),
    "quickselect": (sorting.quickselect, sorting.quickselect_plan),
    "tournament": (tournament, tournament_plan),
}


@dataclass(frozen=True, slots=True)
class Prp:
    """Compares two documents at a time, in both orders unless told otherwise, and sorts by the outcomes.

    Qin et al. 2023, "Large language models are effective text rankers with pairwise ranking prompting", sections
    3.2–3.4. `calibrate` says how the answers in both orders are combined. The paper's rule
    is `agree`: a document wins if it wins in both orders, and disagreement is a tie. The default adds the log-odds of
    both answers, which leaves no ties and costs no more calls. Answers in words have no odds; for those the default is
    the same as `agree`. An answer that names neither document is a tie. Ties keep the first stage's order. For a model
    that is hardly better than chance that is an advantage, and `agree` is the safer choice (eval/rankfusion).

    Cost in prompts, two a comparison, with k = min(top_k, n):

    - `allpair`: n(n−1), 1 round; a document scores the sum of its p(win). Settles the whole list.
    - `heap`: heapsort, stopped after k documents: at most 2·(2(n−1) + 2(k−1)·⌊log₂ n⌋), about 490 for n = 100 and
      k = 10. The heap is built a level at a time, its subtrees in parallel.
    - `bubble`: k passes of neighbour swaps from the end: 2·Σ_{p<k}(n−1−p); a pass starts two steps behind the one
      before, so n = 100, k = 10 takes 108 rounds, not 945.
    - `quickselect`: partitions around a pivot, one round each, then every pair of the k that is not yet known. From
      2(n−1) + (k−1)(k−2) prompts to n(n−1). In simulation about 410 for n = 100 and k = 10, and 490 where the first
      stage is no help, in six rounds. Comparing all of the k anew would make it 390 + 90.
    - `graph`: PRP-Graph (Luo et al. 2024, section 3): 2·⌈n/2⌉ a round, `rounds` rounds, or until everyone
      has met everyone. Neighbours in the standing meet, Swiss style; its strengths grow by p(win) times the
      opponent's strength; the order is the PageRank of the graph of probabilities, restarting by the first stage's
      scores. Where n is odd one document a round plays twice, so that none stays unread. The public code's
      edges weigh how likely the answer is that names the opponent shown first, out of all words: the two weights of a
      pair need not add up to 1, as they do here.
    - `tournament`: k groups of every k-th document play knock-out, and their winners form a heap; whoever leaves it is
      replaced by the next best of the group, which costs the games on the last winner's way. After Figueiredo Paschmann
      et al. 2026, "Active learners as efficient PRP rerankers" (arXiv 2605.14236), and Mohajer et al. 2017; the public
      code plays a group all over again, 232 prompts a query on TREC DL 2019 in one order. In simulation 330 prompts in
      76 rounds for n = 100 and k = 10, and 163 in one order.

    `orders=1` asks each pair once, and chance says who is shown first (the same paper's randomised direction): half the
    prompts, and a liking for the first place becomes noise instead of a bias. It does not go away: with a judge that
    likes the first place as much as a grade, simulated sorts found 6.9 of the ten best in one order and 8.2 in both.

    Slots are twice the calls. `heap`, `bubble`, `quickselect` and `tournament` settle k places; the rest follow in the
    first stage's order (`bubble`: in the order the passes left). `graph` promises nothing: a PageRank mixes in the
    first stage.

    Attributes:
        sort: Which comparisons are made.
        top_k: How many first places the sorts aim for; `allpair` and `graph` order all.
        rounds: How many rounds `graph` plays; no other sort has a say in that.
        calibrate: What two orders mean together: `logodds`, `average` or `softmax`, which pick the same winners and
            differ in strength, or `agree`; see `rerankllm.calibration.order`.
        orders: 2 asks every pair both ways round, 1 once.
        seed: Of who is shown first, where pairs are asked once.
    """

    sort: Literal["allpair", "heap", "bubble", "quickselect", "graph", "tournament"] = "heap"
    top_k: int = 10
    rounds: int = 20
    calibrate: Form = "logodds"
    orders: Literal[1, 2] = field(default=2, metadata={"unsaid": True})
    seed: int = field(default=0, metadata={"unsaid": True})
    asks: ClassVar[tuple[type, ...]] = (Compare,)

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise SpecError(f"prp: top_k should be at least 1, found {self.top_k}")
        if self.rounds < 1:
            raise SpecError(f"prp: rounds should be at least 1, found {self.rounds}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: Half of the comparisons or more have no answer in one of their orders.
        """
        docs = [candidate.document for candidate in candidates]
        judge = Pairs(query, self.calibrate, self.orders, self.seed)
        if self.sort == "graph":
            shares = yield from graph(judge, candidates, self.rounds)
            order = sorted(range(len(docs)), key=lambda i: -shares[i])
            return Ranking.of(query, [docs[i] for i in order], [shares[i] for i in order], judge.notes())
        sort, _ = SORTS[self.sort]
        ordered, scores = yield from sort(judge, docs, min(self.top_k, len(docs)))
        return Ranking.of(query, ordered, scores, judge.notes())

    def plan(self, n: int) -> Plan:
        """Exact for `allpair`, and for `graph` up to n/4 rounds (n/2 where n is even); bounds else."""
        if self.sort == "graph":
            rounds, games = swiss_cost(n, self.rounds)
            both = Plan(games.times(2), rounds, games.times(4))
        else:
            _, plan = SORTS[self.sort]
            both = plan(n, min(self.top_k, n))
        return both if self.orders == 2 else Plan(_half(both.calls), both.rounds, _half(both.slots))  # noqa: PLR2004

    def settles(self, n: int) -> int | None:
        """Everything, or the top_k that the sort stops at; nothing where a PageRank decides."""
        return {"allpair": n, "graph": None}.get(self.sort, min(self.top_k, n))


def _half(bound: Bound) -> Bound:
    return Bound(bound.low // 2, bound.high // 2)
