"""What `judge-profile` finds of judges whose character is known, of RankVicuna, and what its numbers are worth.

    python eval/profile/run.py --data FOLDER      # ten minutes on two cores; writes eval/profile/results.md

FOLDER has noveleval and dl19-bm25, each with run.txt, queries.tsv, corpus.jsonl and qrels.txt, and RankVicuna's
recorded answers for BM25's run of DL19. Each simulated judge answers `active` through a journal, and the profile is
fitted on that journal, without grades and with them. What it is worth is measured on judges of the same world with
other seeds, that is, other errors: `active` with the profile's numbers against `active` as it comes, by query. There
the other way to find trust from grades is tried too, the largest mean nDCG@10 on a grid, and both ways are compared
on queries held out of the fit.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from rerankllm.analysis.judge_profile.answers import Answers, JudgeAnswers, read_answers
from rerankllm.analysis.judge_profile.fitting import TRUST_GRID, fit_profile
from rerankllm.analysis.judge_profile.shrinkage import Regression
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.evaluation.measures import parse_measures, per_query
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.reranker import Reranker
from rerankllm.strategies.belief.posterior import Prior, posterior

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

COLLECTIONS = ("noveleval", "dl19-bm25")
WORLDS = {"mild": ("0.78", "0.9"), "harsh": ("0.47", "0.46"), "fitted": ("0.23", "17")}
"""Trust and scale by the world's own deviations, with grades .75 around their trend and a Gumbel unit of noise."""
HELD_OUT = (2, 3, 4)
FOLDS, WORKERS = 5, 2
(MEASURE,) = parse_measures(["nDCG@10"])
Array = np.ndarray


class Collection:
    """A judged run."""

    def __init__(self, folder: Path) -> None:
        self.name, self.qrels_path = folder.name, folder / "qrels.txt"
        self.qrels = read_qrels(self.qrels_path)
        self.run = {
            query_id: ranked for query_id, ranked in read_run(folder / "run.txt").items() if query_id in self.qrels
        }
        self.queries, self.corpus = read_queries(folder / "queries.tsv"), read_corpus(folder / "corpus.jsonl")

    def ranked(self, spec: str, model: str, journal: Path | None = None) -> dict[str, tuple[str, ...]]:
        """The orders of a run."""
        with Reranker(spec, model, journal=journal) as reranker:
            done = reranker.rerank_run(self.run, self.queries, self.corpus)
        if done.failures:
            raise SystemExit(f"{spec}: {done.failures[0]}")
        return {ranking.query.query_id: ranking.doc_ids for ranking in done.rankings}

    def answers(self, spec: str, model: str) -> Answers:
        """What a judge answered, through a journal."""
        with tempfile.TemporaryDirectory() as folder:
            self.ranked(spec, model, Path(folder) / "journal")
            return read_answers(Path(folder) / "journal", self.run, 100)

    def model(self, world: str, seed: int) -> str:
        """A judge of a world."""
        return f"simulated:{self.qrels_path}?world={world}&seed={seed}"

    def quality(self, orders: Mapping[str, Sequence[str]]) -> Array:
        """nDCG@10 by query."""
        found = per_query(self.qrels, orders, [MEASURE])
        return np.array([found[query_id][str(MEASURE)] for query_id in orders])

    def held_out(self, spec: str, world: str) -> Array:
        """nDCG@10 by query, with judges that nothing was fitted on."""
        return np.mean([self.quality(self.ranked(spec, self.model(world, seed))) for seed in HELD_OUT], axis=0)


def ranked_at(heard: JudgeAnswers, profile: JudgeProfile, trust: float) -> list[str]:
    """The order that `active` ends with, had it these answers and this trust."""
    sharpness = 1.0 if profile.sharpness is None else profile.sharpness.value
    prior = Prior.of_ranks(len(heard.doc_ids), profile.scale.value, trust)
    worth = posterior(prior, heard.evidence(sharpness)).mode
    order = np.argsort(-(prior.mean + trust * (worth - prior.mean))[:-1], kind="stable")
    return [heard.doc_ids[i] for i in order]


def two_ways(collection: Collection, answers: Answers, profile: JudgeProfile) -> tuple[float, dict[str, float]]:
    """The trust of the largest nDCG@10; and nDCG@10 on held-out queries where trust is from the others, both ways."""
    heard = answers.heard
    table = np.array([
        collection.quality({each.query_id: ranked_at(each, profile, trust) for each in heard}) for trust in TRUST_GRID
    ])  # fmt: skip
    regression = Regression(heard, collection.qrels, profile.scale.value, profile.trust.value, 1.0)
    fold = np.arange(len(heard)) % FOLDS
    ways: dict[str, Callable[[Array], float]] = {
        "regression": regression.trust,
        "largest nDCG": lambda weight: TRUST_GRID[int((table @ weight).argmax())],
    }
    found = {}
    for name, way in ways.items():
        total = 0.0
        for i in range(FOLDS):
            trust = way((fold != i).astype(float))
            total += table[int(np.abs(np.array(TRUST_GRID) - trust).argmin()), fold == i].sum()
        found[name] = total / len(heard)
    return TRUST_GRID[int(table.mean(axis=1).argmax())], found


def row(*cells: object) -> str:
    """Of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def fits(collection: Collection, answers: Answers) -> tuple[JudgeProfile, JudgeProfile]:
    """Without grades and with them."""
    return fit_profile(answers), fit_profile(answers, collection.qrels)


def described(name: str, judge: str, truth: tuple[str, str], found: tuple[JudgeProfile, JudgeProfile]) -> str:
    """The row of a judge in the table of parameters."""
    without, using = found
    count = sum(without.answers.values())
    return row(name, judge, count, *truth, without.trust, using.trust, using.scale, using.position)


def compared(collection: Collection, world: str, found: tuple[JudgeProfile, JudgeProfile], best: float) -> list[str]:
    """The rows of a world in the table of what it is worth."""
    base = collection.held_out("active(regret=0)", world)
    rows = [row(collection.name, world, "as it comes", "0.7, 1", f"{base.mean():.4f}", "")]
    scale = found[1].scale.value
    settings = {
        "trust from evidence": (found[0].trust.value, found[0].scale.value),
        "trust from grades": (found[1].trust.value, scale),
        "trust of the largest nDCG": (best, scale),
        "scale alone": (0.7, scale),
    }
    for name, (trust, size) in settings.items():
        gap = collection.held_out(f"active(regret=0, trust={trust}, scale={size})", world) - base
        half = 1.96 * gap.std(ddof=1) / len(gap) ** 0.5
        by = f"{gap.mean():+.4f} ± {half:.4f}"
        rows.append(row(collection.name, world, name, f"{trust:g}, {size:g}", f"{(base + gap).mean():.4f}", by))
    return rows


def of_judge(data: Path, name: str, world: str | None) -> tuple[str, str, list[str]]:
    """The rows of a simulated judge, or of RankVicuna."""
    collection = Collection(data / name)
    if world is None:
        judge, truth = "RankVicuna", ("?", "?")
        answers = collection.answers("sliding", f"recorded:{data / 'rankvicuna-dl19-bm25.jsonl'}")
    else:
        judge, truth = world, WORLDS[world]
        answers = collection.answers("active", collection.model(world, 0))
    found = fits(collection, answers)
    best, ways = two_ways(collection, answers, found[1])
    held = row(name, judge, found[1].trust, best, *(f"{value:.4f}" for value in ways.values()))
    described_judge = described(name, judge, truth, found)
    print(described_judge, held, sep="\n", flush=True)
    return described_judge, held, [] if world is None else compared(collection, world, found, best)


def main() -> None:
    """Measures and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    jobs = [(data, name, world) for name in COLLECTIONS for world in WORLDS] + [(data, "dl19-bm25", None)]
    with ProcessPoolExecutor(WORKERS) as pool:
        done = list(pool.map(of_judge, *zip(*jobs, strict=True)))
    parameters, held = [each[0] for each in done], [each[1] for each in done]
    worth = [line for each in done for line in each[2]]
    head = ["collection", "judge", "answers", "trust by its law", "scale by its law"]
    text = f"""# Profiles of judges

{made_by("profile/run.py", "numpy", "scipy", "ir-measures", seeds=[0, *HELD_OUT])}
Intervals are of 95 %, by bootstrap over queries (21 and 43).

{row(*head, "trust, evidence", "trust, grades", "scale", "position")}
{row(*["---"] * 9)}
{chr(10).join(parameters)}

Trust from grades in two ways, and nDCG@10 of the same answers where trust is from the other queries ({FOLDS} folds):

{row("collection", "judge", "by regression", "by the largest nDCG@10", "nDCG, regression", "nDCG, largest")}
{row(*["---"] * 6)}
{chr(10).join(held)}

`active(regret=0)` with the numbers found, asked of judges of the same world with other errors (seeds {HELD_OUT}):
nDCG@10 and the paired difference from `active` as it comes.

{row("collection", "world", "numbers", "trust, scale", "nDCG@10", "difference")}
{row(*["---"] * 6)}
{chr(10).join(worth)}
"""
    (Path(__file__).parent / "results.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
