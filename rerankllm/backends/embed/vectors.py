"""Similarity of embeddings, each text embedded once: the cosine of two vectors, or MaxSim of a vector a token."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.embed.feedback import Feedback, Measure
from rerankllm.backends.embed.memory import Embedded, Memory, Text, Vector
from rerankllm.calls import CallFailed, Capabilities, Reply, Tokenizer, Want
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.judgements import Embed, Judgement, ParseReport, Score

REMEMBERED = 256 * 2**20
"""Bytes of vectors kept: some 170,000 texts at 384 dimensions, 16,000 at 4,096; 1,700 passages of 300 tokens where each
has a vector of 128."""
ABANDONED = CallFailed("given up: nobody waited for it")


class Engine(Measure, Protocol):
    """What computes vectors.

    Attributes:
        at_once: Texts worth taking together; None for all there are.
        names: What the model is called, where it may have a published format.
    """

    @property
    def at_once(self) -> int | None: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def revision(self) -> str | None:
        """What vectors depend on besides the model's printed spec; None where unknown."""
        ...

    def embed(
        self, texts: Sequence[Text], abandoned: Callable[[], bool], /
    ) -> Iterator[list[tuple[Text, Embedded | CallFailed]]]:
        """Embeds these texts, some at a time, until `abandoned`."""
        ...

    def close(self) -> None:
        """Frees the model."""
        ...


class VectorBackend(BatchBackend[Judgement]):
    """Answers `Score` by the cosine of two embeddings, -1 to 1, and `Embed` by the vectors, scaled to length 1.

    Every text is embedded once as long as it is remembered; usage counts the tokens of what was computed, with the
    first judgement that needed it.

    A model of late interaction has a vector for each token of a text. It answers `Score` only, by comparing them.

    Args:
        engine: What computes the vectors.
        model: Printed spec.
        price: US dollars per million tokens; 0 for local models, None when unknown.
        remote: Whether it answers over a network.
        late: How the vectors of a query's tokens and a passage's are compared; None where a text has one vector.
    """

    def __init__(
        self,
        engine: Engine,
        model: str,
        *,
        price: float | None = 0.0,
        remote: bool = False,
        late: Callable[[Any, Any], float] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self._engine = engine
        self._price = price
        self._memory = Memory(REMEMBERED)
        self._feedback = Feedback(engine.names, engine)
        self._late = late
        self.default_strategy = "e2rank" if self._feedback.named else "pointwise"
        self.capabilities = (
            Capabilities(answers=frozenset({Score, Embed}), remote=remote, batch=engine.at_once, bounded=True)
            if late is None
            else Capabilities(answers=frozenset({Score}), remote=remote, batch=engine.at_once, names=engine.names)
        )

    @functools.cached_property
    def revision(self) -> str:
        """The commit on the hub, else SHA-256 of the weights, in hexadecimal, and the template's after a plus sign.

        Hosts of an API do not say which weights they serve; then it is the template's alone.
        """
        template = self._feedback.template.sha256[:12] if self._late is None else None
        return "+".join(filter(None, (self._engine.revision(), template)))

    @property
    def tokenizer(self) -> Tokenizer:
        """None: it is never shown a prompt."""
        raise CapabilityError(f"{self.model} answers judgements without a prompt: it takes no elicitation")

    def cost(self, usage: Usage) -> float | None:
        """Nothing here; behind an API US dollars at the price given, None when it is unknown."""
        return None if self._price is None else self._price * usage.prompt_tokens / 1e6

    def run(self, works: Sequence[Judgement]) -> list[Reply | CallFailed]:
        """Embeds what is new among these, then compares; see `BatchBackend.run`.

        Raises:
            AuthError: The API refuses the key, the permission or the model name.
        """
        known: dict[Text, Vector] = {}
        remembered: dict[Text, int] = {}
        fresh: dict[Text, Embedded | CallFailed] = {}
        asked = [self._asked(work) for work in works]
        for text in dict.fromkeys(text for one in asked if isinstance(one, _Asked) for text in one.texts):
            before = self._memory.get(text)
            if before is None:
                fresh[text] = ABANDONED
            else:
                known[text], remembered[text] = before
        for embedded in self._engine.embed(list(fresh), lambda: self.abandoned):
            fresh |= embedded
        return [
            self._reply(work, one, known, fresh, remembered) if isinstance(one, _Asked) else one
            for work, one in zip(works, asked, strict=True)
        ]

    def reads_whole(self, document: str) -> bool:
        """Whether the model reads a document to its end; False where that is not known, as of an API."""
        room = self._engine.room("document")
        if room is None:
            return not self.capabilities.remote
        return len(document.encode()) <= room or len(self._engine.ends(document)) <= room

    def most_tokens(self, want: Want) -> int:
        """None: it writes nothing."""
        del want
        return 0

    def free(self) -> None:
        """Lets go of the model, or closes the connections."""
        self._engine.close()

    def _reply(
        self,
        work: Judgement,
        asked: "_Asked",
        known: dict[Text, Vector],
        fresh: dict[Text, Embedded | CallFailed],
        remembered: dict[Text, int],
    ) -> Reply | CallFailed:
        """The answer to one judgement; what was computed for it is `known` to those after it.

        Tokens of a text that was `remembered` are counted once, as those of one that was computed.
        """
        tokens = before = 0
        for text in asked.texts:
            found = fresh.get(text)
            if isinstance(found, CallFailed):
                return found
            if found is not None and text not in known:
                known[text] = found.vector
                self._memory.put(text, found)
                tokens += found.tokens
            before += remembered.pop(text, 0)
        return Reply(
            self._answer(work, [known[text] for text in asked.texts]),
            ParseReport(repairs=asked.notes),
            Usage(tokens, remembered_tokens=before),
        )

    def _answer(self, work: Judgement, vectors: list[Vector]) -> Any:
        """The answer to a judgement, by the vectors of its texts."""
        if self._late is not None:
            return self._late(*vectors)
        rows = np.stack(vectors)
        return rows if isinstance(work, Embed) else float(rows[0] @ rows[1])

    def _asked(self, work: Judgement) -> "_Asked | CallFailed":
        """What is to be embedded for a judgement."""
        documents = tuple(map(self._feedback.document, work.docs))
        if not isinstance(work, Embed) or not work.feedback:
            return _Asked((self._feedback.query(work.query), *documents))
        try:
            prompted = self._feedback.prompt(work.query, work.docs[: work.feedback])
        except TemplateError as error:
            return CallFailed(str(error), attempts=0)
        notes = {"documents cut short in the prompt": prompted.cut, "documents left out of it": prompted.left_out}
        return _Asked((prompted.text, *documents), {note: count for note, count in notes.items() if count})


class _Asked(NamedTuple):
    """The texts of a judgement, the query first, and what should be known of them."""

    texts: tuple[Text, ...]
    notes: Mapping[str, int] = MappingProxyType({})
