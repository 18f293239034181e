"""Models in this process, through transformers: decoder-only and encoder-decoder, on a CPU or a GPU."""

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.chat_template import arguments_of
from rerankllm.backends.hf import asked, labels, loading
from rerankllm.backends.hf.batches import Limits
from rerankllm.backends.hf.causal import Causal
from rerankllm.backends.hf.chains import ChainWriter
from rerankllm.backends.hf.cross_attention import CrossAttention
from rerankllm.backends.hf.generation import Writer
from rerankllm.backends.hf.passage_vectors import VectorOrder
from rerankllm.backends.hf.seq2seq import Seq2Seq
from rerankllm.backends.hf.whole_list import Similarities
from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.calls import (
    CallFailed,
    Capabilities,
    EncoderPrompt,
    Generate,
    OrderVectors,
    ReadAttention,
    ReadContinuation,
    ReadLabels,
    ReadSimilarities,
    Request,
    Response,
    TokenPrompt,
    VectorPrompt,
    Want,
    WholeList,
    WriteLabels,
)
from rerankllm.data import Usage
from rerankllm.errors import BackendError, CapabilityError, SpecError

LOGITS = 2**26
"""Logits held at a time, over all positions read: 256 MiB of float32."""
REQUESTS = 512
"""Requests a driver hands over at a time: enough to find what shares a beginning, few enough to see progress."""
BATCH = 4096
"""Tokens of one batch, padding included."""
CACHE = 256
"""MiB of keys and values that are remembered."""
UNSAID = 10**9
"""Tokenizers that know of no limit name one beyond this."""


Answered: TypeAlias = list[tuple[int, Response | CallFailed]]
"""Requests that are done, by their index, with what came of them."""


class HuggingFace(BatchBackend[Request]):
    """A language model of transformers, computed in this process.

    Takes prompts as token ids only. Prompts that are read are packed: what they begin with in common is computed once,
    nothing is padded, and the head is computed at the positions that are read only. Where a model's attention is no
    plain causal one, and for answers that are written, prompts of similar length are padded. Writing is greedy,
    whatever the model's own generation settings say. Log-probabilities are taken in float32; what is computed together
    moves them by rounding only.

    A model that a prompt template names as its own is asked by that template unless the user says otherwise.

    Attributes:
        packing: How prompts that are read are computed together, and why: `packed`, or for instance `padded: its
            attention takes s_aux`. It is found out when the model is loaded, from what the model computes.

    Args:
        name: An id on the hub, a local folder, the path of a .gguf file, or `smollm2`, which comes with the extra
            `embedded`.
        revision: Branch, tag or commit on the hub.
        dtype: `float32`, `float16` or `bfloat16`. None is the checkpoint's own on a GPU; on a CPU it is bfloat16 where
            the checkpoint is kept in it and that was measured to be faster here, else float32.
        device: As torch names it, such as `cuda:1`. None is the GPU if there is one.
        batch: Tokens of one batch, padding included. A longer prompt is cut where it is packed, else computed alone.
        cache: MiB of keys and values that are remembered: prompts to come that begin as ones before need not compute
            them again.
        context: Tokens that prompt and answer may have together; None for what the model was made for.
        thinking: `on`, `off`, `low`, `medium`, `high` or a number of tokens: told to the chat template, in the names
            that the usual ones have for it.
        template_kwargs: A JSON object of arguments for the chat template.
        threads: Threads that torch computes with, in the whole process; None leaves that to torch.
        adapter: A LoRA adapter of this model, as a folder or an id on the hub; its weights are added to the model's.
        trust_remote_code: Whether code that comes with the encoder of a model whose passages are vectors (PE-Rank) may
            run on this machine; no other code is ever run.

    Raises:
        MissingExtra: transformers, or a package that the model needs, is not installed.
        InputError: There is no such model, or it does not write text.
        SpecError: An option is out of range.
    """

    _source: loading.ModelFiles | None = None
    _adapter: str | None = None

    def __init__(
        self,
        *,
        name: str,
        revision: str | None = None,
        dtype: str | None = None,
        device: str | None = None,
        batch: int = BATCH,
        cache: int = CACHE,
        context: int | None = None,
        threads: int | None = None,
        adapter: str | None = None,
        thinking: str | None = None,
        template_kwargs: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        super().__init__()
        if batch < 1 or cache < 0 or any(option is not None and option < 1 for option in (context, threads)):
            raise SpecError("hf: batch, context and threads should be at least 1, and cache at least 0")
        arguments = arguments_of(thinking, template_kwargs)
        loading.need("torch", "transformers")
        loading.set_threads(threads)
        where = loading.place(device)
        source = loading.find("hf", name, revision)
        measured = dtype is None and where.type == "cpu"
        model, tokenizer = loading.load(source, "hf", where, None if measured else loading.precision(dtype, where))
        if adapter is not None:
            model = loading.add_adapter(model, adapter, f"hf:{name}")
        dtype = str(model.dtype).removeprefix("torch.")
        shown = {"adapter": adapter, "revision": revision, "dtype": dtype, "context": context,
                 "thinking": thinking, "template_kwargs": template_kwargs}  # fmt: skip
        self.model = f"hf:{name}?" + "&".join(f"{key}={value}" for key, value in shown.items() if value is not None)
        self._source, self._adapter = source, adapter
        names = (*((adapter,) if adapter else ()), *source.names(name))
        self._take(model, tokenizer, names, arguments=arguments, context=context, batch=batch, cache=cache,
                   trusted=trust_remote_code)  # fmt: skip

    @classmethod
    def around(cls, model: Any, tokenizer: Any, name: str) -> "HuggingFace":
        """Around a model that is in memory already, such as one that is being trained.

        What it answers belongs to the weights as they are now: once they change, another one is to be made.

        Args:
            model: A language model of transformers.
            tokenizer: The model's.
            name: What it is called, without `hf:`.
        """
        made = cls.__new__(cls)
        BatchBackend.__init__(made)
        made.model = f"hf:{name}"
        made._take(model.eval(), tokenizer, (), arguments={}, context=None, batch=BATCH, cache=CACHE)  # noqa: SLF001
        return made

    def _take(
        self,
        model: Any,
        tokenizer: Any,
        names: tuple[str, ...],
        *,
        arguments: Mapping[str, Any],
        context: int | None,
        batch: int,
        cache: int,
        trusted: bool = False,
    ) -> None:
        """Makes ready what computes with a model."""
        self._model = model
        config = model.config.get_text_config()
        self._tokenizer = HubTokenizer(tokenizer, self.model, arguments)
        self._vocabulary: int = config.vocab_size
        self._commit: str | None = getattr(model.config, "_commit_hash", None)
        fits = _context(context, config, tokenizer)
        self._engine: Any = None
        self._writer: Any = None
        self._chains: Any = None
        self._lists: dict[type, Any] = {}
        if loading.ranks_whole_lists(model.config):
            self._ranks(ReadSimilarities, Similarities(model), "similarity", fits, names)
        elif hasattr(config, "encoder_name"):
            encoder = loading.passage_encoder(model, self.model, trusted=trusted)
            self._ranks(OrderVectors, VectorOrder(model, encoder), "vectors", fits, names)
        elif trusted:
            raise SpecError(
                f"{self.model}: trust_remote_code is for models that are shown passages as vectors (PE-Rank)"
            )
        else:
            pad = next(iter(sorted(_ids(tokenizer.pad_token_id) | _ids(config.pad_token_id))), 0)
            ends = _ids(model.generation_config.eos_token_id) | _ids(tokenizer.eos_token_id)
            self._writes(fits, names, batch=batch, cache=cache, pad=pad, ends=ends)
        self.packing = str((self._engine or next(iter(self._lists.values()))).packing)

    def _ranks(self, want: type, reader: Any, elicitation: str, fits: int | None, names: tuple[str, ...]) -> None:
        """Makes ready to order whole lists, and to do nothing else."""
        self._lists = {want: reader}
        self.default_strategy = f"full / {elicitation}"
        self.capabilities = Capabilities(
            lists=frozenset(self._lists), token_prompts=True, context=fits, batch=REQUESTS, names=names
        )

    def _writes(
        self, fits: int | None, names: tuple[str, ...], *, batch: int, cache: int, pad: int, ends: frozenset[int]
    ) -> None:
        """Makes ready to read log-probabilities and to write."""
        limits = Limits(batch, max(LOGITS // self._vocabulary, 1))
        encoder = bool(self._model.config.is_encoder_decoder)
        eos = self._tokenizer.eos if encoder else ()
        self._engine = self._seq2seq(pad, limits, eos) if encoder else Causal(self._model, pad, limits, cache << 20)
        self._chains = None if encoder else ChainWriter(self._engine, batch)
        self._writer = Writer(
            self._model,
            self._engine.padding(limits),
            padded=self._engine.padded,
            text=self._tokenizer.text,
            ends=ends,
            pad=pad,
        )
        if encoder and CrossAttention.fits(self._model):
            self._lists = {ReadAttention: CrossAttention(self._model, self._engine)}
        prompt = "likelihood-chat" if self._tokenizer.chats else "likelihood"
        self.default_strategy = f"interpolate(pointwise / likelihood(prompt={prompt}))"
        self.capabilities = Capabilities(
            generate=True,
            label_logprobs=self._vocabulary,
            continuation_logprobs=True,
            logits=True,
            token_prompts=True,
            separate_decoder=encoder,
            lists=frozenset(self._lists),
            context=None if fits is None else fits - len(eos),
            batch=REQUESTS,
            constrained=True,
            names=names,
        )

    @property
    def tokenizer(self) -> HubTokenizer:
        """The model's own."""
        return self._tokenizer

    @property
    def computed(self) -> int:
        """Tokens computed so far, padding included; what several prompts begin with may count once."""
        every = (self._engine, self._writer, *self._lists.values())
        return sum(int(each.computed) for each in every if each is not None)

    @functools.cached_property
    def revision(self) -> str | None:
        """The commit on the hub, else SHA-256 of the weights, in hexadecimal; an adapter's after a plus sign."""
        own = self._commit or (self._source.fingerprint() if self._source else None)
        return own if self._adapter is None else f"{own}+{loading.adapter_digest(self._adapter)}"

    def check(self, work: Request) -> None:
        """Raises `CapabilityError` for messages: the prompt has to be tokens."""
        also = {EncoderPrompt: self.capabilities.separate_decoder, VectorPrompt: OrderVectors in self._lists}
        if not isinstance(work.prompt, (TokenPrompt, *(kind for kind, taken in also.items() if taken))):
            raise CapabilityError(f"{self.model} takes prompts as token ids: apply its tokenizer's chat template first")

    def most_tokens(self, want: Want) -> int:
        """What is asked for; reading generates nothing."""
        if isinstance(want, WriteLabels):
            return want.most_tokens
        if isinstance(want, OrderVectors):
            return want.count
        return want.max_tokens if isinstance(want, Generate | ReadAttention) else 0

    def run(self, works: Sequence[Request]) -> list[Response | CallFailed]:
        """Computes these requests together; see `BatchBackend.run`.

        Raises:
            BackendError: No memory is left for a batch.
        """
        import torch  # noqa: PLC0415

        outcomes = [self._settled(request) for request in works]
        left = [index for index, outcome in enumerate(outcomes) if outcome is None]
        try:
            for answered in itertools.chain(
                self._read(works, left), self._write(works, left), self._order(works, left)
            ):
                for index, response in answered:
                    outcomes[index] = response
                if self.abandoned:
                    break
        except torch.OutOfMemoryError as error:
            raise BackendError(f"{self.model}: out of memory; a smaller batch may fit ({error})") from error
        return [outcome or CallFailed("given up: nobody waited for it") for outcome in outcomes]

    def free(self) -> None:
        """Lets go of the model; its tokenizer may still be used."""
        self._model = self._engine = self._writer = self._chains = None
        self._lists = {}

    def _settled(self, request: Request) -> Response | CallFailed | None:
        """The outcome of a request that needs no model; None for the others."""
        want, prompt = request.want, asked.prompt(request)
        fault = self._fault(request)
        if fault is not None:
            return CallFailed(fault)
        if isinstance(want, Generate):
            return Response(usage=Usage(len(prompt)), finish_reason="length") if want.max_tokens < 1 else None
        if isinstance(want, WriteLabels | WholeList) or asked.named(want):
            return None
        return Response(logprobs=(math.nan,) * len(want.ids), usage=Usage(len(prompt)))

    def _fault(self, request: Request) -> str | None:
        """Why a request cannot be computed, if it cannot."""
        want, prompt = request.want, asked.prompt(request)
        texts = request.prompt.texts if isinstance(request.prompt, EncoderPrompt) else (prompt,)
        if not all(texts):
            return "the prompt is empty"
        if not (type(want) in self._lists if isinstance(want, WholeList) else self.capabilities.generate):
            return f"this model is not made for {type(want).__name__}"
        if isinstance(want, ReadLabels) and len(want.ids) != len(want.labels):
            return "the labels to read come without their token ids"
        known = (*prompt, *asked.named(want))
        if min(known) < 0 or max(known) >= self._vocabulary:
            return f"a token id is outside the vocabulary of {self._vocabulary}"
        limit, longest = self.capabilities.context, max(map(len, texts))
        writes = isinstance(want, Generate | WriteLabels)
        room = 0 if self.capabilities.separate_decoder else self.most_tokens(want) if writes else asked.positions(want)
        if limit is not None and longest + room > limit:
            return f"{longest} prompt tokens and {room} for the answer exceed the context of {limit} tokens"
        fault: str | None = self._lists[type(want)].fault(request) if isinstance(want, WholeList) else None
        return fault

    def _read(self, works: Sequence[Request], left: Sequence[int]) -> Iterator[Answered]:
        """Log-probabilities of labels and continuations."""
        reading = [index for index in left if isinstance(works[index].want, ReadLabels | ReadContinuation)]
        rows = []
        for index in reading:
            want = works[index].want
            rows.append(self._engine.row(works[index].prompt, want.ids if isinstance(want, ReadContinuation) else ()))
        for batch in self._engine.logits(rows) if rows else ():
            yield [
                (reading[row], _response(works[reading[row]], logits).with_cached(self._engine.known.get(row, 0)))
                for row, logits in batch
            ]

    def _write(self, works: Sequence[Request], left: Sequence[int]) -> Iterator[Answered]:
        """Generated text, and labels."""
        wants: dict[int, Any] = {i: want for i in left if isinstance(want := works[i].want, Generate | WriteLabels)}
        rows = {i: self._engine.row(works[i].prompt) for i in wants}
        held = [i for i in wants if self._chains is not None and isinstance(wants[i], WriteLabels)]
        packed = {i for i in held if self._chains.takes(rows[i], wants[i])}
        for writer, mine in ((self._chains, [*packed]), (self._writer, [i for i in wants if i not in packed])):
            prompts, asked_for = [rows[i] for i in mine], [wants[i] for i in mine]
            for batch in writer.write(prompts, asked_for, lambda: self.abandoned) if mine else ():
                yield [(mine[row], response) for row, response in batch]

    def _order(self, works: Sequence[Request], left: Sequence[int]) -> Iterator[Answered]:
        """What is read of whole lists."""
        for index in left:
            if isinstance(works[index].want, WholeList):
                yield [(index, self._lists[type(works[index].want)].read(works[index]))]

    def _seq2seq(self, pad: int, limits: Limits, eos: tuple[int, ...]) -> Seq2Seq:
        settings = (self._model.generation_config, self._model.config)
        starts = [getattr(setting, "decoder_start_token_id", None) for setting in settings]
        start = next((token for token in starts if token is not None), pad)
        return Seq2Seq(self._model, pad, limits, eos=eos, start=start)


def _response(request: Request, logits: Any) -> Response:
    """What is wanted of the logits: a tensor of shape (positions, vocabulary)."""
    want, scores = request.want, logits.float()
    prompt = len(asked.prompt(request))
    if isinstance(want, ReadContinuation):
        picked = scores[range(len(want.ids)), want.ids] - scores.logsumexp(-1)
        return Response(logprobs=tuple(picked.tolist()), usage=Usage(prompt + len(want.ids)))
    assert isinstance(want, ReadLabels)  # noqa: S101
    return Response(logprobs=labels.read(scores[-1], want), usage=Usage(prompt))


def _ids(setting: int | Sequence[int] | None) -> frozenset[int]:
    """The tokens that a setting names, which may be none, one or several."""
    if setting is None:
        return frozenset()
    return frozenset({setting} if isinstance(setting, int) else setting)


def _context(wanted: int | None, config: Any, tokenizer: Any) -> int | None:
    """Tokens that fit the model, as its files have it, or fewer where fewer are wanted."""
    stated = [getattr(config, key, None) for key in ("max_position_embeddings", "n_positions")]
    known = [size for size in (*stated, tokenizer.model_max_length) if size and 0 < size < UNSAID]
    return min(filter(None, (wanted, next(iter(known), None))), default=None)
