"""README's tables, from the results that the commands of this folder wrote.

    python eval/readme.py            # writes what stands between the markers of README.md
    python eval/readme.py --check    # writes nothing; says what would change, and exits with 1 if anything would
    python eval/readme.py --draw     # draws the picture below the table of strategies, too
    python eval/readme.py --run      # first runs the commands behind the tables, with their seeds: an hour and a half

A marker is `<!-- table: NAME -->`, up to the next `<!-- end -->`. Simulated judges are seeded and the packaged models
draw nothing, so on one machine a second run writes the same bytes. `--run` needs ../shared/data and the extra `dev`.
"""

import argparse
import difflib
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tables import Table, read_tables

from rerankllm.evaluation import figures

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
FRONTIER, DEFAULT = HERE / "frontier" / "results", HERE / "default" / "results"
JUDGES = HERE / "judges" / "results" / "noveleval.md"
PICTURE = "strategies"
DATA = HERE.parents[1] / "shared" / "data"
WORLDS = {"mild": "good", "harsh": "poor", "fitted": "fitted", "small": "small"}
COLLECTIONS = ("dl19-bm25", "noveleval")
FIRST, IDEAL = "first stage", "the ideal order of these documents"
DEFAULT_VARIANT = "chat turn"
"""Fused with the first stage, it is what `llamacpp:` does when nothing is said."""
STEPS = {
    FIRST: ("the first stage", ""),
    "the default": ("**the default**, `embed:minilm`", "`embedded`"),
    "fused with the first stage": ("half of it, half of the first stage: `interpolate(pointwise)`", "`embedded`"),
    "its full weights": ("its full weights: `embed:minilm?dtype=float32`", "`embed`: torch"),
    "the packaged language model, its default": ("the packaged language model: `llamacpp:smollm2`", "`llamacpp`"),
    "the packaged language model for the best 20": (
        "the default, then half of it and half of `llamacpp:smollm2` for the best 20", "`embedded,llamacpp`"
    ),
    "a 7B listwise model for all (recorded)": ("a 7B language model, windows of 20 (RankVicuna, recorded)", "a GPU"),
}  # fmt: skip
"""Rows of default/results/steps.md, with what README calls them and what they need."""
COMMANDS = (
    ("frontier/run.py", "--collection", "dl19-bm25"),
    ("frontier/active.py", "--data", f"{DATA / 'dl19-bm25'}", "--world=mild", "--world=harsh", "--world=fitted"),
    ("default/run.py", *(f"--data={DATA / name}" for name in COLLECTIONS), "--minilm", "--variant",
     "zero-shot completion", "--variant", DEFAULT_VARIANT),
    ("default/steps.py",),
)  # fmt: skip
MARKED = re.compile(r"(<!-- table: (\S+) -->\s*)(.*?)(\s*<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Choice:
    """A row of the table of strategies.

    Attributes:
        spend: What one can spend.
        take: What to take then.
        stage: The stage as its results name it; `{character}` is the judge's, in that world.
        source: `frontier`, whose results have every stage, or `active`, which has it beside published strategies.
    """

    spend: str
    take: str
    stage: str
    source: str = "frontier"

    def line(self, worlds: Mapping[str, Mapping[str, Table]]) -> str:
        """In Markdown; slots and rounds from the lowest to the highest of the worlds' means."""
        tables = worlds[self.source]
        stages = {world: self.stage.format(character=_character(world)) for world in tables}
        slots, rounds = (
            span([tables[world].number(stage, what) for world, stage in stages.items()]) for what in ("slots", "rounds")
        )
        values = " | ".join(
            decimals(tables[world].number(stages[world], "nDCG@10")) if world in tables else "–" for world in WORLDS
        )
        spend = f" {self.spend}" if self.spend else ""
        return f"|{spend} | {self.take} | {slots} | {rounds} | {values} |"


CHOICES = (
    Choice("one call", "`active(slots=60)`, the same as `full` on the first 60", "active(slots=60)"),
    Choice("one round", "`pointwise`, where probabilities can be read", "pointwise"),
    Choice("one round, text only", "`group(regroupings=3)`", "group(size=20, regroupings=3)"),
    Choice("nine calls", "`active(slots=180)`", "active(slots=180)"),
    Choice("", "`acurank(max_calls=9)`", "acurank(max_calls=9)"),
    Choice("the same slots, where probabilities can be read",
           "`active(slots=180, kinds=[permute, score])` with a judge profile",
           "active(slots=180, regret=0, {character}, kinds=[permute, score])", "active"),
    Choice("more, quickly", "`active(slots=400)`", "active(slots=400)"),
    Choice("more, slowly", "`acurank`", "acurank(max_calls=40)"),
    Choice("the usual", "`sliding(window=20, stride=10)`", "sliding(window=20, stride=10)"),
)  # fmt: skip


def decimals(value: float, digits: int = 3) -> str:
    """A measure between 0 and 1, as `.787`."""
    return f"{value:.{digits}f}".removeprefix("0")


def span(values: list[float]) -> str:
    """From the lowest to the highest, in whole numbers."""
    low, high = round(min(values)), round(max(values))
    return f"{low}" if low == high else f"{low}–{high}"


def _character(world: str) -> str:
    characters = yaml.safe_load((HERE / "frontier" / "characters.yaml").read_text(encoding="utf-8"))
    return ", ".join(f"{name}={value}" for name, value in characters[world].items())


def frontier() -> dict[str, Table]:
    """The table of all stages by world."""
    tables = read_tables(FRONTIER / "dl19-bm25.md")
    return {world: next(t for t in tables if t.heading.startswith(f"{world}:")) for world in WORLDS}


def active() -> dict[str, Table]:
    """The table of `active` and its rivals by world, of those that were run."""
    found = {world: FRONTIER / f"active-{world}.md" for world in WORLDS}
    return {world: read_tables(path)[0] for world, path in found.items() if path.is_file()}


def first_stage() -> str:
    """What BM25 has on its own."""
    return decimals(frontier()["mild"].number(FIRST, "nDCG@10"))


def strategies() -> str:
    """Which strategy for which budget."""
    worlds = {"frontier": frontier(), "active": active()}
    head = f"| what you can spend a query | take | slots | rounds | {' | '.join(WORLDS.values())} |"
    return "\n".join(
        [head, f"|---|---|---:|---:|{'---:|' * len(WORLDS)}", *(choice.line(worlds) for choice in CHOICES)]
    )


@dataclass(frozen=True)
class Asked:
    """A row of the table of real judges.

    Attributes:
        name: How they were asked.
        set_name: The recording, as eval/judges names it.
        strategy: What was made of its answers.
    """

    name: str
    set_name: str
    strategy: str

    def line(self, rows: Sequence[Mapping[str, str]]) -> str:
        """In Markdown: what each judge gains on the first stage."""
        found = {row["judge"]: row for row in rows if (row["set"], row["strategy"]) == (self.set_name, self.strategy)}
        most = max(found.values(), key=lambda row: int(row["queries"]))
        gained = {judge: gain(float(row["− first stage"].partition(" ")[0])) for judge, row in found.items()}
        real = [gained.get(judge, "–") for judge in REAL]
        simulated = [gain(float(most[world]) - float(most["first stage"])) for world in WORLDS]
        return f"| {' | '.join((self.name, most['calls'].removesuffix('.0'), *real, *simulated))} |"


REAL = {
    "qwen2.5-coder-1.5b": "Qwen 1.5B",
    "qwen2.5-coder-0.5b": "Qwen 0.5B",
    "gemma3-270m": "Gemma 270M",
    "smollm2-135m": "SmolLM2 135M",
}
"""Judges as their recordings are called, with what README calls them."""
ASKED = (
    Asked("`pointwise`, yes or no", "yes-no", "pointwise"),
    Asked("`pointwise / likelihood`", "likelihood", "pointwise"),
    Asked("`interpolate(pointwise / likelihood)`", "likelihood", "interpolate(pointwise)"),
    Asked("`sliding(window=20, stride=10)`: one list", "letters", "sliding(window=20, stride=10)"),
    Asked("`sliding(window=10, stride=5)`", "letters", "sliding(window=10, stride=5)"),
    Asked("`psc(full, shuffles=5)`", "letters", "psc(full, shuffles=5)"),
    Asked("`setwise(c=4)`", "choices", "setwise(c=4)"),
    Asked("`prp(sort=allpair)` of the first 7", "pairs", "prp(sort=allpair)"),
)


def gain(value: float) -> str:
    """A difference of measures, as `+.12`."""
    return f"{value:+.2f}".replace("0.", ".").replace("-", "−").replace("+.00", ".00").replace("−.00", ".00")


def judges() -> str:
    """What strategies make of real judges, beside what they make of simulated ones."""
    table = next(t for t in read_tables(JUDGES) if t.heading.startswith("What strategies"))
    rows = [dict(zip(table.columns, cells, strict=True)) for cells in table.rows]
    columns = ("asked", "calls", *REAL.values(), *WORLDS.values())
    lines = [f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]
    return "\n".join([*lines, *(asked.line(rows) for asked in ASKED)])


def simulated() -> str:
    """How far simulated judges are from real ones, in nDCG@10 on the mean."""
    (off,) = (dict(zip(t.columns, t.rows[0], strict=True)) for t in read_tables(JUDGES) if t.columns[0] in WORLDS)
    return ", ".join(f"{decimals(float(off[world]), 2)} ({name})" for world, name in WORLDS.items())


def default() -> str:
    """How good the default is, and what the next steps up give."""
    (table,) = read_tables(DEFAULT / "steps.md")
    lines = ["| what ranks | needs | DL 2019 | NovelEval | CPU s |", "|---|---|---:|---:|---:|"]
    rows = {cells[0] for cells in table.rows}
    for name, (title, needs) in ((name, said) for name, said in STEPS.items() if name in rows):
        measured = [table.cell(name, column) for column in ("DL19", "NovelEval")]
        quality = [cell if cell == "–" else decimals(float(cell), 4) for cell in measured]
        cpu, clock = (table.cell(name, column) for column in ("CPU s", "clock s"))
        seconds = f"{clock} on two cores" if cpu == "–" != clock else cpu
        lines.append(f"| {title} | {needs} | {' | '.join((*quality, seconds))} |")
    return "\n".join(lines)


def plot() -> str:
    """The picture of the table of strategies."""
    picture = (FRONTIER / f"{PICTURE}.png").relative_to(README.parent)
    if not (README.parent / picture).is_file():
        raise SystemExit(f"{picture} is not there: run eval/readme.py")
    return f"![nDCG@10 of each strategy in the table, with each judge]({picture})"


def draw() -> None:
    """Draws the table of strategies: a line a strategy, a mark a judge."""
    with figures.style():
        figures.save(drawn(), FRONTIER, PICTURE)


def drawn() -> Any:
    """The figure."""
    worlds = frontier()
    stages = [choice for choice in CHOICES if choice.source == "frontier"]
    stages.sort(key=lambda choice: worlds["mild"].number(choice.stage, "slots"))
    figure = figures.new_figure(8, 4.4)
    axes = figure.subplots()
    for i, (world, (colour, mark)) in enumerate(
        {
            "mild": (figures.BLUE, "o"),
            "harsh": (figures.ORANGE, "s"),
            "fitted": (figures.GREEN, "D"),
            "small": (figures.RED, "^"),
        }.items()
    ):
        found = [worlds[world].interval(choice.stage, "nDCG@10") for choice in stages]
        places = [place + 0.18 * (i - 1.5) for place in range(len(stages))]
        means, halves = zip(*found, strict=True)
        axes.errorbar(means, places, xerr=halves, fmt=mark, color=colour, elinewidth=0.7, markersize=5,
                      label=f"{WORLDS[world]} judge")  # fmt: skip
    before, limit = (worlds["mild"].number(name, "nDCG@10") for name in (FIRST, IDEAL))
    axes.axvline(before, color="black", linestyle=":", linewidth=1, label="BM25, before")
    axes.axvline(limit, color="black", linewidth=1, label="limit: the ideal order of BM25's 100")
    costs = [[worlds["mild"].number(choice.stage, what) for what in ("slots", "rounds")] for choice in stages]
    labels = [
        f"{choice.stage}\n{slots:.0f} passages, {rounds:.0f} {'call' if round(rounds) == 1 else 'calls'} in a row"
        for choice, (slots, rounds) in zip(stages, costs, strict=True)
    ]
    axes.set_yticks(range(len(stages)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("nDCG@10 with 95 % intervals over queries; TREC DL 2019, judges simulated")
    axes.grid(axis="y")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


TABLES: Mapping[str, Callable[[], str]] = {
    "first-stage": first_stage,
    "strategies": strategies,
    "plot": plot,
    "judges": judges,
    "simulated": simulated,
    "default": default,
}


def written(text: str) -> str:
    """The README with every table as the results have it.

    Raises:
        SystemExit: A marker names no table, or a table has no marker.
    """
    names = [name for _, name, _, _ in MARKED.findall(text)]
    if sorted(names) != sorted(TABLES) or text.count("<!-- table:") != len(names):
        raise SystemExit(f"README.md should have one marker for each of {', '.join(TABLES)}, found {', '.join(names)}")
    return MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[4]}", text)


def main() -> None:
    """Does what was asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    for command in COMMANDS if options.run else ():
        print("+ python eval/" + " ".join(command), flush=True)
        subprocess.run([sys.executable, str(HERE / command[0]), *command[1:]], check=True)
    if options.draw or options.run:
        draw()
    before = README.read_text(encoding="utf-8")
    after = written(before)
    changes = difflib.unified_diff(before.split("\n"), after.split("\n"), "README.md", "results", lineterm="", n=0)
    print("\n".join(changes) or "README.md is what the results say")
    if options.check:
        sys.exit(before != after)
    README.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
