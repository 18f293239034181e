"""How far documents are read: whether a cut, or what a model has room for, leaves out the end of any."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from rerankllm.calls import Tokenizer
from rerankllm.drivers.judges import Judge
from rerankllm.drivers.panel import Calibrated, Panel, Prompted
from rerankllm.judgements import Score

READ_BY_ALL = 250
"""Bytes of a query and a document together that any model has room for."""
AROUND = 1000
"""Tokens of a prompt besides query and documents, at most."""
CONTEXT = 4096
"""Tokens that a context is taken to have where the host does not say."""


@runtime_checkable
class KnowsRoom(Protocol):
    """A backend without prompts that knows how long a document it reads to its end."""

    def reads_whole(self, document: str) -> bool:
        """Whether it reads all of a document."""
        ...


def cut_by(panel: Panel, tokens: int, documents: Sequence[str]) -> bool:
    """Whether a cut at so many tokens shows prompts another text of any document than the panel's own cut does."""
    return any(
        own != tokens and any(_longer(tokenizer, text, min(own, tokens)) for text in documents)
        for tokenizer, own in _prompted(panel)
    )


def reads_whole(panel: Panel, query: str, documents: Sequence[str]) -> bool:
    """Whether no document is cut, neither by itself nor to make room for the others; False where it is not known."""
    if any(_longer(tokenizer, text, own) for tokenizer, own in _prompted(panel) for text in documents):
        return False
    return all(_fits(kind, judge, query, documents) for kind, judge in panel.judges)


def _prompted(panel: Panel) -> list[tuple[Tokenizer, int]]:
    """How each judge that is shown prompts counts, and the tokens it cuts a passage to."""
    built = [
        (judge.backend.tokenizer, judge.elicitor.builder)
        for _, judge in panel.judges
        if isinstance(judge, Prompted | Calibrated)
    ]
    return [(tokenizer, builder.passage_tokens or builder.template.passage_tokens) for tokenizer, builder in built]


def _fits(kind: type, judge: Judge, query: str, documents: Sequence[str]) -> bool:
    backend, size = judge.backend, len(query.encode())
    if isinstance(judge, Prompted | Calibrated):
        lengths = [len(backend.tokenizer.encode(text)) for text in documents]
        together = max(lengths, default=0) if kind is Score else sum(lengths)
        return size + AROUND + together <= (backend.capabilities.context or CONTEXT)
    if isinstance(backend, KnowsRoom):
        return all(backend.reads_whole(text) for text in documents)
    return all(size + len(text.encode()) <= READ_BY_ALL for text in documents)


def _longer(tokenizer: Tokenizer, text: str, tokens: int) -> bool:
    """Whether a text has more tokens than this; a token is at least a byte, so short texts need not be counted."""
    return len(text.encode()) > tokens and len(tokenizer.encode(text)) > tokens
