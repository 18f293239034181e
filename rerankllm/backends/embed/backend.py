"""Cosine similarity of embeddings, each text embedded once."""

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from rerankllm.backends.batching import BatchBackend
from rerankllm.backends.embed.api import Api
from rerankllm.backends.embed.feedback import Feedback
from rerankllm.backends.embed.local import Local
from rerankllm.backends.embed.memory import Embedded, Memory, Text, Vector
from rerankllm.backends.embed.onnx import Onnx
from rerankllm.backends.embed.packaged import ONNX
from rerankllm.calls import (
    CallFailed,
    Capabilities,
    Reply,
    Tokenizer,
    Want,
)
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError, SpecError, TemplateError
from rerankllm.judgements import Embed, Judgement, ParseReport, Score

REMEMBERED = 256 * 2**20
"""Bytes of vectors kept: some 170,000 texts at 384 dimensions, 16,000 at 4,096."""
ONNX_DTYPE = "int8"
ABANDONED = CallFailed("given up: nobody waited for it")


class Embeddings(BatchBackend[Judgement]):
    """Answers `Score` by the cosine of two embeddings, -1 to 1, and `Embed` by the vectors, scaled to length 1.

    Every text is embedded once as long as it is remembered; usage counts the tokens of what was computed, with the
    first judgement that needed it. A host that tells the tokens of a whole call only has them shared out by length.

    Args:
        name: `minilm`, which is all-MiniLM-L6-v2; an id on the hub; a local folder; or, with `base_url`, the model as
            the host calls it.
        base_url: Of an OpenAI-compatible API that has /embeddings; None to compute here.
        batch: Texts computed, or sent, at a time.
        revision: Here only: branch, tag or commit on the hub.
        dtype: Here only: `int8` is `minilm` with 8-bit weights on onnxruntime (extra `embedded`), which computes in
            float32 on the CPU. `float32`, `float16` and `bfloat16` are sentence-transformers and torch (extra `embed`).
            None is `int8` for `minilm` where no device is named, else float32 on a CPU and the checkpoint's own on a
            GPU.
        device: Here only: as torch names it; None is the GPU if torch computes and there is one.
        threads: Here only: threads that compute. None is one a CPU, or what torch has; torch's are set for the whole
            process.
        api_key_env: API only: environment variable that holds the key; None is OPENAI_API_KEY.
        concurrency: API only: calls on their way at any time; None is 8.
        timeout: API only: seconds for one attempt; None is 60.
        retries: API only: attempts after the first; None is 2.
        price: API only: US dollars per million tokens; None when unknown.

    Raises:
        MissingExtra: A package is not installed.
        InputError: There is no such model, or no such address.
        SpecError: An option is out of range, or has no meaning here.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str | None = None,
        batch: int = 32,
        revision: str | None = None,
        dtype: str | None = None,
        device: str | None = None,
        threads: int | None = None,
        api_key_env: str | None = None,
        concurrency: int | None = None,
        timeout: float | None = None,
        retries: int | None = None,
        price: float | None = None,
    ) -> None:
        super().__init__()
        here = {"revision": revision, "dtype": dtype, "device": device, "threads": threads}
        there = {"api_key_env": api_key_env, "concurrency": concurrency, "timeout": timeout, "retries": retries}
        idle = here if base_url else {**there, "price": price}
        for key, value in idle.items():
            if value is not None:
                raise SpecError(f"embed: '{key}' does nothing {'with' if base_url else 'without'} base_url")
        if batch < 1 or (threads is not None and threads < 1):
            raise SpecError("embed: batch and threads should be at least 1")
        self._engine: Api | Local | Onnx
        if base_url:
            self._engine = Api(
                name,
                base_url=base_url,
                api_key_env=api_key_env or "OPENAI_API_KEY",
                batch=batch,
                concurrency=8 if concurrency is None else concurrency,
                timeout=60.0 if timeout is None else timeout,
                retries=2 if retries is None else retries,
            )
            shown = {"base_url": self._engine.endpoint.url}
        else:
            if dtype == ONNX_DTYPE or (dtype is None and device is None and name in ONNX):
                _check_onnx(name, revision, device)
                self._engine = Onnx(ONNX[name], batch=batch, threads=threads)
            else:
                self._engine = Local(name, revision=revision, dtype=dtype, device=device, batch=batch, threads=threads)
            shown = {"dtype": self._engine.dtype} | ({"revision": revision} if revision else {})
        self.model = f"embed:{name}?" + "&".join(f"{key}={value}" for key, value in shown.items())
        self._price = price if base_url else 0.0
        self._memory = Memory(REMEMBERED)
        self._feedback = Feedback(self._engine.names, self._engine)
        self.default_strategy = "e2rank" if self._feedback.named else "pointwise"
        self.capabilities = Capabilities(
            answers=frozenset({Score, Embed}), remote=bool(base_url), batch=self._engine.at_once
        )

    @functools.cached_property
    def revision(self) -> str:
        """The commit on the hub, else SHA-256 of the weights, in hexadecimal, and the template's after a plus sign.

        Hosts of an API do not say which weights they serve; then it is the template's alone.
        """
        return "+".join(filter(None, (self._engine.revision(), self._feedback.template.sha256[:12])))

    @property
    def tokenizer(self) -> Tokenizer:
        """None: it is never shown a prompt."""
        raise CapabilityError(f"{self.model} answers judgements without a prompt: it takes no elicitation")

    def cost(self, usage: Usage) -> float | None:
        """Nothing here; behind an API US dollars at the price given, None when it is unknown."""
        return None if self._price is None else self._price * usage.prompt_tokens / 1e6

    def run(self, works: Sequence[Judgement]) -> list[Reply | CallFailed]:
        """Embeds what is new among these, then compares; see `BatchBackend.run`.

        Raises:
            AuthError: The API refuses the key, the permission or the model name.
        """
        known: dict[Text, Vector] = {}
        remembered: dict[Text, int] = {}
        fresh: dict[Text, Embedded | CallFailed] = {}
        asked = [self._asked(work) for work in works]
        for text in dict.fromkeys(text for one in asked if isinstance(one, _Asked) for text in one.texts):
            before = self._memory.get(text)
            if before is None:
                fresh[text] = ABANDONED
            else:
                known[text], remembered[text] = before
        for embedded in self._engine.embed(list(fresh), lambda: self.abandoned):
            fresh |= embedded
        return [
            self._reply(work, one, known, fresh, remembered) if isinstance(one, _Asked) else one
            for work, one in zip(works, asked, strict=True)
        ]

    def reads_whole(self, document: str) -> bool:
        """Whether the model reads a document to its end; False where that is not known, as of an API."""
        room = self._engine.room("document")
        if room is None:
            return not self.capabilities.remote
        return len(document.encode()) <= room or len(self._engine.ends(document)) <= room

    def most_tokens(self, want: Want) -> int:
        """None: it writes nothing."""
        del want
        return 0

    def free(self) -> None:
        """Lets go of the model, or closes the connections."""
        self._engine.close()

    def _reply(
        self,
        work: Judgement,
        asked: "_Asked",
        known: dict[Text, Vector],
        fresh: dict[Text, Embedded | CallFailed],
        remembered: dict[Text, int],
    ) -> Reply | CallFailed:
        """The answer to one judgement; what was computed for it is `known` to those after it.

        Tokens of a text that was `remembered` are counted once, as those of one that was computed.
        """
        tokens = before = 0
        for text in asked.texts:
            found = fresh.get(text)
            if isinstance(found, CallFailed):
                return found
            if found is not None and text not in known:
                known[text] = found.vector
                self._memory.put(text, found)
                tokens += found.tokens
            before += remembered.pop(text, 0)
        rows = np.stack([known[text] for text in asked.texts])
        answer = rows if isinstance(work, Embed) else float(rows[0] @ rows[1])
        return Reply(answer, ParseReport(repairs=asked.notes), Usage(tokens, remembered_tokens=before))

    def _asked(self, work: Judgement) -> "_Asked | CallFailed":
        """What is to be embedded for a judgement."""
        documents = tuple(map(self._feedback.document, work.docs))
        if not isinstance(work, Embed) or not work.feedback:
            return _Asked((self._feedback.query(work.query), *documents))
        try:
            prompted = self._feedback.prompt(work.query, work.docs[: work.feedback])
        except TemplateError as error:
            return CallFailed(str(error), attempts=0)
        notes = {"documents cut short in the prompt": prompted.cut, "documents left out of it": prompted.left_out}
        return _Asked((prompted.text, *documents), {note: count for note, count in notes.items() if count})


def _check_onnx(name: str, revision: str | None, device: str | None) -> None:
    """Checks that there is such a model for onnxruntime, and that nothing is asked of it that it has not."""
    if name not in ONNX:
        raise SpecError(f"embed:{name}: dtype {ONNX_DTYPE} is for the packaged {', '.join(ONNX)} only")
    if device is not None:
        raise SpecError(f"embed:{name}: dtype {ONNX_DTYPE} computes on the CPU: leave 'device' out, or the dtype")
    if revision is not None:
        raise SpecError(f"embed:{name} is a local model: 'revision' is for those of the hub")


class _Asked(NamedTuple):
    """The texts of a judgement, the query first, and what should be known of them."""

    texts: tuple[Text, ...]
    notes: Mapping[str, int] = MappingProxyType({})
