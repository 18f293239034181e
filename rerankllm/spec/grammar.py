"""The grammar of spec strings: from text to a tree that knows nothing of what the names mean."""

import re
from typing import Any, NamedTuple

from rerankllm.errors import SpecError

MODEL = re.compile(r"[^\s,()\[\]']+")
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))|(?P<word>[A-Za-z_][\w.-]*)
    |(?P<string>'(?:[^'\\]|\\.)*')|(?P<mark>[()\[\],=/@]))""",
    re.VERBOSE,
)
WORDS: dict[str, Any] = {"true": True, "false": False, "none": None}
"""Words that are values."""


class Call(NamedTuple):
    """A name with its arguments."""

    name: str
    positional: list[Any]
    named: dict[str, Any]


class Node(NamedTuple):
    """A stage as written; a bare word is one with nothing but a name until an annotation says otherwise."""

    call: Call
    elicitation: Call | None
    model: str | None

    @property
    def word(self) -> str | None:
        bare = self.elicitation is None and self.model is None
        return self.call.name if bare and not self.call.positional and not self.call.named else None


class Parser:
    """Recursive descent over one spec string."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Node:
        node = self.stage()
        if self.text[self.at :].strip():
            raise self.error("expected the end")
        return node

    def stage(self) -> Node:
        call = self.call()
        elicitation = self.call() if self.take("/") else None
        model = None
        if self.take("@"):
            kind, text = self.peek()
            if kind == "string":
                model = unquote(text)
                self.advance()
            else:
                while self.text[self.at : self.at + 1].isspace():
                    self.at += 1
                match = MODEL.match(self.text, self.at)
                if match is None:
                    raise self.error("expected a model, such as llamacpp:smollm2")
                model, self.at = match.group(), match.end()
        return Node(call, elicitation, model)

    def call(self) -> Call:
        kind, name = self.peek()
        if kind != "word":
            raise self.error("expected a name")
        self.advance()
        positional: list[Any] = []
        named: dict[str, Any] = {}
        if self.take("("):
            while not self.take(")"):
                self.argument(positional, named)
                if self.peek()[1] != ")" and not self.take(","):
                    raise self.error("expected ',' or ')'")
        return Call(name, positional, named)

    def argument(self, positional: list[Any], named: dict[str, Any]) -> None:
        start = self.at
        kind, name = self.peek()
        if kind == "word":
            self.advance()
            if self.take("="):
                if name in named:
                    raise self.error(f"'{name}' is given twice")
                named[name] = self.value()
                return
            self.at = start
        if named:
            raise self.error("expected name=value after the first name=value")
        positional.append(self.value())

    def value(self) -> Any:
        kind, text = self.peek()
        if kind == "string":
            self.advance()
            return unquote(text)
        if kind == "number":
            self.advance()
            return literal(text)
        if self.take("["):
            items: list[Any] = []
            while not self.take("]"):
                items.append(self.value())
                if self.peek()[1] != "]" and not self.take(","):
                    raise self.error("expected ',' or ']'")
            return items
        return self.stage()

    def peek(self) -> tuple[str | None, str]:
        match = _TOKEN.match(self.text, self.at)
        return (match.lastgroup, match.group(match.lastgroup or 0)) if match else (None, "")

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.at)
        self.at = match.end() if match else len(self.text)

    def take(self, mark: str) -> bool:
        if self.peek() == ("mark", mark):
            self.advance()
            return True
        return False

    def error(self, what: str) -> SpecError:
        rest = self.text[self.at :].strip()
        found = f"found '{rest[:20]}'" if rest else "found nothing more"
        return SpecError(f"cannot read '{self.text}': {what} at character {self.at + 1}, {found}")


def literal(text: str) -> Any:
    """The value of a bare piece of text: a number, true, false, none, or the text itself."""
    if text in WORDS:
        return WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def quote(text: str) -> str:
    """The text as a quoted string."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def unquote(text: str) -> str:
    """The text in a quoted string."""
    return re.sub(r"\\(.)", r"\1", text[1:-1])
