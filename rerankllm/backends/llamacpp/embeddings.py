"""GGUF files of embedding models: llama.cpp pools the tokens' vectors, and the cosine of two texts' is the score."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from rerankllm.backends.embed.memory import Embedded, Role, Text, unit
from rerankllm.backends.embed.vectors import VectorBackend
from rerankllm.backends.llamacpp import gguf
from rerankllm.backends.llamacpp.pooled import PooledEngine
from rerankllm.backends.llamacpp.tokenizer import LlamaTokenizer
from rerankllm.calls import CallFailed
from rerankllm.files import digest

_WORD = re.compile(r"\s*\S+")


class GgufEmbeddings(VectorBackend):
    """Answers `Score` by the cosine of two embeddings that a GGUF file gives, and `Embed` by the vectors.

    Texts go as they are; a published model's as its card has them. They are pooled as the card or the file says.

    Args:
        name: The path of a .gguf file.
        type: As `LlamaCpp` has it, like the other options.
        threads: Threads that compute.
        context: Tokens of a text, the end of longer ones is cut off; None for what the model was trained for, up to
            8,192.
        batch: Tokens computed at a time.
        max_sequences: Texts computed at a time.
        gpu_layers: Layers kept on a GPU.

    Raises:
        MissingExtra: llama.cpp is not installed.
        InputError: The file is missing, or llama.cpp cannot read it.
        SpecError: An option is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        type: str | None = None,  # noqa: A002 - the word users write in the spec
        threads: int | None = None,
        context: int | None = None,
        batch: int = 512,
        max_sequences: int = 32,
        gpu_layers: int = -1,
    ) -> None:
        source, wanted = gguf.find(name), type or gguf.AS_SHIPPED
        path, file_type = gguf.weights(source, wanted)
        engine = PooledEngine(
            path, file_type=file_type, pooling=gguf.pooling(name), threads=threads, context=context, batch=batch,
            sequences=max_sequences, gpu_layers=gpu_layers,
        )  # fmt: skip
        model = f"llamacpp:{name}?type={wanted}" + (f"&context={context}" if context else "")
        texts = _Texts(engine, LlamaTokenizer(engine, model), (name, *engine.called), 4 * max_sequences, source)
        super().__init__(texts, model)


class _Texts:
    """What `VectorBackend` asks of an engine.

    Attributes:
        at_once: Texts worth taking together.
        names: What the model is called.
    """

    def __init__(
        self, engine: PooledEngine, tokenizer: LlamaTokenizer, names: tuple[str, ...], at_once: int, source: Path
    ) -> None:
        self.names, self.at_once = names, at_once
        self._engine, self._tokenizer, self._source = engine, tokenizer, source

    def revision(self) -> str:
        """SHA-256 of the weights as shipped, in hexadecimal."""
        return digest(self._source)

    def embed(
        self, texts: Sequence[Text], abandoned: Callable[[], bool]
    ) -> Iterator[list[tuple[Text, Embedded | CallFailed]]]:
        """Embeds these texts, some at a time, until `abandoned`."""
        read = [self._ids(text) for text in texts]
        for rows in self._engine.rows(read, abandoned):
            vectors = unit([row.tolist() for _, row in rows])
            yield [
                (texts[place], Embedded(vector, len(read[place])))
                for (place, _), vector in zip(rows, vectors, strict=True)
            ]

    def room(self, role: Role) -> int:
        """Tokens that a text may have, besides what is put around it."""
        del role
        before, after = self._tokenizer.around
        return self._engine.room - len(before) - len(after)

    def ends(self, text: str) -> list[int]:
        """Where each token of a text ends, in characters: in a vocabulary that changes letters, about where."""
        pieces = [self._engine.spell(token, special=True) for token in self._tokenizer.whole(text)]
        if b"".join(pieces) == text.encode():
            return [len(text.encode()[:end].decode("utf-8", "ignore")) for end in accumulate(map(len, pieces))]
        found = []
        for word in _WORD.finditer(text):
            tokens = len(self._tokenizer.whole(word.group()))
            found += [word.start() + len(word.group()) * nth // tokens for nth in range(1, tokens + 1)]
        return found

    def harmless(self, text: str) -> str:
        """A text in which control tokens are spelled with a space, and so are none."""
        return self._tokenizer.harmless(text)

    def close(self) -> None:
        """Frees the model."""
        self._engine.close()

    def _ids(self, text: Text) -> tuple[int, ...]:
        """A text's tokens, the end of a long one cut off; what the file puts last is not put there twice."""
        before, after = self._tokenizer.around
        ids = self._tokenizer.encode(text.text, special=text.role == "prompt")
        if text.role == "prompt" and after and ids[-len(after) :] == after:
            ids = ids[: -len(after)]
        ids = before + ids[: self.room(text.role)] + after
        return ids or self._tokenizer.encode(" ")
