"""Writes the outcomes of a run as they come."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self, TextIO, TypeAlias

from rerankllm.data import Cut, Ledger, Ranking, Result
from rerankllm.drivers.events import Failed, QueryOutcome
from rerankllm.errors import QueryFailed
from rerankllm.evaluation.measures import Qrels
from rerankllm.files import as_json, open_for_writing, writing
from rerankllm.formats import castorini, trec
from rerankllm.notes import tell
from rerankllm.runs.measured import Measured

OnError: TypeAlias = Literal["partial", "fallback", "raise"]
"""What happens to a query that fails: left out, written unchanged to another file, or the end of the run."""
TAG = "rerankllm"


class Writer:
    """Writes each ranking as it comes, so that nothing is lost, and keeps what the summary needs.

    Files are opened with the first outcome: a run that cannot start leaves the files of the last one alone.

    Args:
        output: TREC run, or castorini JSONL where the name ends in `.jsonl`.
        jsonl: A row for every result, with its own score and provenance.
        on_error: What becomes of queries that failed.
        truncate: How many documents of each query are written.
        qrels: Grades to measure the run with.

    Attributes:
        ledger: What it all cost.
        ranked: How many queries were ranked.
        measured: What judged queries were worth, before and after.
        kept: What a cut-off kept of judged queries.
        failures: Reasons by query.
        without_evidence: Of ranked queries, how many answers could not be used, where there were any.
        cuts: How rankings were cut off, where a cut-off was asked for, and how many results each kept.
    """

    def __init__(
        self,
        output: Path | None,
        jsonl: Path | None,
        on_error: OnError,
        truncate: int | None,
        qrels: Qrels | None = None,
    ) -> None:
        self.ledger = Ledger()
        self.ranked = 0
        self.measured = Measured(qrels or {})
        self.kept: dict[str, tuple[str, ...]] = {}
        self.failures: dict[str, str] = {}
        self.without_evidence: dict[str, int] = {}
        self.cuts: dict[str, tuple[Cut, int]] = {}
        self._judged = qrels or {}
        self._output, self._jsonl, self._on_error, self._truncate = output, jsonl, on_error, truncate
        self._files = ExitStack()
        self._opened: dict[Path, TextIO] = {}
        self._marked: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with writing(self._output or self._jsonl or Path()):
            self._files.close()
        if self._marked is not None:
            self._marked.unlink(missing_ok=True)

    def write(self, outcome: QueryOutcome, candidates: Sequence[str]) -> None:
        """Writes one query's ranking, or notes its failure.

        Args:
            outcome: What became of the query.
            candidates: Its documents' ids, in the order they came in.

        Raises:
            QueryFailed: It failed, and the run is to stop then.
        """
        with writing(self._output or self._jsonl or Path()):
            self._write(outcome, candidates)

    def _write(self, outcome: QueryOutcome, candidates: Sequence[str]) -> None:
        run, results = self._file(self._output), self._file(self._jsonl)
        query_id = outcome.query.query_id
        self.ledger += outcome.ledger
        self.measured.came(query_id, candidates)
        if isinstance(outcome, Failed):
            self._fail(outcome, candidates)
            return
        self.ranked += 1
        if outcome.ledger.failed:
            self.without_evidence[query_id] = outcome.ledger.failed
        ranking = outcome if self._truncate is None else outcome.top(self._truncate)
        self.measured.ranked(query_id, ranking.doc_ids)
        if outcome.cut is not None:
            if query_id in self._judged:
                self.kept[query_id] = ranking.doc_ids
            self._note_cut(ranking, outcome.cut)
        if run is not None and self._output is not None:
            if self._output.suffix == ".jsonl":
                castorini.write_ranking(run, ranking)
            else:
                trec.write_run(run, query_id, ranking.doc_ids, TAG)
            run.flush()
        if results is not None:
            results.writelines(f"{as_json(row)}\n" for row in rows(ranking))
            results.flush()

    def _note_cut(self, ranking: Ranking, cut: Cut) -> None:
        """Notes a query that was cut off; one with nothing left is listed, as a TREC run cannot say that."""
        query_id = ranking.query.query_id
        self.cuts[query_id] = (cut, len(ranking))
        empty = None if self._output is None else self._file(self._output.with_name(f"{self._output.name}.empty"))
        if empty is not None and not ranking.results:
            empty.write(f"{query_id}\n")
            empty.flush()

    def _fail(self, outcome: Failed, candidates: Sequence[str]) -> None:
        query_id = outcome.query.query_id
        self.failures[query_id] = outcome.reason
        tell(f"query {query_id} failed: {outcome.reason}")
        if self._on_error == "raise":
            raise QueryFailed("stopped here; what was ranked before is in the output", query_id)
        if self._on_error == "fallback" and self._output is not None:
            failed = self._file(self._output.with_name(f"{self._output.name}.failed"))
            if failed is not None:
                trec.write_run(failed, query_id, candidates, "first-stage")

    def _file(self, path: Path | None) -> TextIO | None:
        if path is not None and path not in self._opened:
            if path == self._output:
                for name in ("empty", "failed"):  # of an earlier run
                    path.with_name(f"{path.name}.{name}").unlink(missing_ok=True)
            self._opened[path] = self._files.enter_context(open_for_writing(path))
            if path == self._output and path.is_file():
                self._marked = unfinished(path)
                self._marked.touch()
        return None if path is None else self._opened[path]


def unfinished(run: Path) -> Path:
    """The empty file that lies beside a run while it is written, and stays there if its process is killed."""
    return run.with_name(f"{run.name}.unfinished")


def tell_if_cut(run: Path) -> None:
    """Says of a run whose process was killed that its last query may be half of one."""
    if unfinished(run).exists():
        tell(f"{run} was cut while it was written: its last query may lack documents; resume the run that wrote it")


def rows(ranking: Ranking) -> list[dict[str, Any]]:
    """A row a result; before them one on what a cut-off kept, which may be nothing, and one on unusable answers."""
    useless = ranking.ledger.failed
    return [
        *([{"query_id": ranking.query.query_id, "unusable_answers": useless}] if useless else []),
        *([] if ranking.cut is None else [_cut_row(ranking, ranking.cut)]),
        *result_rows(ranking),
    ]


def _cut_row(ranking: Ranking, cut: Cut) -> dict[str, Any]:
    return {
        "query_id": ranking.query.query_id,
        "cutoff": cut.rule,
        "kept": len(ranking),
        "dropped": cut.dropped,
        "expected_precision": cut.expected_precision,
        "expected_recall": cut.expected_recall,
    }


def result_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """One JSON-ready row a result, with probability, relevance and rationale where they are known."""
    return [_row(ranking.query.query_id, result) for result in ranking]


def _row(query_id: str, result: Result) -> dict[str, Any]:
    known = {name: getattr(result, name) for name in ("probability", "relevance", "rationale")}
    return {
        "query_id": query_id,
        "doc_id": result.doc_id,
        "rank": result.rank,
        "score": result.score,
        "provenance": result.provenance.value,
        **{name: value for name, value in known.items() if value is not None},
    }
