"""Documents that look like attacks: which, and why. Nothing is left out or changed."""

import re
from collections.abc import Mapping, Sequence

from rerankllm.data import Candidate, Query
from rerankllm.elicitation.harmless import without_control_tokens, without_labels

SAID = 4
"""Words of a query that is suspicious word for word."""
_ANSWER = re.compile(r"""\b(?:answer|ranking|grade|relevance|relevant)["']?\s{0,3}:""", re.IGNORECASE)
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget)\b[^.!?]{0,40}\b(?:instructions?|prompts?|passages?|above)\b"
    r"|\b(?:rank|put|place|rate|grade|list)\s+(?:this|it)\b[^.!?]{0,60}\b(?:first|top|highest|best)\b"
    r"|\bthis (?:passage|document|text)\b[^.!?]{0,40}\b(?:fully answers|most relevant|answers the (?:query|question))"
    r"|忽略[^。！？]{0,20}(?:指示|指令|提示)",
    re.IGNORECASE,
)


def reasons(query: str, text: str) -> tuple[str, ...]:
    """Why a text looks like an attack on this query; nothing where it does not."""
    words, asked = " ".join(text.casefold().split()), " ".join(query.casefold().split())
    found = {
        "a label": without_labels(text) != text,
        "a control token": without_control_tokens(text) != text,
        "an answer": _ANSWER.search(text),
        "an instruction": _INSTRUCTION.search(text),
        "the query word for word": len(asked.split()) >= SAID and asked in words,
    }
    return tuple(reason for reason, there in found.items() if there)


def suspects(queries: Sequence[tuple[Query, Sequence[Candidate]]]) -> dict[str, Mapping[str, tuple[str, ...]]]:
    """Which candidates look like attacks and why, by query and document. Texts that quote sources as `[1]` do, too."""
    found: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for query, candidates in queries:
        each = {one.doc_id: why for one in candidates if (why := reasons(query.text, one.document.content))}
        if each:
            found[query.query_id] = each
    return found
