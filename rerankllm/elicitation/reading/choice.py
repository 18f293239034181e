"""An answer that should be one of a few labels: `A`, `Yes⏎⏎The passage…`, `Score: 3`, `Passage B is better`.

The answer is cut into sentences. A sentence that gives its label as the answer is a verdict; how firmly it does so
says which verdict counts where several are given. Two different ones that are equally firm are no answer.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut, cut_answer, is_sign, names_of, whole_number
from rerankllm.elicitation.reading.json_form import values
from rerankllm.elicitation.reading.lexer import BARE, BREAK, LABEL, NUMBER, SIGN, UNKNOWN, WORD, Item, cut
from rerankllm.elicitation.reading.names import named
from rerankllm.elicitation.reading.thought import answer_part
from rerankllm.judgements import ParseReport, Status


class Firm(IntEnum):
    """How firmly a sentence gives a label."""

    PREDICATE = 1
    """`Passage B is the better one.`"""
    OPENING = 2
    """`B, because …`; `Yes`."""
    ANNOUNCED = 3
    """`Answer: B`; `so grade 3`."""
    FINAL = 4
    """`Final answer: B`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the labels stand for.

    Attributes:
        documents: Whether they name documents, so that "A: irrelevant" is no choice of A.
        best: The highest number among them, where they are a scale.
    """

    documents: bool
    best: int | None = None


_ANNOUNCING = words.any_of(
    "answer* choice choose chose chosen output option grade* score* scor* rating* rate rated relevance label verdict"
    " judg* decision decide* conclu* selection select* pick* prefer* winner wins best better most_relevant"
    " more_relevant result"
    " final give* assign* result* go_with would_be relevant therefore so thus hence"
    " antwort* urteil note bewertung* punkte relevanz wahl relevanter* besser* relevanteste* also"
    " réponse choix meilleur* score pertinen* donc respuesta elección puntuación mejor relevancia risposta"
    " scelta punteggio"
    " migliore resposta escolha melhor antwoord keuze odpowiedź ответ выбор оценка cevap jawaban svar"
    " 答案 回答 选择 选 評価 評分 评分 分数 得分 结论 結論 答え 選択 スコア"
    " 関連度 相关性 대답 답 정답 正解 선택 점수 등급 उत्तर"
)
_FINAL = re.compile(
    r"\b(?:final\w*|overall|in conclusion|conclusion|in the end|endgültig\w*|finale?|최종)\b|最终|最終|綜上|综上"
)
_ENDING = words.among(
    "is be a an as of am are was it with for choose select pick prefer grade score rating rate answer relevance"
    " output option choice label "
    "ist lautet als est es è é be: 是 为 為 は :"
)
_NOT = re.compile(
    r"\b(?:not|never|neither|nor|cannot|unlikely|hardly|wrong|incorrect|no longer|isn't|doesn't|unable|nicht"
    r"|kein\w*|pas|non|no es|不)\b|n't\b"
)
_NO_CHOICE = re.compile(
    r"\b(?:worse|worst|less|least|lower|inferior|irrelevant|unrelated|off[ -]topic|loses?|weaker|weakest|bad"
    r"|poor|fails?)\b"
)
_GOOD = re.compile(
    r"\b(?:better|best|more|most|superior|preferred|preferable|stronger|strongest|correct|right|answer|winner"
    r"|wins|closer|the one|besser\w*|relevanter"
    r"|meilleure?|plus|mejor|más|migliore|melhor)\b"
)
_EVEN = re.compile(
    r"\b(?:both|either|or|equal\w*|equivalent|tie[ds]?|same|between|neither|unsure|depends|unclear|beide|ambos"
    r"|entrambi|les deux)\b|都|両方|둘"
)
_AFTER = words.among(
    "because since as for due given which that who by in it the this there and but while whereas with weil da"
    " denn car parce porque ya perché poiché"
    " points point stars star punkte puntos out of on です だ 입니다"
)
_CHOICE_KEYS = re.compile(
    r"answer|choice|label|score|grade|rating|relevan|verdict|judg|decision|output|result|selec|best|better"
    r"|winner|prefer|passage|document|identifier|\bid\b"
)
_WORST_KEYS = re.compile(r"worst|least|worse")
_OPENERS = words.among(
    "so therefore thus hence ok okay sure well then overall finally conclusion in also donc entonces quindi the"
)
_HEDGES = frozenset({"or", "maybe", "perhaps", "possibly"})
_SIDES = 60
"""Items before and after a label that are looked at."""
_MOST = 400
"""Sentences with labels that are looked at, the first and the last ones."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    index: int
    firm: Firm
    at: int


def parse_choice(text: str, labels: Sequence[str]) -> tuple[int | None, ParseReport]:
    """Reads an answer that should be one of `labels` (`A`, `Yes`, `2`). Total: never raises.

    The label may open the answer, follow a word such as "answer" or "grade", be called the better one, or be the only
    one named. An answer that gives several, or that only denies one, says nothing certain and fails.

    Returns:
        The index of the label, or None when the report is `failed`.
    """
    letters = all(len(label) <= 2 and label.isalpha() and label.isupper() for label in labels)  # noqa: PLR2004
    scale = max(map(int, labels)) if labels and all(label.isdecimal() and len(label) < 4 for label in labels) else None  # noqa: PLR2004
    return read_choice(text, labels, Kind(documents=letters, best=scale))


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
    verdicts = list(_verdicts(answer, kind))
    index, form = _settled(verdicts)
    if index is not None and _taken_back(answer, index, max(v.at for v in verdicts if v.index == index)):
        index, form = None, "taken back"
    marked = {item.index for item in answer.items if item.kind == LABEL and item.mark}
    if index is None and form == "no verdict" and len(marked) == 1 and _only_one(answer):
        index, form = marked.pop(), "only label"
        marked = set()
    if index is None or index == UNKNOWN:
        mentioned = any(item.kind == LABEL for item in answer.items)
        return None, ParseReport(
            Status.FAILED, {"ambiguous": 1} if mentioned and (marked or verdicts) else {"no label": 1}
        )
    others = len(marked - {index, UNKNOWN})
    repairs = {"contradicted": others} if others else {}
    return index, ParseReport(Status.REPAIRED if repairs else Status.PARSED, repairs, form)


def _taken_back(answer: Cut, index: int, at: int) -> bool:
    """Whether what follows a verdict takes it back and names another label."""
    after = answer.text[at:].casefold()
    if not (words.RETRACTION.search(after) or words.SOFT_RETRACTION.search(after)):
        return False
    return any(item.kind == LABEL and item.start > at and item.index != index for item in answer.items)


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
    if len(found) == 1 and found[0].index != UNKNOWN and all(i.kind == LABEL or i.text in ".:;!?[]()," for i in items):
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


def _verdicts(answer: Cut, kind: Kind) -> Iterator[_Verdict]:
    """The verdicts of all sentences, in order."""
    sentences = list(_sentences(answer.items))
    if len(sentences) > 2 * _MOST:
        sentences = sentences[:_MOST] + sentences[-_MOST:]
    listed = any(_is_list_number(sentence) and sentence[0].text == "1" for sentence in sentences)
    for number, sentence in enumerate(sentences):
        verdict = _verdict(sentence, kind, listed=listed)
        if verdict is not None:
            yield verdict
        elif number and sentence[0].text.casefold() in _HEDGES:
            yield _Verdict(UNKNOWN, Firm.FINAL, sentence[0].start)


def _sentences(items: list[Item]) -> Iterator[list[Item]]:
    """The sentences and lines that hold a label."""
    sentence: list[Item] = []
    holds = False
    for i, item in enumerate(items):
        after = items[i + 1] if i + 1 < len(items) else None
        ends = (
            item.kind == SIGN
            and item.text in ".!?;…"
            and (after is None or after.spaced or after.kind == BREAK or not item.text.isascii())
        )
        listed = (
            ends
            and item.text == "."
            and len(sentence) == 1
            and whole_number(sentence[0]) is not None
            and after is not None
        )
        if item.kind == BREAK or (ends and not (listed and after is not None and after.kind != BREAK)):
            if item.text == "?":
                sentence.append(item)
            if holds:
                yield sentence
            sentence, holds = [], False
            continue
        sentence.append(item)
        holds = holds or item.kind == LABEL
    if holds:
        yield sentence


def _verdict(sentence: list[Item], kind: Kind, *, listed: bool) -> _Verdict | None:
    """What a sentence gives as the answer; UNKNOWN where it begins with one label and announces another."""
    if sentence[-1].text == "?":
        return None
    while _is_list_number(sentence) and any(item.kind == LABEL for item in sentence[2:]):
        sentence = sentence[2:]
    labels = [i for i, item in enumerate(sentence) if item.kind == LABEL]
    chained = _chained(sentence, labels)
    if chained is not None:
        return chained
    first = _first_given(sentence, labels, kind)
    if first is not None and listed and _is_list_number(sentence):
        first = None
    last = _last_announced(sentence, labels, kind)
    if first is not None and last is not None and first.index != last.index:
        return _Verdict(UNKNOWN, Firm.FINAL, first.at)
    return first or last


def _first_given(sentence: list[Item], labels: list[int], kind: Kind) -> _Verdict | None:
    """The first label of a sentence, if it is announced, opens the sentence or is called the better one."""
    place = labels[0]
    said = _words(sentence[max(0, place - _SIDES) : place])
    announced = _ANNOUNCING.search(said) is not None
    beside = _beside(sentence, place, kind)
    if beside and announced and sentence[labels[-1] - 1].text in {":", "="}:  # `Score (0-3): 2`
        place, beside = labels[-1], _beside(sentence, labels[-1], kind)
        said = _words(sentence[max(0, place - _SIDES) : place])
    if beside or _denied(said):
        return None
    item = sentence[place]
    if announced and not _EVEN.search(said) and _leads(sentence, place, said):
        if _goes_on(sentence, place, kind, opening=False):
            return _Verdict(item.index, Firm.FINAL if _FINAL.search(said) else Firm.ANNOUNCED, item.start)
        return _predicate(sentence, place, kind)
    if all(word in _OPENERS for word in said.split()):
        if _lists_all(sentence, labels) or (not kind.documents and _ends_otherwise(sentence, place)):
            return None if _lists_all(sentence, labels) else _Verdict(UNKNOWN, Firm.FINAL, item.start)
        if _goes_on(sentence, place, kind, opening=True):
            return _Verdict(item.index, Firm.OPENING, item.start)
        return _predicate(sentence, place, kind) if item.mark or kind.documents else None
    return _predicate(sentence, place, kind) if item.mark and not _EVEN.search(said) else None


def _lists_all(sentence: list[Item], labels: list[int]) -> bool:
    """Whether a sentence says what several labels mean: `0: not relevant, 1: related`."""
    signs = [sentence[i + 1].text for i in labels if i + 1 < len(sentence) and is_sign(sentence, i + 1, ":=-(")]
    return len(signs) > 1 and signs[0] == signs[1] and is_sign(sentence, labels[0] + 1, ":=-(")


def _ends_otherwise(sentence: list[Item], place: int) -> bool:
    """Whether a sentence that begins with one label ends with another: `Yes, but no`."""
    last = sentence[-1]
    negated = len(sentence) > 1 and sentence[-2].text.casefold() in {"not", "than", "nor", "of", "to", "from"}
    return last.kind == LABEL and last.index != sentence[place].index and last.mark == BARE and not negated


def _leads(sentence: list[Item], place: int, said: str) -> bool:
    """Whether the words before a label lead right up to it: `the answer is B`, `grade: 3`."""
    last = said.rpartition(" ")[2]
    if sentence[place - 1].text in {":", "=", "-", ">"} or last in _ENDING or last.endswith(("是", "为", "為", "は")):
        return True
    return _ANNOUNCING.fullmatch(last) is not None or last.endswith(("选择", "選択", "은", "는"))


def _is_list_number(sentence: list[Item]) -> bool:
    """Whether a sentence begins with `1.` and goes on."""
    first = sentence[0]
    return first.mark == BARE and first.text.isdecimal() and is_sign(sentence, 1, ".)") and len(sentence) > 2  # noqa: PLR2004


def _last_announced(sentence: list[Item], labels: list[int], kind: Kind) -> _Verdict | None:
    """The last label of a sentence with several, where a word right before announces it: `…, so grade 3`."""
    place = labels[-1]
    near = _words(sentence[max(0, place - 4) : place])
    if len(labels) < 2 or not _ANNOUNCING.search(near) or _denied(near) or _EVEN.search(near):  # noqa: PLR2004
        return None
    direct = near.split()[-1] in _ENDING or sentence[place - 1].text in {":", "="}
    if not direct or _beside(sentence, place, kind) or not _goes_on(sentence, place, kind, opening=False):
        return None
    return _Verdict(sentence[place].index, Firm.ANNOUNCED, sentence[place].start)


def _words(items: list[Item]) -> str:
    return " ".join(item.text.casefold() for item in items if item.kind in {WORD, NUMBER} or item.text == "n't")


def _denied(said: str) -> bool:
    """Whether the words before a label deny it, or say that it is the other end."""
    return _NOT.search(said) is not None or _NO_CHOICE.search(said) is not None


def _chained(sentence: list[Item], labels: list[int]) -> _Verdict | None:
    """The first of `[A] > [B]`."""
    if len(labels) < 2 or labels[0] > 1 or not is_sign(sentence, labels[0] + 1, ">"):  # noqa: PLR2004
        return None
    steps = [sentence[a + 1 : b] for a, b in pairwise(labels)]
    rest = [item for item in sentence[labels[-1] + 1 :] if item.kind != SIGN]
    if rest or any(len(step) != 1 or step[0].text != ">" for step in steps):
        return None
    item = sentence[labels[0]]
    return _Verdict(item.index, Firm.OPENING, item.start)


def _beside(sentence: list[Item], place: int, kind: Kind) -> bool:
    """Whether a label is one of several given together, part of a range, or a number of something else."""
    item, after = sentence[place], place + 1
    following = sentence[after] if after < len(sentence) else None
    before = sentence[place - 1] if place else None
    if before is not None and before.kind == SIGN and before.text in "/-<" and not item.spaced:
        return True
    if (
        before is not None
        and before.kind == WORD
        and before.text.casefold() in {"or", "and", "nor", "to", "bis", "through", "oder", "und", "ou", "et", "y", "o"}
    ):
        return True
    if following is None:
        return False
    if following.text in {"/", "-", "&", "+", "<", "="} and after + 1 < len(sentence):
        other = sentence[after + 1]
        if following.text == "/" and item.text.isdecimal() and whole_number(other) is not None:
            return kind.documents or kind.best is None or whole_number(other) != kind.best
        if other.kind in {LABEL, NUMBER} and (following.text != "-" or not other.spaced or other.mark):
            return True
        if following.text == "/":
            return True
    conjunction = following.text.casefold() in {
        "or",
        "and",
        "&",
        "to",
        "oder",
        "und",
        "ou",
        "et",
        "y",
        "o",
        "/",
        ",",
        "bis",
    }
    if conjunction and after + 1 < len(sentence) and sentence[after + 1].kind in {LABEL, NUMBER}:
        return True
    if _says(sentence, after, "out", "of") and after + 2 < len(sentence):
        best = whole_number(sentence[after + 2])
        return best is not None and best != kind.best
    return following.text == "%"


def _says(sentence: list[Item], at: int, *said: str) -> bool:
    return [item.text.casefold() for item in sentence[at : at + len(said)]] == list(said)


def _goes_on(sentence: list[Item], place: int, kind: Kind, *, opening: bool) -> bool:
    """Whether what follows a label leaves it the answer: nothing, a reason, a remark."""
    after = place + 1
    while is_sign(sentence, after, "])"):
        after += 1
    if after >= len(sentence):
        return True
    item = sentence[after]
    rest = _words(sentence[after : after + 5])
    if item.kind == SIGN:
        if item.text in ":-(=" and kind.documents and (_NOT.search(rest) or _NO_CHOICE.search(rest)):
            return False
        if item.text == ":" and opening and kind.documents:
            return _GOOD.search(rest) is not None or rest.startswith(("it ", "because", "this", "the passage", "since"))
        if item.text == ">":
            return not kind.documents
        return True
    word = item.text.casefold()
    if word in {"and", "but"} and any(i.kind == LABEL for i in sentence[after : after + 4]):
        return False
    if word in {"over", "rather", "instead", "than"}:
        return not opening or word == "over"
    if (
        opening
        and kind.documents
        and word in {"it", "the", "this", "there", "that", "in", "by", "for", "out", "of", "on", "with", "as"}
    ):
        return False
    return word in _AFTER and (item.spaced or not word.isascii())


def _predicate(sentence: list[Item], place: int, kind: Kind) -> _Verdict | None:
    """`Passage B is better than passage A`: the better one, if only one is called so and nothing is denied."""
    item = sentence[place]
    behind = sentence[place + 1 : place + 1 + _SIDES]
    others = [i for i, other in enumerate(behind) if other.kind == LABEL]
    stop = others[0] if others else len(behind)
    rest = _words(behind[:stop])
    if not behind or behind[0].kind != WORD or _NOT.search(rest) or _EVEN.search(rest):
        return None
    good = _GOOD.search(rest)
    if not good or _NO_CHOICE.search(rest[: good.end()]):
        return None
    if others and not re.search(r"\b(?:than|over|to|compared|als|que|di|do)(?: the| with| as)?$", rest):
        return None
    if len(others) > 1 or not kind.documents:
        return None
    verb = rest.split()[0]
    if verb not in {
        "is",
        "was",
        "seems",
        "appears",
        "looks",
        "would",
        "provides",
        "gives",
        "answers",
        "contains",
        "has",
        "wins",
        "offers",
        "ist",
        "est",
        "es",
        "è",
        "é",
    }:
        return None
    return _Verdict(item.index, Firm.PREDICATE, item.start)


def _settled(verdicts: list[_Verdict]) -> tuple[int | None, str]:
    """The verdict that counts, and its form; None where there is none, or two that are equally firm."""
    if not verdicts:
        return None, "no verdict"
    firmest = max(verdict.firm for verdict in verdicts)
    told = {verdict.index for verdict in verdicts if verdict.firm == firmest}
    if len(told) > 1:
        return None, "several"
    index = told.pop()
    opening = [verdict for verdict in verdicts if verdict.firm == Firm.OPENING]
    if firmest == Firm.ANNOUNCED and opening and opening[0].at == 0 and len(opening) == 1 and opening[0].index != index:
        return None, "several"
    form = {Firm.PREDICATE: "called better", Firm.OPENING: "opening label"}.get(firmest, "announced label")
    return index, form


def _only_one(answer: Cut) -> bool:
    """Whether an answer that names one label, marked, does not deny it, and does not say the other end of it."""
    said = answer.text.casefold()
    return not any(pattern.search(said) for pattern in (_NOT, _EVEN, _NO_CHOICE))
