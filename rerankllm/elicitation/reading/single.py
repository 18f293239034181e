"""One label, and nothing else that is one: `[2]`; `The most relevant is [2].` too."""

from collections.abc import Iterator

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut
from rerankllm.elicitation.reading.candidate import Candidate
from rerankllm.elicitation.reading.lexer import LABEL, NAMED, NUMBER, SIGN, UNKNOWN, WORD
from rerankllm.elicitation.reading.surroundings import denies, lead, tail


def single(answer: Cut) -> Iterator[Candidate]:
    """The only label of an answer, if it stands by itself or is announced."""
    labels = [item for item in answer.items if item.kind == LABEL]
    said = [item for item in answer.items if item.kind in {WORD, NUMBER}]
    marked = [item for item in labels if item.mark == NAMED]
    if len(labels) == 1 and not said:
        found = labels[0]
        beside = {item.text for item in answer.items if item.kind == SIGN}
        if not beside <= set(".,;:[]()>-!"):
            return
    elif len({item.index for item in marked}) == 1 and _announced(answer, marked[0].start, marked[0].end):
        found = marked[0]
    elif len(labels) == 1 and not marked and _announced(answer, labels[0].start, labels[0].end, bare=True):
        found = labels[0]
    else:
        return
    if found.index != UNKNOWN:
        yield Candidate("single label", ((found.index,),), found.start, found.end)


def _announced(answer: Cut, start: int, end: int, *, bare: bool = False) -> bool:
    said, behind = lead(answer, start), tail(answer, end)
    if (
        behind.startswith((",", ";", ">", "=", "<"))
        or denies(said)
        or denies(behind)
        or not words.ANNOUNCING.search(said)
    ):
        return False
    return not bare or (said.endswith((":", " is")) and not behind.strip(" .)"))
