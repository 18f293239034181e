"""llama.cpp at work: a loaded model, and one context that decodes for many sequences at once."""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rerankllm.backends.llamacpp.library import complaint
from rerankllm.backends.llamacpp.model import Model
from rerankllm.backends.llamacpp.readout import Logits
from rerankllm.errors import BackendError, InputError

FLOAT32, FLOAT16, BFLOAT16 = 0, 1, 30
"""ggml's numbers for the types."""
BF16_WEIGHTS = 32
"""llama.cpp's number for a file of such weights."""
APART_TOGETHER = 128
"""Tokens computed at a time where each sequence has its own cells: attention then computes few that nobody sees."""


class Layout(NamedTuple):
    """How the cache is laid out.

    Attributes:
        cells: Tokens it holds over all sequences.
        sequences: Those that may live side by side.
        apart: Whether each has as many cells of its own; else they share all, and tokens that they have in common.
    """

    cells: int
    sequences: int
    apart: bool = False


class Token(NamedTuple):
    """One token to decode.

    Attributes:
        id: Which.
        position: Where in its sequences.
        sequences: Whose it is.
        read: Whether its logits are wanted.
    """

    id: int
    position: int
    sequences: tuple[int, ...]
    read: bool


class Engine(Model):
    """A causal model with its context: decodes tokens, and remembers sequences.

    Attributes:
        batch: As given.
        shared: The layout in which sequences share all cells.
        layout: The one at hand.
        sequences: Of that.
        cells: Likewise.
        shares: Whether sequences may share cells at all.
        parts: Whether each may have cells of its own.

    Sequence numbers run from 0 to `sequences - 1`. Decoding and the cache belong to one thread at a time; the
    vocabulary may be used from any.

    Args:
        path: GGUF file.
        file_type: llama.cpp's number for the type of its weights.
        threads: Threads that compute.
        cells: Tokens the cache holds over all sequences.
        batch: Tokens decoded at a time; no less than `sequences`.
        sequences: Sequences that may live side by side.
        gpu_layers: Layers kept on a GPU, where llama.cpp was built for one; -1 for all.
        adapter: A LoRA adapter of this model, as a GGUF file; None for none.
        precise: Whether attention is computed and remembered in float32.

    Raises:
        InputError: The file does not hold a causal language model, or the adapter is not one of this model.
        BackendError: No room for the cache.
    """

    def __init__(
        self,
        path: Path,
        *,
        file_type: int,
        threads: int,
        cells: int,
        batch: int,
        sequences: int,
        gpu_layers: int,
        adapter: Path | None = None,
        precise: bool = False,
    ) -> None:
        super().__init__(path, file_type=file_type, gpu_layers=gpu_layers)
        lib, model = self.lib, self._model
        if lib.llama_model_has_encoder(model) or not lib.llama_model_has_decoder(model):
            self.close()
            raise InputError(f"{path}: not a causal language model, so it can neither write nor score tokens")
        self._path, self._threads, self._precise, self._type = path, threads, precise, file_type
        self.batch = batch
        self._context: Any = None
        self._lora: Any = None
        self.shares = not (lib.llama_model_is_recurrent(model) or lib.llama_model_is_hybrid(model))
        self.parts = self.shares and not precise and not (gpu_layers and lib.llama_supports_gpu_offload())
        self._batch = lib.llama_batch_init(batch, 0, sequences)
        self._attach(None, self._batch)
        self.shared = Layout(cells, sequences)
        self.arrange(self.shared)
        self.shared = self.layout = self.shared._replace(cells=self.cells)  # llama.cpp rounds them up
        if adapter is not None:
            self._adapt(adapter)

    def arrange(self, layout: Layout) -> bool:
        """Lays out the cache, and forgets all sequences, unless it is laid out so; says whether it did.

        Raises:
            BackendError: No room for it.
        """
        if self._context is not None and layout == self.layout:
            return False
        self._free()
        lib = self.lib
        context = lib.llama_init_from_model(self._model, self._params(layout))
        if not context:
            self.close()
            raise BackendError(f"{self._path}: no room for a context of {layout.cells} tokens{complaint()}; try a "
                               "smaller one")  # fmt: skip
        self._context, self.layout, self.sequences = context, layout, layout.sequences
        self._attach(context, self._batch)
        self.cells: int = lib.llama_n_ctx(context)
        self._add_lora()
        return True

    def _params(self, layout: Layout) -> Any:
        """What llama.cpp is told of a layout.

        Where sequences share all cells its fused attention is fastest: it passes over cells that nobody sees. Where
        they do not, plain products of matrices are, in the type of the weights.
        """
        lib = self.lib
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = layout.cells, self.batch, self.batch
        params.n_seq_max, params.n_outputs_max_per_seq = layout.sequences, 0
        params.n_threads = params.n_threads_batch = self._threads
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_AUTO
        if layout.apart:
            params.n_ubatch = min(self.batch, APART_TOGETHER)
            params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
            params.type_k = params.type_v = BFLOAT16 if self._type == BF16_WEIGHTS else FLOAT16
        elif self._precise:  # llama.cpp's fused attention multiplies in float16, whatever the cache's type
            params.flash_attn_type, params.type_k, params.type_v = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED, FLOAT32, FLOAT32
        params.kv_unified, params.swa_full = not layout.apart, True
        return params

    def _free(self) -> None:
        """Frees the context."""
        if self._context is not None:
            self._alive()
            self._attach(None, self._batch)
            self.lib.llama_free(self._context)
            self._context = None

    @property
    def _memory(self) -> Any:
        self._alive()
        return self.lib.llama_get_memory(self._context)

    def decode(self, tokens: Sequence[Token]) -> list[Logits]:
        """Decodes up to `batch` tokens.

        Returns:
            The logits of those to be read, in order: views that the next call overwrites.

        Raises:
            BackendError: llama.cpp failed; the cache is cleared.
        """
        self._alive()
        batch = self._batch
        for row, token in enumerate(tokens):
            batch.token[row] = token.id
            batch.pos[row] = token.position
            batch.n_seq_id[row] = len(token.sequences)
            for place, sequence in enumerate(token.sequences):
                batch.seq_id[row][place] = sequence
            batch.logits[row] = token.read
        batch.n_tokens = len(tokens)
        complaint()
        code = self.lib.llama_decode(self._context, batch)
        if code != 0:
            self.clear()
            raise BackendError(f"llama.cpp failed to decode: code {code}{complaint()}")
        shape = (self.vocabulary,)
        return [
            np.ctypeslib.as_array(self.lib.llama_get_logits_ith(self._context, row), shape)
            for row, token in enumerate(tokens)
            if token.read
        ]

    def copy(self, source: int, target: int, length: int) -> None:
        """Lets sequence `target` begin with the first `length` tokens of `source`."""
        self.lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def trim(self, sequence: int, length: int = 0) -> None:
        """Forgets what `sequence` holds after its first `length` tokens."""
        self.lib.llama_memory_seq_rm(self._memory, sequence, length or -1, -1)

    def clear(self) -> None:
        """Forgets all sequences."""
        self.lib.llama_memory_clear(self._memory, False)

    def _adapt(self, adapter: Path) -> None:
        """Computes with a LoRA adapter, which is freed with its model."""
        lib = self.lib
        complaint()
        loaded = lib.llama_adapter_lora_init(self._model, str(adapter).encode())
        if not loaded:
            self.close()
            raise InputError(f"{adapter}: not a LoRA adapter of this model{complaint()}")
        self._lora = loaded
        self._add_lora()

    def _add_lora(self) -> None:
        """Has the context compute with the adapter, if there is one."""
        if self._lora is not None:
            lib = self.lib
            ones = (ctypes.c_float * 1)(1.0)
            lib.llama_set_adapters_lora(self._context, (lib.llama_adapter_lora_p_ctypes * 1)(self._lora), 1, ones)
