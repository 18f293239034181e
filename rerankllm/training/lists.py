"""Parts a teacher's lists by query, refuses queries that are to be held out, and draws what is trained on."""

import json
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerankllm.collections import catalogue
from rerankllm.data import Document, Query
from rerankllm.errors import InputError
from rerankllm.files import replace_text
from rerankllm.formats import beir
from rerankllm.runs.source import read_judgements
from rerankllm.training.config import HeldOut, Lists, Split
from rerankllm.training.teacher import TeacherList

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Parts:
    """Lists by what they are for: training, early stopping, the table at the end."""

    train: tuple[TeacherList, ...]
    validation: tuple[TeacherList, ...]
    test: tuple[TeacherList, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """Documents of one query in the teacher's order, with what the teacher says of each.

    Attributes:
        query: The query.
        documents: The documents.
        labels: What the teacher says of each.
        chances: How likely the first of two documents is better, by their places, where the teacher compared them.
    """

    query: Query
    documents: tuple[Document, ...]
    labels: tuple[float, ...]
    chances: Mapping[tuple[int, int], float] = field(default_factory=dict)

    def chances_like(self, scores: "Tensor") -> "Tensor | None":
        """The chances as `soft_ranknet` takes them, of the kind that the student's scores are; None without any."""
        if not self.chances:
            return None
        found = scores.new_full((len(self.documents), len(self.documents)), math.nan)
        for (one, other), chance in self.chances.items():
            found[one, other], found[other, one] = chance, 1 - chance
        return found


def folded(text: str) -> str:
    """A query's text as it is compared with others: in lower case, white space folded."""
    return " ".join(text.lower().split())


def part(lists: Sequence[TeacherList], split: Split) -> Parts:
    """Parts lists by query; queries of the same text stay together.

    Raises:
        InputError: There are too few queries for three parts.
    """
    by_text: dict[str, list[TeacherList]] = {}
    for each in lists:
        by_text.setdefault(folded(each.query.text), []).append(each)
    places = parted(by_text, split)
    return Parts(*(tuple(each for text in own for each in by_text[text]) for own in places))


def parted(texts: Iterable[str], split: Split) -> tuple[list[str], list[str], list[str]]:
    """Parts folded texts of queries into those to train on, to stop early by, and to measure on.

    Raises:
        InputError: They are too few for three parts.
    """
    shuffled = sorted(set(texts))
    random.Random(split.seed).shuffle(shuffled)  # noqa: S311 - no secret
    test, validation = (max(1, round(share * len(shuffled))) for share in (split.test, split.validation))
    if len(shuffled) < test + validation + 1:
        raise InputError(f"{len(shuffled)} queries are too few to train, to stop early and to measure: 3 are needed")
    return shuffled[test + validation :], shuffled[test : test + validation], shuffled[:test]


def refuse_leaks(queries: Iterable[Query], held_out: Iterable[HeldOut], measured: Mapping[str, set[str]]) -> None:
    """Refuses queries that are held out: the same text, or for qrels, which have no texts, the same id.

    Args:
        queries: What weights are found with: training and validation.
        held_out: What the configuration holds out.
        measured: Texts of queries that are measured on, by name.

    Raises:
        InputError: There is such a query; the line names up to three.
    """
    queries = list(queries)
    for each in held_out:
        ids = set(read_judgements(Path(each.name))) if each.kind == "qrels" else set()
        texts = {folded(text) for text in _texts(each).values()}
        _refuse(queries, each.name, ids, texts)
    for name, texts in measured.items():
        _refuse(queries, name, set(), {folded(text) for text in texts})


def _texts(held_out: HeldOut) -> Mapping[str, str]:
    if held_out.kind == "dataset":
        return catalogue.load(held_out.name).queries
    return beir.read_queries(Path(held_out.name)) if held_out.kind == "queries" else {}


def _refuse(queries: Sequence[Query], name: str, ids: set[str], texts: set[str]) -> None:
    found = [query.query_id for query in queries if query.query_id in ids or folded(query.text) in texts]
    if found:
        raise InputError(
            f"{len(found)} queries of {name}, which is held out, are in the training data "
            f"({', '.join(found[:3])}): take them out of `data`, or {name} out of what is held out"
        )


def draw(lists: Sequence[TeacherList], how: Lists, seed: int) -> list[Example]:
    """The lists that are shown: documents drawn anew for each, without repetition.

    A teacher's scores are the labels; where it only said an order, the label is 1 / rank in the list drawn. In a list
    whose scores are all the same, of which nothing is learnt, the best document takes the first place.
    """
    found: list[Example] = []
    for each in lists:
        chance = random.Random(f"{seed} {each.query.query_id}")  # noqa: S311 - no secret
        depth = min(how.depth, len(each.documents))
        whole = depth <= how.size
        for _ in range(1 if whole else how.per_query):
            places = sorted(chance.sample(range(depth), min(depth, how.size)))
            if each.scores is not None and len({each.scores[place] for place in places}) == 1:
                places[0] = 0
            labels = (
                tuple(1 / rank for rank in range(1, len(places) + 1))
                if each.scores is None
                else tuple(each.scores[place] for place in places)
            )
            documents = tuple(each.documents[place] for place in places)
            at = {document.doc_id: place for place, document in enumerate(documents)}
            chances = {(at[one], at[other]): chance for (one, other), chance in each.chances.items()
                       if one in at and other in at}  # fmt: skip
            found.append(Example(each.query, documents, labels, chances))
    return found


def write(parts: Parts, folder: Path) -> None:
    """Writes the parts as JSON lines under the names that `datasets.load_dataset(FOLDER)` takes for splits."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lists in (("train", parts.train), ("validation", parts.validation), ("test", parts.test)):
        rows = (json.dumps(_row(each), ensure_ascii=False) for each in lists)
        replace_text(folder / f"{name}.jsonl", "".join(f"{row}\n" for row in rows))


def read(path: Path) -> list[TeacherList]:
    """The lists of a file that `write` wrote, such as `FOLDER/data/train.jsonl`; titles are part of texts there.

    Raises:
        InputError: It cannot be read, or a row is no list.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [_list(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no file of lists that `rerankllm train` wrote ({error!r})") from None


def _list(row: Mapping[str, Any]) -> TeacherList:
    documents = tuple(Document(doc_id, text) for doc_id, text in zip(row["doc_ids"], row["docs"], strict=True))
    ranks = dict(zip(row["doc_ids"], row["first_stage_ranks"], strict=True))
    scores = None if row["teacher_scores"] is None else tuple(map(float, row["teacher_scores"]))
    first_stage = tuple(sorted(ranks, key=ranks.__getitem__))
    chances = {(pair["better"], pair["worse"]): float(pair["chance"]) for pair in row.get("teacher_pairs") or ()}
    return TeacherList(Query(row["query_id"], row["query"]), documents, scores, first_stage, chances)


def _row(each: TeacherList) -> dict[str, object]:
    """One row; its documents are in the teacher's order."""
    ranks = {doc_id: rank for rank, doc_id in enumerate(each.first_stage, 1)}
    pairs = [{"better": one, "worse": other, "chance": chance} for (one, other), chance in each.chances.items()]
    return {
        "query_id": each.query.query_id,
        "query": each.query.text,
        "doc_ids": each.doc_ids,
        "docs": [document.content for document in each.documents],
        "teacher_scores": each.scores,
        "first_stage_ranks": [ranks[doc_id] for doc_id in each.doc_ids],
        **({"teacher_pairs": pairs} if pairs else {}),
    }
