"""What a published format does to the texts it shows: white space, titles, brackets, and where they are cut."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

from rerankllm.data import Document
from rerankllm.elicitation.harmless import without_labels

_LINES = re.compile(r"\n+")
BRACKETS: dict[str, Callable[[str], str]] = {
    "all": without_labels,
    "digits": partial(re.compile(r"\[(\d+)\]").sub, r"(\1)"),
    "letters": partial(re.compile(r"\[([A-z]{1,100})\]").sub, r"(\1)"),
    "keep": str,
}
"""How a text is rid of labels in brackets, by what stands in them."""
UNITS = {"words": 2, "characters": 0.5, "tokens": 1}
"""What a cut is stated in, and tokens that one takes at most as a rule."""


class Cut(NamedTuple):
    """The length that a text is cut to, such as 300 words."""

    length: int
    unit: Literal["words", "characters", "tokens"]

    @classmethod
    def parse(cls, text: str) -> "Cut":
        """Reads `300 words`.

        Raises:
            ValueError: It is no such thing.
        """
        number, _, unit = str(text).partition(" ")
        if not number.isdigit() or int(number) < 1 or unit not in UNITS:
            raise ValueError(f"a cut should read like '300 words', of {', '.join(UNITS)}; found {text!r}")
        return cls(int(number), unit)  # type: ignore[arg-type]

    @property
    def tokens(self) -> int:
        """Tokens that a text so long has, about."""
        return int(self.length * UNITS[self.unit])

    def __call__(self, text: str) -> str:
        """A text cut to words or characters; as it is where the cut is in tokens."""
        if self.unit == "characters":
            return text[: self.length]
        if self.unit == "words" and len(words := text.split()) > self.length:
            return " ".join(words[: self.length])
        return text


@dataclass(frozen=True, slots=True)
class Treatment:
    """What happens to a document's text, and to the query, before they are shown.

    Attributes:
        spaces: `fold` makes any white space one space, `lines` only line breaks, `strip` takes it off the ends, `keep`
            leaves it.
        title: `join` puts the title before the text; `before` does too, with a space even where there is no title;
            `named` writes `Title: … Content: …`; `none` leaves it out.
        brackets: Which labels in brackets become those in parentheses: `digits`, `letters`, `all`; `keep` leaves them.
        query: The same for the query.
        passage_cut: Where a document is cut; None for nowhere.
        query_cut: Where the query is cut.
    """

    spaces: Literal["fold", "lines", "strip", "keep"] = "fold"
    title: Literal["join", "before", "named", "none"] = "join"
    brackets: Literal["all", "digits", "letters", "keep"] = "all"
    query: Literal["all", "digits", "letters", "keep"] = "keep"
    passage_cut: Cut | None = None
    query_cut: Cut | None = None

    def document(self, doc: Document, *, cut: bool = True) -> str:
        """A document's text as it is shown; tokens are cut elsewhere."""
        text = self._titled(doc)
        if self.spaces == "fold":
            text = " ".join(text.split())
        elif self.spaces == "lines":
            text = _LINES.sub(" ", text)
        elif self.spaces == "strip":
            text = text.strip()
        if cut and self.passage_cut is not None:
            text = self.passage_cut(text)
        return BRACKETS[self.brackets](text)

    def asked(self, query: str) -> str:
        """A query as it is shown."""
        text = query if self.query_cut is None else self.query_cut(query)
        return BRACKETS[self.query](text)

    def _titled(self, doc: Document) -> str:
        title = "" if self.title == "none" else doc.title
        if self.title == "before":
            return f"{title} {doc.text}"
        if not title:
            return doc.text
        return f"Title: {title} Content: {doc.text}" if self.title == "named" else f"{title} {doc.text}"
