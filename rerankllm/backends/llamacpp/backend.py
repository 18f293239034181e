"""Models in this process, through llama.cpp: nothing to serve, and with `smollm2` nothing to download."""

import functools
from collections.abc import Sequence
from functools import partial

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.chat_template import arguments_of
from rerankllm.backends.cpus import cpus
from rerankllm.backends.fastest import fastest, seconds
from rerankllm.backends.llamacpp import gguf
from rerankllm.backends.llamacpp.engine import Engine, Token
from rerankllm.backends.llamacpp.readout import reader_for
from rerankllm.backends.llamacpp.schedule import Job, Scheduler
from rerankllm.backends.llamacpp.streams import Streams
from rerankllm.backends.llamacpp.tokenizer import LlamaTokenizer
from rerankllm.calls import (
    CallFailed,
    Capabilities,
    Generate,
    ReadLabels,
    Request,
    Response,
    TokenPrompt,
    Want,
    WriteLabels,
)
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError, SpecError
from rerankllm.files import digest

PACKAGED_TYPES = ("f16", "bf16")
"""Weights the packaged models are converted to, whichever computes faster here: much faster than those shipped."""
PROBE = 192
"""Tokens that the two are compared on."""

MOST_SEQUENCES = 255


class LlamaCpp(BatchBackend[Request]):
    """A GGUF file, computed in this process by llama.cpp.

    Takes prompts as token ids only. Requests are computed together, what they begin with in common once, and the
    beginning of the last ones stays in memory for the next; where answers are long and prompts have little in common,
    each has cells of its own instead. Writing is greedy: always the most likely token, the lowest id of equals.
    Batching moves log-probabilities by rounding only: by less than .02 with `f16` and `f32`, by up to .1 with `bf16`,
    which rounds what it multiplies to 8 bits; those of long answers by up to .05 and .15.

    A file with a classification head, or with pooled vectors, answers judgements without a prompt instead: `context` is
    then the length of a text, the model's own up to 8,192 by default.

    Args:
        name: `smollm2`, which comes with the extra `llamacpp`, or the path of a .gguf file.
        type: Weights to compute with: `bf16`, `f16`, `f32`, `q8_0`, `q4_0`, or `file` for those in the file. Others
            than the file's are converted once and kept in the user's cache folder. None is `file` for a path; for
            `smollm2`, whose 4-bit weights compute slowly, it is `f16` or `bf16`, whichever was measured to be faster
            on this machine.
        threads: Threads that compute; None for one a CPU that this process may use.
        context: Tokens the cache holds. A prompt with its answer may be as long, if the model was trained for it;
            short ones share it.
        batch: Tokens decoded at a time.
        max_sequences: Requests worked on at a time; less than `batch`.
        thinking: `on`, `off`, `low`, `medium`, `high` or a number of tokens: told to the chat template, in the names
            that the usual ones have for it.
        template_kwargs: A JSON object of arguments for the chat template.
        gpu_layers: Layers kept on a GPU, where llama.cpp was built for one; -1 for all.
        adapter: A LoRA adapter of this model, as the path of a .gguf file; it is added while it computes.
        precise: Whether attention is computed and remembered in float32, which is slower; llama.cpp rounds to float16.

    Raises:
        MissingExtra: llama.cpp, or the package with the weights, is not installed.
        InputError: The file is missing, or holds no causal language model.
        SpecError: An option is out of range.
    """

    @classmethod
    def class_for(cls, name: str) -> "type":
        """What computes a file: this, or for one with a head or with pooled vectors what computes those.

        Raises:
            MissingExtra: llama.cpp, or the package with the weights, is not installed.
            InputError: The file is missing, or is no GGUF file.
        """
        from rerankllm.backends.llamacpp.embeddings import GgufEmbeddings  # noqa: PLC0415
        from rerankllm.backends.llamacpp.scorer import GgufScorer  # noqa: PLC0415

        pooling = gguf.pooling(name)
        if pooling is gguf.Pooling.RANK:
            return GgufScorer
        return cls if pooling is gguf.Pooling.NONE else GgufEmbeddings

    def __init__(
        self,
        *,
        name: str,
        type: str | None = None,  # noqa: A002 - the word users write in the spec
        threads: int | None = None,
        context: int = 8192,
        batch: int = 512,
        max_sequences: int = 32,
        gpu_layers: int = -1,
        adapter: str | None = None,
        thinking: str | None = None,
        template_kwargs: str | None = None,
        precise: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < max_sequences <= min(batch - 1, MOST_SEQUENCES):
            raise SpecError(f"llamacpp: max_sequences should be 1 to {min(batch - 1, MOST_SEQUENCES)}, and below batch")
        if context < 1 or (threads is not None and threads < 1):
            raise SpecError("llamacpp: context and threads should be at least 1")
        arguments = arguments_of(thinking, template_kwargs)
        wanted = type or (_fastest_type(name) if name in gguf.PACKAGED else gguf.AS_SHIPPED)
        told = {"adapter": adapter, "thinking": thinking, "template_kwargs": template_kwargs}
        options = "".join(f"&{key}={value}" for key, value in told.items() if value) + (
            "&precise=true" if precise else ""
        )
        self.model = f"llamacpp:{name}?type={wanted}{options}"
        self._source = gguf.find(name)
        self._adapter = gguf.find(adapter) if adapter else None
        path, file_type = gguf.weights(self._source, wanted)
        self._engine = Engine(
            path,
            file_type=file_type,
            threads=threads or cpus(),
            cells=context,
            batch=batch,
            sequences=max_sequences + 1,
            gpu_layers=gpu_layers,
            adapter=self._adapter,
            precise=precise,
        )
        self._scheduler, self._streams = Scheduler(self._engine), Streams(self._engine)
        self._tokenizer = LlamaTokenizer(self._engine, self.model, arguments)
        # A chat model is asked in its own chat format, another by a plain completion.
        prompt = "likelihood-chat" if self._tokenizer.chats else "likelihood"
        self.default_strategy = f"interpolate(pointwise / likelihood(prompt={prompt}))"
        self.capabilities = Capabilities(
            generate=True,
            label_logprobs=self._engine.vocabulary,
            continuation_logprobs=True,
            token_prompts=True,
            context=min(context, self._engine.trained_context),
            batch=2 * max_sequences,
            logits=True,
            constrained=True,
            names=(*((adapter,) if adapter else ()), name, *self._engine.called),
        )

    @property
    def tokenizer(self) -> LlamaTokenizer:
        """The model's own."""
        return self._tokenizer

    @property
    def computed(self) -> int:
        """Tokens computed so far; what several prompts begin with may count once."""
        return self._scheduler.computed + self._streams.computed

    @functools.cached_property
    def revision(self) -> str:
        """SHA-256 of the weights as shipped, in hexadecimal: with `model`, what its answers depend on."""
        return "+".join(digest(path) for path in (self._source, self._adapter) if path is not None)

    def check(self, work: Request) -> None:
        """Raises `CapabilityError` for messages: the prompt has to be tokens."""
        if not isinstance(work.prompt, TokenPrompt):
            raise CapabilityError(f"{self.model} takes prompts as token ids: apply its tokenizer's chat template first")

    def run(self, works: Sequence[Request]) -> list[Response | CallFailed]:
        """Computes these requests together; see `BatchBackend.run`."""
        entries = [self._enter(request) for request in works]
        jobs = [entry for entry in entries if isinstance(entry, Job)]
        apart = self._streams.chosen(jobs)
        for scheduler, mine in ((self._streams, apart), (self._scheduler, [job for job in jobs if job not in apart])):
            if mine:
                scheduler.run(mine, lambda: self.abandoned)
        return [self._outcome(entry) for entry in entries]

    def most_tokens(self, want: Want) -> int:
        """What is asked for; reading generates nothing."""
        if isinstance(want, WriteLabels):
            return want.most_tokens
        return want.max_tokens if isinstance(want, Generate) else 0

    def free(self) -> None:
        """Frees the model; its tokenizer cannot be used afterwards either."""
        self._engine.close()

    def _enter(self, request: Request) -> Job | Response | CallFailed:
        """What there is to do for a request, or its outcome where that is nothing."""
        want = request.want
        prompt = request.prompt.ids if isinstance(request.prompt, TokenPrompt) else ()
        reader = reader_for(want, self._engine)
        if isinstance(want, ReadLabels) and len(want.ids) != len(want.labels):
            return CallFailed("the labels to read come without their token ids")
        if not prompt:
            return CallFailed("the prompt is empty")
        if reader is None:
            logprobs = (float("nan"),) * len(want.labels) if isinstance(want, ReadLabels) else ()
            ended = "length" if isinstance(want, Generate) else "stop"
            return Response(logprobs=logprobs, usage=Usage(len(prompt)), finish_reason=ended)
        begun = prompt + reader.begins
        ids = begun + reader.extra
        known = (*ids, *reader.named)
        if min(known) < 0 or max(known) >= self._engine.vocabulary:
            return CallFailed(f"a token id is outside the vocabulary of {self._engine.vocabulary}")
        limit = self.capabilities.context or 0
        if len(ids) + reader.room > limit:
            return CallFailed(
                f"{len(prompt)} prompt tokens and {len(ids) - len(prompt) + reader.room + 1} for the answer "
                f"exceed the context of {limit} tokens"
            )
        return Job(ids, len(begun), reader)

    @staticmethod
    def _outcome(entry: Job | Response | CallFailed) -> Response | CallFailed:
        if not isinstance(entry, Job):
            return entry
        if not entry.done:
            return CallFailed("given up: nobody waited for it")
        outcome = entry.reader.response(entry.prompt - len(entry.reader.begins))
        return outcome.with_cached(len(entry.ids) - entry.computed) if isinstance(outcome, Response) else outcome


def _fastest_type(name: str) -> str:
    """The type of a packaged model's weights that computes fastest on this machine."""
    ways = {wanted: partial(_seconds, name, wanted) for wanted in PACKAGED_TYPES}
    return fastest("llamacpp: type", name, "llama-cpp-python", ways)


def _seconds(name: str, wanted: str) -> float:
    """Seconds of one prompt with weights of this type."""
    path, file_type = gguf.weights(gguf.find(name), wanted)
    engine = Engine(path, file_type=file_type, threads=cpus(), cells=PROBE, batch=PROBE, sequences=1, gpu_layers=-1)
    prompt = [Token(place, place, (0,), read=place == PROBE - 1) for place in range(PROBE)]

    def compute() -> None:
        engine.clear()
        engine.decode(prompt)

    try:
        return seconds(compute)
    finally:
        engine.close()
