"""`cross-encoder:NAME`: models that read query and passage together and give one score."""

import functools
from collections.abc import Sequence
from typing import Any

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.hf import loading
from rerankllm.calls import (
    CallFailed,
    Capabilities,
    Reply,
    Tokenizer,
    Want,
)
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError, InputError, SpecError
from rerankllm.judgements import Judgement, Score

NEEDED = "pip install 'rerankllm[embed]'"
HEAD = "ForSequenceClassification"
CHUNK = 8
"""Batches computed between two looks at whether anybody still waits."""


class CrossEncoder(BatchBackend[Judgement]):
    """Answers `Score` by a sequence-classification head with one output, through sentence-transformers.

    Scores are the head's raw logits, in float32, on no fixed scale: larger is more relevant. Pairs longer than the
    model takes are cut at their end.

    Args:
        name: An id on the hub, or a local folder.
        revision: Branch, tag or commit on the hub.
        dtype: `float32`, `float16` or `bfloat16`. None is float32 on a CPU, the checkpoint's own on a GPU.
        device: As torch names it, such as `cuda:1`. None is the GPU if there is one.
        batch: Pairs computed at a time.
        threads: Threads that torch computes with, in the whole process; None leaves that to torch.

    Raises:
        MissingExtra: sentence-transformers is not installed.
        InputError: There is no such model, or it gives no single score.
        SpecError: An option is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        revision: str | None = None,
        dtype: str | None = None,
        device: str | None = None,
        batch: int = 32,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        if batch < 1 or (threads is not None and threads < 1):
            raise SpecError("cross-encoder: batch and threads should be at least 1")
        loading.need("torch", "sentence_transformers", extra=NEEDED)
        loading.set_threads(threads)
        where = loading.place(device)
        self._source = loading.find("cross-encoder", name, revision)
        self._model: Any = _load(self._source, name, where, loading.precision(dtype, where))
        shown = {"revision": revision, "dtype": str(self._model.dtype).removeprefix("torch.")}
        self.model = f"cross-encoder:{name}?" + "&".join(f"{key}={value}" for key, value in shown.items() if value)
        self._commit: str | None = getattr(self._model.config, "_commit_hash", None)
        self._batch = batch
        self.default_strategy = "pointwise"
        self.capabilities = Capabilities(answers=frozenset({Score}), batch=batch * CHUNK)

    @functools.cached_property
    def revision(self) -> str | None:
        """The commit on the hub, else SHA-256 of the weights, in hexadecimal."""
        return self._commit or self._source.fingerprint()

    @property
    def tokenizer(self) -> Tokenizer:
        """None: it is never shown a prompt."""
        raise CapabilityError(f"{self.model} answers judgements without a prompt: it takes no elicitation")

    def run(self, works: Sequence[Judgement]) -> list[Reply | CallFailed]:
        """Scores these pairs, some batches at a time; see `BatchBackend.run`."""
        import torch  # noqa: PLC0415

        outcomes: list[Reply | CallFailed] = []
        size = self._batch * CHUNK
        for start in range(0, len(works), size):
            if self.abandoned:
                break
            pairs = [(work.query.text, work.docs[0].content) for work in works[start : start + size]]
            tokens = self._model.preprocess(pairs)["attention_mask"].sum(1).tolist()
            scores = self._model.predict(
                pairs, batch_size=self._batch, activation_fn=torch.nn.Identity(), show_progress_bar=False
            )
            outcomes += [Reply(float(score), usage=Usage(count)) for score, count in zip(scores, tokens, strict=True)]
        return outcomes + [CallFailed("given up: nobody waited for it")] * (len(works) - len(outcomes))

    def most_tokens(self, want: Want) -> int:
        """None: it writes nothing."""
        del want
        return 0

    def free(self) -> None:
        """Lets go of the model."""
        self._model = None


def _load(source: loading.ModelFiles, name: str, device: Any, dtype: Any) -> Any:
    import sentence_transformers  # noqa: PLC0415
    from transformers import AutoConfig  # noqa: PLC0415

    what = f"cross-encoder:{name}"
    with loading.reported(what), loading.quiet():
        config = AutoConfig.from_pretrained(source.where, **source.options)
        found = (config.architectures or ("of unknown architecture",))[0]
        if not found.endswith(HEAD):
            other = "hf" if found.endswith(loading.LANGUAGE_MODELS) else "embed"
            raise InputError(f"{what}: {found} has no classification head; {other}:{name} may be what it is")
        if config.num_labels != 1:
            raise InputError(f"{what}: it tells {config.num_labels} classes apart; a reranker gives one score")
        return sentence_transformers.CrossEncoder(
            source.where, revision=source.revision, device=str(device), model_kwargs={"dtype": dtype}
        )
