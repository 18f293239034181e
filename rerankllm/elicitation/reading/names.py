"""How labels are found among the items of an answer: `[3]`, `Passage 3`, `(3)`, `3`; `[B]`, `Option B`, `B`."""

from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.lexer import BARE, LABEL, NAMED, NUMBER, PARENTHESES, SIGN, UNKNOWN, WORD, Item

NOUNS = words.among(
    "passage document doc identifier id text option item candidate article snippet excerpt paragraph psg p "
    "textstelle abschnitt dokument textabschnitt absatz kandidat "
    "extrait texte paragraphe passages documento pasaje párrafo fragmento texto opción "
    "passaggio brano paragrafo passagem trecho parágrafo tekst fragment dokumen bagian pasaj belge paragraf metin "
    "đoạn отрывок документ текст фрагмент абзац пассаж dokument pasaż stycke avsnitt kappale tekstfragment alinea "
    "المقطع الوثيقة النص अनुच्छेद दस्तावेज़ परिच्छेद ข้อความ"
) - {"passages"}
_ENDINGS = (
    "段落",
    "文档",
    "文檔",
    "文章",
    "片段",
    "文書",
    "文章",
    "パッセージ",
    "ドキュメント",
    "文",
    "구절",
    "문서",
    "지문",
    "단락",
    "选项",
    "編號",
    "编号",
)
_COUNTERS = ("段", "篇", "号", "條", "条", "個", "个", "番", "번", "문서", "段落", "篇文章", "番目")
_BETWEEN = frozenset({"number", "no", "nr", "num", "n", "numéro", "número", "nummer", "nº", "n°", "№"})
_PLACES = frozenset({"st", "nd", "rd", "th", "er", "ère", "ème", "e", "º", "ª", "位", "名", "위"})
_VERBS = frozenset(
    {"is", "was", "has", "answers", "contains", "gives", "seems", "scores", "gets", "ranks", "does", "mentions"}
)
"""What follows the label I, where the word "I" would not."""
_TWO = 2


@dataclass(frozen=True, slots=True)
class Names:
    """The labels shown, and how they are found.

    Attributes:
        numbers: Whether they are numbers.
        exact: The items of each label, by its first item's text, longest first, with its index.
        folded: The same by lower case, where that keeps the labels apart.
        single: Whether all are letters, which in lower case are ordinary words.
    """

    numbers: bool
    exact: dict[str, list[tuple[tuple[str, ...], int]]]
    folded: dict[str, list[tuple[tuple[str, ...], int]]]
    single: bool

    @classmethod
    def of(cls, labels: Sequence[str], spelt: Sequence[tuple[str, ...]]) -> "Names":
        """From the labels, and the texts of the items that each is cut into."""
        exact: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        folded: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        distinct = len({label.casefold() for label in labels}) == len(labels)
        for index, items in sorted(enumerate(spelt), key=lambda pair: -len(pair[1])):
            if items:
                exact.setdefault(items[0], []).append((items, index))
                if distinct:
                    low = tuple(map(str.casefold, items))
                    folded.setdefault(low[0], []).append((low, index))
        single = all(len(label) <= _TWO and label.isalpha() for label in labels)
        return cls(bool(labels) and all(label.isdecimal() for label in labels), exact, folded, single)

    def at(self, items: Sequence[Item], i: int, *, fold: bool) -> tuple[int, int] | None:
        """Which label is spelt from item i on, and the item after it; None where none is.

        A number that is not a label, where labels are numbers, is UNKNOWN.
        """
        if i >= len(items):
            return None
        item = items[i]
        if self.numbers:
            if item.kind != NUMBER or "." in item.text:
                return None
            known = self.exact.get(item.text.lstrip("0") or "0")
            return (known[0][1] if known else UNKNOWN), i + 1
        spellings = self.folded if fold and self.folded else self.exact
        text = item.text.casefold() if fold and self.folded else item.text
        for spelling, index in spellings.get(text, ()):
            found = tuple(other.text for other in items[i : i + len(spelling)])
            if (tuple(map(str.casefold, found)) if spellings is self.folded else found) == spelling:
                return index, i + len(spelling)
        return None


def named(items: list[Item], names: Names) -> list[Item]:
    """The items with the labels among them put together, each as one."""
    found: list[Item] = []
    i, n = 0, len(items)
    while i < n:
        label = _label(items, i, names)
        if label is None:
            found.append(items[i])
            i += 1
            continue
        index, after, mark = label
        text = next((item.text for item in items[i:after] if item.kind == NUMBER), items[after - 1].text)
        start, spaced = items[i].start, items[i].spaced
        said = _before_noun(items[i])
        if said:  # `没有相关段落3` denies
            found.append(Item(WORD, said, start, start + len(said), spaced))
            start, spaced = start + len(said), False
        found.append(Item(LABEL, text, start, items[after - 1].end, spaced, index, mark))
        i = after
    return found


def is_noun(word: str) -> bool:
    """Whether a word, such as "Passage", may stand before a label."""
    return word.casefold() in NOUNS or word.endswith(_ENDINGS)


def _before_noun(item: Item) -> str:
    """What a word says before the noun that it ends in, in scripts that put no spaces between words."""
    if item.kind != WORD or item.text.casefold() in NOUNS:
        return ""
    noun = max((ending for ending in _ENDINGS if item.text.endswith(ending)), key=len, default=item.text)
    return item.text.removesuffix(noun)


def _label(items: list[Item], i: int, names: Names) -> tuple[int, int, int] | None:
    item = items[i]
    if item.kind == SIGN:
        if item.text == "[":
            return _bracketed(items, i, names)
        return _in_parentheses(items, i, names) if item.text == "(" else None
    if item.kind == WORD:
        if is_noun(item.text):
            return _after_noun(items, i, names)
        if item.text in {"第", "제"}:
            return _counted(items, i, names)
        return None if names.numbers else _letter(items, i, names)
    if item.kind == NUMBER:
        return _number(items, i, names)
    return None


def _bracketed(items: list[Item], i: int, names: Names) -> tuple[int, int, int] | None:
    """`[3]`, `[[3]]`, `[Passage 3]`, `[ID: 3]`; a bracket that the end of the text leaves open is none."""
    j = i
    while j < i + 3 and _sign(items, j, "["):
        j += 1
    depth = j - i
    if j < len(items) and items[j].kind == WORD and (is_noun(items[j].text) and not _sign(items, j + 1, "]")):
        j += 1
        while _sign(items, j, ":") or _sign(items, j, "#") or _sign(items, j, "-"):
            j += 1
    elif _sign(items, j, "#"):
        j += 1
    label = names.at(items, j, fold=True)
    if label is None:
        return _unknown_letter(items, i, j, depth, names)
    index, j = label
    closed = _closed(items, j, depth)
    return None if closed is None else (index, closed, NAMED)


def _unknown_letter(items: list[Item], i: int, j: int, depth: int, names: Names) -> tuple[int, int, int] | None:
    del i
    if not names.single or j >= len(items) or items[j].kind != WORD or len(items[j].text) > _TWO:
        return None
    closed = _closed(items, j + 1, depth)
    return None if closed is None else (UNKNOWN, closed, NAMED)


def _closed(items: list[Item], j: int, depth: int) -> int | None:
    """The item after so many closing brackets; one is enough."""
    if not _sign(items, j, "]"):
        return None
    end = j
    while end < j + depth and _sign(items, end, "]"):
        end += 1
    return end


def _in_parentheses(items: list[Item], i: int, names: Names) -> tuple[int, int, int] | None:
    label = names.at(items, i + 1, fold=False)
    if label is None or not _sign(items, label[1], ")"):
        return None
    return label[0], label[1] + 1, PARENTHESES


def _after_noun(items: list[Item], i: int, names: Names) -> tuple[int, int, int] | None:
    """`Passage 3`, `Passage [3]`, `Passage (3)`, `Document: 3`, `ID #3`, `doc no. 3`."""
    j = i + 1
    if j < len(items) and items[j].kind == WORD and items[j].text.casefold() in _BETWEEN:
        j += 1
        j += _sign(items, j, ".") or _sign(items, j, "°")
    while _sign(items, j, ":") or _sign(items, j, "#"):
        j += 1
    if _sign(items, j, "["):
        return _bracketed(items, j, names)
    if _sign(items, j, "("):
        label = _in_parentheses(items, j, names)
        return None if label is None else (label[0], label[1], NAMED)
    label_at = names.at(items, j, fold=False)
    if label_at is None:
        lower = names.at(items, j, fold=True)
        alone = lower is not None and (lower[1] >= len(items) or items[lower[1]].kind != WORD)
        label_at = lower if alone else None
    if label_at is None:
        return None
    index, after = label_at
    if names.numbers and _glued(items, after):
        return None
    if names.single and items[j].text == "I" and _wordy(items, after):
        return None
    if len(items[i].text) == 1 and items[j].spaced:  # "p 3" is a page
        return None
    return index, after, NAMED


def _counted(items: list[Item], i: int, names: Names) -> tuple[int, int, int] | None:
    """`第3段`, `제3문서`; `第3位` is a place."""
    label = names.at(items, i + 1, fold=False)
    if label is None or label[1] >= len(items) or items[label[1]].kind != WORD:
        return None
    return (label[0], label[1] + 1, NAMED) if items[label[1]].text in _COUNTERS else None


def _number(items: list[Item], i: int, names: Names) -> tuple[int, int, int] | None:
    """A bare number that stands for itself: not 3rd, 3kg, v3, 3 %, -3 or 3.5."""
    label = names.at(items, i, fold=False)
    if label is None:
        return None
    index, after = label
    if i and not items[i].spaced and items[i - 1].kind == WORD and items[i - 1].text.isascii():
        return None
    if _sign(items, after, "]") and i == 0:  # the prompt had opened the bracket
        return index, after + 1, NAMED
    if after < len(items) and not items[after].spaced and items[after].kind == WORD:
        if items[after].text in _COUNTERS:
            return index, after + 1, NAMED
        return None
    if _sign(items, after, "%"):
        return None
    negative = i and not items[i].spaced and _sign(items, i - 1, "-") and (items[i - 1].spaced or i == 1)
    if negative and items[i - 1].end - items[i - 1].start == 1:
        return None
    return index, after, BARE


def _letter(items: list[Item], i: int, names: Names) -> tuple[int, int, int] | None:
    """A bare letter in its own case, or a label that is a word in any."""
    label = names.at(items, i, fold=not names.single)
    if label is None:
        return None
    index, after = label
    if names.single and i == 0 and _sign(items, after, "]"):
        return index, after + 1, NAMED
    if names.single and _glued(items, after):
        return None
    return index, after, BARE


def _glued(items: list[Item], i: int) -> bool:
    """Whether item i is a word or a number that follows without a space."""
    return i < len(items) and not items[i].spaced and items[i].kind in {WORD, NUMBER} and items[i].text.isascii()


def _wordy(items: list[Item], i: int) -> bool:
    return i < len(items) and items[i].kind == WORD and items[i].text.casefold() not in _VERBS


def _sign(items: Sequence[Item], i: int, text: str) -> bool:
    return 0 <= i < len(items) and items[i].kind == SIGN and items[i].text == text
