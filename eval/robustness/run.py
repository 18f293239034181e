"""How far strategies depend on the order of their candidates, with simulated judges.

    OMP_NUM_THREADS=1 python eval/robustness/run.py --data FOLDER --every 2

Minutes on one core; writes eval/robustness/results.md. FOLDER has run.txt, queries.tsv, corpus.jsonl and qrels.txt.
Every strategy reranks the same candidates as given, reversed, and in three shuffles. The oracle answers by the grades:
what varies with it is the strategy's own doing. The other judges err as stated: `mild` and `harsh` prefer the first
places a little and a lot, `fitted` as RankVicuna does. The judge's character is told to one form of `active`
(eval/frontier/characters.yaml says where from).
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from rerankllm.analysis.robustness.measure import measure_robustness
from rerankllm.analysis.robustness.results import OrderedRun, Robustness
from rerankllm.drivers.results import Run
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.reranker import Reranker
from rerankllm.runs.reorder import reordered

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

STRATEGIES = (
    "pointwise",
    "full",
    "sliding",
    "sliding(passes=3)",
    "jointrank(block=20, replicas=4)",
    "psc(full, shuffles=4)",
    "cascade([sliding, psc(full(top_k=20), shuffles=5)], depths=[100, 20])",
    "tourrank",
    "tournament",
    "setwise",
    "prp(sort=heap)",
)
ACTIVE = ("active(regret=0)", "active(regret=0, {})")
"""As it comes, and with the judge's character."""
CHARACTERS = yaml.safe_load((Path(__file__).parents[1] / "frontier" / "characters.yaml").read_text(encoding="utf-8"))
SHUFFLES = range(3)


class Collection:
    """A judged run, in several orders."""

    def __init__(self, folder: Path, every: int) -> None:
        self.qrels_path = folder / "qrels.txt"
        self.qrels = read_qrels(self.qrels_path)
        run = {query_id: ranked for query_id, ranked in read_run(folder / "run.txt").items() if query_id in self.qrels}
        texts = read_queries(folder / "queries.tsv"), read_corpus(folder / "corpus.jsonl")
        given = join(run, *texts, skip_missing=False).queries[::every]
        self.orders = {"given": given, "reversed": [(q, reordered(c, "reversed", q.query_id)) for q, c in given]}
        for seed in SHUFFLES:
            self.orders[f"shuffled-{seed}"] = [(q, reordered(c, "shuffled", q.query_id, seed)) for q, c in given]

    def model(self, world: str) -> str:
        """The judge of a world."""
        return f"oracle:{self.qrels_path}" if world == "oracle" else f"simulated:{self.qrels_path}?world={world}"

    def measure(self, spec: str, world: str) -> tuple[Robustness, float, float]:
        """A strategy under every order, with passage slots and seconds a query."""
        started, slots, ranked = time.perf_counter(), 0, []
        with Reranker(spec, self.model(world)) as reranker:
            for name, queries in self.orders.items():
                done = Run.of(reranker.stream(queries))
                if done.failures:
                    raise SystemExit(f"{spec}: {done.failures[0]}")
                slots += done.ledger.slots
                out = {ranking.query.query_id: ranking.doc_ids for ranking in done.rankings}
                went_in = {query.query_id: [each.doc_id for each in found] for query, found in queries}
                ranked.append(OrderedRun(name, name.partition("-")[0], out, went_in))
        number = sum(map(len, self.orders.values()))
        return measure_robustness(ranked, self.qrels), slots / number, (time.perf_counter() - started) / number


def row(spec: str, found: Robustness, slots: float) -> str:
    """Of the table of a world."""
    assert found.same is not None  # noqa: S101
    between = {(each.first, each.second): each for each in found.families}
    means = found.same.means
    shuffled = sum(means[f"shuffled-{seed}"] for seed in SHUFFLES) / len(SHUFFLES)
    turned, mixed = between["given", "reversed"], between["shuffled", "shuffled"]
    kept = [each.kept.mean for each in found.orders if each.kept is not None]
    cells = [
        f"`{spec}`", f"{slots:.0f}", f"{means['given']:.4f}", f"{means['reversed']:.4f}", f"{shuffled:.4f}",
        f"{found.same.range_of_means:.4f}", f"{found.same.mean_range.mean:.3f}",
        f"{found.same.varying}/{found.same.queries}", f"{turned.tau.mean:.2f}",
        f"{mixed.tau.mean:.2f} [{mixed.tau.low:.2f}, {mixed.tau.high:.2f}]", f"{mixed.overlap:.2f}", f"{mixed.rbo:.2f}",
        f"{sum(kept) / len(kept):.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| strategy | slots | given | reversed | shuffled | range of means | mean range | > .1 | τ reversed | τ shuffles "
    "| top 10 | RBO | kept |\n|---|" + "---:|" * 12
)


def tables(collection: Collection) -> Iterator[str]:
    """One a world, printed as it comes."""
    for world in ("oracle", *CHARACTERS):
        known = ", ".join(f"{name}={value}" for name, value in CHARACTERS.get(world, {}).items())
        lines = [f"## {world}\n", HEAD]
        for spec in (*STRATEGIES, *(form.format(known) for form in ACTIVE if known)):
            found, slots, seconds = collection.measure(spec, world)
            lines.append(row(spec, found, slots))
            print(f"{world}: {lines[-1]} {seconds:.3f} s a query", flush=True)
        yield "\n".join(lines)


def main() -> None:
    """Measures every strategy in every world and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every so many-th query")
    options = parser.parse_args()
    collection = Collection(options.data, options.every)
    started = time.perf_counter()
    shown = "\n\n".join(tables(collection))
    minutes = (time.perf_counter() - started) / 60
    made = made_by(f"robustness/run.py --every {options.every}", "scipy", "numpy", seeds=SHUFFLES)
    (Path(__file__).parent / "results.md").write_text(
        f"""# Order robustness: {options.data.name}, {len(collection.orders["given"])} queries

{made} It took {minutes:.1f} minutes. The seeds are those of the shuffles; the judges' is 0.

nDCG@10 of the candidates as given, reversed, and the mean of three shuffles. Over these five orders: the range of the
means, the mean of each query's range, and the queries whose range is above .1. τ (Kendall's, whole list) of given
against reversed, and between two shuffles with its 95 % interval; for those, too, the share of the first ten that both
have, and rank-biased overlap (p = .9). `kept` is τ of what went in with what came out, mean over the orders. A strategy
that settles ten places leaves the rest much as it came, so that its τ is low and its RBO tells more. The oracle's
grades are full of ties, which keep the order that came in: its τ cannot be 1.

{shown}
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
