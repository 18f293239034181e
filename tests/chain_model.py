"""A made-up model that likes to write labels, to try out how its answers are held to them."""

import re
from itertools import product

import numpy as np
from word_tokenizer import WordTokenizer

from rerankllm.backends.llamacpp.readout import read_on

CONTEXT = "Rank:"


class Closing(WordTokenizer):
    """One token for a digit with the bracket that closes, and one for what stands between two labels."""

    def encode(self, text, *, special=False):
        pieces = re.findall(r"\d\]|\] >| \[|[\s\S]", text)
        return tuple(self.ids.setdefault(piece, len(self.ids) + 1) for piece in pieces)


class Trailing(WordTokenizer):
    """One token for a sign with the line breaks after it or the space before it, as Qwen's have it, and for `>[`."""

    def encode(self, text, *, special=False):
        pieces = re.findall(r" ?[A-Za-z]+| ?\d|>\[| ?[^\s\w]\n*|\n+|[\s\S]", text)
        return tuple(self.ids.setdefault(piece, len(self.ids) + 1) for piece in pieces)


class Scripted:
    """A made-up model: noise, and a liking for what goes on with a chain, token by token as its tokenizer has them."""

    def __init__(self, tokenizer, labels, count, form, seed, liking):
        self.tokenizer, self.form, self.seed, self.liking = tokenizer, form, seed, liking
        self.labels, self.count = labels, count
        for text in self.examples():
            tokenizer.encode(CONTEXT + text)
        self.pieces = {token: piece for piece, token in tokenizer.ids.items() if isinstance(piece, str)}
        self.end = max(self.pieces) + 1

    def examples(self):
        """Texts that have all tokens it may write."""
        yield self.form.write(self.labels)
        for pair in product(self.labels, self.labels):
            yield self.form.write(pair)

    def piece(self, token):
        return self.pieces.get(token, "").encode()

    def ends(self, token):
        return token == self.end

    def logits(self, ids):
        rng = np.random.default_rng([self.seed, *ids])
        found = rng.normal(size=self.end + 1).astype(np.float32)
        found[0] = -np.inf  # no token has this number
        text = "".join(map(self.pieces.__getitem__, ids))
        for token, piece in self.pieces.items():
            whole = (*self.before, *ids, token)
            if self.goes_on(text + piece) and self.tokenizer.encode(CONTEXT + text + piece) == whole:
                found[token] += self.liking
        if self.is_chain(text):
            found[self.end] += self.liking
        return found

    @property
    def before(self):
        return self.tokenizer.encode(CONTEXT)

    def goes_on(self, text):
        """Whether a chain may begin so."""
        left, rest = list(self.labels), text
        for place in range(self.count):
            rest = self._without(rest, self.form.opening if place == 0 else self.form.next(place))
            if not rest:
                return rest == ""
            if any(label.startswith(rest) for label in left):
                return True
            after = self.form.closing if place == self.count - 1 else self.form.next(place + 1)
            label = next((one for one in left if rest.startswith(one + after[:1]) and rest != one), None)
            if label is None:
                return False
            if not self.form.numbered:
                left.remove(label)
            rest = rest[len(label) :]
        return self.form.closing.startswith(rest)

    @staticmethod
    def _without(text, start):
        """What follows a start; nothing where that is not yet complete, None where the text starts otherwise."""
        if text.startswith(start):
            return text[len(start) :]
        return "" if start.startswith(text) else None

    def is_chain(self, text):
        """Whether it is a whole one."""
        form, one = self.form, f"({'|'.join(sorted(self.labels, key=len, reverse=True))})"
        betweens = [re.escape(form.next(place)) for place in range(1, self.count)]
        pattern = re.escape(form.opening) + one + "".join(b + one for b in betweens) + re.escape(form.closing)
        found = re.fullmatch(pattern, text)
        return found is not None and (form.numbered or len(set(found.groups())) == self.count)

    def wrote(self, response):
        """Whether a free answer is a whole one, in the tokens that its text has."""
        tokens = len(self.tokenizer.encode(CONTEXT + response.text)) - len(self.before)
        return self.is_chain(response.text) and response.usage.completion_tokens == tokens + 1  # which ends it


class Thinking(Scripted):
    """A made-up model that likes to think before it does so."""

    END = "</think>"

    def examples(self):
        """Texts that have all tokens it may write."""
        for blank in ("", " ", "\n", "\n\n"):
            for text in super().examples():
                yield f" hm hm{self.END}{blank}{text}"

    def goes_on(self, text):
        """Whether a thought and a chain may begin so."""
        thought, ended, answer = text.partition(self.END)
        if not ended:
            left = re.sub("^( hm)*", "", text)
            return not thought or " hm".startswith(left) or self.END.startswith(left)
        return answer in {"", " ", "\n", "\n\n"} or super().goes_on(answer.lstrip())

    def is_chain(self, text):
        """Whether it is a thought, and then a whole chain."""
        _, ended, answer = text.partition(self.END)
        return bool(ended) and super().is_chain(answer.lstrip())


def written(model, reader):
    """What a reader makes of the model's logits, and the tokens it wrote before the last it chose."""
    ids = list(reader.begins)
    steps = 0
    while True:
        steps += 1
        found = reader.read(model.logits(ids))
        if not found:
            return reader.response(7), steps
        ids += found


def ahead(model, reader):
    """The same, where what is likely to follow is guessed."""
    ids = list(reader.begins)
    steps = 0
    while True:
        steps += 1
        guess = reader.guess()
        found = read_on(reader, guess, [model.logits([*ids, *guess[:stop]]) for stop in range(len(guess) + 1)])
        if not found:
            return reader.response(7), steps
        ids += found
