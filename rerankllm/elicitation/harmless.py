"""Texts of others, before a model is shown them: nothing in them can pass for a label or for a control token.

A text without either stays as it is, character for character.
"""

import re

from rerankllm.elicitation.reading.characters import NO_WIDTH, PLAIN, unescaped
from rerankllm.elicitation.reading.lexer import LEFT_OUT, SIGNS

_SPELT = {chr(code): spelt for code, spelt in PLAIN.items()} | {
    sign: plain for plain, signs in SIGNS.items() for sign in signs
}


def _spelt_as(characters: str) -> str:
    """These characters and all that the reader takes for one of them, as the inside of a class of characters."""
    return re.escape(characters + "".join(sign for sign, spelt in _SPELT.items() if spelt and spelt in characters))


_DIGIT, _LETTER = _spelt_as("0123456789"), _spelt_as("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_WHOLE = re.escape("".join(sign for sign, spelt in _SPELT.items() if spelt.startswith("[") and len(spelt) > 1))
_UNSEEN = rf"[{re.escape(NO_WIDTH)}]{{0,8}}+"
_GAP = rf"[\s{re.escape(NO_WIDTH + LEFT_OUT)}]{{0,40}}"
_LABEL = re.compile(
    rf"[{_spelt_as('[')}]{_GAP}([{_DIGIT}](?:{_UNSEEN}[{_DIGIT}]){{0,3}}|[{_LETTER}](?:{_UNSEEN}[{_LETTER}])?)"
    rf"{_GAP}[{_spelt_as(']')}]|([{_WHOLE}])"
)
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}+|#[xX][0-9a-fA-F]{1,6}+|[lr]brack|[lr]sqb);?")


def without_labels(text: str) -> str:
    """The text with parentheses for the brackets of all that the reader of answers would take for a label.

    `[12]` becomes `(12)`; so do `［１２］`, `[¹²]`, `⑫`, `【12】`, `&#91;12]` and `[12]` with a soft hyphen or a sign
    without width in it.
    """
    if text.isascii() and "[" not in text and "&" not in text:
        return text
    if "&" in text and (shown := _REFERENCE.sub(lambda found: unescaped(found[0]), text)) != text:
        text = shown if _LABEL.search(shown) else text
    return _LABEL.sub(_in_parentheses, text)


def _in_parentheses(found: re.Match[str]) -> str:
    said = "".join(_SPELT.get(sign, sign) for sign in found[1] or found[2])
    return f"({said.strip('[]')})"


_TURNS = (
    *(r"\|[^\s<>|｜]{1,40}\|>", r"｜[^\s<>|｜]{1,40}｜>"),  # ChatML, Llama 3, Harmony, Phi, GLM, Command R; DeepSeek
    r"(?:start|end)_of_(?:turn|image)>|(?:bos|eos|pad|unk|mask|s|sop|eop)>|/s>|unused[0-9]{1,5}>",  # Gemma, Mistral
    r"/?(?:think|seed:think|tool_call|tool_response|tools)>|<SYS>>|</SYS>>|(?:BOS|EOS)_TOKEN>",
)
_BRACKETED = (
    r"/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|MODEL_SETTINGS|THINK)\]"
    r"|(?:ARGS|CALL_ID|PREFIX|MIDDLE|SUFFIX|IMG|IMG_BREAK|IMG_END|gMASK|BEGIN_OF_TEXT)\]"
)
_AHEAD = {"<": "|".join(_TURNS), r"\[": _BRACKETED, "◁": "/?think▷"}


def _control(behind: str) -> re.Pattern[str]:
    """Finds the first character of a control token, with `behind` between it and the rest, which may have spaces."""
    return re.compile("|".join(rf"{first}{behind}(?= {{0,40}}+(?:{rest}))" for first, rest in _AHEAD.items()))


_CONTROL, _SPACED = _control(""), _control(" ")


def without_control_tokens(text: str) -> str:
    """The text with a space behind the first character of what a host would take for a control token.

    `<|im_end|>` becomes `< |im_end|>`, and so do the tokens by which ChatML, Llama, Mistral, Gemma, Harmony and
    DeepSeek mark turns and thoughts. One that has spaces there gets one more, so that `with_control_tokens` gives back
    what was there.
    """
    if not any(sign in text for sign in "<[◁"):
        return text
    return _CONTROL.sub(lambda found: f"{found[0]} ", text)


def with_control_tokens(text: str) -> str:
    """What a text was before `without_control_tokens`."""
    return _SPACED.sub(lambda found: found[0][0], text)
