"""Models on this machine's GPUs, through vLLM: no server, every request of every query in one running batch."""

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rerankllm.backends.chat_template import arguments_of
from rerankllm.backends.hf import whole_list
from rerankllm.backends.hf.loading import ModelFiles
from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.backends.vllm import weights
from rerankllm.backends.vllm.continuous import ContinuousBackend
from rerankllm.backends.vllm.engine import Engine, complaint, library
from rerankllm.backends.vllm.readout import GREEDY, MAX_LABEL_TOKENS, ChainReader, Reader, reader_for
from rerankllm.calls import (
    CallFailed,
    Capabilities,
    Generate,
    Outcome,
    ReadLabels,
    Request,
    Response,
    TokenPrompt,
    Want,
    WriteLabels,
)
from rerankllm.data import Usage
from rerankllm.elicitation import cards
from rerankllm.errors import BackendError, CapabilityError, SpecError

HEADS = ("float32", "model")

REQUESTS = 1024
"""Requests a driver hands over at a time: several times what runs at once, few enough to keep and show what is done."""
ENDS = ("stop", "length")
"""Why an answer may have ended and still be one."""


class VLLM(ContinuousBackend):
    """A decoder-only language model, computed in this process by vLLM.

    Takes prompts as token ids only. Beginnings that prompts have in common are computed once, except where the
    log-probabilities of a continuation are read, for which vLLM computes the whole prompt. Writing is greedy. Whatever
    shares the batch moves log-probabilities by rounding only.

    Of a published reranker whose score is a token's logit the engine tells logits instead of log-probabilities, of
    which the order and the differences are the same.

    Args:
        name: A model's folder, or its name on the Hugging Face hub.
        revision: Branch, tag or commit on the hub; None for the newest.
        dtype: Weights and activations: `auto`, `bfloat16`, `float16` or `float32`.
        head_dtype: In what the last layer computes the logits. `float32` keeps labels apart that tie when half
            precision rounds them; `model`, for models whose last layer is quantized, computes as the others do.
        quantization: How to quantize weights, such as `fp8`; None for what the model's own configuration says.
        max_model_len: Tokens that prompt and answer may have together; None for what the model was trained for.
        max_num_seqs: Requests computed at a time; None leaves it to vLLM.
        gpu_memory_utilization: Share of a GPU's memory to use, between 0 and 1; None leaves it to vLLM.
        kv_cache_memory_bytes: Memory for what was computed, instead of all that is left; None leaves it to vLLM.
        block_size: Tokens of a block: what prompts begin with in common is computed once in whole blocks. None is 32
            on CPUs, and leaves it to vLLM elsewhere.
        tensor_parallel_size: GPUs to spread the model over.
        thinking: `on`, `off`, `low`, `medium`, `high` or a number of tokens: told to the chat template, in the names
            that the usual ones have for it.
        template_kwargs: A JSON object of arguments for the chat template.
        enforce_eager: Do without compilation and CUDA graphs: starts sooner, computes more slowly.
        adapter: A LoRA adapter of this model, as a folder or an id on the hub; all is computed with it.

    Raises:
        MissingExtra: vLLM is not installed.
        InputError: There is no such model, or vLLM does not take it or an option.
        BackendError: The engine does not start.
    """

    @classmethod
    def class_for(cls, name: str) -> Callable[..., Any]:
        """What computes a model: this, or for one that is shown no prompt what computes those.

        Raises:
            MissingExtra: vLLM is not installed: said before a model is looked for on the hub.
        """
        from rerankllm.backends.vllm.late import VLLMLate, late_form  # noqa: PLC0415
        from rerankllm.backends.vllm.pooling import Pooling  # noqa: PLC0415
        from rerankllm.backends.vllm.scorer import VLLMScorer  # noqa: PLC0415
        from rerankllm.backends.vllm.whole_list import VLLMWholeList  # noqa: PLC0415

        library()
        found = weights.architecture(name)
        if found.endswith("ForSequenceClassification"):
            return Pooling.of(VLLMScorer)
        if found == whole_list.ARCHITECTURE:
            return Pooling.of(VLLMWholeList)
        return cls if late_form(name) is None else Pooling.of(VLLMLate)

    def __init__(
        self,
        *,
        name: str,
        revision: str | None = None,
        dtype: str = "auto",
        head_dtype: str = "float32",
        quantization: str | None = None,
        max_model_len: int | None = None,
        max_num_seqs: int | None = None,
        gpu_memory_utilization: float | None = None,
        kv_cache_memory_bytes: int | None = None,
        block_size: int | None = None,
        tensor_parallel_size: int = 1,
        enforce_eager: bool = False,
        adapter: str | None = None,
        thinking: str | None = None,
        template_kwargs: str | None = None,
    ) -> None:
        super().__init__()
        if head_dtype not in HEADS:
            raise SpecError(f"vllm: head_dtype should be float32 or model; found '{head_dtype}'")
        arguments = arguments_of(thinking, template_kwargs)
        library()
        source, self._commit = weights.find(name, revision)
        self._folder = Path(source)
        self._adapter = None if adapter is None else weights.find_adapter(adapter)
        names = (*((adapter,) if adapter else ()), *ModelFiles(source).names(name))
        card = cards.find(names)
        self._logits = card is not None and card.reads_logits
        self._engine = Engine(
            f"vllm:{name}",
            {
                "model": source,
                "revision": revision,
                "dtype": dtype,
                "hf_overrides": {"head_dtype": head_dtype},
                "quantization": quantization,
                "max_model_len": max_model_len,
                "max_num_seqs": max_num_seqs,
                "gpu_memory_utilization": gpu_memory_utilization,
                "kv_cache_memory_bytes": kv_cache_memory_bytes,
                "block_size": block_size,
                "tensor_parallel_size": tensor_parallel_size,
                "enforce_eager": enforce_eager,
                "logprobs_mode": "raw_logits" if self._logits else None,
                "enable_prefix_caching": True,
            },
            self._adapter,
        )
        shown = {
            "adapter": adapter,
            "revision": revision,
            "dtype": self._engine.dtype,
            "head_dtype": None if head_dtype == "float32" else head_dtype,
            "quantization": quantization,
            "max_model_len": max_model_len,
            "thinking": thinking,
            "template_kwargs": template_kwargs,
        }
        self.model = f"vllm:{name}?" + "&".join(f"{key}={value}" for key, value in shown.items() if value is not None)
        self._tokenizer = HubTokenizer(self._engine.tokenizer, self.model, arguments)
        self._readers: dict[str, Reader] = {}
        self._cached: dict[str, int] = {}
        self._broken: str | None = None
        # A chat model is asked in its own chat format, another by a plain completion.
        prompt = "likelihood-chat" if self._tokenizer.chats else "likelihood"
        self.default_strategy = f"interpolate(pointwise / likelihood(prompt={prompt}))"
        self.capabilities = Capabilities(
            generate=True,
            label_logprobs=MAX_LABEL_TOKENS,
            continuation_logprobs=not self._logits,
            logits=self._logits,
            token_prompts=True,
            context=self._engine.context,
            batch=REQUESTS,
            constrained=True,
            names=names,
        )

    @property
    def tokenizer(self) -> HubTokenizer:
        """The model's own."""
        return self._tokenizer

    @functools.cached_property
    def revision(self) -> str | None:
        """The commit on the hub, or SHA-256 over the folder's files: with `model`, what its answers depend on."""
        own = weights.fingerprint(self._folder) if self._folder.is_dir() else self._commit
        return own if self._adapter is None else f"{own}+{weights.fingerprint(Path(self._adapter))}"

    def check(self, work: Request) -> None:
        """Raises `CapabilityError` for messages, since the prompt has to be tokens, and for logits."""
        if not isinstance(work.prompt, TokenPrompt):
            raise CapabilityError(f"{self.model} takes prompts as token ids: apply its tokenizer's chat template first")
        if isinstance(work.want, ReadLabels) and work.want.raw and not self._logits:
            raise CapabilityError(f"{self.model} tells log-probabilities, not logits")

    def most_tokens(self, want: Want) -> int:
        """What is asked for; the one token that vLLM generates when it only reads is thrown away."""
        if isinstance(want, WriteLabels):
            return want.most_tokens
        return want.max_tokens if isinstance(want, Generate) else 0

    def admit(self, key: str, work: Request) -> Outcome | None:
        """Hands a request to the engine, checked; see `ContinuousBackend.admit`."""
        if self._broken is not None:
            raise BackendError(self._broken)
        reader = self._reader(work)
        return reader if isinstance(reader, (Response, CallFailed)) else self._add(key, reader)

    def _add(self, key: str, reader: Reader) -> CallFailed | None:
        """Has the engine compute what a reader asks; the failure where it refuses."""
        try:
            self._engine.add(key, reader.ids, {**GREEDY, "max_tokens": reader.room, **reader.sampling})
        except Exception as error:  # noqa: BLE001 - vLLM has no one class for what it refuses
            return CallFailed(f"vLLM refuses the request: {complaint(error)}")
        self._readers[key] = reader
        return None

    def step(self) -> Mapping[str, Outcome]:
        """Computes one step; see `ContinuousBackend.step`.

        Raises:
            BackendError: The engine failed. It is not asked again.
        """
        try:
            outputs = self._engine.step()
        except Exception as error:
            self._broken = f"{self.model}: vLLM's engine failed: {complaint(error)}"
            raise BackendError(self._broken) from error
        outcomes: dict[str, Outcome] = {}
        for output in outputs:
            key, ended = output.request_id, output.outputs[0].finish_reason
            reader = self._readers.pop(key, None)
            if reader is None:  # just withdrawn
                continue
            self._cached.setdefault(key, output.num_cached_tokens or 0)  # those that follow find their own prompt
            outcome = reader.response(output) if ended in ENDS else CallFailed(f"vLLM ended the request: {ended}")
            outcome = outcome or self._add(key, reader)
            if outcome is not None:
                cached = self._cached.pop(key)
                outcomes[key] = outcome.with_cached(cached) if isinstance(outcome, Response) else outcome
        return outcomes

    def withdraw(self, keys: Sequence[str]) -> None:
        """Takes requests out of the engine; see `ContinuousBackend.withdraw`."""
        for key in keys:
            self._readers.pop(key, None)
            self._cached.pop(key, None)
        if keys:
            with contextlib.suppress(Exception):  # of a broken engine; there is nothing left to take out of it
                self._engine.abort(list(keys))

    def free(self) -> None:
        """Frees the model."""
        self._engine.close()

    def _reader(self, request: Request) -> Reader | Response | CallFailed:
        """How a request is read, or its outcome where there is nothing to ask the engine."""
        want = request.want
        prompt = request.prompt.ids if isinstance(request.prompt, TokenPrompt) else ()
        if isinstance(want, ReadLabels) and len(want.ids) != len(want.labels):
            return CallFailed("the labels to read come without their token ids")
        if not prompt:
            return CallFailed("the prompt is empty")
        reader = reader_for(prompt, want, self._tokenizer.text)
        if isinstance(reader, ChainReader) and not reader.named:
            return reader.written()
        if reader is None:
            logprobs = (float("nan"),) * len(want.labels) if isinstance(want, ReadLabels) else ()
            ended = "length" if isinstance(want, Generate) else "stop"
            return Response(logprobs=logprobs, usage=Usage(len(prompt)), finish_reason=ended)
        unfit = self._unfit(reader, len(prompt))
        return reader if unfit is None else CallFailed(unfit)

    def _unfit(self, reader: Reader, prompt: int) -> str | None:
        """Why the engine could not take this, or None."""
        known = (*reader.ids, *reader.named)
        if min(known) < 0 or max(known) >= self._engine.vocabulary:
            return f"a token id is outside the vocabulary of {self._engine.vocabulary}"
        if len(reader.named) > MAX_LABEL_TOKENS:
            return f"{len(reader.named)} tokens spell the labels; vLLM tells {MAX_LABEL_TOKENS} apart"
        answer = len(reader.ids) - prompt + reader.room
        if prompt + answer > self._engine.context:
            return (
                f"{prompt} prompt tokens and {answer} for the answer exceed the context of "
                f"{self._engine.context} tokens"
            )
        return None
