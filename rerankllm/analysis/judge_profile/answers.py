"""A judge's answers out of a journal or a recording, as evidence on documents in the first stage's order."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path

from rerankllm.data import Document, Query
from rerankllm.errors import InputError
from rerankllm.formats import recordings
from rerankllm.formats.recordings import Header, Record
from rerankllm.journal.export import export
from rerankllm.journal.store import Journal
from rerankllm.judgements import Judgement, Unanswered
from rerankllm.strategies.belief.active_batch import Inquiry
from rerankllm.strategies.belief.plackett_luce import Choices, scored

KINDS = ("Permute", "Select", "Compare", "Score")


@dataclass(frozen=True, slots=True)
class JudgeAnswers:
    """What was answered about one query.

    Attributes:
        query_id: The query.
        doc_ids: Its documents, in the first stage's order.
        orders: Orders, selections and comparisons.
        scores: Score by place among `doc_ids`.
    """

    query_id: str
    doc_ids: tuple[str, ...]
    orders: tuple[Choices, ...]
    scores: Mapping[int, float]

    def evidence(self, sharpness: float) -> list[Choices]:
        """All answers; the scores together are one order."""
        return [*self.orders, scored(self.scores, sharpness)] if len(self.scores) > 1 else list(self.orders)

    @property
    def seen(self) -> list[int]:
        """Places of the documents that were shown."""
        return sorted({int(i) for order in self.orders for i in order.shown} | set(self.scores))

    @property
    def repeats(self) -> bool:
        """Whether two documents were shown together more than once."""
        known: set[tuple[int, int]] = set()
        for answer in self.evidence(1.0):
            pairs = set(combinations(sorted(map(int, answer.shown)), 2))
            if known & pairs:
                return True
            known |= pairs
        return False


@dataclass(frozen=True, slots=True)
class Answers:
    """All that a judge answered.

    Attributes:
        models: Who judged.
        heard: By query, of those with an answer that says something.
        kinds: Answers that are used, by kind of judgement.
        ignored: Those that are not, by the reason.
    """

    models: tuple[str, ...]
    heard: tuple[JudgeAnswers, ...]
    kinds: Mapping[str, int]
    ignored: Mapping[str, int]


def read_answers(
    files: Path | Sequence[Path],
    run: Mapping[str, Sequence[tuple[str, float]]],
    depth: int,
    *,
    stage: str | None = None,
    model: str | None = None,
) -> Answers:
    """Reads a journal or a recording, or several of one judge.

    Args:
        files: The file, or the files.
        run: The first stage, best first: a recording says which documents were shown, not from which list.
        depth: Candidates of the list that were read.
        stage: Of a journal only what this stage asked.
        model: Of a journal only what this model answered.

    Raises:
        InputError: It is neither, or holds nothing to learn from.
    """
    paths = [files] if isinstance(files, Path) else files
    read = [_records(path, stage, model) for path in paths]
    judges = [header.judges for header, _ in read]
    places = {q: {doc_id: i for i, (doc_id, _) in enumerate(ranked[:depth])} for q, ranked in run.items()}
    kinds, ignored = Counter[str](), Counter[str]()
    asked: dict[str, list[tuple[Judgement, tuple[int, ...], object]]] = {}
    for record in chain.from_iterable(records for _, records in read):
        reason = _unfit(record, places)
        if reason is None:
            query, docs = Query(record["query_id"], ""), [Document(doc_id, "") for doc_id, _ in record["docs"]]
            judgement = recordings.judgement_of(record, query, docs)
            answer, _, _ = recordings.from_record(record, judgement)
            if isinstance(answer, Unanswered):
                reason = "no answer that can be used"
            else:
                query_id = str(record["query_id"])
                shown = tuple(places[query_id][doc.doc_id] for doc in judgement.docs)
                asked.setdefault(query_id, []).append((judgement, shown, answer))
                kinds[record["judgement"]] += 1
        if reason is not None:
            ignored[reason] += 1
    heard = tuple(_heard(query_id, tuple(places[query_id]), found) for query_id, found in asked.items())
    heard = tuple(each for each in heard if each.evidence(1.0))
    if not heard:
        why = ", ".join(f"{count} {reason}" for reason, count in ignored.items()) or "it is empty"
        holds = f"{', '.join(map(str, paths))} {'hold' if len(paths) > 1 else 'holds'}"
        raise InputError(f"{holds} no answer of {', '.join(KINDS)} to learn from ({why}): is --run the first stage?")
    models = dict.fromkeys(each[kind]["model"] for each in judges for kind in kinds if kind in each)
    return Answers(tuple(models), heard, dict(kinds), dict(ignored))


def _records(path: Path, stage: str | None, model: str | None) -> tuple[Header, Iterable[Record]]:
    if recordings.is_journal(path):
        journal = Journal(path, create=False)
        try:
            found = export(journal, "", stage=stage, model=model)
        finally:
            journal.close()
        return found.header, map(json.loads, found.records)
    if stage is not None or model is not None:
        raise InputError(f"--stage and --model choose from a journal, and {path} is none")
    recording = recordings.read(path)
    if recording is None:
        raise InputError(
            f"{path} is neither a journal nor a recording: `rerank --journal` writes the one, `rerankllm journal "
            "--export` the other; raw answers of others become a journal by a run with recorded:FILE"
        )
    header, by_key = recording
    return header, (record for records in by_key.values() for record in records)


def _unfit(record: Record, places: Mapping[str, Mapping[str, int]]) -> str | None:
    """Why a record cannot be used; None where it can."""
    if record["judgement"] not in KINDS:
        return f"of {record['judgement']}"
    if record["judgement"] == "Select" and record["parameters"].get("worst"):
        return "of Select for the worst"
    if record["query_id"] not in places:
        return "on queries without a first stage, or without grades"
    if any(doc_id not in places[record["query_id"]] for doc_id, _ in record["docs"]):
        return "on documents beyond the run's depth"
    return None


def _heard(
    query_id: str, doc_ids: tuple[str, ...], found: Sequence[tuple[Judgement, tuple[int, ...], object]]
) -> JudgeAnswers:
    judgements, shown, answers = zip(*found, strict=True)
    orders, scores = Inquiry(judgements, shown).read(answers)
    return JudgeAnswers(query_id, doc_ids, tuple(order for order in orders if len(order.chosen)), scores)
