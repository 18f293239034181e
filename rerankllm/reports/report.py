"""A comparison with its rankings and its calls as one HTML page that opens anywhere, offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from rerankllm.analysis.attacks.attack import AttackReport
from rerankllm.analysis.robustness.report import RobustnessReport
from rerankllm.errors import InputError
from rerankllm.files import replacing
from rerankllm.reports.attacks import attacked
from rerankllm.reports.content import Content, content
from rerankllm.reports.from_experiment import from_folder
from rerankllm.reports.from_runs import ComparisonOptions, Inputs, from_runs
from rerankllm.reports.from_training import from_training, is_trained
from rerankllm.reports.page import page
from rerankllm.reports.robustness import Measured, read_robust, with_robust
from rerankllm.reports.subject import SIZE, Calls, Extent, Subject
from rerankllm.runs.compare import (
    CostKind,
    File,
    Judgements,
    References,
    Runs,
    given_references,
    given_runs,
    read_qrels,
)
from rerankllm.runs.systems import FIRST, MINILM, by_name
from rerankllm.version import __version__

TITLE = "Reranking report"
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """A report.

    Attributes:
        html: The page: it needs nothing but a browser.
        content: The data in it.
    """

    html: str
    content: Content

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.html.encode())

    def save(self, path: File) -> None:
        """Writes the page.

        Raises:
            InputError: It cannot be written.
        """
        with replacing(Path(path)) as file:
            file.write(self.html)

    def to_dict(self) -> dict[str, Any]:
        """The data in the page: `main`, which it shows at once, and `queries`, by part and place in it."""
        return {"main": self.content.main, "queries": self.content.queries}


def report(
    what: File | Runs,
    *,
    qrels: Judgements | None = None,
    output: File | None = None,
    calls: Calls = "all",
    queries: int | None = None,
    max_size: float = SIZE / MB,
    title: str = TITLE,
    first_stage: References | None = None,
    minilm: References | None = None,
    query_texts: References | None = None,
    corpus: References | None = None,
    depth: int | None = None,
    baseline: str | None = None,
    measures: Sequence[str] = (),
    relevant_from: int | None = None,
    resamples: int | None = None,
    seed: int | None = None,
    cost: CostKind | None = None,
    robustness: File | RobustnessReport | None = None,
    attacks: Sequence[File | AttackReport] = (),
) -> Page:
    """Makes one HTML page: summary, cost, tests, consistency, and every query to browse.

    Args:
        what: The folder of an experiment or of a training; or, with `qrels`, runs as `compare` takes them, whose
            journals are found beside them.
        qrels: The judgements of runs: a file, or grades by query and document; by name for several collections.
        output: Where the page is written, too.
        calls: Calls to put in: all, those repaired or failed, or none. Most of the size is theirs.
        queries: Queries to browse, those on which systems differ most; when None, all that there is room for.
        max_size: Of the page, in MB. Where it would be larger, calls are left out first, of the queries on which
            systems differ least.
        title: Of the page.
        first_stage: The run that all reranked.
        minilm: A run of all-MiniLM-L6-v2.
        query_texts: Query texts; by name for several collections.
        corpus: Document texts, likewise.
        depth: Candidates that the oracle reorders; when None as in the experiment's table, or 100.
        baseline: The system that others are compared with; the first stage when None, or the first run without one.
        measures: In ir-measures' notation, the main one first; as in the experiment's table without any, or nDCG@10.
        relevant_from: The lowest grade that binary measures count.
        resamples: Of bootstrap and randomization test; as in the experiment's table when None, or 20,000.
        seed: Of both; as in the experiment's table when None, or 0.
        cost: What quality is shown against first; tokens when None, or slots where there are none.
        robustness: What `robustness` found, or its `robustness.json`: a section on the candidates' order, which an
            experiment with several has by itself.
        attacks: What `attack` found, each a report or its JSON: a section on documents that were written to rise.

    Raises:
        InputError: A file cannot be read, or files do not fit each other.
        MissingExtra: scipy is not installed.
    """
    options = ComparisonOptions(tuple(measures), relevant_from, baseline, depth, resamples, seed, cost)
    if qrels is None:
        if not isinstance(what, (str, PathLike)):
            raise InputError("runs need judgements: give their qrels, or an experiment's folder instead of runs")
        folder = Path(what)
        trained = is_trained(folder)
        subjects = (
            from_training(folder, options) if trained else from_folder(folder, options, orders=robustness is None)
        )
    else:
        inputs = Inputs(
            by_name(given_runs(what)), given_references(FIRST, first_stage), given_references(MINILM, minilm),
            given_references("queries", query_texts), given_references("corpus", corpus),
        )  # fmt: skip
        subjects = [from_runs(read_qrels(qrels), inputs, options)]
    if robustness is not None:
        subjects = _with_robustness(subjects, robustness)
    made = content(
        title, subjects, Extent(calls, queries, round(max_size * MB)), __version__, [attacked(each) for each in attacks]
    )
    found = Page(page(made), made)
    if output is not None:
        found.save(output)
    return found


def _with_robustness(subjects: Sequence[Subject], robustness: File | RobustnessReport) -> list[Subject]:
    if isinstance(robustness, RobustnessReport):
        measured = [Measured.of(each.to_dict()) for each in robustness.systems]
        return with_robust(subjects, measured, "the robustness report")
    return with_robust(subjects, read_robust(Path(robustness)), str(robustness))
