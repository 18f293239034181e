"""What is no part of an answer: the thought before it, and what a model that does not stop goes on with."""

import re

_THOUGHT = r"(?:think|thinking|thought|reasoning|seed:think)"
_END = re.compile(rf"</{_THOUGHT}>|◁/think▷|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_START = re.compile(rf"\s*(?:<{_THOUGHT}>|◁think▷|<\|channel\|>analysis)", re.IGNORECASE)
_TURN = re.compile(
    r"<\|(?:im_start|im_end|eot_id|eom_id|start_header_id|end_header_id|endoftext|end_of_text|begin_of_text|end|start"
    r"|return|user|assistant|system|message|eot|start_of_role|end_of_role|START_OF_TURN_TOKEN|END_OF_TURN_TOKEN)\|>"
    r"|<(?:start|end)_of_turn>|</s>(?=\s*(?:<s>|\[INST\]|\Z))|<s>(?=\s*\[INST\])|\[/?INST\]|<｜(?:end▁of▁sentence|begin▁of▁sentence|User|Assistant)｜>"
)
"""Control tokens with which chat formats begin and end a turn."""
_ROLE = re.compile(r"\s*(?:assistant|model)?\s*", re.IGNORECASE)


def answer_part(text: str) -> str | None:
    """The text after the reasoning, to the end of the model's turn; None when reasoning was opened and never closed."""
    *_, last = _END.split(text)
    if len(last) == len(text) and _START.match(text):
        return None
    return next((said for said in _TURN.split(last) if not _ROLE.fullmatch(said)), last)
