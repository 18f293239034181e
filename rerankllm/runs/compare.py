"""Compares runs on the same queries: quality, differences and their chance, cost."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rerankllm.errors import InputError
from rerankllm.evaluation import as_json, as_tables, tables
from rerankllm.evaluation.bootstrap import RESAMPLES
from rerankllm.evaluation.comparison import Comparison, Design
from rerankllm.evaluation.comparison import compare as compare_systems
from rerankllm.evaluation.cost import KINDS, NOTHING
from rerankllm.evaluation.measures import DEFAULT_MEASURES, Qrels, parse_measures
from rerankllm.evaluation.paper import PaperTable, paper_table
from rerankllm.evaluation.systems import Pool, System
from rerankllm.runs.notices import tell_levels
from rerankllm.runs.source import read_judgements
from rerankllm.runs.systems import FIRST, MINILM, Given, by_name, minilm_system, oracle, parse_run_name, read_system

File: TypeAlias = str | PathLike[str]
Runs: TypeAlias = Mapping[str, File | Sequence[File]] | Sequence[File | Given] | File
"""Runs by name, each a TREC run or one for each seed; or runs that are called like their files.

A name may end in `@COLLECTION`, where the ids of its queries do not tell which collection they are of.
"""
References: TypeAlias = Mapping[str, File] | Sequence[Given] | File
"""A run; or, of several collections, a run by the name of each."""
Judgements: TypeAlias = File | Qrels | Mapping[str, File | Qrels]
"""TREC or BEIR qrels, a file or grades by query and document; or, of several collections, by name."""
CostKind: TypeAlias = Literal["calls", "rounds", "slots", "tokens", "seconds", "usd"]
Correction: TypeAlias = Literal["holm", "bonferroni"]


@dataclass(frozen=True)
class RunComparison(Comparison):
    """Systems, how good each is, how each differs from the baseline, and what it costs.

    `print` shows its tables; a notebook shows them as Markdown.

    Attributes:
        cost: The kind of cost that the Pareto front is drawn over.
    """

    cost: str = "tokens"

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON: what `rerankllm compare --format json` prints."""
        return as_json.document(self, self.cost)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each system and measure, all with the same columns; None for what does not apply."""
        return as_json.flat(self, self.cost)

    def by_query(self) -> Iterator[dict[str, Any]]:
        """A row for each system, measure and query: its value, and its difference to the baseline's."""
        return as_json.by_query(self)

    def text(self, width: int | None = None) -> str:
        """Tables and notes for a terminal of so many columns; None for lines of any length."""
        return tables.as_text(*self._tables(), width)

    def markdown(self) -> str:
        """Tables and notes in Markdown."""
        return tables.as_markdown(*self._tables())

    def paper(self, against: Sequence[str] = ()) -> PaperTable:
        """The one table of a paper: means, the best in bold, letters for what is significantly worse, costs.

        Args:
            against: The systems that have letters, such as the paper's baselines; without any, the baseline and all but
                references.

        Raises:
            InputError: One of them is no system.
        """
        return paper_table(self, against)

    def latex(self, against: Sequence[str] = ()) -> str:
        """That table in LaTeX, one of effect sizes and detectable differences for the appendix, and the notes."""
        appendix = [as_tables.differences(self)] if self.differences else []
        return f"{self.paper(against).latex()}\n\n{tables.as_latex(appendix, as_tables.notes(self))}"

    def csv(self) -> str:
        """The rows as CSV."""
        page = io.StringIO()
        tables.write_csv(page, self.rows())
        return page.getvalue()

    def plot(self, folder: File) -> list[Path]:
        """Draws `intervals` and `queries` into a folder, which is made where it is not there: PNG, SVG and PDF.

        Returns:
            The files.

        Raises:
            InputError: There is no difference to draw, or the folder cannot be made.
            MissingExtra: matplotlib is not installed.
        """
        from rerankllm.evaluation.plots import plot  # noqa: PLC0415

        if not self.differences:
            raise InputError("plots show differences: compare another run, or give the first stage")
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error
        return plot(self, Path(folder))

    def _tables(self) -> tuple[list[tables.Table], list[str]]:
        return as_tables.tables(self, self.cost), as_tables.notes(self)

    def __str__(self) -> str:
        return self.text()

    def _repr_markdown_(self) -> str:
        return self.markdown()


def compare(
    runs: Runs,
    qrels: Judgements,
    *,
    first_stage: References | None = None,
    minilm: References | None = None,
    queries: File | None = None,
    corpus: File | None = None,
    depth: int = 100,
    baseline: str | None = None,
    measures: Sequence[str] = DEFAULT_MEASURES,
    relevant_from: int | None = None,
    family: Sequence[str] = (),
    correction: Correction = "holm",
    margin: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    resample_runs: bool = False,
    cost: CostKind | None = None,
) -> RunComparison:
    """Compares runs on the same queries; a query that a run lacks counts as 0.

    What a run cost is read from the summary or the journal beside it.

    Args:
        runs: The systems: TREC runs by name, several files being one system with several seeds; or files.
        qrels: The judgements: a file, or grades by query and document; by name for several collections.
        first_stage: The run that all reranked: a row, and its ideal order, the oracle, another.
        minilm: A run of all-MiniLM-L6-v2, the row that costs next to nothing.
        queries: Query texts, to compute that row from the first stage (extra `embed`).
        corpus: Document texts, likewise.
        depth: First-stage candidates that were read: what oracle and MiniLM reorder.
        baseline: The system that others are compared with; the first stage when None, or the first run without one.
        measures: In ir-measures' notation, such as `nDCG@10` or `RR(rel=2)@10`, the main one first.
        relevant_from: The lowest grade that binary measures count; 2 on TREC-DL's scale when None, else 1.
        family: Systems and measures that you set out to test; all runs and all measures without any.
        correction: Of p for the tests of the family.
        margin: The difference that would not matter, in the measure's units: tests whether systems are as good within
            it (TOST), instead of whether they differ.
        resamples: Of the bootstrap and of the randomization test.
        seed: Of both.
        resample_runs: Intervals over seeds, too, instead of over their average.
        cost: What the Pareto front is drawn over; tokens when None, or slots where tokens were not counted.

    Raises:
        InputError: A file cannot be read, a name is unknown, or a query could be of several collections.
        MissingExtra: scipy is not installed.
        Interrupted: Ctrl-C while MiniLM's run was made.

    Example:
        >>> found = compare({"sliding": "a.txt", "prp": ["b1.txt", "b2.txt"]}, "qrels.txt", first_stage="bm25.txt")
        >>> print(found)
        >>> found.to_dict()["differences"]
    """
    if cost is not None and cost not in KINDS:
        raise InputError(f"cost should be one of {', '.join(KINDS)}, found '{cost}'")
    pool = Pool(read_qrels(qrels), parse_measures(measures), relevant_from)
    tell_levels(pool, asked=relevant_from is not None)
    texts = None if queries is None or corpus is None else (Path(queries), Path(corpus))
    first, references = given_references(FIRST, first_stage), given_references(MINILM, minilm)
    systems = _systems(pool, given_runs(runs), first, references, texts=texts, depth=depth)
    design = Design(baseline or systems[0].name, tuple(family), correction, margin, resamples, seed, resample_runs)
    found = compare_systems(pool, systems, design)
    parts = {field.name: getattr(found, field.name) for field in fields(found)}
    return RunComparison(**parts, cost=cost or as_tables.usual_axis(systems))


def given_runs(runs: Runs) -> list[Given]:
    """The runs, each with its name, its collection where that is said, and its files."""
    if isinstance(runs, (str, PathLike)):
        return [Given(Path(runs).stem, None, (Path(runs),))]
    if isinstance(runs, Mapping):
        return [
            Given(*parse_run_name(name), (Path(files),) if isinstance(files, (str, PathLike)) else _paths(name, files))
            for name, files in runs.items()
        ]
    return [run if isinstance(run, Given) else Given(Path(run).stem, None, (Path(run),)) for run in runs]


def _paths(name: str, files: Sequence[File]) -> tuple[Path, ...]:
    if not files:
        raise InputError(f"the run {name} has no file")
    return tuple(map(Path, files))


def given_references(name: str, given: References | None) -> list[Given]:
    """The runs, or other files, of a row whose name is fixed; none for None."""
    if given is None:
        return []
    if isinstance(given, (str, PathLike)):
        return [Given(name, None, (Path(given),))]
    if isinstance(given, Mapping):
        return [Given(name, collection, (Path(file),)) for collection, file in given.items()]
    return list(given)


def read_qrels(qrels: Judgements) -> dict[str, Qrels]:
    """Grades by collection, query and document."""
    if isinstance(qrels, (str, PathLike)):
        return {Path(qrels).stem: read_judgements(Path(qrels))}
    found: dict[str, Any] = {
        name: read_judgements(Path(each)) if isinstance(each, (str, PathLike)) else each for name, each in qrels.items()
    }
    plain = any(isinstance(grade, int) for judged in found.values() for grade in judged.values())
    return {"qrels": found} if plain else found


def _systems(
    pool: Pool,
    given: Sequence[Given],
    first: Sequence[Given],
    minilm: Sequence[Given],
    *,
    texts: tuple[Path, Path] | None,
    depth: int,
) -> list[System]:
    """First stage, runs, MiniLM and oracle, those of them that can be had."""
    found = [read_system(pool, first, cost=NOTHING, reference=True)] if first else []
    found += [read_system(pool, parts) for parts in by_name(given).values()]
    if minilm:
        found.append(read_system(pool, minilm, reference=True))
    elif first and texts is not None:
        computed = minilm_system(pool, first[0], *texts, depth)
        found += [computed] if computed is not None else []
    if first:
        found.append(oracle(pool, first, depth))
    return found
