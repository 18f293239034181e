"""llama.cpp at work: a loaded model, and one context that decodes for many sequences at once."""

import ctypes
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rerankllm.backends.llamacpp.library import complaint, library, load_model
from rerankllm.backends.llamacpp.readout import Logits
from rerankllm.errors import BackendError, InputError

FLOATS = frozenset({0, 1, 32})
"""llama.cpp's numbers for files of f32, f16 and bf16 weights."""

AS_THEY_LIE = frozenset({0, 32})
"""Those of f32 and bf16, for which it has no other arrangement than the file's."""


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


class Engine:
    """A model with its context: decodes tokens, remembers sequences, knows the vocabulary.

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
    ) -> None:
        lib = self.lib = library()
        # llama.cpp's AMX kernels crash on quantized weights (ggml-org/llama.cpp#20824) where GCC 12.2, for one,
        # compiled them: it takes all but 8 bytes of the shapes of the tiles for unused, and never writes them.
        amx = b"AMX_INT8 = 1" in lib.llama_print_system_info()
        rearrange = not amx or file_type in FLOATS
        # A mapped file would stay in memory beside the weights that were rearranged.
        mapped = not rearrange or file_type in AS_THEY_LIE
        mode = lib.LLAMA_LOAD_MODE_AUTO if mapped else lib.LLAMA_LOAD_MODE_NONE
        model = load_model(path, n_gpu_layers=gpu_layers, use_extra_bufts=rearrange, load_mode=mode)
        if lib.llama_model_has_encoder(model) or not lib.llama_model_has_decoder(model):
            lib.llama_model_free(model)
            raise InputError(f"{path}: not a causal language model, so it can neither write nor score tokens")
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = cells, batch, batch
        params.n_seq_max, params.n_outputs_max_per_seq = sequences, 0
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_AUTO
        params.kv_unified = params.swa_full = True
        context = lib.llama_init_from_model(model, params)
        if not context:
            lib.llama_model_free(model)
            raise BackendError(f"{path}: no room for a context of {cells} tokens{complaint()}; try a smaller one")
        if adapter is not None:
            _adapt(lib, model, context, adapter)
        self._batch = lib.llama_batch_init(batch, 0, sequences)
        self._context, self._model = context, model
        self._vocab = lib.llama_model_get_vocab(model)
        self._pieces: dict[int, bytes] = {}
        self.batch, self.sequences, self.cells = batch, sequences, lib.llama_n_ctx(context)
        self.vocabulary: int = lib.llama_vocab_n_tokens(self._vocab)
        self.trained_context: int = lib.llama_model_n_ctx_train(model)
        self.shares = not (lib.llama_model_is_recurrent(model) or lib.llama_model_is_hybrid(model))
        self.close = weakref.finalize(self, _release, lib, model, context, self._batch)

    @property
    def model(self) -> Any:
        """llama.cpp's model."""
        self._alive()
        return self._model

    @property
    def vocab(self) -> Any:
        """llama.cpp's vocabulary."""
        self._alive()
        return self._vocab

    @property
    def _memory(self) -> Any:
        self._alive()
        return self.lib.llama_get_memory(self._context)

    @property
    def called(self) -> tuple[str, ...]:
        """What the file says that its model is called; nothing where it does not."""
        buffer = ctypes.create_string_buffer(256)
        length = self.lib.llama_model_meta_val_str(self.model, b"general.name", buffer, len(buffer))
        return (buffer.value.decode("utf-8", "replace"),) if length > 0 else ()

    def _alive(self) -> None:
        if not self.close.alive:
            raise BackendError("this llama.cpp model was closed")

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

    def piece(self, token: int) -> bytes:
        """The text of one token, empty for control tokens."""
        if token not in self._pieces:
            self._pieces[token] = self.spell(token, special=False)
        return self._pieces[token]

    def spell(self, token: int, *, special: bool) -> bytes:
        """The text of one token, that of control tokens too if `special`."""
        buffer = ctypes.create_string_buffer(64)
        length = self.lib.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, special)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = self.lib.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, special)
        return buffer.raw[:length]

    def ends(self, token: int) -> bool:
        """Whether the token ends an answer."""
        return bool(self.lib.llama_vocab_is_eog(self.vocab, token))


def _adapt(lib: Any, model: Any, context: Any, adapter: Path) -> None:
    """Has a context compute with a LoRA adapter, which is freed with its model."""
    complaint()
    loaded = lib.llama_adapter_lora_init(model, str(adapter).encode())
    if not loaded:
        lib.llama_free(context)
        lib.llama_model_free(model)
        raise InputError(f"{adapter}: not a LoRA adapter of this model{complaint()}")
    lib.llama_set_adapters_lora(context, (lib.llama_adapter_lora_p_ctypes * 1)(loaded), 1, (ctypes.c_float * 1)(1.0))


def _release(lib: Any, model: Any, context: Any, batch: Any) -> None:
    lib.llama_batch_free(batch)
    lib.llama_free(context)
    lib.llama_model_free(model)
