"""What is said right before and right after an order, which decides whether it is the answer."""

import re
from enum import Enum

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut
from rerankllm.elicitation.reading.candidate import Candidate
from rerankllm.elicitation.reading.directions import ASCENDING, BACKWARDS, DESCENDING

MOST = 64
"""How many orders of one form are looked at, the last ones; an answer with more of them is none."""
_NEAR = 240
"""How many characters before and after are looked at."""
_SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bz\.B)(?<!\bvs)(?<!\bno)(?<!\d)[.!?…](?=\s|$)|[.!?](?=\s*[^\x00-\u0900])"
)
TURN = re.compile(
    r"^\W{0,4}(?:user|human|search query|query|question|instruction)\W{0,3}:", re.IGNORECASE | re.MULTILINE
)
"""What begins another question: a model that does not stop goes on with one of its own."""
_MEANS = r"\W{0,3}(?:means?|denotes?|indicates?|stands? for|signifies|bedeutet|signifie|significa)\b"
_OTHER_MEANING = re.compile(
    rf"<{_MEANS}(?!.{{0,30}}\b(?:less|lower|worse|weniger|moins|menos))"
    rf"|>{_MEANS}.{{0,30}}\b(?:less|lower|worse|weniger|moins|menos)"
)
"""What gives a sign of a chain another meaning than it has."""
_QUESTION = re.compile(r"[^.!?\n]{0,80}\?")
_MARKUP = re.compile(r"[*_`#\"'“”„«»「」『』{}$\\>|·+•▪]|^\s*(?:\d{1,3}[.)]|-)\s")


def lead(answer: Cut, start: int) -> str:
    """The words before, in the same sentence, or of the line above that ends in a colon or is a heading."""
    near = answer.text[max(0, start - _NEAR) : start]
    above, found, own = near.rpartition("\n")
    if _MARKUP.sub("", own).strip(" ([") or not (found or not above):
        return _last_sentence(own)
    last = above.rstrip().rpartition("\n")[2].strip()
    said = last.rstrip("*_ ").endswith((":", "\uff1a"))
    heading = last.startswith("#") or (last.startswith("**") and last.endswith("**"))
    return _last_sentence(last) if said or heading else ""


def before(answer: Cut, start: int) -> str:
    """The line above and the words before on the same line."""
    near = answer.text[max(0, start - _NEAR) : start]
    return "\n".join(near.rstrip().rsplit("\n", 2)[-2:]).casefold().replace("’", "'")


def tail(answer: Cut, end: int) -> str:
    """The words after, to the end of the sentence or the line."""
    near = answer.text[end : end + _NEAR].partition("\n")[0]
    found = _SENTENCE_END.search(near)
    return (near[: found.start()] if found else near).strip(" *_`\"'“”])}$").casefold().replace("’", "'")


def _last_sentence(text: str) -> str:
    end = 0
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
    return _MARKUP.sub(" ", text[end:]).strip().casefold().replace("’", "'")


def denies(said: str) -> bool:
    """Whether words deny that the labels beside them are the best; "from least to most" does not."""
    rest = ASCENDING.sub(" ", DESCENDING.sub(" ", said))
    return words.NEGATIVE.search(rest) is not None or words.OTHER_ORDER.search(rest) is not None


def announces(said: str) -> bool:
    """Whether words announce an order, or say in which direction it goes."""
    return any(pattern.search(said) for pattern in (words.ANNOUNCING, ASCENDING, DESCENDING))


def no_answer(answer: Cut, found: Candidate) -> bool:
    """Whether the words around an order say that it is a draft, an example or wrong."""
    said = lead(answer, found.start)
    final = words.ANNOUNCING.search(said) is not None and re.search(r"\bfinal|revised|corrected|最终", said)
    if _QUESTION.match(answer.text, found.end):
        return True
    if words.EXAMPLE.search(said) or words.OTHER_ORDER.search(said) or words.JUST_BEFORE_NO_ANSWER.search(said):
        return True
    if words.DRAFT.search(said) and not final:
        return True
    spoken = found.form == "list" or "chain" in found.form
    return spoken and words.DENYING.search(tail(answer, found.end)[:_NEAR]) is not None


def announced(answer: Cut, found: Candidate) -> bool:
    """Whether the words before an order announce it, or take back an earlier one."""
    said = lead(answer, found.start)
    return bool(
        words.ANNOUNCING.search(said)
        or words.RETRACTION.search(said)
        or words.SOFT_RETRACTION.search(said)
        or said.endswith(("actually", "rather", "so", "therefore", "thus", "hence", "better"))
    )


def retracted(answer: Cut, end: int) -> bool:
    """Whether what follows takes back what stands before `end`."""
    rest = answer.text[end:].casefold()
    if words.RETRACTION.search(rest):
        return True
    soft = words.SOFT_RETRACTION.search(rest)
    return soft is not None and any(item.kind == "label" and item.mark for item in answer.items if item.start >= end)


def retracted_between(answer: Cut, start: int, end: int) -> bool:
    """Whether what stands between two orders takes the first back."""
    between = answer.text[start:end].casefold()
    return words.RETRACTION.search(between) is not None or words.SOFT_RETRACTION.search(between) is not None


class Direction(Enum):
    """From which end an order is said to be written."""

    UP = "from the worst"
    DOWN = "from the best"
    UNSAID = "nothing is said"
    UNCLEAR = "not clear"


def direction(answer: Cut, found: Candidate) -> Direction:
    """What the words around an order say, or those elsewhere in the answer if none around it do."""
    near = f"{before(answer, found.start)}\n{tail(answer, found.end)}"
    up, down = ASCENDING.search(near), DESCENDING.search(near)
    if BACKWARDS.search(near) or (up and down):
        return Direction.UNCLEAR
    if up:
        return (
            Direction.UNCLEAR if re.search(r"ascending rank|rank\w* ascending|increasing rank", near) else Direction.UP
        )
    elsewhere = answer.text.casefold()
    if not down and ASCENDING.search(elsewhere) and not DESCENDING.search(elsewhere):
        return Direction.UNCLEAR
    return Direction.DOWN if down else Direction.UNSAID


def redefined(answer: Cut, found: Candidate) -> bool:
    """Whether the answer says that the signs of its chain mean something else than they do."""
    return "chain" in found.form and _OTHER_MEANING.search(answer.text.casefold()) is not None
