"""Sentences that give a label as the answer, and how firmly each does so."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut, is_sign, whole_number
from rerankllm.elicitation.reading.beside import Kind, is_beside
from rerankllm.elicitation.reading.lexer import BARE, BREAK, LABEL, NUMBER, SIGN, UNKNOWN, WORD, Item
from rerankllm.elicitation.reading.sides import ARTICLES, SO, WORSE_THAN, conditional, contradicted


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


_ANNOUNCING = words.any_of(
    "answer* choice choose chose chosen output option grade* score* scor* rating* rate rated relevance label verdict"
    " judg* decision decide* conclu* selection select* pick* prefer* winner wins best better most_relevant"
    " more_relevant result"
    " final give* assign* result* go_with would_be relevant therefore so thus hence"
    " this_is_a it_is_a it's_a i'd_say i_would_say"
    " antwort* urteil note bewertung* punkte relevanz wahl relevanter* besser* relevanteste* also"
    " wähle choisis elijo scelgo escolho выбираю النتيجة الإجابة الدرجة"
    " réponse choix meilleur* score pertinen* donc respuesta elección puntuación mejor relevancia risposta"
    " scelta punteggio"
    " migliore resposta escolha melhor antwoord keuze odpowiedź ответ выбор оценка cevap jawaban svar"
    " 答案 回答 更相关 更好 选择 选 評価 評分 评分 分数 得分 结论 結論 答え 選択 スコア"
    " 関連度 相关性 대답 답 정답 正解 선택 점수 등급 उत्तर"
)
_FINAL = re.compile(
    r"\b(?:final\w*|overall|in conclusion|conclusion|in the end|endgültig\w*|finale?|최종)\b|最终|最終|綜上|综上"
)
_ENDING = words.among(
    "is be a an as of am are was it with for choose select pick prefer grade score rating rate answer relevance"
    " output option choice label say "
    "ist lautet als est es è é be: 是 为 為 は :"
)
NOT = re.compile(
    r"\b(?:not|never|neither|nor|cannot|unlikely|hardly|no (?:direct |clear )?(?:answer|information|mention)"
    r"|wrong|incorrect|no longer|isn't|doesn't|unable|nicht"
    r"|kein\w*|pas|non|no es|不)\b|n't\b"
)
NO_CHOICE = re.compile(
    r"\b(?:worse|worst|less|least|lower|inferior|irrelevant|unrelated|off[ -]topic|loses?|weaker|weakest|bad"
    r"|poor|fails?)\b"
)
_FIT = (
    r"(?:\w+ly )?(?:relevan\w*|useful|helpful|specific\w*|direct\w*|informative|suit\w*|appropriate|accurate|complete"
    r"|precise|pertinente?|utile|útil|adapté|related|aligned|on[- ]topic|to the point)"
)
_GOOD = re.compile(
    rf"\b(?:(?:more|most|plus|más|più|mais) {_FIT}|better(?! if| written| known)|best(?! known)|superior|preferred"
    r"|preferable"
    r"|stronger|strongest|correct|right|answer|winner|wins|closer|the one|besser\w*|relevanter|meilleure?"
    r"|mejor|migliore|melhor)\b"
)
EVEN = re.compile(
    r"\b(?:both|either|or|equal\w*|equivalent|tie[ds]?|same|between|neither|unsure|depends|unclear|beide|ambos"
    r"|entrambi|les deux|best known|better (?:known|written)"
    r"|(?:would|could|might) be (?:a )?better\b.{0,60}\bif)\b|都|両方|둘"
)
_THAN = re.compile(r"\b(?:than|over|to|compared|als|que|di|do)(?: the| with| as| le| la| el| il| o| der| die)?$")
_AFTER = words.among(
    "because since as for due given which that who by in it the this there and but while whereas with weil da"
    " denn car parce porque ya perché poiché"
    " points point stars star punkte puntos out of on です だ 입니다"
)
_OPENERS = words.among(
    "it's definitely clearly certainly"
    " so therefore thus hence ok okay sure well then overall finally conclusion in also donc entonces quindi the"
    " el il lo o le la der die das"
)
_NOT_ANOTHER = frozenset({"not", "than", "nor", "of", "to", "from", "/"})
_VERBS = words.among("is was seems appears looks would provides gives answers contains has wins offers ist est es è é")
_SENTENCE = words.among("it the this there that in by for out of on with as")
"""What, after a letter, makes it the first word of a sentence."""
_HEDGES = frozenset({"or", "maybe", "perhaps", "possibly"})
_SIDES = 60
"""Items before and after a label that are looked at."""
_MOST = 400
"""Sentences with labels that are looked at, the first and the last ones."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A label that a sentence gives as the answer.

    Attributes:
        index: Which label; UNKNOWN where the sentence takes another back.
        firm: How firmly.
        at: Where it stands in the plain text.
    """

    index: int
    firm: Firm
    at: int


def verdicts(answer: Cut, kind: Kind) -> Iterator[Verdict]:
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
            yield Verdict(UNKNOWN, Firm.FINAL, sentence[0].start)


def _sentences(items: list[Item]) -> Iterator[list[Item]]:
    """The sentences and lines that hold a label."""
    sentence: list[Item] = []
    holds = False
    for i, item in enumerate(items):
        after = items[i + 1] if i + 1 < len(items) else None
        apart = after is None or after.spaced or after.kind == BREAK
        ends = item.kind == SIGN and item.text in ".!?;…" and apart
        listed = item.text == "." and len(sentence) == 1 and whole_number(sentence[0]) is not None
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


def _verdict(sentence: list[Item], kind: Kind, *, listed: bool) -> Verdict | None:
    """What a sentence gives as the answer; UNKNOWN where it begins with one label and announces another."""
    if sentence[-1].text == "?":
        return None
    while _is_list_number(sentence) and any(item.kind == LABEL for item in sentence[2:]):
        sentence = sentence[2:]
    labels = [i for i, item in enumerate(sentence) if item.kind == LABEL]
    chained = _chained(sentence, labels) if kind.documents else None
    if chained is not None:
        return chained
    first = _first_given(sentence, labels, kind)
    if first is not None and listed and _is_list_number(sentence):
        first = None
    last = _last_announced(sentence, labels, kind)
    if first is not None and last is not None and first.index != last.index:
        return Verdict(UNKNOWN, Firm.FINAL, first.at)
    return first or last or _surpassed(sentence, labels, kind)


def _surpassed(sentence: list[Item], labels: list[int], kind: Kind) -> Verdict | None:
    """The second of `A is less relevant than B`, with nothing denied and no third."""
    if len(labels) != 2 or not kind.documents or labels[1] - labels[0] > _SIDES:  # noqa: PLR2004
        return None
    said, ahead = _words(sentence[labels[0] + 1 : labels[1]]), _words(sentence[max(0, labels[0] - _SIDES) : labels[0]])
    rest = sentence[labels[1] + 1 :]
    less = WORSE_THAN.fullmatch(said) and all(word in _OPENERS for word in ahead.split())
    if not less or any(item.kind != SIGN for item in rest[:1]):
        return None
    return Verdict(sentence[labels[1]].index, Firm.PREDICATE, sentence[labels[1]].start)


def _first_given(sentence: list[Item], labels: list[int], kind: Kind) -> Verdict | None:
    """The first label of a sentence, if it is announced, opens the sentence or is called the better one."""
    place = labels[0]
    said = _words(sentence[max(0, place - _SIDES) : place])
    announced = _ANNOUNCING.search(said) is not None
    beside = is_beside(sentence, place, kind)
    if beside and announced and sentence[labels[-1] - 1].text in {":", "="}:  # `Score (0-3): 2`
        place, beside = labels[-1], is_beside(sentence, labels[-1], kind)
        said = _words(sentence[max(0, place - _SIDES) : place])
    concluded = SO.sub("", said)
    if _ANNOUNCING.search(concluded):
        said = concluded
    if beside or _denied(said):
        return None
    item = sentence[place]
    if announced and not EVEN.search(said) and _leads(sentence, place, said):
        if conditional(said, _words(sentence[place + 1 : place + 1 + _SIDES])):
            return Verdict(UNKNOWN, Firm.FINAL, item.start)
        if _goes_on(sentence, place, kind, opening=False):
            return Verdict(item.index, Firm.FINAL if _FINAL.search(said) else Firm.ANNOUNCED, item.start)
        return _predicate(sentence, place, kind)
    if all(word in _OPENERS for word in said.split()):
        return _opening(sentence, place, labels, kind)
    return _predicate(sentence, place, kind) if item.mark and not EVEN.search(said) else None


def _opening(sentence: list[Item], place: int, labels: list[int], kind: Kind) -> Verdict | None:
    """The label that a sentence begins with; UNKNOWN where its end, or what it says, is another."""
    item = sentence[place]
    if _lists_all(sentence, labels):
        return None
    other = _ends_otherwise(sentence, place) or contradicted(item.text, _words(sentence[place + 1 :]))
    if not kind.documents and other:
        return Verdict(UNKNOWN, Firm.FINAL, item.start)
    if _goes_on(sentence, place, kind, opening=True):
        return Verdict(item.index, Firm.OPENING, item.start)
    return _predicate(sentence, place, kind) if item.mark or kind.documents else None


def _lists_all(sentence: list[Item], labels: list[int]) -> bool:
    """Whether a sentence says what several labels mean: `0: not relevant, 1: related`."""
    signs = [sentence[i + 1].text for i in labels if i + 1 < len(sentence) and is_sign(sentence, i + 1, ":=-(")]
    return len(signs) > 1 and signs[0] == signs[1] and is_sign(sentence, labels[0] + 1, ":=-(")


def _ends_otherwise(sentence: list[Item], place: int) -> bool:
    """Whether a sentence that begins with one label ends with another: `Yes, but no`."""
    last = sentence[-1]
    negated = len(sentence) > 1 and sentence[-2].text.casefold() in _NOT_ANOTHER
    return last.kind == LABEL and last.index != sentence[place].index and last.mark == BARE and not negated


def _leads(sentence: list[Item], place: int, said: str) -> bool:
    """Whether the words before a label lead right up to it: `the answer is B`, `grade: 3`."""
    last = next((word for word in reversed(said.split()) if word not in ARTICLES), "")
    if sentence[place - 1].text in {":", "=", "-", ">"} or last in _ENDING or last.endswith(("是", "为", "為", "は")):
        return True
    return _ANNOUNCING.fullmatch(last) is not None or last.endswith(("选择", "選択", "选", "選", "은", "는"))


def _is_list_number(sentence: list[Item]) -> bool:
    """Whether a sentence begins with `1.` and goes on."""
    first = sentence[0]
    return first.mark == BARE and first.text.isdecimal() and is_sign(sentence, 1, ".)") and len(sentence) > 2  # noqa: PLR2004


def _last_announced(sentence: list[Item], labels: list[int], kind: Kind) -> Verdict | None:
    """The last label of a sentence with several, where a word right before announces it: `…, so grade 3`."""
    place = labels[-1]
    near = _words(sentence[max(0, place - 4) : place])
    if len(labels) < 2 or not _ANNOUNCING.search(near) or _denied(near) or EVEN.search(near) or _THAN.search(near):  # noqa: PLR2004
        return None
    direct = near.split()[-1] in _ENDING or sentence[place - 1].text in {":", "="}
    if not direct or is_beside(sentence, place, kind) or not _goes_on(sentence, place, kind, opening=False):
        return None
    return Verdict(sentence[place].index, Firm.ANNOUNCED, sentence[place].start)


def _words(items: list[Item]) -> str:
    return " ".join(item.text.casefold() for item in items if item.kind in {WORD, NUMBER} or item.text == "n't")


def _denied(said: str) -> bool:
    """Whether the words before a label deny it, or say that it is the other end."""
    return any(pattern.search(said) for pattern in (NOT, NO_CHOICE, words.NOT_THE_BEST))


def _chained(sentence: list[Item], labels: list[int]) -> Verdict | None:
    """The first of `[A] > [B]`, the last of `[A] < [B]`."""
    if len(labels) < 2 or labels[0] > 1 or not is_sign(sentence, labels[0] + 1, "><"):  # noqa: PLR2004
        return None
    sign = sentence[labels[0] + 1].text
    steps = [sentence[a + 1 : b] for a, b in pairwise(labels)]
    rest = [item for item in sentence[labels[-1] + 1 :] if item.kind != SIGN]
    if rest or any(len(step) != 1 or step[0].text != sign for step in steps):
        return None
    item = sentence[labels[0 if sign == ">" else -1]]
    return Verdict(item.index, Firm.OPENING, sentence[labels[0]].start)


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
        another = item.text == "(" and any(other.kind == LABEL for other in sentence[after : after + 4])
        if item.text in ":-(=" and kind.documents and not another and (NOT.search(rest) or NO_CHOICE.search(rest)):
            return False
        if item.text == ":" and opening and kind.documents:
            return _GOOD.search(rest) is not None or rest.startswith(("it ", "because", "this", "the passage", "since"))
        if item.text == ">":
            return not kind.documents
        ahead = sentence[after + 1 : after + 2]
        compound = item.text == "-" and not item.spaced and any(i.kind == WORD and not i.spaced for i in ahead)
        return not compound  # `a 1-page text`
    word = item.text.casefold()
    if word in {"and", "but"} and any(i.kind == LABEL for i in sentence[after : after + 4]):
        return False
    if word in {"over", "rather", "instead", "than"}:
        return not opening or word == "over"
    if opening and kind.documents and word in _SENTENCE:
        return False
    return word in _AFTER and (item.spaced or not word.isascii())


def _predicate(sentence: list[Item], place: int, kind: Kind) -> Verdict | None:
    """`Passage B is better than passage A`: the better one, if only one is called so and nothing is denied."""
    item = sentence[place]
    behind = sentence[place + 1 : place + 1 + _SIDES]
    others = [i for i, other in enumerate(behind) if other.kind == LABEL]
    stop = others[0] if others else len(behind)
    rest = _words(behind[:stop])
    if not behind or behind[0].kind != WORD or NOT.search(rest) or EVEN.search(rest):
        return None
    good = _GOOD.search(rest)
    if not good or NO_CHOICE.search(rest[: good.end()]):
        return None
    if others and not _THAN.search(rest):
        return None
    rest_of_list = [
        other for other in behind[stop:] if other.kind != LABEL and other.text not in {",", "and", "or", "."}
    ]
    if not kind.documents or (len(others) > 1 and rest_of_list):
        return None
    if rest.partition(" ")[0] not in _VERBS:
        return None
    return Verdict(item.index, Firm.PREDICATE, item.start)


def settled(given: list[Verdict]) -> tuple[int | None, str]:
    """The verdict that counts, and its form; None where there is none, or two that are equally firm."""
    if not given:
        return None, "no verdict"
    firmest = max(verdict.firm for verdict in given)
    told = {verdict.index for verdict in given if verdict.firm == firmest}
    if len(told) > 1:
        return None, "several"
    index = told.pop()
    opening = [verdict for verdict in given if verdict.firm == Firm.OPENING]
    if firmest == Firm.ANNOUNCED and opening and opening[0].at == 0 and len(opening) == 1 and opening[0].index != index:
        return None, "several"
    form = {Firm.PREDICATE: "called better", Firm.OPENING: "opening label"}.get(firmest, "announced label")
    return index, form
