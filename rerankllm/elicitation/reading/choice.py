"""An answer that should be one of a few labels: `A`, `Yes⏎⏎The passage…`, `Score: 3`, `Passage B is better`.

The answer is cut into sentences. A sentence that gives its label as the answer is a verdict; how firmly it does so
says which verdict counts where several are given. Two different ones that are equally firm are no answer.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut, cut_answer, names_of
from rerankllm.elicitation.reading.beside import Kind
from rerankllm.elicitation.reading.json_form import values
from rerankllm.elicitation.reading.lexer import BREAK, LABEL, UNKNOWN, WORD, Item, cut
from rerankllm.elicitation.reading.names import named
from rerankllm.elicitation.reading.opposed import preferred
from rerankllm.elicitation.reading.order import read_order
from rerankllm.elicitation.reading.thought import answer_part
from rerankllm.elicitation.reading.verdicts import EVEN, NO_CHOICE, NOT, settled, verdicts
from rerankllm.judgements import ParseReport, Status

_CHOICE_KEYS = re.compile(
    r"answer|choice|label|score|grade|rating|relevan|verdict|judg|decision|output|result|selec|best|better"
    r"|winner|prefer|passage|document|identifier|\bid\b"
)
_WORST_KEYS = re.compile(r"worst|least|worse")


def parse_choice(text: str, labels: Sequence[str]) -> tuple[int | None, ParseReport]:
    """Reads an answer that should be one of `labels` (`A`, `Yes`, `2`). Total: never raises.

    The label may open the answer, follow a word such as "answer" or "grade", be called the better one, or be the only
    one named; of scores beside letters the best one counts. An answer that
    gives several, or that only denies one, says nothing certain and fails.

    Returns:
        The index of the label, or None when the report is `failed`.
    """
    letters = all(len(label) <= 2 and label.isalpha() and label.isupper() for label in labels)  # noqa: PLR2004
    scale = max(map(int, labels)) if labels and all(label.isdecimal() and len(label) < 4 for label in labels) else None  # noqa: PLR2004
    index, report = read_choice(text, labels, Kind(documents=letters, best=scale))
    if index is None and letters:
        parsed = read_order(text, labels, len(labels))
        if parsed.report.form in {"scores", "table"} and len(parsed.groups[0]) == 1:
            return parsed.groups[0][0], parsed.report
    return index, report


def read_choice(text: str, labels: Sequence[str], kind: Kind) -> tuple[int | None, ParseReport]:
    """Reads one label, which stands for a document or for a value."""
    said = answer_part(text)
    if said is None:
        return None, ParseReport(Status.FAILED, {"unclosed reasoning": 1})
    answer = cut_answer(said, labels, 1, ordered=False)
    found = _in_json(answer, labels)
    if found is not None:
        return found, ParseReport(form="json")
    alone = _alone(answer, labels)
    if alone is not None:
        return alone, ParseReport(form="single label")
    given = list(verdicts(answer, kind))
    index, form = settled(given)
    if index is not None and _taken_back(answer, index, max(v.at for v in given if v.index == index)):
        index, form = None, "taken back"
    if index is None and (corrected := _correction(answer, labels, kind)) is not None:
        return corrected, ParseReport(form="correction")
    if index is None and kind.documents and (better := preferred(answer, len(labels))) is not None:
        return better, ParseReport(form="each judged")
    marked = {item.index for item in answer.items if item.kind == LABEL and item.mark}
    if index is None and form == "no verdict" and len(marked) == 1 and _only_one(answer):
        index, form = marked.pop(), "only label"
        marked = set()
    if index is None or index == UNKNOWN:
        mentioned = any(item.kind == LABEL for item in answer.items)
        return None, ParseReport(
            Status.FAILED, {"ambiguous": 1} if mentioned and (marked or given) else {"no label": 1}
        )
    others = len(marked - {index, UNKNOWN})
    repairs = {"contradicted": others} if others else {}
    return index, ParseReport(Status.REPAIRED if repairs else Status.PARSED, repairs, form)


def _taken_back(answer: Cut, index: int, at: int) -> bool:
    """Whether what follows a verdict takes it back and names another label."""
    after = answer.text[at:].casefold()
    found = [match for pattern in (words.RETRACTION, words.SOFT_RETRACTION) if (match := pattern.search(after))]
    if not found:
        return False
    back = at + min(match.end() for match in found)
    return any(item.kind == LABEL and item.start >= back and item.index != index for item in answer.items)


def _correction(answer: Cut, labels: Sequence[str], kind: Kind) -> int | None:
    """The label that is announced, or stands alone, behind the last words that take something back."""
    said = answer.text.lower()
    found = list(words.RETRACTION.finditer(said)) if len(said) == len(answer.text) and "?" not in said else []
    if not found:
        return None
    rest = cut_answer(answer.text[found[-1].end() :], labels, 1, ordered=False)
    given = list(verdicts(rest, kind))
    index, form = settled(given)
    if index is None or _taken_back(rest, index, max(v.at for v in given if v.index == index)):
        return None
    return index if index != UNKNOWN and (form == "announced label" or index == _alone(rest, labels)) else None


def _in_json(answer: Cut, labels: Sequence[str]) -> int | None:
    """The label under the one key that gives it, where the answer is a JSON object."""
    found = [one for one in values(answer.text) if isinstance(one.value, dict)]
    if len(found) != 1:
        return None
    told: set[int] = set()
    for key, value in found[0].value.items():
        name = key.casefold()
        if not _CHOICE_KEYS.search(name) or _WORST_KEYS.search(name):
            continue
        index = _as_label(value, labels)
        if index is not None:
            told.add(index)
        elif not isinstance(value, str) or len(value) < 8:  # noqa: PLR2004
            return None
    return told.pop() if len(told) == 1 else None


def _as_label(value: object, labels: Sequence[str]) -> int | None:
    if isinstance(value, bool):
        value = "Yes" if value else "No"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int) or (isinstance(value, int) and abs(value) > 10**6):
        return None
    return _spelt(named(cut(str(value)[:80]), names_of(labels)))


def _spelt(items: list[Item]) -> int | None:
    """The label that items are, with nothing but signs beside it."""
    found = [item for item in items if item.kind == LABEL]
    if len(found) == 1 and found[0].index != UNKNOWN and all(i.kind == LABEL or i.text in ".:;![]()," for i in items):
        return found[0].index
    return None


def _alone(answer: Cut, labels: Sequence[str]) -> int | None:
    """The label that is the whole answer, also in the other case."""
    items = [item for item in answer.items if item.kind != BREAK]
    if len(items) > 8:  # noqa: PLR2004
        return None
    found = _spelt(items)
    if (
        found is None
        and sum(item.kind == WORD for item in items) == 1
        and len({x.casefold() for x in labels}) == len(labels)
    ):
        upper = [replace(item, text=item.text.upper()) if item.kind == WORD else item for item in items]
        found = _spelt(named(upper, names_of(labels)))
    return found


def _only_one(answer: Cut) -> bool:
    """Whether an answer with one label, marked, calls it the answer or quotes what it names, and denies nothing."""
    said = answer.text.casefold()
    quotes = answer.items[0].kind == LABEL and answer.items[1:] and answer.items[1].text[0].isupper()
    if "?" in said or not (quotes or words.POSITIVE.search(said)):
        return False
    return not any(pattern.search(said) for pattern in (NOT, EVEN, NO_CHOICE, words.NEGATIVE))
