r"""What the recorded judges are like, and what strategies make of them: tables from eval/judges/recordings, no calls.

    python eval/judges/report.py --data ../shared/data/noveleval \
        --windows ../shared/data/rankvicuna-dl19-bm25.jsonl --windows-data ../shared/data/dl19-bm25

Writes eval/judges/results/NAME.md, NAME being the folder's. Intervals are bootstrapped over queries. `likeness.py` says
what is measured of judges, and how far a simulated one is from a real one.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rerankllm.backends.simulated import WORLDS, World
from rerankllm.formats.trec import read_qrels
from rerankllm.judgements import Permute, Select

sys.path.insert(0, str(Path(__file__).parents[1]))
from likeness import FRESH, Likeness, fitted
from made import made_by
from picture import draw
from record import DEPTH, QUESTIONS, RECORDINGS
from recorded import ByQuery, Recorded, windows
from replays import FITTED, OWN, SEEDS, Collection, strategies

RESULTS = Path(__file__).parent / "results"
VICUNA = "RankVicuna, windows of 20 on dl19-bm25"
PARTS = 4
"""Into which the places of a list are cut."""


def recorded(judges: Sequence[Recorded]) -> Iterator[str]:
    """What there is."""
    yield "| judge | set | queries | passages | judgements | prompt tokens | cut to, tokens | CPU minutes | KiB |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for judge in judges:
        for name in QUESTIONS:
            if records := judge.records(name):
                cost = judge.cost(name)
                minutes = "–" if cost.get("cpu_seconds") is None else f"{cost['cpu_seconds'] / 60:.1f}"
                tokens = sum(record["tokens"][0] for record in records)
                yield (
                    f"| {judge.name} | {name} | {cost['queries']} | {cost.get('depth', DEPTH)} | {len(records):,} | "
                    f"{tokens:,} | "
                    f"{judge.cut(name)} | {minutes} | {judge.path(name).stat().st_size / 1024:.0f} |"
                )


def sets(judges: Sequence[Recorded], collection: Collection) -> dict[str, dict[str, Likeness]]:
    """By set and judge, what was asked and answered."""
    found: dict[str, dict[str, Likeness]] = {}
    for name in QUESTIONS:
        for judge in judges:
            if answered := judge.answered(name):
                found.setdefault(name, {})[judge.name] = Likeness(collection.path, collection.grades, answered)
    return found


def character(found: Mapping[str, Mapping[str, Likeness]]) -> Iterator[str]:
    """A line a number, a column a judge; simulated judges answer what the first real one was asked."""
    names = list(dict.fromkeys(name for judges in found.values() for name in judges))
    yield f"| set | share of | {' | '.join(names)} | {' | '.join(WORLDS)} |"
    yield f"|---|---|{'---:|' * (len(names) + len(WORLDS))}"
    for kind, judges in found.items():
        first = max(judges.values(), key=lambda one: len(one.answered))
        simulated = [first.simulated(world, FRESH) for world in WORLDS.values()]
        for number in sorted(first.real):
            real = [f"{judges[j].real[number]:.2f}" if j in judges and number in judges[j].real else "–" for j in names]
            cells = [*real, *(f"{one[number]:.2f}" for one in simulated)]
            yield f"| {kind} | {number} | {' | '.join(cells)} |"


def readable(judges: Sequence[Recorded]) -> Iterator[str]:
    """What could be read of the answers."""
    yield "| judge | set | answers | repaired | unreadable |"
    yield "|---|---|---:|---:|---:|"
    for judge in judges:
        for name in QUESTIONS:
            if records := judge.records(name):
                status = Counter(record["status"] for record in records)
                repaired, failed = (status[key] / len(records) for key in ("repaired", "failed"))
                yield f"| {judge.name} | {name} | {len(records)} | {repaired:.0%} | {failed:.0%} |"


def curve(found: Mapping[str, Mapping[str, Likeness]]) -> Iterator[str]:
    """Where the first place goes to."""
    head = " | ".join(f"quarter {part + 1}" for part in range(PARTS))
    yield f"| set | judge | answers | {head} |"
    yield f"|---|---|---:|{'---:|' * PARTS}"
    for kind, judges in found.items():
        for name, judge in judges.items():
            if counts := _first_places(judge.answered):
                shares = " | ".join(f"{counts[part] / counts.total():.2f}" for part in range(PARTS))
                yield f"| {kind} | {name} | {counts.total()} | {shares} |"


def _first_places(answered: ByQuery) -> Counter[int]:
    found: Counter[int] = Counter()
    for judgement, answer in (each for asked in answered.values() for each in asked):
        shown = [doc.doc_id for doc in judgement.docs]
        if isinstance(judgement, Permute):
            first = [*answer.ranked, *answer.omitted][0]  # type: ignore[union-attr]
        elif isinstance(judgement, Select):
            first = answer[0]  # type: ignore[index]
        else:
            continue
        found[PARTS * shown.index(first) // len(shown)] += 1
    return found


def worlds(found: Mapping[str, Mapping[str, Likeness]]) -> tuple[list[str], dict[str, World]]:
    """A world fitted to each judge on half of its queries, how far it and the others are; and these worlds.

    Returns:
        The two tables, and the worlds by judge.
    """
    names = [name for name in dict.fromkeys(n for judges in found.values() for n in judges) if name != VICUNA]
    own, fits = {}, ["| judge | belief | noise | position | alone | pair | fitted to |", f"|---|{'---:|' * 5}---|"]
    for name in names:
        asked = {kind: found[kind][name] for kind in FITTED if name in found.get(kind, {})}
        world = own[name] = fitted(judge.halves()[0] for judge in asked.values())
        cells = ["–" if value is None else f"{value:g}" for value in world]
        fits.append(f"| {name} | {' | '.join(cells)} | {', '.join(asked)} |")
        print(fits[-1], flush=True)
    far = [
        f"| set | judge | {' | '.join(WORLDS)} | {OWN} | its half | the other: {OWN} | the nearest |",
        f"|---|---|{'---:|' * (len(WORLDS) + 4)}",
    ]
    for kind, judges in found.items():
        for name, judge in judges.items():
            distances = [f"{judge.distance(world):.1f}" for world in WORLDS.values()]
            held = ("–",) * 4 if name == VICUNA else _held_out(judge, own[name])
            far.append(f"| {kind} | {name} | {' | '.join((*distances, *held))} |")
    return [*fits, "", *far], own


def _held_out(judge: Likeness, world: World) -> tuple[str, ...]:
    one, other = judge.halves()
    near, distance = other.nearest()
    return (*(f"{each.distance(world):.1f}" for each in (judge, one, other)), f"{distance:.1f} ({near})")


TEXT = """
The judges are real language models; `eval/judges/record.py` recorded their answers, and nothing was asked for these
tables. Where a set has fewer than {all} queries, they are every third by id. Pairs are of a query's first passages, and
everything else is of all {depth}. `mild`, `harsh` and `fitted` are the simulated judges of README, asked the same
questions about the same queries, means over ten seeds. Gemma is a base model, which was never taught to chat: it was
asked by texts that it goes on with (prompts/*.yaml). The windows of RankVicuna are those that its own answers made; a
simulated judge, whose answers would have made others, is shown them too, which makes it look further away than it is
(frontier/results/fit.md lets each make its own).
"""
LIKE = """
Every number is a share. "Right" is in the order of the grades. Lists are shown as given and reversed, so that "two
answers agree" is about the same passages in turned orders: a judge that gives back what it is shown has 0 there.
"""
FAR = """
Of each judge the world is fitted that is nearest on a grid to the answers about every second query: to all sets at
once, each counting alike, but for grades, likelihood and free text, which are other ways to ask. `alone` and `pair` are
what a world says of one passage alone, and of two (rerankllm/backends/simulated.py). The distance is in errors of the
real judge's numbers: 1 is as far as chance (`likeness.py`). "The other" are the queries that nothing was fitted to.
"""
REPLAY = """
`recorded:` answered, with 0 new calls; a strategy that asks what was not recorded fails by name. Simulated columns are
means over five seeds of the same strategy on the same queries; "fitted to it" is the judge's world of the table before.
Judges that were asked about other queries cannot be compared with each other: compare with the first stage.
"""


def main() -> None:
    """Writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--windows", type=Path, help="raw answers to windows, as others publish them")
    parser.add_argument("--windows-data", type=Path, help="the collection that they are about")
    options = parser.parse_args()
    collection = Collection(options.data)
    judges = [Recorded(folder, collection.name) for folder in sorted(RECORDINGS.iterdir()) if folder.is_dir()]
    found = sets(judges, collection)
    if options.windows:
        qrels = options.windows_data / "qrels.txt"
        vicuna = Likeness(qrels, read_qrels(qrels), windows(options.windows))
        found.setdefault("orders", {})[VICUNA] = vicuna
    far, own = worlds(found)
    lines = [
        f"# Real judges on {collection.name}\n",
        made_by("judges/report.py", "numpy", seeds=SEEDS),
        TEXT.format(all=len(collection.queries), depth=DEPTH),
        "## What was recorded\n",
        *recorded(judges),
        "\n## What could be read\n",
        *readable(judges),
        "\n## What they are like\n",
        LIKE,
        *character(found),
        "\nWhere the passage was shown that is named first:\n",
        *curve(found),
        "\n## How far simulated judges are\n",
        FAR,
        *far,
        "\n## What strategies make of their answers\n",
        REPLAY,
        *strategies(judges, collection, own),
    ]
    several = len({name for judged in found.values() for name in judged} - {VICUNA}) > 1
    if several:
        lines += ["", f"![What each strategy gains with each judge]({collection.name}.png)"]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{collection.name}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))
    if several:
        draw(collection.name)


if __name__ == "__main__":
    main()
