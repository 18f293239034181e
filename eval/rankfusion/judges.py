r"""LLM-RankFusion's claims on recorded judges: theirs, ours, and p-values; 0 calls.

    python eval/rankfusion/judges.py --data ../shared/data/noveleval

Every judge that has compared the first passages of a query in both orders (eval/judges/recordings), without and, where
it was recorded, behind a worked example (eval/judges/demonstrations.py). Sorts are run on these answers, as in
`run.py`. Passages beyond them keep their places. Writes eval/rankfusion/results/judges.md.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean

import numpy as np
from run import CONTRASTS, NOTHING, REMEDIES, RESULTS, Collection, sort

from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.votes import Vote
from rerankllm.analysis.diagnose.probe import Seen
from rerankllm.analysis.diagnose.replay import heard, recording
from rerankllm.calibration.diagnostics import cyclic_triads, inconsistency, margins
from rerankllm.calibration.order import TIE
from rerankllm.evaluation.bootstrap import bootstrap
from rerankllm.evaluation.multiplicity import holm
from rerankllm.evaluation.significance import randomization

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

RECORDINGS = Path(__file__).parents[1] / "judges" / "recordings"
WAYS = {"plain": "pairs", "example": "demonstrations"}
"""Ways of asking, and the recordings that hold them."""
NONE, HEAP, BUBBLE = "none: one order, heap", "calibrated, heap", "calibrated, bubble"
FUSED = "calibrated, Borda of heap and bubble"
TEXT = """
Each judge was asked about all pairs of the first {depth} passages of some queries, in both orders; with "example",
behind a worked example that is shown in both orders. "Theirs" are Zeng et al. 2024 (arXiv 2406.00231) and its revision.
p is of a paired randomization test over queries, exact where there are few; Holm's correction is over all rows of the
table. With 7 queries p cannot fall below .016 before correction, and with 21 below .0001 or so.
"""
CLAIMS = {
    "an example in both orders makes fewer pairs turn with the order": "it does, in most models",
    "an example narrows the gap between the letters' mean logits, in nats": "it balances them",
    "calibration against agree-or-tie, heap": "helps; Llama-3-8B about +.08 nDCG with the example",
    "calibration against agree-or-tie, bubble": "the same",
    "the example, calibrated, heap": "helps, most of all with calibration",
    "example and calibration against one order without, heap": "Llama-3-8B about +.08 nDCG@10",
    "Borda of heap and bubble against heap, calibrated": "helps",
    "all of it against one order, heap": "helps",
    "Borda of all judges, heap and bubble, against this judge's": "helps",
    "calibrated, heap, against the first stage": "helps, from BM25",
}
"""What is claimed, and what they report."""
Values = Mapping[str, float]
"""By query."""
Orders = Mapping[str, tuple[str, ...]]
"""By query, the first passages in a new order."""


@dataclass(frozen=True)
class Asked:
    """One judge, asked in one way about all queries that are compared.

    Attributes:
        judge: Its name.
        way: How it was asked.
        seen: Its answers, by query.
        orders: What each remedy makes of them.
        calls: What each remedy asked for, on the mean over queries.
    """

    judge: str
    way: str
    seen: Mapping[str, Seen]
    orders: Mapping[str, Orders]
    calls: Mapping[str, float]

    @classmethod
    def of(cls, judge: str, way: str, seen: Mapping[str, Seen]) -> "Asked":
        """Runs every remedy."""
        orders, calls = {}, {}
        for name, (spec, reading) in REMEDIES.items():
            sorts = {query_id: sort(spec, each, reading) for query_id, each in seen.items()}
            orders[name] = {query_id: order for query_id, (order, _) in sorts.items()}
            calls[name] = fmean(asked for _, asked in sorts.values())
        return cls(judge, way, seen, orders, calls)

    @property
    def name(self) -> str:
        """As tables have it."""
        return f"{self.judge} | {self.way}"

    @property
    def turning(self) -> Values:
        """The share of pairs that turn with the order."""
        return {query_id: inconsistency(each.comparisons).value for query_id, each in self.seen.items()}

    @property
    def gaps(self) -> Values:
        """How far the mean logits of the letters are apart."""
        return {query_id: abs(fmean(margins(each.comparisons))) for query_id, each in self.seen.items()}


def read(collection: Collection) -> tuple[list[Asked], int]:
    """What all judges answered about the first passages, and how many these are."""
    found: dict[tuple[str, str], dict[str, Seen]] = {}
    for folder in sorted(each for each in RECORDINGS.iterdir() if each.is_dir()):
        for way, name in WAYS.items():
            path = folder / f"{collection.name}-{name}.jsonl.gz"
            if path.is_file() and (judge := recording(f"recorded:{path}", None)):
                answers, queries = heard(judge, collection.queries)
                found[folder.name, way] = {q.query_id: Seen(c, answers.judged[q.query_id]) for q, c in queries}
    depth = min(_depth(seen) for each in found.values() for seen in each.values())
    return [
        Asked.of(judge, way, {query_id: _cut(seen, depth) for query_id, seen in each.items()})
        for (judge, way), each in found.items()
    ], depth


def _depth(seen: Seen) -> int:
    """How many of the first passages were all compared with each other, in both orders."""
    ids, known = [candidate.doc_id for candidate in seen.candidates], seen.comparisons
    depth = 0
    while depth < len(ids) and all({(a, ids[depth]), (ids[depth], a)} <= set(known) for a in ids[:depth]):
        depth += 1
    return depth


def _cut(seen: Seen, depth: int) -> Seen:
    """What was answered about the first passages."""
    docs = {candidate.document for candidate in seen.candidates[:depth]}
    return Seen(seen.candidates[:depth], [event for event in seen.events if set(event.judgement.docs) <= docs])


def fused(asked: Sequence[Asked]) -> Orders:
    """Borda over the sorters of all judges, of the queries that all were asked about."""
    found = {}
    for query_id, seen in asked[0].seen.items():
        if all(query_id in one.seen for one in asked):
            votes = [Vote.of(one.orders[sorter][query_id]) for one in asked for sorter in (HEAP, BUBBLE)]
            ids = _ids(seen)
            scores = Borda().scores(ids, votes)
            found[query_id] = tuple(ids[j] for j in sorted(range(len(ids)), key=lambda j: -scores[j]))
    return found


def contradictions(asked: Sequence[Asked]) -> Iterator[str]:
    """How the judges contradict themselves."""
    yield (
        "| judge | asked | queries | pairs that turn with the order | mean ℓ_A − ℓ_B | ties: agree | calibrated "
        "| triads round: one order | calibrated |"
    )
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for one in asked:
        turned = sum((inconsistency(each.comparisons) for each in one.seen.values()), NOTHING)
        gap = fmean(value for each in one.seen.values() for value in margins(each.comparisons))
        ties, triads = [], []
        for reading in ("one order", "agree", "logodds"):
            prefers = [(_ids(each), each.preference(reading)) for each in one.seen.values()]  # type: ignore[arg-type]
            ties.append(fmean(prefer(a, b) == TIE for ids, prefer in prefers for a, b in combinations(ids, 2)))
            triads.append(sum((cyclic_triads(ids, prefer) for ids, prefer in prefers), NOTHING).value)
        cells = [f"{turned.count} of {turned.of}", f"{gap:+.2f}", *(f"{tie:.0%}" for tie in ties[1:])]
        yield f"| {one.name} | {len(one.seen)} | {' | '.join(cells)} | {triads[0]:.1%} | {triads[2]:.1%} |"


def _ids(seen: Seen) -> list[str]:
    return [candidate.doc_id for candidate in seen.candidates]


def quality(asked: Sequence[Asked], ndcg: Callable[[Orders], Values]) -> Iterator[str]:
    """nDCG@10 by remedy."""
    yield f"| remedy | {' | '.join(f'{one.judge}, {one.way}' for one in asked)} | calls |"
    yield f"|---|{'---:|' * len(asked)}---:|"
    cells = [_mean(ndcg(dict.fromkeys(one.seen, ()))) for one in asked]
    yield f"| the first stage | {' | '.join(cells)} | 0 |"
    for name in REMEDIES:
        cells = [_mean(ndcg(one.orders[name])) for one in asked]
        yield f"| {name} | {' | '.join(cells)} | {fmean(one.calls[name] for one in asked):.1f} |"
    for way in WAYS:
        some = [one for one in asked if one.way == way]
        if len(some) > 1:
            yield f"| Borda of all judges, {way} | {_mean(ndcg(fused(some)))} |{' |' * len(asked)}"


def _mean(values: Values) -> str:
    low, high = bootstrap(np.array([*values.values()]))
    return f"{fmean(values.values()):.3f} ({low:.2f}–{high:.2f})"


def tests(asked: Sequence[Asked], ndcg: Callable[[Orders], Values]) -> Iterator[tuple[str, str, Values, Values]]:
    """Of every claim: itself, the judge, what it is about with, and without."""
    agreeing = {one: other for one, other in CONTRASTS if other.startswith("agree")}
    plain = {one.judge: one for one in asked if one.way == "plain"}
    shown = {one.judge: one for one in asked if one.way == "example"}
    claims = iter(CLAIMS)

    def of(one: Asked, remedy: str) -> Values:
        return ndcg(one.orders[remedy])

    fewer, narrower, heap, bubble, example, both, borda, everything, judges, first = claims
    for name in shown.keys() & plain.keys():
        yield fewer, name, shown[name].turning, plain[name].turning
        yield narrower, name, shown[name].gaps, plain[name].gaps
        yield example, name, of(shown[name], HEAP), of(plain[name], HEAP)
        yield both, name, of(shown[name], HEAP), of(plain[name], NONE)
        yield everything, name, of(shown[name], FUSED), of(plain[name], NONE)
    for one in asked:
        name = f"{one.judge}, {one.way}"
        for claim, remedy in ((heap, HEAP), (bubble, BUBBLE)):
            yield claim, name, of(one, remedy), of(one, agreeing[remedy])
        yield borda, name, of(one, FUSED), of(one, HEAP)
        yield first, name, of(one, HEAP), ndcg(dict.fromkeys(one.seen, ()))
        together = [other for other in asked if other.way == one.way]
        if len(together) > 1:
            yield judges, name, ndcg(fused(together)), of(one, FUSED)


def claimed(found: Sequence[tuple[str, str, Values, Values]]) -> Iterator[str]:
    """Theirs and ours, by claim."""
    yield "| claim | theirs | judge | queries | with | without | Δ | up, down | p | p (Holm) |"
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|---:|"
    order = list(CLAIMS)
    found = sorted(found, key=lambda row: (order.index(row[0]), row[1]))
    both = [[(new[q], old[q]) for q in new if q in old] for _, _, new, old in found]
    steps = [np.array([after - before for after, before in pairs]) for pairs in both]
    raw = [randomization(step) for step in steps]
    for (claim, judge, *_), pairs, step, p, adjusted in zip(found, both, steps, raw, holm(raw), strict=True):
        new, old = (fmean(values) for values in zip(*pairs, strict=True))
        moved = f"{int((step > 0).sum())}, {int((step < 0).sum())}"
        yield (
            f"| {claim} | {CLAIMS[claim]} | {judge} | {len(step)} | {new:.3f} | {old:.3f} | {step.mean():+.3f} | "
            f"{moved} | {p:.3f} | {adjusted:.3f} |"
        )


def main() -> None:
    """Writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    options = parser.parse_args()
    collection = Collection(options.data)
    asked, depth = read(collection)

    def ndcg(orders: Orders) -> Values:
        part = copy(collection)
        part.queries = [each for each in collection.queries if each[0].query_id in orders]
        return dict(zip((query.query_id for query, _ in part.queries), part.ndcg(orders), strict=True))

    lines = [
        f"# LLM-RankFusion's claims on recorded judges, {collection.name}\n",
        made_by("rankfusion/judges.py", "numpy", "ir-measures", seeds=[0]),
        TEXT.format(depth=depth),
        "## Theirs and ours\n",
        *claimed(list(tests(asked, ndcg))),
        "\n## How they contradict themselves\n",
        *contradictions(asked),
        "\n## nDCG@10 by remedy\n",
        *quality(asked, ndcg),
    ]
    (RESULTS / "judges.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
