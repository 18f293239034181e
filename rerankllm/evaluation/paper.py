"""A comparison as the one table of a paper: the best in bold, and letters for what each system is better than."""

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.errors import InputError
from rerankllm.evaluation.comparison import Comparison
from rerankllm.evaluation.cost import KINDS
from rerankllm.evaluation.pairwise import every_pair
from rerankllm.evaluation.tables import escaped

SIGNIFICANT = 0.05
_HEADS = {"usd": "US$"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A mean in the table.

    Attributes:
        text: The number.
        best: Whether no other system's is higher, as printed; references such as the oracle have no part in it.
        beats: Letters of the systems that it is significantly better than.
    """

    text: str
    best: bool
    beats: str


@dataclass(frozen=True, slots=True)
class Row:
    """A system in the table: its letter, empty for one that nothing is tested against, its name, means and costs."""

    letter: str
    name: str
    cells: tuple[Cell, ...]
    costs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """All that the table shows.

    Attributes:
        measures: Heads of the columns of quality.
        costs: Heads of the columns of cost: what is known of any system.
        rows: The systems, in the order given.
        caption: What it shows, how it was tested, and on what.
    """

    measures: tuple[str, ...]
    costs: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: str

    def latex(self) -> str:
        """A `table` in booktabs' style, with a caption and the label `tab:systems`."""
        head = ["", "System", *map(escaped, self.measures), *map(escaped, self.costs)]
        lines = [
            [row.letter, escaped(row.name), *map(_latex, row.cells), *map(escaped, row.costs)] for row in self.rows
        ]
        body = [f"{' & '.join(line)} \\\\" for line in lines]
        columns = "ll" + "r" * (len(self.measures) + len(self.costs))
        return "\n".join([
            r"\begin{table}", r"\centering", f"\\caption{{{escaped(self.caption)}}}", r"\label{tab:systems}",
            f"\\begin{{tabular}}{{{columns}}}", r"\toprule", f"{' & '.join(head)} \\\\", r"\midrule", *body,
            r"\bottomrule", r"\end{tabular}", r"\end{table}",
        ])  # fmt: skip

    def markdown(self) -> str:
        """A pipe table, and the caption below it."""
        head = ["", "system", *self.measures, *self.costs]
        rule = ["---", "---", *["---:"] * (len(self.measures) + len(self.costs))]
        lines = [[row.letter, _piped(row.name), *map(_markdown, row.cells), *row.costs] for row in self.rows]
        return "\n".join([*(f"| {' | '.join(line)} |" for line in (head, rule, *lines)), "", self.caption])


def paper_table(comparison: Comparison, against: Sequence[str] = ()) -> PaperTable:
    """The table of a comparison.

    Each system that is tested has a letter. A number carries the letters of the systems that it is significantly better
    than: randomization test, p below .05 after the comparison's correction over all pairs on that measure.

    Args:
        comparison: What was found.
        against: The systems that have letters, such as the baselines of a paper; without any, the baseline and all but
            references.

    Raises:
        InputError: One of them is no system.
    """
    names = [system.name for system in comparison.systems]
    unknown = [name for name in against if name not in names]
    if unknown:
        raise InputError(f"against: '{unknown[0]}' is no system; there are {', '.join(names)}")
    tested = {*against, comparison.design.baseline}
    ranked = [system.name for system in comparison.systems if not system.reference or system.name in tested]
    named = [name for name in ranked if not against or name in against]
    letters = dict(zip(named, _letters(len(named)), strict=True))
    found = {measure: _beaten(comparison, measure, ranked) for measure in comparison.pool.names}
    kinds = [kind for kind in KINDS if any(s.cost and getattr(s.cost, kind) for s in comparison.systems)]
    rows = []
    for system in comparison.systems:
        cells = []
        for measure, beaten in found.items():
            best = max(f"{comparison.means[name, measure].mean:.4f}" for name in ranked)
            text = f"{comparison.means[system.name, measure].mean:.4f}"
            better = "".join(letters[name] for name in named if (system.name, name) in beaten)
            cells.append(Cell(text, system.name in ranked and text == best, better))
        costs = tuple(_cost(getattr(system.cost, kind, None)) for kind in kinds)
        rows.append(Row(letters.get(system.name, ""), system.name, tuple(cells), costs))
    heads = tuple(_HEADS.get(kind, kind) for kind in kinds)
    return PaperTable(tuple(found), heads, tuple(rows), _caption(comparison, kinds))


def _beaten(comparison: Comparison, measure: str, names: Sequence[str]) -> set[tuple[str, str]]:
    """(better, worse) for all pairs that differ significantly."""
    if len(names) < 2:  # noqa: PLR2004
        return set()
    return {
        (pair.one, pair.other) if pair.estimate.mean > 0 else (pair.other, pair.one)
        for pair in every_pair(comparison, measure, names)
        if pair.adjusted < SIGNIFICANT
    }


def _caption(comparison: Comparison, kinds: Sequence[str]) -> str:
    pool, design = comparison.pool, comparison.design
    collections = ", ".join(pool.qrels)
    cost = " Costs are means a query; rounds are the longest chain of calls." if kinds else ""
    return (
        f"{collections}, {len(pool.keys)} queries. Best in bold. Letters: significantly better than that system "
        f"(paired randomization test, {design.resamples} resamples, p < {SIGNIFICANT} after "
        f"{design.correction.capitalize()}'s correction over all pairs).{cost}"
    )


def _letters(count: int) -> list[str]:
    """Letters for so many: one each, or two where the alphabet does not suffice."""
    alphabet = string.ascii_lowercase
    return list(alphabet[:count]) if count <= len(alphabet) else [f"{a}{b}" for a in alphabet for b in alphabet][:count]


def _cost(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.4g}" if value < 1000 else f"{value:,.0f}"  # noqa: PLR2004


def _latex(cell: Cell) -> str:
    shown = rf"\textbf{{{cell.text}}}" if cell.best else cell.text
    return rf"{shown}$^{{\mathrm{{{cell.beats}}}}}$" if cell.beats else shown


def _markdown(cell: Cell) -> str:
    shown = f"**{cell.text}**" if cell.best else cell.text
    return f"{shown}<sup>{cell.beats}</sup>" if cell.beats else shown


def _piped(text: str) -> str:
    return text.replace("|", "\\|")
