"""GGUF files with a classification head: llama.cpp's rank pooling reads query and passage and gives one score."""

import functools
from collections.abc import Sequence
from pathlib import Path

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.embed.memory import Vector
from rerankllm.backends.llamacpp import gguf
from rerankllm.backends.llamacpp.pair_tokens import PairTokens
from rerankllm.backends.llamacpp.pooled import PooledEngine
from rerankllm.backends.llamacpp.tokenizer import LlamaTokenizer
from rerankllm.backends.pairs import PairTexts
from rerankllm.calls import CallFailed, Capabilities, Reply, Tokenizer, Want
from rerankllm.data import Usage
from rerankllm.elicitation import cards
from rerankllm.errors import CapabilityError, InputError
from rerankllm.files import digest
from rerankllm.judgements import Judgement, Score

HEADS = ("cls.weight", "cls.output.weight")
SOFTMAX = ("qwen3", "qwen3vl")
"""Architectures whose head llama.cpp puts through a softmax."""
YES, ACROSS = "yes", 2


class GgufScorer(BatchBackend[Judgement]):
    """Answers `Score` by the head of a GGUF file, computed in this process.

    The score is the head's raw logit, as `cross-encoder:` tells it; of two classes the second one's less the first
    one's. Qwen3-Reranker's conversion tells the probability of "yes", as the model's prompt does on other engines.

    A published model's texts are those of its card. A file that carries a template named `rerank` has query and passage
    put into it; others read them as a pair, with what their tokenizer puts between. Longer texts lose their end, the
    longer of a pair first.

    Args:
        name: The path of a .gguf file.
        type: As `LlamaCpp` has it, like the other options.
        threads: Threads that compute.
        context: Tokens of query and passage together; None for what the model was trained for, up to 8,192.
        batch: Tokens computed at a time.
        max_sequences: Pairs computed at a time.
        gpu_layers: Layers kept on a GPU.

    Raises:
        MissingExtra: llama.cpp is not installed.
        InputError: The file is missing, its head is not among its weights, or llama.cpp would not compute it as it was
            trained.
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
        super().__init__()
        self._source = gguf.find(name)
        wanted = type or gguf.AS_SHIPPED
        path, file_type = gguf.weights(self._source, wanted)
        self.model = f"llamacpp:{name}?type={wanted}" + (f"&context={context}" if context else "")
        architecture = _checked(self._source)
        self._engine = PooledEngine(
            path, file_type=file_type, pooling=gguf.Pooling.RANK, threads=threads, context=context, batch=batch,
            sequences=max_sequences, gpu_layers=gpu_layers,
        )  # fmt: skip
        names = (name, *self._engine.called)
        card = cards.find(names)
        tokenizer = LlamaTokenizer(self._engine, self.model)
        self._yes = _softmaxed(self._source, self._engine.labels) if architecture in SOFTMAX else None
        self._tokens = PairTokens(self._engine, tokenizer, PairTexts(card, tokenizer))
        self.default_strategy = "pointwise"
        self.capabilities = Capabilities(answers=frozenset({Score}), batch=4 * max_sequences, names=names)

    @functools.cached_property
    def revision(self) -> str:
        """SHA-256 of the weights as shipped, in hexadecimal."""
        return digest(self._source)

    @property
    def tokenizer(self) -> Tokenizer:
        """None: it is never shown a prompt."""
        raise CapabilityError(f"{self.model} answers judgements without a prompt: it takes no elicitation")

    def run(self, works: Sequence[Judgement]) -> list[Reply | CallFailed]:
        """Scores these pairs; see `BatchBackend.run`.

        Raises:
            BackendError: llama.cpp failed.
        """
        outcomes: list[Reply | CallFailed] = [CallFailed("given up: nobody waited for it")] * len(works)
        asked: dict[int, tuple[int, ...]] = {}
        for index, work in enumerate(works):
            found = self._tokens.of(work.query.text, work.docs[0])
            if isinstance(found, CallFailed):
                outcomes[index] = found
            else:
                asked[index] = found
        places = list(asked)
        for rows in self._engine.rows(list(asked.values()), lambda: self.abandoned):
            for place, row in rows:
                outcomes[places[place]] = Reply(self._score(row), usage=Usage(len(asked[places[place]])))
        return outcomes

    def most_tokens(self, want: Want) -> int:
        """None: it writes nothing."""
        del want
        return 0

    def free(self) -> None:
        """Frees the model."""
        self._engine.close()

    def _score(self, row: Vector) -> float:
        if self._yes is not None:
            return float(row[self._yes])
        return float(row[1] - row[0]) if len(row) == ACROSS else float(row[0])


def _checked(path: Path) -> str:
    """The architecture of a file that llama.cpp scores as it was trained.

    Raises:
        InputError: It is none.
    """
    architecture, vocabulary, types = gguf.metadata(
        path, "general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.token_type_count"
    )
    if not any(gguf.holds(path, head) for head in HEADS):
        raise InputError(
            f"{path}: its weights lack a classifier ({' and '.join(HEADS)}), so its scores would mean nothing: take a "
            "file that was converted with one"
        )
    if vocabulary == "bert" and types not in ("", "0", "1"):
        raise InputError(
            f"{path}: it was trained to tell query and passage apart by token types, which llama.cpp leaves out: use "
            "cross-encoder: with the model that it was converted from"
        )
    return architecture


def _softmaxed(path: Path, labels: Sequence[str]) -> int:
    """Which of the classes that go through a softmax is the relevant one.

    Raises:
        InputError: There is only one, whose share is always 1, or it is not said which.
    """
    if YES not in labels or len(labels) < ACROSS:
        told = ", ".join(filter(None, labels)) or "no names"
        raise InputError(
            f"{path}: llama.cpp puts this head through a softmax, which needs the classes yes and no; found {told}: "
            "use cross-encoder: with the model that it was converted from"
        )
    return labels.index(YES)
