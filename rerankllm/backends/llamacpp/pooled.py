"""llama.cpp with models that give one row of numbers a text: a pooled vector, or what a classification head says."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rerankllm.backends.cpus import cpus
from rerankllm.backends.embed.memory import Vector
from rerankllm.backends.llamacpp.gguf import Pooling
from rerankllm.backends.llamacpp.library import complaint
from rerankllm.backends.llamacpp.model import Model
from rerankllm.errors import BackendError, SpecError

LONGEST = 8192
"""Tokens of a text where the user names no limit and the model takes more."""


class PooledEngine(Model):
    """A model with a context that computes some texts at a time. Computing belongs to one thread at a time.

    Attributes:
        room: Tokens that a text may have.

    Args:
        path: GGUF file.
        file_type: llama.cpp's number for the type of its weights.
        pooling: How a text's tokens become one row.
        threads: Threads that compute; None for one a CPU that this process may use.
        context: Tokens that a text may have; None for what the model was trained for, up to `LONGEST`.
        batch: Tokens computed at a time; a longer text is computed alone.
        sequences: Texts computed at a time.
        gpu_layers: Layers kept on a GPU, where llama.cpp was built for one; -1 for all.

    Raises:
        InputError: llama.cpp cannot read the file.
        SpecError: An option is out of range.
        BackendError: No room for the context.
    """

    def __init__(
        self,
        path: Path,
        *,
        file_type: int,
        pooling: Pooling,
        threads: int | None,
        context: int | None,
        batch: int,
        sequences: int,
        gpu_layers: int,
    ) -> None:
        if min(batch, sequences, 1 if threads is None else threads, 1 if context is None else context) < 1:
            raise SpecError("llamacpp: threads, context, batch and max_sequences should be at least 1")
        super().__init__(path, file_type=file_type, gpu_layers=gpu_layers)
        lib = self.lib
        self.room = min(context or LONGEST, self.trained_context)
        self._tokens, self._sequences = batch, min(sequences, lib.llama_max_parallel_sequences())
        params = lib.llama_context_default_params()
        # llama.cpp plans with a multiple of the sequences, and aborts where that is more tokens than it may put out.
        most = -(-max(batch, self.room) // self._sequences) * self._sequences
        params.n_ctx = params.n_batch = params.n_ubatch = most
        params.n_seq_max, params.n_outputs_max_per_seq = self._sequences, 0
        params.kv_unified = params.swa_full = True
        params.n_threads = params.n_threads_batch = threads or cpus()
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_AUTO
        params.embeddings, params.pooling_type = True, pooling
        found = lib.llama_init_from_model(self._model, params)
        if not found:
            self.close()
            raise BackendError(f"{path}: no room for {most} tokens at a time{complaint()}; try a smaller context")
        self._context, self._batch = found, lib.llama_batch_init(most, 0, 1)
        self._attach(found, self._batch)
        heads = pooling is Pooling.RANK
        self._width: int = (lib.llama_model_n_cls_out if heads else lib.llama_model_n_embd_out)(self._model)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the file calls the classes of the head; one empty text a class where it calls them nothing."""
        found = (self.lib.llama_model_cls_label(self.model, place) for place in range(self._width))
        return tuple((label or b"").decode("utf-8", "replace") for label in found)

    def rows(self, texts: Sequence[Sequence[int]], abandoned: Callable[[], bool]) -> Iterator[list[tuple[int, Vector]]]:
        """Computes texts, some at a time, the longest first, until `abandoned`.

        Args:
            texts: Their token ids: one at least each, and `room` at most.
            abandoned: Whether nobody waits any more.

        Yields:
            Of each batch, which texts they are and their rows.

        Raises:
            BackendError: llama.cpp failed.
        """
        batch: list[int] = []
        total = 0
        for text in sorted(range(len(texts)), key=lambda text: -len(texts[text])):
            if batch and (len(batch) == self._sequences or total + len(texts[text]) > self._tokens):
                if abandoned():
                    return
                yield self._computed(texts, batch)
                batch, total = [], 0
            batch.append(text)
            total += len(texts[text])
        if batch and not abandoned():
            yield self._computed(texts, batch)

    def _computed(self, texts: Sequence[Sequence[int]], chosen: Sequence[int]) -> list[tuple[int, Vector]]:
        self._alive()
        lib, batch, row = self.lib, self._batch, 0
        for sequence, text in enumerate(chosen):
            for position, token in enumerate(texts[text]):
                batch.token[row], batch.pos[row], batch.logits[row] = token, position, True
                batch.n_seq_id[row], batch.seq_id[row][0] = 1, sequence
                row += 1
        batch.n_tokens = row
        memory = lib.llama_get_memory(self._context)  # models that read both ways have none
        if memory:
            lib.llama_memory_clear(memory, True)
        complaint()
        code = (lib.llama_decode if memory else lib.llama_encode)(self._context, batch)
        if code != 0:
            raise BackendError(f"llama.cpp failed to compute texts: code {code}{complaint()}")
        found = (lib.llama_get_embeddings_seq(self._context, sequence) for sequence in range(len(chosen)))
        rows = [np.ctypeslib.as_array(each, (self._width,)).astype(np.float32) for each in found]
        return list(zip(chosen, rows, strict=True))
