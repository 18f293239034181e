"""Labels that are no answer by what stands beside them: one of several, part of a range, a number of something else."""

from dataclasses import dataclass

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import whole_number
from rerankllm.elicitation.reading.lexer import LABEL, NUMBER, SIGN, Item

_CONJUNCTIONS = words.among("or and nor to bis through oder und ou et y o")


@dataclass(frozen=True, slots=True)
class Kind:
    """What the labels stand for.

    Attributes:
        documents: Whether they name documents, so that "A: irrelevant" is no choice of A.
        best: The highest number among them, where they are a scale.
    """

    documents: bool
    best: int | None = None


def is_beside(sentence: list[Item], place: int, kind: Kind) -> bool:
    """Whether a label is one of several given together, part of a range, or a number of something else."""
    item, after = sentence[place], place + 1
    following = sentence[after] if after < len(sentence) else None
    before = sentence[place - 1] if place else None
    if before is not None and before.kind == SIGN and before.text in "/-<|" and not item.spaced:
        return True
    if before is not None and before.text.casefold() in _CONJUNCTIONS:
        return True
    if following is None:
        return False
    if (
        following.text in {"/", "|", "-", "&", "+", "<", "="} or (following.text == ">" and kind.best)
    ) and after + 1 < len(sentence):
        other = sentence[after + 1]
        if following.text == "/" and item.text.isdecimal() and whole_number(other) is not None:
            return kind.documents or kind.best is None or whole_number(other) != kind.best
        if other.kind in {LABEL, NUMBER} and (following.text != "-" or not other.spaced or other.mark):
            return True
        if following.text in "/|":
            return True
    conjunction = following.text in "&/," or following.text.casefold() in _CONJUNCTIONS
    if conjunction and after + 1 < len(sentence) and sentence[after + 1].kind in {LABEL, NUMBER}:
        return True
    return following.text == "%" or _out_of_another(sentence, after, kind)


def _out_of_another(sentence: list[Item], after: int, kind: Kind) -> bool:
    """Whether a number is a part of something: `7 out of 10`, `2 of the 3 aspects`; `2 out of 3` on a scale is not."""
    if _says(sentence, after, "of") or _says(sentence, after, "out", "of"):
        after += 1 if _says(sentence, after, "of") else 2
        return after < len(sentence) and whole_number(sentence[after]) != kind.best
    if not _says(sentence, after, "in"):
        return False
    after += 2 if _says(sentence, after, "in", "every") else 1
    return after < len(sentence) and whole_number(sentence[after]) is not None


def _says(sentence: list[Item], at: int, *said: str) -> bool:
    return [item.text.casefold() for item in sentence[at : at + len(said)]] == list(said)
