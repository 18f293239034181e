"""What every strategy says it takes, what it took, and what the literature says: 100 documents, the first 10 wanted.

    python eval/frontier/plans.py                    # writes eval/frontier/results/plans.md; about a minute

The judge is `simulated:` in the mild world, on made-up queries: grades as frequent as in TREC DL 2019's judgements, a
first stage that sees the grade plus Gaussian noise of deviation 1. The published figures are those of
the papers and their code, and simulated where neither gives one.
"""

import argparse
import importlib.metadata
import platform
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from listed import names_in, unlisted

from rerankllm.data import Candidate, Document, Ledger, Query, Ranking
from rerankllm.plan import Bound, Plan
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage

RESULTS = Path(__file__).parent / "results"
N, K = 100, 10
GRADES, SHARES = (0, 1, 2, 3), (5158, 1601, 1804, 697)
KINDS = ("calls", "rounds", "slots")
Range = tuple[float, float]


@dataclass(frozen=True)
class Published:
    """A row of the master table.

    Attributes:
        method: As it is called there.
        spec: The stage that is the same algorithm.
        calls: From, to; likewise `rounds` and `slots`. Figures that are given as about so much, or as a mean, are
            taken with a tenth to either side.
        why: Where ours differ: which is right, and why.
    """

    method: str
    spec: str
    calls: Range
    rounds: Range
    slots: Range
    why: str = ""


def exactly(value: float) -> Range:
    """One figure."""
    return value, value


def about(low: float, high: float | None = None) -> Range:
    """A mean, or a figure with a tilde, or two."""
    return low * 0.9, (high or low) * 1.1


MASTER = (
    Published("Pointwise", "pointwise", exactly(100), exactly(1), exactly(100)),
    Published("PRP allpair", "prp(sort=allpair)", exactly(9900), exactly(1), exactly(19800)),
    Published("PRP heapsort", "prp(sort=heap)", about(488), about(132, 244), about(976)),
    Published("PRP sliding-10", "prp(sort=bubble)", exactly(1890), (108, 945), exactly(3780),
        "ours, with the same order in the end: two neighbours that were compared before are not asked about again",
    ),
    Published("PRP quickselect + sort 10", "prp(sort=quickselect)", about(480), about(7), about(965),
        "ours, as it does less: the pivot is whom the first stage puts at the place looked for, not anyone, and of the "
        "last ten only pairs not met before are compared; the published figure is 392 ± 113 and 90 anew",
    ),
    Published("PRP tournament, one order", "prp(sort=tournament, orders=1)", about(232), (1, 232), about(463),
        "ours, as it does less: a group's next best is found by the games on the last winner's way, not by playing all "
        "of the group again",
    ),
    Published("PRP-Graph 20 rounds", "prp(sort=graph, rounds=20)", exactly(2000), exactly(20), exactly(4000)),
    Published("LLM-RankFusion, full sort", "rankfusion([prp(sort=heap), prp(sort=bubble)])",
        about(9100), (1, 3574), about(18200),
        "both: the first 10 are wanted here, and the published figure sorts everything; a full sort takes ours 974 "
        "± 28 comparisons by heap and 4,950 by bubble, each in both orders (eval/rankfusion)",
    ),
    Published("Sliding 20/10, FIRST, Rank-K", "sliding", exactly(9), exactly(9), exactly(180)),
    Published("Sliding ×3", "sliding(passes=3)", exactly(27), (13, 27), exactly(540)),
    Published("Setwise heap c=3", "setwise(c=3, sort=heap)", about(124), about(66, 124), about(371)),
    Published("Setwise heap c=10", "setwise(c=10, sort=heap)", about(30), about(22, 30), about(300)),
    Published("Setwise bubble c=3", "setwise(c=3, sort=bubble)", about(463), (1, 463), about(1383),
        "ours, with the same order in the end: a group that stands as it was when it was asked is not asked again, "
        "anywhere in the list; the public code skips at its end only. How many that is depends on the judge",
    ),
    Published("Rank-R1 heap c=20", "setwise(c=20, sort=heap)", about(20), about(16, 20), about(387)),
    Published("ListT5 m=5 r=1", "tournament(m=5, winners=1)", about(52), about(30), about(238)),
    Published("ListT5 m=5 r=2", "tournament(m=5, winners=2)", about(80), about(49), about(382)),
    Published("TourRank-1", "tourrank(rounds=1)", exactly(13), exactly(5), exactly(185)),
    Published("TourRank-2", "tourrank(rounds=2)", exactly(26), exactly(5), exactly(370)),
    Published("TourRank-10", "tourrank(rounds=10)", exactly(130), exactly(5), exactly(1850),
        "ours: a small group that two tournaments happen to shuffle alike is asked once",
    ),
    Published("Seeded single elimination", "elimination", exactly(198), exactly(8), exactly(396),
        "ours: who meets the anchor again after the seeding is not asked again",
    ),
    Published("Swiss 7 rounds, one order", "swiss(orders=1)", exactly(350), exactly(7), exactly(700)),
    Published("Full context", "full", exactly(1), exactly(1), exactly(100)),
    Published("JointRank b=20 r=4", "jointrank(block=20, replicas=4)", exactly(20), exactly(1), exactly(400)),
    Published(
        "JointRank b=10 r=2", "jointrank(block=10, replicas=2, design=latin)", exactly(20), exactly(1), exactly(200)
    ),
    Published(
        "PSC m=20, top-20 window", "cascade([psc(full(top_k=20), shuffles=20)], depths=[20])",
        exactly(20), exactly(1), exactly(400),
    ),
    Published("TDPart w=20", "tdpart", (6, 8), (2, 4), (105, 130)),
    Published("DualEnd, whole order", "dualend(top_k=50)", exactly(50), exactly(50), exactly(2550),
        "neither: the first 10 are wanted here, which is where it stops; the whole order takes the published 50 calls "
        "and 2,550 slots (dl19-bm25.md)",
    ),
    Published("SNOW w=20", "snow(window=20)", (7, 16), (2, 11), (106, 286)),
    Published("BlitzRank w=10", "blitzrank(window=10)", about(13), (1, 13), about(130, 133)),
    Published("AcuRank", "acurank", about(19.7), (5, 8), (0, 400),
        "neither is wrong: it stops when few documents are uncertain, which depends on judge, queries and first stage; "
        "the published mean is of RankZephyr. Rounds there are an estimate, and too few: once the uncertain fit one "
        "window, every round is one call",
    ),
    Published("GroupRank c=20", "group(size=20)", exactly(5), exactly(1), exactly(100)),
    Published("IRanker", "iranker", exactly(99), exactly(99), exactly(5049)),
)  # fmt: skip
NOT_HERE = {
    "Pointwise fine-grained, query likelihood, ERank integer": "`pointwise` with other elicitations: the same counts",
    "DrRank": "`criteria` plans the published 101 calls, 2 rounds and 100 slots; a simulated judge writes no criteria, "
    "so the plan is held to what scripted answers take, in tests/strategies",
    "E2Rank": "`e2rank` plans 1 call, 1 round and 120 slots, of which the 20 published are those in the prompt; the "
    "others are the documents themselves, which are embedded here and offline there",
    "ICR, QRHead, CoRe, SCaLR": "need attention states or trained scorers; not judgements",
}
WRAPPERS = {"interpolate", "cascade", "psc", "samples", "maxp", "embed"}
"""What stands in no row by itself: it wraps a stage, or asks what a simulated judge cannot answer."""


def queries(count: int, qrels: Path) -> list[tuple[Query, list[Candidate]]]:
    """Made-up queries, whose grades are written to `qrels`."""
    chance = random.Random(0)
    made, lines = [], []
    for q in range(count):
        grades = chance.choices(GRADES, SHARES, k=N)
        scored = sorted(((grade + chance.gauss(0, 1), f"d{d}", grade) for d, grade in enumerate(grades)), reverse=True)
        lines += [f"q{q} 0 {doc_id} {grade}" for _, doc_id, grade in scored]
        made.append((Query(f"q{q}", f"query {q}"), [Candidate(Document(d, f"passage {d}"), s) for s, d, _ in scored]))
    qrels.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


def took(spec: str, model: str, asked: Sequence[tuple[Query, list[Candidate]]]) -> tuple[Plan, list[Ledger]]:
    """The plan, and what each query took."""
    with Reranker(spec, model) as reranker:
        outcomes = list(reranker.stream(asked, top_k=K))
        plan = reranker.plan(N, top_k=K)
    ledgers = [outcome.ledger for outcome in outcomes if isinstance(outcome, Ranking)]
    if len(ledgers) < len(outcomes):
        raise SystemExit(f"{spec}: {len(outcomes) - len(ledgers)} queries failed")
    return plan, ledgers


def span(low: float, high: float) -> str:
    """From, to."""
    return "–".join(f"{value:,.1f}".removesuffix(".0") for value in dict.fromkeys((low, high)))


def checked(plan: Plan, ledgers: Sequence[Ledger], kind: str) -> str:
    """Planned and used, with a mark where the plan was not kept."""
    bound: Bound = getattr(plan, kind)
    used = [getattr(ledger, kind) for ledger in ledgers]
    mark = "" if all(value in bound for value in used) else " **plan not kept**"
    return f"{span(*bound)} | {span(min(used), max(used))}{mark}"


def differs(published: Range, ledgers: Sequence[Ledger], kind: str) -> bool:
    """Whether the mean of what was used lies outside what is published."""
    low, high = published
    return not low <= fmean(getattr(ledger, kind) for ledger in ledgers) <= high


def line(row: Published, plan: Plan, ledgers: Sequence[Ledger]) -> str:
    """One line of the table."""
    cells = []
    for kind in KINDS:
        published: Range = getattr(row, kind)
        mark = " **≠**" if differs(published, ledgers, kind) else ""
        cells.append(f"{checked(plan, ledgers, kind)} | {span(*published)}{mark}")
    return f"| {row.method} | `{row.spec}` | {' | '.join(cells)} |"


def main() -> None:
    """Runs, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=20)
    options = parser.parse_args()
    lines, reasons, own = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        qrels = Path(folder) / "qrels.txt"
        asked = queries(options.queries, qrels)
        model = f"simulated:{qrels}?world=mild&seed=0"
        for row in MASTER:
            plan, ledgers = took(row.spec, model, asked)
            lines.append(line(row, plan, ledgers))
            print(lines[-1], flush=True)
            if any(differs(getattr(row, kind), ledgers, kind) for kind in KINDS):
                means = ", ".join(f"{fmean(getattr(ledger, kind) for ledger in ledgers):.1f} {kind}" for kind in KINDS)
                reasons.append(f"- {row.method} ({means} on average): {row.why or 'NOT EXPLAINED YET'}")
        covered = {name for row in MASTER for name in names_in(Stage.parse(row.spec))} | WRAPPERS
        for name in unlisted(covered):
            plan, ledgers = took(name, model, asked)
            own.append(f"| `{name}` | {' | '.join(checked(plan, ledgers, kind) for kind in KINDS)} |")
    text = report(lines, reasons, own, options.queries)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "plans.md").write_text(text, encoding="utf-8")
    print(text)


def report(lines: Sequence[str], reasons: Sequence[str], own: Sequence[str], count: int) -> str:
    """The results in Markdown."""
    columns = [f"{kind} {what}" for kind in KINDS for what in ("planned", "used", "published")]
    others = [f"{kind} {what}" for kind in KINDS for what in ("planned", "used")]
    beside = ""
    if own:
        table = "\n".join([f"| strategy | {' | '.join(others)} |", "|" + "---|" * (1 + len(others)), *own])
        beside = f"\n## In no row of the table\n\n{table}\n"
    return f"""# Planned, used, published: {N} documents, the first {K} wanted

Written by `python eval/frontier/plans.py`; rerankllm {importlib.metadata.version("rerankllm")};
Python {platform.python_version()}. {count} made-up queries, seed 0, `simulated:` in the mild world: nothing here
depends on the machine. Planned is `plan()`, bounds where the algorithm adapts; used is the smallest and the largest
of any query. Published is what papers and their code give, or a simulation of them, a tenth to either side where that
is a mean or about so much. **≠** marks where the mean used is outside of it.

| method | stage | {" | ".join(columns)} |
|---|---|{"---|" * len(columns)}
{chr(10).join(lines)}

## Where they differ

{chr(10).join(reasons) or "Nowhere."}
{beside}
## Not run

{chr(10).join(f"- {name}: {why}." for name, why in NOT_HERE.items())}
"""


if __name__ == "__main__":
    main()
