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

FLOAT32 = 0
"""ggml's number for the type."""


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
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = cells, batch, batch
        params.n_seq_max, params.n_outputs_max_per_seq = sequences, 0
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_AUTO
        if precise:  # llama.cpp's fused attention multiplies in float16, whatever the cache's type
            params.flash_attn_type, params.type_k, params.type_v = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED, FLOAT32, FLOAT32
        params.kv_unified = params.swa_full = True
        context = lib.llama_init_from_model(model, params)
        if not context:
            self.close()
            raise BackendError(f"{path}: no room for a context of {cells} tokens{complaint()}; try a smaller one")
        self._context, self._batch = context, lib.llama_batch_init(batch, 0, sequences)
        self._attach(context, self._batch)
        if adapter is not None:
            self._adapt(adapter)
        self.batch, self.sequences, self.cells = batch, sequences, lib.llama_n_ctx(context)
        self.shares = not (lib.llama_model_is_recurrent(model) or lib.llama_model_is_hybrid(model))

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
        ones = (ctypes.c_float * 1)(1.0)
        lib.llama_set_adapters_lora(self._context, (lib.llama_adapter_lora_p_ctypes * 1)(loaded), 1, ones)
