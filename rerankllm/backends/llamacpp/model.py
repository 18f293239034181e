"""A model that llama.cpp has loaded: its vocabulary and what its file says of it."""

import ctypes
import weakref
from pathlib import Path
from typing import Any

from rerankllm.backends.llamacpp.library import library, load_model
from rerankllm.errors import BackendError

FLOATS = frozenset({0, 1, 32})
"""llama.cpp's numbers for files of f32, f16 and bf16 weights."""

AS_THEY_LIE = frozenset({0, 32})
"""Those of f32 and bf16, for which it has no other arrangement than the file's."""

MOST_TOLD = 1 << 16


class Model:
    """A loaded model. Its vocabulary may be used from any thread.

    Args:
        path: GGUF file.
        file_type: llama.cpp's number for the type of its weights.
        gpu_layers: Layers kept on a GPU, where llama.cpp was built for one; -1 for all.

    Raises:
        InputError: llama.cpp cannot read the file.
    """

    def __init__(self, path: Path, *, file_type: int, gpu_layers: int) -> None:
        lib = self.lib = library()
        # llama.cpp's AMX kernels crash on quantized weights (ggml-org/llama.cpp#20824) where GCC 12.2, for one,
        # compiled them: it takes all but 8 bytes of the shapes of the tiles for unused, and never writes them.
        amx = b"AMX_INT8 = 1" in lib.llama_print_system_info()
        rearrange = not amx or file_type in FLOATS
        # A mapped file would stay in memory beside the weights that were rearranged.
        mapped = not rearrange or file_type in AS_THEY_LIE
        mode = lib.LLAMA_LOAD_MODE_AUTO if mapped else lib.LLAMA_LOAD_MODE_NONE
        self._model = load_model(path, n_gpu_layers=gpu_layers, use_extra_bufts=rearrange, load_mode=mode)
        self._vocab = lib.llama_model_get_vocab(self._model)
        self._pieces: dict[int, bytes] = {}
        self.vocabulary: int = lib.llama_vocab_n_tokens(self._vocab)
        self.trained_context: int = lib.llama_model_n_ctx_train(self._model)
        self.close = weakref.finalize(self, _release, lib, self._model, None, None)

    def _attach(self, context: Any, batch: Any) -> None:
        """Has a context and a batch freed before the model."""
        self.close.detach()
        self.close = weakref.finalize(self, _release, self.lib, self._model, context, batch)

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
    def called(self) -> tuple[str, ...]:
        """What the file says that its model is called; nothing where it does not."""
        name = told(self.lib, self.model, "general.name")
        return (name,) if name else ()

    def _alive(self) -> None:
        if not self.close.alive:
            raise BackendError("this llama.cpp model was closed")

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


def told(lib: Any, model: Any, key: str) -> str:
    """What a model's file says under a key; nothing where it says nothing, or a list."""
    buffer = ctypes.create_string_buffer(MOST_TOLD)
    length = lib.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if length > 0 else ""


def _release(lib: Any, model: Any, context: Any, batch: Any) -> None:
    if batch is not None:
        lib.llama_batch_free(batch)
    if context is not None:
        lib.llama_free(context)
    lib.llama_model_free(model)
