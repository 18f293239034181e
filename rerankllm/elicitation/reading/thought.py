"""The thought before an answer is cut off."""

import re

_THOUGHT = r"(?:think|thinking|thought|reasoning|seed:think)"
_END = re.compile(rf"</{_THOUGHT}>|◁/think▷|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_START = re.compile(rf"\s*(?:<{_THOUGHT}>|◁think▷|<\|channel\|>analysis)", re.IGNORECASE)


def answer_part(text: str) -> str | None:
    """The text after the reasoning; None when reasoning was opened and never closed."""
    *_, last = _END.split(text)
    if len(last) < len(text):
        return last
    return None if _START.match(text) else text
