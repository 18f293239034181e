"""`cross-encoder:NAME`: models that read query and passage together and give one score."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.hf import loading
from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.backends.pairs import PairTexts
from rerankllm.calls import (
    CallFailed,
    Capabilities,
    Reply,
    Tokenizer,
    Want,
)
from rerankllm.data import Document, Usage
from rerankllm.elicitation import cards
from rerankllm.errors import CapabilityError, InputError, SpecError
from rerankllm.judgements import Judgement, Score

NEEDED = "pip install 'rerankllm[embed]'"
HEAD = "ForSequenceClassification"
CAUSAL = "ForCausalLM"
ACROSS = 2
"""Classes of a head that tells relevant passages from others."""
CHUNK = 8
"""Batches computed between two looks at whether anybody still waits."""


class CrossEncoder(BatchBackend[Judgement]):
    """Answers `Score` by a sequence-classification head with one output, through sentence-transformers.

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

    Raises:
        MissingExtra: sentence-transformers is not installed.
        InputError: There is no such model, it gives no single score, or its head is not among its weights.
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
    ) -> None:
        super().__init__()
        if batch < 1 or (threads is not None and threads < 1):
            raise SpecError("cross-encoder: batch and threads should be at least 1")
        loading.need("torch", "sentence_transformers", extra=NEEDED)
        loading.set_threads(threads)
        where = loading.place(device)
        self._source = loading.find("cross-encoder", name, revision)
        self._model: Any = _load(self._source, name, where, loading.precision(dtype, where), trust_remote_code)
        shown = {"revision": revision, "dtype": str(self._model.dtype).removeprefix("torch.")}
        self.model = f"cross-encoder:{name}?" + "&".join(f"{key}={value}" for key, value in shown.items() if value)
        self._commit: str | None = getattr(self._model.config, "_commit_hash", None)
        self._batch = batch
        names = self._source.names(name)
        self._texts = PairTexts(cards.find(names), HubTokenizer(self._model.tokenizer, self.model))
        if self._texts.own:
            loading.take_plain_text(self._model)
        self.default_strategy = "pointwise"
        self.capabilities = Capabilities(answers=frozenset({Score}), batch=batch * CHUNK, names=names)

    @functools.cached_property
    def revision(self) -> str | None:
        """The commit on the hub, else SHA-256 of the weights, in hexadecimal."""
        return self._commit or self._source.fingerprint()

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


def _load(source: loading.ModelFiles, name: str, device: Any, dtype: Any, trusted: bool) -> Any:  # noqa: FBT001
    import sentence_transformers  # noqa: PLC0415
    from transformers import AutoConfig  # noqa: PLC0415

    what = f"cross-encoder:{name}"
    with loading.reported(what), loading.quiet():
        config = AutoConfig.from_pretrained(source.where, trust_remote_code=trusted, **source.options)
        found = (config.architectures or ("of unknown architecture",))[0]
        if found.endswith(HEAD):
            _check_head(source, what, config.num_labels, trusted)
        elif not (found.endswith(CAUSAL) and _is_configured(source)):
            other = "hf" if found.endswith(loading.LANGUAGE_MODELS) else "embed"
            raise InputError(f"{what}: {found} has no classification head; {other}:{name} may be what it is")
        return sentence_transformers.CrossEncoder(
            source.where,
            revision=source.revision,
            device=str(device),
            model_kwargs={"dtype": dtype},
            trust_remote_code=trusted,
        )


def _is_configured(source: loading.ModelFiles) -> bool:
    """Whether a model comes with sentence-transformers' own configuration."""
    from sentence_transformers.util import load_file_path  # noqa: PLC0415

    return load_file_path(source.where, "modules.json", revision=source.revision) is not None


def _check_head(source: loading.ModelFiles, what: str, labels: int, trusted: bool) -> None:  # noqa: FBT001
    """Checks that a head gives one score and that all weights are there: what is not would be made up at random.

    Raises:
        InputError: It is not so.
    """
    from transformers import AutoModelForSequenceClassification  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    if labels > ACROSS:
        raise InputError(f"{what}: it tells {labels} classes apart; a reranker gives one score, or two classes")
    told = logging.get_verbosity()
    logging.set_verbosity_error()  # what is missing is said below
    try:
        _, loaded = AutoModelForSequenceClassification.from_pretrained(
            source.where, device_map="meta", output_loading_info=True, trust_remote_code=trusted, **source.options
        )
    finally:
        logging.set_verbosity(told)
    if loaded["missing_keys"]:
        lacking = ", ".join(sorted(loaded["missing_keys"]))[:200]
        raise InputError(f"{what}: its weights lack {lacking}: it was not trained to score")
