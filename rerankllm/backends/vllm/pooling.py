"""Options of models that vLLM's pooling runner computes: scoring heads, whole lists, late interaction."""

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rerankllm.backends.hf.loading import ModelFiles
from rerankllm.backends.vllm import weights
from rerankllm.backends.vllm.engine import Engine, library


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooling:
    """Which model, and how it is computed.

    Attributes:
        name: As `VLLM` has it, like the other options.
        revision: Branch, tag or commit on the hub.
        dtype: Weights and activations.
        quantization: How to quantize weights.
        max_model_len: Tokens of a text, a pair or a prompt.
        max_num_seqs: How many of them are computed at a time.
        gpu_memory_utilization: Share of a GPU's memory to use.
        kv_cache_memory_bytes: Memory for what was computed.
        tensor_parallel_size: GPUs to spread the model over.
        enforce_eager: Do without compilation and CUDA graphs.
    """

    name: str
    revision: str | None = None
    dtype: str = "auto"
    quantization: str | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    gpu_memory_utilization: float | None = None
    kv_cache_memory_bytes: int | None = None
    tensor_parallel_size: int = 1
    enforce_eager: bool = False

    @classmethod
    def of(cls, model: Callable[[Self], Any]) -> Callable[..., Any]:
        """What makes such a model of these options as keyword arguments, which its signature names."""

        @functools.wraps(cls, updated=())
        def make(**options: Any) -> Any:
            return model(cls(**options))

        return make

    def find(self) -> "Source":
        """Where the model is.

        Raises:
            MissingExtra: vLLM is not installed.
            InputError: There is no such model, or it cannot be fetched.
        """
        library()
        where, commit = weights.find(self.name, self.revision)
        return Source(ModelFiles(where, revision=self.revision), commit)

    def start(self, source: "Source", **own: Any) -> tuple[Engine, str]:
        """The engine with the model loaded, and the printed spec of the model.

        Args:
            source: Where it is.
            own: Fields of `EngineArgs` that this kind of model needs besides these, or instead of them.

        Raises:
            InputError: vLLM does not take the model or an option.
            BackendError: The engine does not start.
        """
        options = asdict(self)
        named = f"vllm:{options.pop('name')}"
        engine = Engine(named, {"model": source.files.where, "runner": "pooling", **options, **own})
        shown = {"revision": self.revision, "dtype": engine.dtype, "quantization": self.quantization}
        shown |= {"max_model_len": str(self.max_model_len) if self.max_model_len else None}
        return engine, f"{named}?" + "&".join(f"{key}={value}" for key, value in shown.items() if value is not None)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model is.

    Attributes:
        files: Its folder, or its name on the hub.
        commit: On the hub; None for a folder.
    """

    files: ModelFiles
    commit: str | None

    def revision(self) -> str | None:
        """The commit on the hub, or SHA-256 over the folder's files."""
        folder = Path(self.files.where)
        return weights.fingerprint(folder) if folder.is_dir() else self.commit
