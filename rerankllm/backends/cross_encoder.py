"""`cross-encoder:NAME`: models that read query and passage together and give one score."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.hf import loading
from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.backends.pairs import PairTexts
from rerankllm.backends.scoring_head import ACROSS, load
from rerankllm.calls import (
    CallFailed,
    Capabilities,
    Reply,
    Tokenizer,
    Want,
)
from rerankllm.data import Document, Usage
from rerankllm.elicitation import cards
from rerankllm.errors import CapabilityError, SpecError
from rerankllm.judgements import Judgement, Score

NEEDED = "pip install 'rerankllm[embed]'"
CHUNK = 8
"""Batches computed between two looks at whether anybody still waits."""


class CrossEncoder(BatchBackend[Judgement]):
    """A cross-encoder, by sentence-transformers: it reads query and document together and gives one score.

    Scores are the head's raw logits, in float32, on no fixed scale: larger is more relevant. Of a head of two classes
    it is the second one's logit less the first one's. Pairs longer than the model takes are cut at their end.

    Published models that want a prefix before query or passage, or one text instead of a pair, are given that, as their
    card says; causal models that come with sentence-transformers' configuration are asked as that says.

    Args:
        name: An id on the hub, or a local folder.
        revision: Branch, tag or commit on the hub.
        dtype: `float32`, `float16` or `bfloat16`. None is float32 on a CPU, the checkpoint's own on a GPU.
        device: As torch names it, such as `cuda:1`. None is the GPU if there is one.
        batch: Pairs computed at a time.
        threads: Threads that torch computes with, in the whole process; None leaves that to torch.
        trust_remote_code: Whether code that comes with the model may run on this machine; some models need theirs.
        adapter: A LoRA adapter of this model, as a folder or an id on the hub; its weights are added to the model's. It
            may bring the head.

    Raises:
        MissingExtra: sentence-transformers, or peft for an adapter, is not installed.
        InputError: There is no such model, it gives no single score, its head is not among its weights, or the adapter
            is not one of this model.
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
        trust_remote_code: bool = False,
        adapter: str | None = None,
    ) -> None:
        super().__init__()
        if batch < 1 or (threads is not None and threads < 1):
            raise SpecError("cross-encoder: batch and threads should be at least 1")
        loading.need("torch", "sentence_transformers", extra=NEEDED)
        loading.set_threads(threads)
        where = loading.place(device)
        self._source = loading.find("cross-encoder", name, revision)
        precision = loading.precision(dtype, where)
        self._model: Any = load(self._source, name, where, precision, trusted=trust_remote_code, adapter=adapter)
        self._adapter = adapter
        shown = {"adapter": adapter, "revision": revision, "dtype": str(self._model.dtype).removeprefix("torch.")}
        self.model = f"cross-encoder:{name}?" + "&".join(f"{key}={value}" for key, value in shown.items() if value)
        self._commit: str | None = getattr(self._model.config, "_commit_hash", None)
        self._batch = batch
        names = (*((adapter,) if adapter else ()), *self._source.names(name))
        self._texts = PairTexts(cards.find(names), HubTokenizer(self._model.tokenizer, self.model))
        if self._texts.own:
            loading.take_plain_text(self._model)
        self.default_strategy = "pointwise"
        self.capabilities = Capabilities(answers=frozenset({Score}), batch=batch * CHUNK, names=names)

    @functools.cached_property
    def revision(self) -> str | None:
        """The commit on the hub, else SHA-256 of the weights, in hexadecimal; an adapter's after a plus sign."""
        own = self._commit or self._source.fingerprint()
        return own if self._adapter is None else f"{own}+{loading.adapter_digest(self._adapter)}"

    @property
    def tokenizer(self) -> Tokenizer:
        """None: it is never shown a prompt."""
        raise CapabilityError(f"{self.model} answers judgements without a prompt: it takes no elicitation")

    def run(self, works: Sequence[Judgement]) -> list[Reply | CallFailed]:
        """Scores these pairs, a batch at a time, the longest first; see `BatchBackend.run`."""
        texts = [self.texts(work.query.text, work.docs[0]) for work in works]
        by_length = sorted(range(len(works)), key=lambda index: -sum(map(len, texts[index])))
        outcomes: list[Reply | CallFailed] = [CallFailed("given up: nobody waited for it")] * len(works)
        for start in range(0, len(works), self._batch):
            if self.abandoned:
                break
            batch = by_length[start : start + self._batch]
            for index, reply in zip(batch, self._scored([texts[index] for index in batch]), strict=True):
                outcomes[index] = reply
        return outcomes

    def texts(self, query: str, doc: Document) -> tuple[str, ...]:
        """What the model is shown: two texts, or one."""
        return self._texts.of(query, doc)

    def most_tokens(self, want: Want) -> int:
        """None: it writes nothing."""
        del want
        return 0

    def free(self) -> None:
        """Lets go of the model."""
        self._model = None

    def _scored(self, texts: Sequence[tuple[str, ...]]) -> Iterator[Reply]:
        """One batch."""
        import torch  # noqa: PLC0415

        inputs = [pair if len(pair) > 1 else pair[0] for pair in texts]
        prompt = None if self._texts.own else self._model.prompts.get(self._model.default_prompt_name)
        features = self._model.preprocess(inputs, prompt=prompt)
        tokens = features["attention_mask"].sum(1).tolist()
        on_device = {key: value.to(self._model.device) if hasattr(value, "to") else value
                     for key, value in features.items()}  # fmt: skip
        with torch.inference_mode():
            logits = self._model(on_device)["scores"].float().reshape(len(texts), -1)
        scores = logits[:, -1] - logits[:, 0] if logits.shape[1] == ACROSS else logits[:, 0]
        return (Reply(score, usage=Usage(count)) for score, count in zip(scores.tolist(), tokens, strict=True))
