"""`embed:NAME`: whose vectors they are."""

from rerankllm.backends.embed.api import Api
from rerankllm.backends.embed.late import Late, late_model
from rerankllm.backends.embed.local import Local
from rerankllm.backends.embed.onnx import Onnx
from rerankllm.backends.embed.packaged import ONNX
from rerankllm.backends.embed.vectors import VectorBackend
from rerankllm.errors import SpecError

ONNX_DTYPE = "int8"


class Embeddings(VectorBackend):
    """An embedding model, by sentence-transformers, onnxruntime, or an API that has the route /embeddings.

    A host that tells the tokens of a whole call only has them shared out by length.

    A model of late interaction (ColBERT and its kin) has a vector for each token. It is computed here, by transformers,
    and scores by MaxSim; its own files say how queries and passages are marked, filled up and cut.

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
        here = {"revision": revision, "dtype": dtype, "device": device, "threads": threads}
        there = {"api_key_env": api_key_env, "concurrency": concurrency, "timeout": timeout, "retries": retries}
        idle = here if base_url else {**there, "price": price}
        for key, value in idle.items():
            if value is not None:
                raise SpecError(f"embed: '{key}' does nothing {'with' if base_url else 'without'} base_url")
        if batch < 1 or (threads is not None and threads < 1):
            raise SpecError("embed: batch and threads should be at least 1")
        engine: Api | Late | Local | Onnx
        if base_url:
            engine = Api(
                name,
                base_url=base_url,
                api_key_env=api_key_env or "OPENAI_API_KEY",
                batch=batch,
                concurrency=8 if concurrency is None else concurrency,
                timeout=60.0 if timeout is None else timeout,
                retries=2 if retries is None else retries,
            )
            shown = {"base_url": engine.endpoint.url}
        else:
            if dtype == ONNX_DTYPE or (dtype is None and device is None and name in ONNX):
                _check_onnx(name, revision, device)
                engine = Onnx(ONNX[name], batch=batch, threads=threads)
            elif (found := late_model(name, revision)) is not None:
                engine = Late(*found, dtype=dtype, device=device, batch=batch, threads=threads)
            else:
                engine = Local(name, revision=revision, dtype=dtype, device=device, batch=batch, threads=threads)
            shown = {"dtype": engine.dtype} | ({"revision": revision} if revision else {})
        model = f"embed:{name}?" + "&".join(f"{key}={value}" for key, value in shown.items())
        compare = engine.similarity if isinstance(engine, Late) else None
        super().__init__(engine, model, price=price if base_url else 0.0, remote=bool(base_url), late=compare)


def _check_onnx(name: str, revision: str | None, device: str | None) -> None:
    """Checks that there is such a model for onnxruntime, and that nothing is asked of it that it has not."""
    if name not in ONNX:
        raise SpecError(f"embed:{name}: dtype {ONNX_DTYPE} is for the packaged {', '.join(ONNX)} only")
    if device is not None:
        raise SpecError(f"embed:{name}: dtype {ONNX_DTYPE} computes on the CPU: leave 'device' out, or the dtype")
    if revision is not None:
        raise SpecError(f"embed:{name} is a local model: 'revision' is for those of the hub")
