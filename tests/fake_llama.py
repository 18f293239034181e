"""A stand-in for llama.cpp that keeps the rules of its cache and computes by hand, and requests for it."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from rerankllm.backends.llamacpp.engine import Layout
from rerankllm.backends.llamacpp.readout import reader_for
from rerankllm.backends.llamacpp.schedule import Job
from rerankllm.calls import Generate, ReadContinuation, WriteLabels
from rerankllm.errors import BackendError

VOCABULARY = 5
END = 4


def logits_after(ids):
    """A made-up language model: logits depend on every token and its place."""
    seed = sum((place + 1) * (token + 3) ** 2 for place, token in enumerate(ids))
    return np.random.default_rng(seed).normal(size=VOCABULARY).astype(np.float32)


@dataclass
class Cell:
    token: int
    position: int
    holders: set


@dataclass
class FakeEngine:
    """Cells that sequences share, as llama.cpp's unified cache has them, refusing what it refuses."""

    batch: int = 6
    sequences: int = 4
    cells: int = 14
    shares: bool = True
    decoded: int = 0
    most: int = 0
    fail: bool = False
    parts: bool = True
    layout: Layout | None = None
    _cells: list = field(default_factory=list)

    def __post_init__(self):
        self.shared = self.layout = Layout(self.cells, self.sequences)

    def arrange(self, layout):
        if layout == self.layout:
            return False
        self.layout, self.cells, self.sequences, self._cells = layout, layout.cells, layout.sequences, []
        return True

    def held(self, sequence):
        mine = sorted((c for c in self._cells if sequence in c.holders), key=lambda c: c.position)
        assert [c.position for c in mine] == list(range(len(mine)))
        return [c.token for c in mine]

    def decode(self, tokens):
        assert 0 < len(tokens) <= self.batch
        if self.fail:
            self.clear()
            raise BackendError("failed")
        rows = []
        if self.layout.apart:
            lengths = Counter(sequence for token in tokens for sequence in token.sequences)
            assert len(set(lengths.values())) == 1  # else llama.cpp computes what is longer apart
            assert list(lengths) == sorted(lengths)  # likewise
            each = self.cells // self.sequences
            assert all(len(self.held(sequence)) + length <= each for sequence, length in lengths.items())
        for token in tokens:
            before = [self.held(sequence) for sequence in token.sequences]
            assert all(ids == before[0] and len(ids) == token.position for ids in before)
            assert len(token.sequences) == 1 or (self.shares and not token.read and not self.layout.apart)
            self._cells.append(Cell(token.id, token.position, set(token.sequences)))
            if token.read:
                rows.append(logits_after([*before[0], token.id]))
        self.decoded += len(tokens)
        self.most = max(self.most, len(self._cells))
        assert len(self._cells) <= self.cells
        return rows

    def copy(self, source, target, length):
        assert self.shares
        assert not self.held(target)
        for cell in self._cells:
            if source in cell.holders and cell.position < length:
                cell.holders.add(target)

    def trim(self, sequence, length=0):
        assert self.shares or not length
        for cell in self._cells:
            if cell.position >= length:
                cell.holders.discard(sequence)
        self._cells = [cell for cell in self._cells if cell.holders]

    def clear(self):
        self._cells = []

    def piece(self, token):
        return b"abcde"[token : token + 1]

    def ends(self, token):
        return token == END


def job_for(prompt, want, engine):
    reader = reader_for(want, engine)
    begun = prompt + reader.begins
    return Job(begun + reader.extra, len(begun), reader)


def response(job):
    return job.reader.response(job.prompt - len(job.reader.begins))


def expected(prompt, want, engine):
    """The response, worked out for this request alone."""
    reader = reader_for(want, engine)
    ids = [*prompt, *reader.begins]
    for token in (*reader.extra, None):
        answer = reader.read(logits_after(ids))
        ids.append(token)
    ids.pop()
    while answer:
        ids += answer
        answer = reader.read(logits_after(ids))
    return reader.response(len(prompt))


def never():
    return False


LABELS = (((0, 3), (1, 3), (1, 2, 3)), ((3, 0), (3, 1), (2, 1)), ((3,), (1,), (2,)))
"""Tokens of three labels in the first place, between, and in the last: some begin alike, and all go on for a while."""
tokens = st.integers(0, END - 1)
prompts = st.lists(tokens, min_size=1, max_size=9).map(tuple)
wants = st.one_of(
    st.lists(tokens, min_size=1, max_size=4).map(tuple).map(ReadContinuation),
    st.integers(1, 6).map(Generate),
    st.integers(1, 3).map(lambda count: WriteLabels(("x", "y", "z"), LABELS[-count:], count)),
)
