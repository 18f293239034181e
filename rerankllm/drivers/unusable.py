"""What follows when a model has answered and nothing in its answer can be used.

It is asked once more, with the documents in another order. If that fails too, its answer is no evidence: a window stays
as it is, a pair is tied, a group goes to the first stage's best, a document that has no score keeps its place.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from rerankllm.calls import Draw, Generate, Request, Sample, Work
from rerankllm.judgements import (
    Answer,
    Assess,
    Assessment,
    Compare,
    Ends,
    Grade,
    Judgement,
    Permute,
    Score,
    Select,
    WeakOrder,
)

Unusable: TypeAlias = Literal["keep", "fail"]
"""What an unusable answer does to its query. `keep`: it is asked once more, and is no evidence after that. `fail`: it
is not asked again, and the query fails wherever its strategy cannot do without the answer."""


def another_order(judgement: Judgement) -> Judgement | None:
    """The same judgement with its documents in another order, always the same one; None where there is none."""
    if isinstance(judgement, Compare):
        return Compare(judgement.query, judgement.second, judgement.first)
    if not isinstance(judgement, Permute | Select | Ends | Grade) or len(judgement.docs) < 2:  # noqa: PLR2004
        return None
    ids = [doc.doc_id for doc in judgement.docs]
    chance = random.Random("\n".join([judgement.query.query_id, *ids]))  # noqa: S311
    docs = tuple(chance.sample(judgement.docs, len(ids)))
    return replace(judgement, docs=docs if docs != judgement.docs else docs[1:] + docs[:1])


def sampled(work: Work) -> Work | None:
    """The same request, to be answered by text that is drawn; None where no text is asked for."""
    if not isinstance(work, Request) or not isinstance(work.want, Generate):
        return None
    want = work.want
    if isinstance(want, Draw):
        return replace(work, want=replace(want, seed=want.seed + 1))
    return replace(work, want=Sample(want.max_tokens, want.stop, want.choices, want.labels, want.form, want.after))


def in_first_order(judgement: Judgement, again: Judgement, answer: Answer) -> Answer:
    """The answer to `judgement` that is in the answer to `again`, the same judgement in another order."""
    if isinstance(judgement, Compare):
        return 1 - answer
    if isinstance(judgement, Grade):
        grades = dict(zip([doc.doc_id for doc in again.docs], answer, strict=True))
        return tuple(grades[doc.doc_id] for doc in judgement.docs)
    if isinstance(judgement, Permute):
        omitted = set(answer.omitted)
        return WeakOrder(answer.groups, tuple(doc.doc_id for doc in judgement.docs if doc.doc_id in omitted))
    return answer


_NO_EVIDENCE: Mapping[type, Callable[[Any], Answer]] = {
    Score: lambda _: math.nan,
    Compare: lambda _: 0.5,
    Permute: lambda asked: WeakOrder((), tuple(doc.doc_id for doc in asked.docs)),
    Select: lambda _: (),
    Ends: lambda _: (),
    Grade: lambda asked: (math.nan,) * len(asked.docs),
    Assess: lambda asked: Assessment((math.nan,) * len(asked.criteria), ("",) * len(asked.criteria)),
}


def no_evidence(judgement: Judgement) -> Answer | None:
    """The answer to a judgement that says nothing; None where a strategy cannot go on without a real one."""
    make = _NO_EVIDENCE.get(type(judgement))
    return None if make is None else make(judgement)
