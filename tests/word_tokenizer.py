"""A tokenizer of words for tests: one token a word with its leading space, one for each control token."""

import re

CONTROL = re.compile(r"<\|[a-z]+\|>|<PLACEHOLDER>")
PIECE = re.compile(r" ?[A-Za-z]+| ?\d|\s|.", re.DOTALL)


class WordTokenizer:
    """Splits exactly; control tokens exist only where `special` reads them."""

    bos = (1,)
    words_apart = True

    def __init__(self):
        self.ids = {"<bos>": 1}
        self.encoded = []

    def encode(self, text, *, special=False):
        self.encoded.append(text)
        pieces = []
        position = 0
        for control in CONTROL.finditer(text) if special else ():
            pieces += [*PIECE.findall(text[position : control.start()]), ("control", control.group())]
            position = control.end()
        pieces += PIECE.findall(text[position:])
        return tuple(self.ids.setdefault(piece, len(self.ids) + 1) for piece in pieces)

    def decode(self, ids):
        by_id = {i: piece for piece, i in self.ids.items()}
        return "".join(piece if isinstance(piece := by_id[i], str) else piece[1] for i in ids)

    def chat(self, messages):
        *done, last = messages
        opened = last.role == "assistant"
        turns = "".join(f"<|im|>{m.role}\n{m.content}<|end|>\n" for m in (done if opened else messages))
        return f"{turns}<|im|>assistant\n{last.content if opened else ''}"


class MergingTokenizer(WordTokenizer):
    """One token for an opening bracket with the letter after it, as Qwen's and Llama's have it: `[A`; not for O."""

    def encode(self, text, *, special=False):
        found, at = [], 0
        for match in re.finditer(r"\[(?!O)[A-Z]\b", text):
            found += [*super().encode(text[at : match.start()], special=special), self._own(match.group())]
            at = match.end()
        return (*found, *super().encode(text[at:], special=special))

    def _own(self, piece):
        return self.ids.setdefault(piece, len(self.ids) + 1)
