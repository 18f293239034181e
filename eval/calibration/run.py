"""Whether calibrated scores mean what they say on queries that were not fitted, and whether cut-offs keep their word.

    python eval/calibration/run.py --data FOLDER --level 2 --simulated
    python eval/calibration/run.py --data FOLDER --level 2 --scores NAME=FILE.jsonl --scores NAME=FILE.jsonl …

FOLDER holds run.txt and qrels.txt; FILE.jsonl is what `rerank --jsonl` wrote for its run. `--simulated` adds the scores
that simulated: judges give in each of their worlds. Writes eval/calibration/results/FOLDER.md. Queries are split at
random; nothing is ever measured on a query that was fitted.
"""

import argparse
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from rerankllm import Calibration, Cutoff, Query, Ranking
from rerankllm.backends.simulated import WORLDS, Simulated
from rerankllm.calibration.conformal import lowest_score
from rerankllm.calibration.crossfit import cross_fitted, folds_of
from rerankllm.calibration.fitting import Method
from rerankllm.data import Document
from rerankllm.evaluation.calibration import brier, calibration_error
from rerankllm.formats.results import read_scores
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.judgements import Score

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

RESULTS = Path(__file__).parent / "results"
METHODS: tuple[Method, ...] = ("logistic", "isotonic")
SPLITS, SEEDS, FOLDS = 2000, 10, 5
Scored = Mapping[str, Sequence[tuple[str, float]]]
Qrels = Mapping[str, Mapping[str, int]]


def simulated(folder: Path, world: str) -> Scored:
    """Scores of a simulated judge for the first stage's candidates."""
    judge = Simulated(name=str(folder / "qrels.txt"), world=world)  # type: ignore[arg-type]
    run = read_run(folder / "run.txt")
    return {
        query_id: [(d, judge.answer(Score(Query(query_id, ""), Document(d, ""))).answer) for d, _ in ranked]  # type: ignore[union-attr]
        for query_id, ranked in run.items()
    }


def raw(scored: Scored) -> dict[str, list[float]]:
    """Scores taken for probabilities: as they are where all lie in 0 to 1, else through the logistic function."""
    values = [score for rows in scored.values() for _, score in rows]
    plain = min(values) >= 0 and max(values) <= 1
    return {q: [s if plain else 0.5 * (1 + math.tanh(s / 2)) for _, s in rows] for q, rows in scored.items()}


def reliability(scored: Scored, qrels: Qrels, level: int) -> Iterator[str]:
    """ECE and Brier score before and after, the latter cross-fitted."""
    before = [chance for rows in raw(scored).values() for chance in rows]
    came = [qrels[q].get(d, 0) >= level for q, rows in scored.items() for d, _ in rows]
    yield f"| scores as they are | {calibration_error(before, came):.3f} | {brier(before, came):.3f} |"
    share = mean(came)
    yield f"| the share of relevant results, {share:.3f}, for each | 0.000 | {brier([share] * len(came), came):.3f} |"
    for method in METHODS:
        runs = [cross_fitted(scored, qrels, level=level, method=method, folds=FOLDS, seed=s) for s in range(SEEDS)]
        errors = [calibration_error(*map(list, zip(*found, strict=True))) for found in runs]
        losses = [brier(*map(list, zip(*found, strict=True))) for found in runs]
        yield f"| {method}, {FOLDS} folds × {SEEDS} | {mean(errors):.3f} | {mean(losses):.3f} |"


def held_out(scored: Scored, qrels: Qrels, level: int, method: Method, rule: str) -> list[tuple[Ranking, list[bool]]]:
    """Every query cut by a rule that was fitted on others, with whether what is left is relevant."""
    cutoff, found = Cutoff.parse(rule), []
    for seed in range(SEEDS):
        for others, part in folds_of(list(scored), FOLDS, seed):
            fitted = Calibration.fit({q: scored[q] for q in others}, qrels, level=level, method=method)
            for query_id in part:
                ordered = sorted(scored[query_id], key=lambda row: -row[1])
                docs, values = [Document(d, "") for d, _ in ordered], [s for _, s in ordered]
                cut = cutoff.apply(Ranking.of(Query(query_id, ""), docs, values), fitted)
                found.append((cut, [qrels[query_id].get(d, 0) >= level for d in cut.doc_ids]))
    return found


def f1(kept: Sequence[bool], relevant: int) -> float:
    """Of a list; 1 where nothing is relevant and nothing returned."""
    total = len(kept) + relevant
    return 2 * sum(kept) / total if total else 1.0


def cutoffs(scored: Scored, qrels: Qrels, level: int) -> Iterator[str]:
    """Expected and real precision, and F1, for the rules that go by the calibration."""
    relevant = {q: sum(qrels[q].get(d, 0) >= level for d, _ in rows) for q, rows in scored.items()}
    for k in (10, 1000):
        tops = {q: [qrels[q].get(d, 0) >= level for d, _ in sorted(rows, key=lambda r: -r[1])[:k]]
                for q, rows in scored.items()}  # fmt: skip
        real, scores = mean(mean(kept) for kept in tops.values()), mean(f1(tops[q], relevant[q]) for q in scored)
        name = f"the first {k}" if k < 1000 else "all"  # noqa: PLR2004
        yield f"| {name} | | | {real:.3f} | {scores:.3f} | {mean(map(len, tops.values())):.1f} | 0 |"
    for method in METHODS:
        for rule in ("precision=0.5", "precision=0.7", "precision=0.9", "threshold=0.5", "auto"):
            found = held_out(scored, qrels, level, method, rule)
            said = [c.cut.expected_precision for c, _ in found if c.cut and c.cut.expected_precision is not None]
            came = [mean(kept) for _, kept in found if kept]
            score = mean(f1(kept, relevant[cut.query.query_id]) for cut, kept in found)
            length, empty = mean(len(cut) for cut, _ in found), sum(not kept for _, kept in found) / SEEDS
            expected = f"{mean(said):.3f} | {mean(came):.3f}" if said else "– | –"
            yield f"| {rule} | {method} | {expected} | {score:.3f} | {length:.1f} | {empty:.1f} |"


def conformal(scored: Scored, qrels: Qrels, level: int) -> Iterator[str]:
    """The recall that a conformal threshold keeps on the other half of the queries, over many random halves."""
    relevant = {q: [s for d, s in rows if qrels[q].get(d, 0) >= level] for q, rows in scored.items()}
    queries = [query_id for query_id, found in relevant.items() if found]
    rng = random.Random(0)
    for recall in (0.5, 0.7, 0.8, 0.9):
        kept, length, alone = [], [], 0
        for _ in range(SPLITS):
            rng.shuffle(queries)
            fitted, tested = queries[: len(queries) // 2], queries[len(queries) // 2 :]
            lowest = lowest_score([relevant[q] for q in fitted], recall)
            kept.append(mean(sum(s >= lowest for s in relevant[q]) / len(relevant[q]) for q in tested))
            length.append(mean(sum(s >= lowest for _, s in scored[q]) / len(scored[q]) for q in tested))
            alone += kept[-1] >= recall
        error = stdev(kept) / math.sqrt(SPLITS)
        half = len(queries) // 2
        yield (f"| {recall:g} | {half} | {mean(kept):.4f} ± {error:.4f} | {alone / SPLITS:.2f} | "
               f"{mean(length):.3f} |")  # fmt: skip


def section(name: str, scored: Scored, qrels: Qrels, level: int) -> str:
    """All of it for one kind of score."""
    scored = {query_id: rows for query_id, rows in scored.items() if query_id in qrels}
    lines = [f"\n## {name}\n", f"{len(scored)} queries, {sum(map(len, scored.values()))} results.\n"]
    lines += ["| probabilities | ECE | Brier |", "|---|---|---|", *reliability(scored, qrels, level), ""]
    lines += ["| cut-off | fit | expected precision | real precision | F1 | kept | empty queries |"]
    lines += ["|---|---|---|---|---|---|---|", *cutoffs(scored, qrels, level), ""]
    lines += ["| recall promised | queries fitted on | recall kept, held out | splits at or above | share kept |"]
    lines += ["|---|---|---|---|---|", *conformal(scored, qrels, level)]
    return "\n".join(lines)


def main() -> None:
    """Writes the results for one folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--level", type=int, default=1, help="the lowest grade that is relevant")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--scores", action="append", default=[], metavar="NAME=FILE")
    options = parser.parse_args()
    qrels = read_qrels(options.data / "qrels.txt")
    sources = {f"simulated, {world}": simulated(options.data, world) for world in WORLDS} if options.simulated else {}
    sources |= {name: read_scores(path) for name, _, path in (item.partition("=") for item in options.scores)}
    made = made_by("calibration/run.py", "numpy", "scipy", seeds=range(SEEDS))
    head = (f"# Calibrated scores on {options.data.name}\n\n{made}\nRelevant: grade {options.level} or more; a result "
            "without a grade is not.\n\n"
            f"ECE: 10 bins of equal width. Cut-offs: {FOLDS} folds over queries, {SEEDS} times; precision is the mean "
            "over queries that kept something, F1 over all (1 where nothing is relevant and nothing kept). Recall: "
            f"{SPLITS} random halves of the queries that have something relevant; the mean is promised.\n")  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    text = head + "\n".join(section(name, scored, qrels, options.level) for name, scored in sources.items())
    (RESULTS / f"{options.data.name}.md").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
