"""The vLLM library: loaded, quiet, and asked for an engine."""

import contextlib
import importlib
import importlib.util
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rerankllm.errors import BackendError, InputError, MissingExtra

NEEDED = (
    "vllm: needs `pip install 'rerankllm[vllm]'` and a GPU; without one, `pip install 'rerankllm[llamacpp]'` and "
    "--model llamacpp:… compute on the CPU, or --model openai:NAME --base-url URL asks a vLLM server"
)

LONGEST_COMPLAINT = 400
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks of adapters' matrices that vLLM computes with."""

CPU_BLOCK = 32
"""The fewest tokens that attention on CPUs takes to a block. vLLM's own choice, 128, is more than prompts of one query
have in common, and only whole blocks are found again."""


def library() -> Any:
    """The `vllm` module. It logs to stderr, and warnings only, unless the user's environment says otherwise.

    Raises:
        MissingExtra: It is not installed, or does not load.
    """
    if importlib.util.find_spec("vllm") is None:
        raise MissingExtra(NEEDED)
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # stdout is for results
    try:
        vllm = importlib.import_module("vllm")
        on_cpu = runs_on_cpu()
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingExtra(f"vLLM is installed but does not load ({error}). {NEEDED}") from error
    if on_cpu:
        # It would spawn a process for the engine, which plain scripts do not survive.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    return vllm


def runs_on_cpu() -> bool:
    """Whether vLLM, which has to be loaded, computes on the CPU here."""
    return bool(importlib.import_module("vllm.platforms").current_platform.is_cpu())


def token_pooler() -> Any:
    """What tells vLLM, which has to be loaded, to give a vector for each token of a text."""
    return importlib.import_module("vllm.config").PoolerConfig(task="token_embed")


class Engine:
    """An engine with a model loaded, advanced step by step. Used from one thread at a time.

    Args:
        name: The model, for error messages.
        options: Fields of vLLM's `EngineArgs`; None leaves one to vLLM, and `block_size` on CPUs to this.
        adapter: The folder of a LoRA adapter that all requests are computed with; None for none.

    Raises:
        MissingExtra: vLLM is not installed.
        InputError: vLLM does not take the model or the options.
        BackendError: The engine does not start.
    """

    def __init__(self, name: str, options: dict[str, Any], adapter: str | None = None) -> None:
        vllm = library()
        self._params = vllm.SamplingParams
        sampling = importlib.import_module("vllm.sampling_params")
        self._final_only, self._held = sampling.RequestOutputKind.FINAL_ONLY, sampling.StructuredOutputsParams
        self._adapter: Any = None
        self._prompt = importlib.import_module("vllm.inputs").tokens_input
        given = {key: value for key, value in options.items() if value is not None}
        if runs_on_cpu():
            given.setdefault("block_size", CPU_BLOCK)
        if adapter is not None:
            self._adapter = importlib.import_module("vllm.lora.request").LoRARequest("adapter", 1, adapter)
            given |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _rank(adapter)}
        try:
            with _randomness_left_alone():
                self._llm = vllm.LLM(tokenizer_mode="hf", **given)
        except RuntimeError as error:
            raise BackendError(
                f"{name}: vLLM's engine does not start ({complaint(error)}); if its log above speaks of "
                "`if __name__ == '__main__'`, the script needs that, or VLLM_ENABLE_V1_MULTIPROCESSING=0"
            ) from error
        except Exception as error:
            raise InputError(f"{name}: vLLM does not load it ({complaint(error)})") from error
        config = self._llm.llm_engine.model_config
        self.dtype: str = str(config.dtype).removeprefix("torch.")
        self.context: int = config.max_model_len
        self.vocabulary: int = config.get_vocab_size()

    @property
    def tokenizer(self) -> Any:
        """The model's own, which several threads may use."""
        return self._llm.get_tokenizer()

    def add(self, key: str, ids: tuple[int, ...], sampling: dict[str, Any]) -> None:
        """Takes a request into the running batch; raises whatever vLLM raises for one that it refuses.

        Args:
            key: The request's name.
            ids: The prompt.
            sampling: Fields of `SamplingParams`; and `choices`, if the text has to be one of these.
        """
        choices = sampling.pop("choices", None)
        held = None if choices is None else self._held(choice=list(choices))
        params = self._params(output_kind=self._final_only, structured_outputs=held, **sampling)
        self._llm.llm_engine.add_request(key, self._prompt(list(ids)), params, lora_request=self._adapter)

    def scores(self, rows: list[tuple[list[int], list[int]]]) -> list[list[float]]:
        """The raw logits of a scoring head, for each of these texts or pairs.

        Args:
            rows: Tokens, and for each the text of the pair that it belongs to, 0 or 1; nothing where there is no such.
        """
        pooling, prompts, params = importlib.import_module("vllm").PoolingParams, [], []
        for ids, types in rows:
            prompts.append(self._prompt(ids))
            second = {"compressed_token_type_ids": types.index(1)} if 1 in types else None
            params.append(pooling(use_activation=False, extra_kwargs=second))
        found = self._llm.classify(prompts, pooling_params=params, use_tqdm=False)
        return [list(map(float, output.outputs.probs)) for output in found]

    def token_vectors(self, rows: list[list[int]]) -> list[Any]:
        """The projected states of tokens: for each of these texts a float array of shape (tokens, dimensions).

        The engine is asked itself: what `LLM.encode` does for JinaForRanking is to put a prompt of its own together.
        """
        engine = self._llm.llm_engine
        found: dict[str, Any] = {}
        params = importlib.import_module("vllm").PoolingParams
        for place, ids in enumerate(rows):
            engine.add_request(str(place), self._prompt(ids), params(task="token_embed"))
        while engine.has_unfinished_requests():
            found |= {output.request_id: output.outputs.data for output in self.step()}
        return [found[str(place)].float().cpu().numpy() for place in range(len(rows))]

    def step(self) -> list[Any]:
        """Computes one step; returns the `RequestOutput` of each request that it finished."""
        return [output for output in self._llm.llm_engine.step() if output.finished]

    def abort(self, keys: list[str]) -> None:
        """Drops requests, if they are still there."""
        self._llm.llm_engine.abort_request(keys)

    def close(self) -> None:
        """Frees the model; may be called more than once."""
        llm = self.__dict__.pop("_llm", None)
        if llm is not None:
            llm.llm_engine.engine_core.shutdown()


def _rank(adapter: str) -> int:
    """The rank of an adapter's matrices, or the next that vLLM computes with."""
    rank: int = json.loads((Path(adapter) / "adapter_config.json").read_text(encoding="utf-8"))["r"]
    return next((size for size in RANKS if size >= rank), rank)


@contextlib.contextmanager
def _randomness_left_alone() -> Iterator[None]:
    """Undoes the seeding: vLLM seeds every generator it finds, also those of the process it is loaded in."""
    torch, numpy = importlib.import_module("torch"), importlib.import_module("numpy")
    state, arrays, tensors = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(state)
        numpy.random.set_state(arrays)
        torch.set_rng_state(tensors)


def complaint(error: Exception) -> str:
    """What an error says, on one line of bearable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST_COMPLAINT else f"{text[:LONGEST_COMPLAINT]}…"
