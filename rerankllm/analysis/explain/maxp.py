"""Passages that `maxp` showed under ids of their own: which document each is of."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from rerankllm.analysis.answers import Answers

_NUMBERED = re.compile(r"(.+)#[0-9]+'*", re.DOTALL)
"""How `maxp` names the second passage of a document and those after it; the first has the document's id."""


def of_documents(judgements: Sequence[Answers], known: AbstractSet[str]) -> tuple[Answers, ...]:
    """The judgements of a stage with `maxp` in it, with the documents whose passages they show.

    Args:
        judgements: As they were heard.
        known: Ids of documents: whatever they look like, they name no passage.
    """
    shown = {doc_id for each in judgements for doc_id in each.docs}
    whole: dict[str, str] = {}
    for passage_id in shown - known:
        doc_id = passage_id
        while doc_id not in known and (numbered := _NUMBERED.fullmatch(doc_id)):
            doc_id = numbered[1]
        if doc_id != passage_id and doc_id in known | shown:
            whole[passage_id] = doc_id
    return tuple(replace(each, whole=whole) for each in judgements)
