r"""What taking off the labels' own likelihood does to recorded judges, and what several orders together do; 0 calls.

    python eval/judges/priors.py --data ../shared/data/noveleval

Reads the label log-probabilities that `labels.py` kept and the comparisons that `record.py` recorded. Writes
eval/judges/priors.md.
"""

import argparse
import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.kemeny import Kemeny
from rerankllm.aggregation.votes import Vote
from rerankllm.calibration.order import TIE, agree, margin, sigmoid
from rerankllm.evaluation.bootstrap import bootstrap
from rerankllm.judgements import Compare

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by
from record import DEPTH, RECORDINGS
from recorded import Recorded
from report import Collection

RESULTS = Path(__file__).parent / "priors.md"
Array: TypeAlias = NDArray[np.float64]
Taken: TypeAlias = Callable[[str], Array | None]
"""What is taken off the labels in a query's prompts; None where it was not asked."""
NAMES = {
    "nothing": "nothing",
    "empty": "`prior=empty`: N/A for query and passages",
    "documents": "`prior=documents`: N/A for passages",
    "others": "the mean over the other queries' prompts",
}
TEXT = """
Nothing was asked for these tables but the content-free prompts. A prior is taken off the log-probabilities of the
labels, as `labels(prior=…)` does. Of one query's yes/no scores every one loses the same, so that no order can change:
priors say nothing there. "The mean over the other queries' prompts" needs the answers of other queries, not their
grades. "Right" is the share of passages of unlike grades in the order of the grades. Permutation self-consistency takes
Borda's or Kemeny's order of what was answered to the same list in several orders.
"""


@dataclass(frozen=True)
class Shown:
    """A list prompt: the passages as shown, and the labels' log-probabilities in their order.

    Attributes:
        query: The query's id.
        docs: Ids.
        worth: Log-probabilities among these labels alone.
    """

    query: str
    docs: tuple[str, ...]
    worth: Array

    def order(self, prior: Array | None) -> tuple[str, ...]:
        """What is answered once the prior is off."""
        values = self.worth if prior is None else self.worth - prior
        return tuple(self.docs[i] for i in np.argsort(-values, kind="stable"))


def normal(logprobs: Sequence[float]) -> Array:
    """Log-probabilities among the labels alone."""
    values = np.asarray(logprobs, dtype=float)
    return values - np.log(np.exp(values - values.max()).sum()) - values.max()


def priors(kept: Mapping[str, Any], kind: str, size: int, asked: Sequence[tuple[str, Array]]) -> dict[str, Taken]:
    """What can be taken off: the content-free prompts that were asked, and what other queries' prompts say."""
    found: dict[str, dict[str | None, Array]] = {"empty": {}, "documents": {}}
    for row in kept["priors"]:
        if row["judgement"] == kind and len(row["logprobs"]) == size:
            found[row["prior"]][row["query"]] = normal(row["logprobs"])
    by_query: dict[str, list[Array]] = defaultdict(list)
    for query, worth in asked:
        by_query[query].append(worth)
    totals = {query: (np.sum(rows, axis=0), len(rows)) for query, rows in by_query.items()}
    total = np.sum([rows for rows, _ in totals.values()], axis=0), sum(count for _, count in totals.values())

    def others(query: str) -> Array | None:
        own, count = totals[query]
        left = total[1] - count
        return (total[0] - own) / left if left else None

    taken: dict[str, Taken] = {"nothing": lambda _: np.zeros(size)}
    if found["empty"]:
        taken["empty"] = lambda _: found["empty"].get(None)
    if found["documents"]:
        taken["documents"] = found["documents"].get
    return taken | ({"others": others} if len(totals) > 1 else {})


def lists(kept: Mapping[str, Any], collection: Collection) -> Iterator[str]:
    """Tables of lists, by size."""
    shown = {(row["query"], tuple(row["docs"])): normal(row["logprobs"]) for row in kept["lists"]}
    by_size: dict[int, list[Shown]] = defaultdict(list)
    for (query, docs), worth in shown.items():
        by_size[len(docs)].append(Shown(query, docs, worth))
    yield (
        "| lists of | prompts | taken off | range of mean log-probability | named first from the first quarter "
        "| two answers agree | right | nDCG@10, shown as given | one order, mean | several orders, Borda | Kemeny |"
    )
    yield "|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for size, some in sorted(by_size.items()):
        if len(some) < len({each.query for each in some}):
            continue
        taken = priors(kept, "Permute", size, [(each.query, each.worth) for each in some])
        for name, off in taken.items():
            rows = [(each, off(each.query)) for each in some]
            if any(prior is None for _, prior in rows):
                continue
            yield f"| {size} | {len(some)} | {NAMES[name]} | {' | '.join(list_row(rows, collection))} |"


def list_row(rows: Sequence[tuple[Shown, Array | None]], collection: Collection) -> Iterator[str]:
    """Of one size and one prior."""
    means = np.mean([each.worth - (0 if prior is None else prior) for each, prior in rows], axis=0)
    orders = [(each, each.order(prior)) for each, prior in rows]
    size = len(rows[0][0].docs)
    yield f"{means.max() - means.min():.2f}"
    yield f"{fmean(each.docs.index(order[0]) < size / 4 for each, order in orders):.2f}"
    agreeing, right = Counter[bool](), Counter[bool]()
    said: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for each, order in orders:
        said[each.query].append(order)
        grades = collection.grades.get(each.query, {})
        for better, worse in combinations(order, 2):
            apart = grades.get(better, 0) - grades.get(worse, 0)
            if apart:
                right[apart > 0] += 1
    for found in said.values():
        for one, other in combinations(found, 2):
            if set(one) == set(other):
                place = {doc_id: i for i, doc_id in enumerate(other)}
                agreeing.update(place[a] < place[b] for a, b in combinations(one, 2))
    yield f"{agreeing[True] / agreeing.total():.2f}" if agreeing else "–"
    yield f"{right[True] / right.total():.2f}"
    if size < DEPTH:
        yield from "––––"
        return
    given = {query.query_id: [c.doc_id for c in candidates] for query, candidates in collection.queries}
    yield mean(
        collection.ndcg({each.query: list(order) for each, order in orders if given[each.query] == [*each.docs]})
    )
    alone = [[collection.ndcg({query: list(order)})[0] for order in found] for query, found in said.items()]
    yield mean([fmean(values) for values in alone])
    for rule in (Borda(), Kemeny()):
        yield mean(collection.ndcg({query: ordered(rule, given[query], found) for query, found in said.items()}))


def ordered(rule: Any, ids: Sequence[str], orders: Sequence[tuple[str, ...]]) -> list[str]:
    """One order of several, ties as they are given."""
    scores = rule.scores(ids, [Vote.of(order) for order in orders])
    return [ids[i] for i in sorted(range(len(ids)), key=lambda i: -scores[i])]


def mean(values: Sequence[float]) -> str:
    """With its interval."""
    low, high = bootstrap(np.array(values))
    return f"{fmean(values):.3f} ({low:.2f}–{high:.2f})"


def pairs(kept: Mapping[str, Any], judge: Recorded, collection: Collection) -> Iterator[str]:
    """The table of comparisons."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for query, answered in judge.answered("pairs").items():
        for judgement, answer in answered:
            assert isinstance(judgement, Compare)  # noqa: S101
            found.setdefault(query, {})[judgement.first.doc_id, judgement.second.doc_id] = margin(float(answer))  # type: ignore[arg-type]
    asked = [(q, np.array([value / 2, -value / 2])) for q, known in found.items() for value in known.values()]
    yield (
        "| taken off | p(the first wins) | pairs that turn with the order | right, one order | right, where both agree "
        "| ties: agree | nDCG@10, all pairs: one order | agree | calibrated |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for name, off in priors(kept, "Compare", 2, asked).items():
        less = {query: off(query) for query in found}
        if all(prior is not None for prior in less.values()):
            corrected = {
                query: {pair: sigmoid(value - (less[query][0] - less[query][1])) for pair, value in known.items()}  # type: ignore[index]
                for query, known in found.items()
            }
            yield f"| {NAMES[name]} | {' | '.join(pair_row(corrected, collection))} |"


def pair_row(answers: Mapping[str, Mapping[tuple[str, str], float]], collection: Collection) -> Iterator[str]:
    """Of one prior."""
    place = {q.query_id: {c.doc_id: i for i, c in enumerate(candidates)} for q, candidates in collection.queries}
    turned, ties, one, both = Counter[bool](), Counter[bool](), Counter[bool](), Counter[bool]()
    for query, known in answers.items():
        grades = collection.grades.get(query, {})
        for (a, b), p in known.items():
            apart = grades.get(a, 0) - grades.get(b, 0)
            if place[query][a] > place[query][b]:
                continue
            whole = agree(p, known[b, a])
            turned[(p - TIE) * (known[b, a] - TIE) > 0] += 1
            ties[whole == TIE] += 1
            if apart:
                one[(p > TIE) == (apart > 0)] += 1
                if whole != TIE:
                    both[(whole > TIE) == (apart > 0)] += 1
    yield f"{fmean(p for known in answers.values() for p in known.values()):.2f}"
    for counted in (turned, one, both, ties):
        yield f"{counted[True] / counted.total():.2f}" if counted else "–"
    for reading in (_one_order, agree, _calibrated):
        yield mean(collection.ndcg({query: wins(known, place[query], reading) for query, known in answers.items()}))


def _one_order(first: float, second: float) -> float:
    del second
    return first


def _calibrated(first: float, second: float) -> float:
    return sigmoid((margin(first) - margin(second)) / 2)


def wins(
    known: Mapping[tuple[str, str], float], place: Mapping[str, int], reading: Callable[[float, float], float]
) -> list[str]:
    """Passages by what they win; equal ones as the first stage has them. One order is that of the first stage."""
    ids = sorted({a for a, _ in known}, key=place.__getitem__)
    won = dict.fromkeys(ids, 0.0)
    for a, b in permutations(ids, 2):
        if place[a] < place[b]:
            p = reading(known[a, b], known[b, a])
            won[a] += p
            won[b] += 1 - p
    return sorted(ids, key=lambda doc_id: -won[doc_id])


def main() -> None:
    """Writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    options = parser.parse_args()
    collection = Collection(options.data)
    lines = [
        f"# Label priors and several orders, on recorded judges, {collection.name}\n",
        made_by("judges/priors.py", "numpy", seeds=[0]),
        TEXT,
    ]
    for path in sorted(RECORDINGS.glob(f"*/{collection.name}-labels.json.gz")):
        kept, judge = json.loads(gzip.decompress(path.read_bytes())), Recorded(path.parent, collection.name)
        lines += [f"## {judge.name}: lists\n", *lists(kept, collection)]
        if judge.path("pairs").is_file():
            lines += [f"\n## {judge.name}: pairs\n", *pairs(kept, judge, collection), ""]
    RESULTS.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
