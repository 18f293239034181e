"""jina-reranker-v3 through vLLM's pooling runner: a whole list in one prompt, its documents compared by vectors."""

import functools
from collections.abc import Sequence

import numpy as np

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.embed.memory import unit
from rerankllm.backends.hf.whole_list import ARCHITECTURE, Similarities
from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.backends.late_interaction.model_files import LateFiles
from rerankllm.backends.vllm.engine import complaint, token_pooler
from rerankllm.backends.vllm.pooling import Pooling
from rerankllm.calls import CallFailed, Capabilities, ReadSimilarities, Request, Response, TokenPrompt, Want
from rerankllm.data import Usage
from rerankllm.errors import BackendError, CapabilityError, InputError

PROMPTS = 64
"""Prompts computed between two looks at whether anybody still waits: each holds a whole list."""
MARKERS = (151670, 151671)
"""The tokens behind a document and behind the query at which vLLM takes vectors, whatever the tokenizer calls so."""


class VLLMWholeList(BatchBackend[Request]):
    """Compares the documents of one prompt by vectors that vLLM computes, and writes nothing.

    Args:
        options: Which model, and how it is computed.

    Raises:
        MissingExtra: vLLM is not installed.
        InputError: There is no such model, or vLLM would compute another one, or does not take an option.
        BackendError: The engine does not start.
    """

    def __init__(self, options: Pooling) -> None:
        super().__init__()
        self._source = options.find()
        config = LateFiles(self._source.files, "vllm").json("config.json")
        if set(config.get("layer_types") or ()) - {"full_attention"}:
            raise InputError(
                f"vllm:{options.name}: some of its layers see a part of the prompt only, which vLLM leaves out for "
                f"{ARCHITECTURE}; hf:{options.name} computes them"
            )
        self._engine, self.model = options.start(self._source, pooler_config=token_pooler())
        self._tokenizer = HubTokenizer(self._engine.tokenizer, self.model)
        self.default_strategy = "full / similarity"
        self.capabilities = Capabilities(
            lists=frozenset({ReadSimilarities}),
            token_prompts=True,
            context=self._engine.context,
            batch=PROMPTS,
            names=self._source.files.names(options.name),
        )

    @functools.cached_property
    def revision(self) -> str | None:
        """The commit on the hub, or SHA-256 over the folder's files."""
        return self._source.revision()

    @property
    def tokenizer(self) -> HubTokenizer:
        """The model's own."""
        return self._tokenizer

    def check(self, work: Request) -> None:
        """Raises `CapabilityError` for messages, since the prompt has to be tokens."""
        if not isinstance(work.prompt, TokenPrompt):
            raise CapabilityError(f"{self.model} takes prompts as token ids: apply its tokenizer's chat template first")

    def run(self, works: Sequence[Request]) -> list[Response | CallFailed]:
        """Reads these prompts, some at a time; see `BatchBackend.run`.

        Raises:
            BackendError: The engine failed.
        """
        outcomes: list[Response | CallFailed] = []
        for start in range(0, len(works), PROMPTS):
            if self.abandoned:
                break
            outcomes += self._read(works[start : start + PROMPTS])
        return outcomes + [CallFailed("given up: nobody waited for it")] * (len(works) - len(outcomes))

    def most_tokens(self, want: Want) -> int:
        """None: it writes nothing."""
        del want
        return 0

    def free(self) -> None:
        """Frees the model."""
        self._engine.close()

    def _read(self, works: Sequence[Request]) -> list[Response | CallFailed]:
        """The outcomes of prompts that are computed together."""
        faults = [self._fault(work) for work in works]
        ids = [list(_ids(work)) for work, fault in zip(works, faults, strict=True) if fault is None]
        try:
            found = iter(self._engine.token_vectors(ids) if ids else ())
        except Exception as error:
            raise BackendError(f"{self.model}: vLLM's engine failed: {complaint(error)}") from error
        return [
            _cosines(next(found), work) if fault is None else CallFailed(fault)
            for work, fault in zip(works, faults, strict=True)
        ]

    def _fault(self, work: Request) -> str | None:
        """Why a prompt cannot be read, if it cannot."""
        if not isinstance(work.want, ReadSimilarities):
            return f"this model is not made for {type(work.want).__name__}"
        if work.want.ids and work.want.ids != MARKERS:
            return f"vLLM takes vectors at the tokens {MARKERS[0]} and {MARKERS[1]}; this model's are {work.want.ids}"
        if (length := len(_ids(work))) > self._engine.context:
            return f"{length} prompt tokens exceed the context of {self._engine.context} tokens"
        return Similarities.fault(work)


def _ids(work: Request) -> tuple[int, ...]:
    assert isinstance(work.prompt, TokenPrompt)  # noqa: S101
    return work.prompt.ids


def _cosines(vectors: "np.ndarray[tuple[int, int], np.dtype[np.float32]]", work: Request) -> Response:
    """What is read of a prompt's vectors: the documents' in their order, then the query's, of which the last counts."""
    assert isinstance(work.want, ReadSimilarities)  # noqa: S101
    rows = unit(vectors.tolist())
    cosines = rows[: work.want.count] @ rows[-1]
    return Response(logprobs=tuple(cosines.tolist()), usage=Usage(len(_ids(work))))
