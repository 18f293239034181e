"""Rerankers with a scoring head on this machine's GPUs, through vLLM's pooling runner."""

import functools
from collections.abc import Sequence

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.backends.pairs import PairTexts
from rerankllm.backends.vllm.engine import complaint
from rerankllm.backends.vllm.pooling import Pooling
from rerankllm.calls import CallFailed, Capabilities, Reply, Tokenizer, Want
from rerankllm.data import Usage
from rerankllm.elicitation import cards
from rerankllm.errors import BackendError, CapabilityError
from rerankllm.judgements import Judgement, Score

REQUESTS = 256
"""Pairs computed between two looks at whether anybody still waits."""


class VLLMScorer(BatchBackend[Judgement]):
    """Answers `Score` by a sequence-classification head, computed by vLLM: the raw logit, as `cross-encoder:` tells it.

    Args:
        options: Which model, and how it is computed; pairs that are too long are cut at their end.

    Raises:
        MissingExtra: vLLM is not installed.
        InputError: There is no such model, or vLLM does not take it or an option.
        BackendError: The engine does not start.
    """

    def __init__(self, options: Pooling) -> None:
        super().__init__()
        self._source = options.find()
        self._engine, self.model = options.start(self._source)
        names = self._source.files.names(options.name)
        self._texts = PairTexts(cards.find(names), HubTokenizer(self._engine.tokenizer, self.model))
        self.default_strategy = "pointwise"
        self.capabilities = Capabilities(answers=frozenset({Score}), batch=REQUESTS, names=names)

    @functools.cached_property
    def revision(self) -> str | None:
        """The commit on the hub, or SHA-256 over the folder's files."""
        return self._source.revision()

    @property
    def tokenizer(self) -> Tokenizer:
        """None: it is never shown a prompt."""
        raise CapabilityError(f"{self.model} answers judgements without a prompt: it takes no elicitation")

    def run(self, works: Sequence[Judgement]) -> list[Reply | CallFailed]:
        """Scores these pairs, some at a time; see `BatchBackend.run`.

        Raises:
            BackendError: The engine failed.
        """
        outcomes: list[Reply | CallFailed] = []
        for start in range(0, len(works), REQUESTS):
            if self.abandoned:
                break
            rows = [self._row(work) for work in works[start : start + REQUESTS]]
            try:
                found = self._engine.scores(rows)
            except Exception as error:
                raise BackendError(f"{self.model}: vLLM's engine failed: {complaint(error)}") from error
            outcomes += [
                Reply(logits[-1] - logits[0] if len(logits) > 1 else logits[0], usage=Usage(len(ids)))
                for logits, (ids, _) in zip(found, rows, strict=True)
            ]
        return outcomes + [CallFailed("given up: nobody waited for it")] * (len(works) - len(outcomes))

    def most_tokens(self, want: Want) -> int:
        """None: it writes nothing."""
        del want
        return 0

    def free(self) -> None:
        """Frees the model."""
        self._engine.close()

    def _row(self, work: Judgement) -> tuple[list[int], list[int]]:
        """The tokens of a pair, and to which of the two texts each belongs; nothing where the model does not ask."""
        texts = self._texts.of(work.query.text, work.docs[0])
        read = self._engine.tokenizer(*texts, truncation=True, max_length=self._engine.context)
        return read["input_ids"], read.get("token_type_ids", [])
