"""Loads one query of a run with its judgements, from the journal, and with the first stage's order."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm.analysis.answers import heard
from rerankllm.analysis.explain.history import Ranked
from rerankllm.analysis.explain.maxp import of_documents
from rerankllm.analysis.explain.moves import walk
from rerankllm.errors import InputError
from rerankllm.experiments.folder import first_stage_of
from rerankllm.files import digest
from rerankllm.formats import castorini, trec
from rerankllm.formats.lines import read_lines
from rerankllm.journal.read import judges, rankings, unheard
from rerankllm.journal.store import Journal
from rerankllm.runs import provenance
from rerankllm.runs.provenance import RunProvenance
from rerankllm.runs.summary import summary_beside
from rerankllm.sample import path as sample_path
from rerankllm.spec.stage import Stage


@dataclass(frozen=True, slots=True)
class RankedQuery:
    """One query of a run.

    Attributes:
        query_id: Its id.
        stage: What ranked it.
        ranked: The ranking and its judgements.
        notes: What is not known, and what would help.
    """

    query_id: str
    stage: str
    ranked: Ranked
    notes: tuple[str, ...]

    def check(self, doc_id: str) -> None:
        """Raises InputError where neither the run nor the first stage nor a judgement has this document."""
        shown = (each.of(shown) for each in self.ranked.judgements for shown in each.docs)
        known = dict.fromkeys([*self.ranked.doc_ids, *(self.ranked.first or ()), *shown])
        if doc_id not in known:
            raise InputError(f"query {self.query_id} has no document {doc_id!r}{nearest(doc_id, known)}")

    def places(self, doc_id: str) -> Mapping[str, int | None]:
        """Its ranks, from 1."""
        orders = {"rank": self.ranked.doc_ids, "first_rank": self.ranked.first or ()}
        return {name: ids.index(doc_id) + 1 if doc_id in ids else None for name, ids in orders.items()}

    def standing(self, doc_id: str) -> str:
        """Its ranks, in a sentence."""
        now, before = self.places(doc_id).values()
        here = f"stands at {now} of {len(self.ranked.doc_ids)}" if now else "is not in the run"
        return f"{doc_id} {here}" + (f"; the first stage had it at {before}." if before else ".")

    def head(self) -> dict[str, Any]:
        """What the JSON document starts with."""
        return {
            "query_id": self.query_id,
            "stage": self.stage,
            "documents": len(self.ranked.doc_ids),
            "depth": self.ranked.depth,
            "judgements_of_query": len(self.ranked.judgements),
            "notes": self.notes,
        }


def find_ranked(
    run: Path, query_id: str, *, journal: Path | None, first_stage: Path | None, stage: str | None
) -> RankedQuery:
    """Loads one query's ranking, its judgements, and the first stage's order where it is known.

    Raises:
        InputError: There is no journal, the query is not in the run, or several stages could have made it.
    """
    path = journal or run.with_name(f"{run.name}.journal")
    doc_ids = _read(run, query_id)
    if not path.is_file():
        raise InputError(
            f"no journal {path}: an explanation is read off the judgements; name the journal with --journal, or make "
            "the run again with `rerank --journal FILE` (models behind an API have one unless --no-journal is given)"
        )
    record = provenance.read(run)
    made = record.reranked if record is not None and record.reranked is not None else {}
    notes = []
    if record is not None and record.sha256 != digest(run):
        notes.append(f"{run} was changed after it was written: its places may not be those the judgements led to")
    opened = Journal(path, create=False)
    try:
        keys, by = _keys(opened, path, query_id, stage or _aimed(made))
        if stage is None and "model" in made:
            keys = _by_model(opened, path, query_id, keys, str(made["model"]))
        first, why = _first_stage(opened, first_stage or first_stage_of(run), query_id, doc_ids, record)
        told = {key: tuple(heard(opened, key)) for key in keys}
        exact = [key for key, each in told.items() if first is not None and each and walk(first, each, doc_ids)]
        key = (exact or keys)[-1]
        judgements = told[key]
        missing, lost = unheard(opened, key)
    finally:
        opened.close()
    if len(keys) > 1 and not exact:
        notes.append(
            f"{path} holds {len(keys)} rankings of this query by this stage, of other candidates, orders or settings; "
            "the last one is explained, and the run may be another one's"
        )
    if "maxp(" in by:
        judgements = of_documents(judgements, {*doc_ids, *(first or ())})
    if missing:
        notes.append(
            f"{missing} calls of an earlier version are not explained: run the same command with {path} again, which "
            "asks nothing again"
        )
    notes += [f"a call that failed is not explained, as nothing says what it showed: {reason}" for reason in lost]
    notes += [why] if why else []
    depth = made.get("depth")
    return RankedQuery(query_id, by, Ranked(doc_ids, first, depth, judgements), tuple(notes))


def nearest(wanted: str, known: Iterable[str]) -> str:
    """The ids that are spelled like one that is not there, as the end of an error message."""
    close = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.5)
    return f": did you mean {', '.join(close)}?" if close else ""


def _read(run: Path, query_id: str) -> list[str]:
    """The documents of a query, as the run has them."""
    if run.suffix == ".jsonl":
        known = {query.query_id: [c.doc_id for c in found] for query, found in castorini.read_requests(run)}
    else:
        known = {name: [doc_id for doc_id, _ in ranked] for name, ranked in trec.read_run(run).items()}
    if query_id not in known:
        raise InputError(f"{run} has no query {query_id!r}{_failure(run, query_id) or nearest(query_id, known)}")
    return known[query_id]


def _failure(run: Path, query_id: str) -> str:
    """Why a query is not in a run, where the summary beside it says."""
    path = summary_beside(run)
    if not path.is_file():
        return ""
    try:
        reason = json.loads(path.read_text(encoding="utf-8"))["failures"].get(query_id)
    except (ValueError, KeyError, AttributeError):
        return ""
    return "" if reason is None else f": it failed ({reason})"


def _aimed(made: Mapping[str, Any]) -> str | None:
    """The stage that a run's provenance record names, written as the journal writes it."""
    if "strategy" not in made:
        return None
    stage = Stage.parse(str(made["strategy"]))
    return str(stage if made.get("top_k") is None else stage.aiming(made["top_k"]))


def _keys(journal: Journal, path: Path, query_id: str, stage: str | None) -> tuple[list[str], str]:
    """The keys of the query's rankings by this stage, or by the only stage there is; and that stage."""
    known = rankings(journal, query_id)
    if not known:
        raise InputError(f"{path} holds nothing of query {query_id!r}: it is another run's, or was purged")
    mine = [row for row in known if stage in (None, row[1])]
    stages = list(dict.fromkeys(by for _, by in known))
    if not mine or len({by for _, by in mine}) > 1:
        which = "which one made the run is not recorded" if stage is None else f"not {stage}"
        raise InputError(f"{path} holds of query {query_id!r} {'; '.join(stages)}: {which}; choose with --stage")
    return [key for key, _ in mine], mine[0][1]


def _by_model(journal: Journal, path: Path, query_id: str, keys: Sequence[str], models: str) -> list[str]:
    """Of several rankings, the keys of those that the run's models judged."""
    found = {key: judges(journal, key) for key in keys}
    mine = [key for key, known in found.items() if known <= set(models.split(", "))]
    if not mine:
        others = ", ".join(sorted(set().union(*found.values())))
        raise InputError(
            f"{path} holds of query {query_id!r} answers of {others}, not of {models}: it is another run's"
        )
    return mine


def _first_stage(
    journal: Journal, given: Path | None, query_id: str, doc_ids: Sequence[str], record: RunProvenance | None
) -> tuple[list[str] | None, str]:
    """The first stage's order, or None and why not."""
    help_ = "name it with --first-stage"
    try:
        order = _order(given, query_id) if given is not None else _recorded(journal, query_id, record)
    except InputError as error:
        if given is not None:
            raise
        return None, f"the first stage's order is not known ({error}): {help_}"
    if order is None:
        return None, f"the first stage's order is not known: {help_}"
    if not set(doc_ids) <= set(order):
        return None, f"the first stage that is named there lacks documents of the run, so it is another: {help_}"
    return order, ""


def _recorded(journal: Journal, query_id: str, record: RunProvenance | None) -> list[str] | None:
    """The order that the last command of a journal reranked; None where it named no file.

    Raises:
        InputError: The run was made of another file, or of what this one held before.
    """
    folder, options = journal.command()
    source = options.get("run") or options.get("requests")
    if source is None and not options.get("sample"):
        return None
    path = sample_path("run.txt") if source is None else Path(folder) / source
    if record is not None and record.retrieval.file not in (None, provenance.retrieval_of(path).file):
        raise InputError(f"the journal's last command reranked {path}, and this run was made of something else")
    return _order(path, query_id)


def _order(path: Path, query_id: str) -> list[str]:
    """One query of a TREC run, or of castorini's JSONL; nothing where it is not there."""
    _, opening = next(read_lines(path), (1, ""))
    if not opening.lstrip().startswith("{"):
        return [doc_id for doc_id, _ in trec.read_run(path).get(query_id, [])]
    asked = castorini.read_requests(path)
    return next(([c.doc_id for c in found] for query, found in asked if query.query_id == query_id), [])
