"""Rewards for answers that order documents: pure functions of what was read, and of the teacher's or the qrels' order.

All are between 0 and 1. They are what Rank-R1, ReasonRank, ERank and GroupRank train with: form, recall, nDCG, and
rank-biased overlap with a teacher's order. `for_trl` makes of one what TRL's `GRPOTrainer` takes as `reward_funcs`, and
`rows` the data set that goes with it.
"""

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from rerankllm.backends.token_estimate import EstimatedTokenizer
from rerankllm.calls import Capabilities, ChatPrompt
from rerankllm.data import Document
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.base import check_labels
from rerankllm.elicitation.parsing import parse_order
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.templates import load
from rerankllm.errors import InputError
from rerankllm.evaluation.agreement import PERSISTENCE, rank_biased_overlap
from rerankllm.evaluation.measures import Qrels
from rerankllm.judgements import ParseReport, Permute, Status
from rerankllm.training.teacher import TeacherList

DEPTH = 10
GRADED = 10
"""Documents that the teacher's order gives a grade to, where there are no qrels."""


def form(report: ParseReport) -> float:
    """1 for an answer that read without a repair, else 0."""
    return float(report.status is Status.PARSED)


def recall(order: Sequence[str], relevant: Collection[str], depth: int = DEPTH) -> float:
    """The share of the relevant documents that are among the first `depth`, of as many as can be there.

    With `depth=1` it is Rank-R1's: whether a relevant document was chosen (Zhuang et al. 2025, section 3).

    Args:
        order: Document ids, best first.
        relevant: Ids of the documents shown that are relevant; where there are none the reward is 0.
        depth: How many of the order count.
    """
    wanted = min(len(set(relevant)), depth)
    return len(set(order[:depth]) & set(relevant)) / wanted if wanted else 0.0


def ndcg(order: Sequence[str], grades: Mapping[str, float], depth: int = DEPTH) -> float:
    """The nDCG that trec_eval computes: a document gains its grade, discounted by log2(rank + 1).

    Args:
        order: Document ids, best first.
        grades: Of the documents shown; one that is missing, or below 0, counts as 0. Without any above 0 it is 0.
        depth: How many of the order count.
    """
    gains = sorted((max(0.0, grade) for grade in grades.values()), reverse=True)
    best = _dcg(gains[:depth])
    return _dcg([max(0.0, grades.get(doc_id, 0.0)) for doc_id in order[:depth]]) / best if best else 0.0


def overlap(order: Sequence[str], teacher: Sequence[str], persistence: float = PERSISTENCE) -> float:
    """Rank-biased overlap with the teacher's order (Webber et al. 2010), extrapolated; 0 for an order of none."""
    return rank_biased_overlap(order, teacher, persistence) if order else 0.0


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


REWARDS = ("form", "recall", "ndcg", "overlap")


def for_trl(
    name: str, *, depth: int = DEPTH, persistence: float = PERSISTENCE, unread: float = 0.0
) -> Callable[..., list[float]]:
    """A reward as TRL calls it: with `completions` and the columns of `rows` as keyword arguments.

    Completions are texts or conversations. What comes before the end of a thought does not count, and a thought that
    does not end is no answer.

    Args:
        name: `form`, `recall`, `ndcg` or `overlap`.
        depth: Of recall and nDCG.
        persistence: Of the overlap.
        unread: The reward of an answer in which no order was found.

    Raises:
        InputError: There is no such reward.
    """
    if name not in REWARDS:
        raise InputError(f"there is no reward '{name}'; there are {', '.join(REWARDS)}")

    def reward(
        completions: Sequence[Any],
        doc_ids: Sequence[Sequence[str]],
        labels: Sequence[Sequence[str]],
        teacher: Sequence[Sequence[str]],
        grades: Sequence[Sequence[float]],
        **_: Any,
    ) -> list[float]:
        found = []
        for said, shown, own, order, graded in zip(completions, doc_ids, labels, teacher, grades, strict=True):
            parsed = parse_order(_text(said), own)
            ranked = [shown[place] for group in parsed.groups for place in group]
            by_id = dict(zip(shown, graded, strict=True))
            if parsed.report.status is Status.FAILED:
                found.append(unread)
            elif name == "form":
                found.append(form(parsed.report))
            elif name == "recall":
                found.append(recall(ranked, [doc_id for doc_id, grade in by_id.items() if grade > 0], depth))
            else:
                found.append(ndcg(ranked, by_id, depth) if name == "ndcg" else overlap(ranked, order, persistence))
        return found

    reward.__name__ = name
    return reward


def rows(
    lists: Sequence[TeacherList],
    *,
    qrels: Qrels | None = None,
    prompt: str = "reasoning",
    size: int = 20,
    per_query: int = 1,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """The data set for TRL: `datasets.Dataset.from_list(rows(…))`.

    Each row has `prompt` (a conversation), `doc_ids` and `labels` in the order shown, which is drawn, `teacher` (ids,
    best first) and `grades` (by the order shown): those of the qrels, or without any the teacher's first ten have the
    grades 10 to 1.

    Args:
        lists: The teacher's.
        qrels: Grades by query and document.
        prompt: A template for orders, a published model's card, or a file of either.
        size: Documents in a prompt.
        per_query: Prompts of each query.
        seed: Of what is drawn.

    Raises:
        TemplateError: There is no such prompt.
    """
    template = load("permute", prompt)
    check_labels(template, Permute)
    builder = PromptBuilder(template, EstimatedTokenizer(), Capabilities(generate=True))
    found = []
    for each in lists:
        chance = random.Random(f"{seed} {each.query.query_id}")  # noqa: S311 - no secret
        for _ in range(per_query):
            shown = chance.sample(each.documents, min(size, len(each.documents)))
            labels = label_sets.of_documents(str(template.labels), len(shown))
            asked = builder.build(each.query, shown, labels, reserve=0)
            assert isinstance(asked, ChatPrompt)  # noqa: S101 - such a backend takes nothing else
            here = {document.doc_id for document in shown}
            teacher = [doc_id for doc_id in each.doc_ids if doc_id in here]
            found.append(
                {
                    "prompt": [{"role": message.role, "content": message.content} for message in asked.messages],
                    "query_id": each.query.query_id,
                    "doc_ids": [document.doc_id for document in shown],
                    "labels": list(labels),
                    "teacher": teacher,
                    "grades": _grades(shown, teacher, None if qrels is None else qrels.get(each.query.query_id, {})),
                }
            )
    return found


def _grades(shown: Sequence[Document], teacher: Sequence[str], judged: Mapping[str, int] | None) -> list[float]:
    if judged is not None:
        return [float(judged.get(document.doc_id, 0)) for document in shown]
    return [float(max(0, GRADED - teacher.index(document.doc_id))) for document in shown]


def _text(completion: Any) -> str:
    """A completion as text: TRL gives the turns of a conversation."""
    return completion if isinstance(completion, str) else "".join(str(turn["content"] or "") for turn in completion)
