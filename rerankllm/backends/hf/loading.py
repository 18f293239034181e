"""Finding a model of transformers and loading it, with one clear line for whatever goes wrong."""

import contextlib
import hashlib
import importlib
import importlib.util
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm.backends.hf import cpu_dtype, passage_vectors, whole_list
from rerankllm.backends.llamacpp import gguf
from rerankllm.errors import InputError, MissingExtra, RerankError, SpecError
from rerankllm.files import digest

NEEDED = "pip install 'rerankllm[hf]'"
DTYPES = ("float32", "float16", "bfloat16")
WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
FUSION_IN_DECODER = ("FiD", "FiDT5")
"""What T5 is called by the files of models whose passages are encoded apart: LiT5's and ListT5's."""
LANGUAGE_MODELS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForRankLM", *FUSION_IN_DECODER)
"""What the architectures of models end in that write text."""
WRAPPED = {r"^encoder\.encoder\.": "encoder.", r"^(encoder\.block\.\d+)\.module\.": r"\1."}
"""How the weights of an encoder are named that was wrapped for Fusion-in-Decoder when it was saved, and in T5."""
INSTEAD = {"ForSequenceClassification": "cross-encoder", "Model": "embed", "ColBERT": "embed"}
"""The kind of backend for models whose architecture ends otherwise."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where a model is.

    Attributes:
        where: A folder, or an id on the hub.
        file: The GGUF file in that folder, for models that are one.
        revision: On the hub.
    """

    where: str
    file: str | None = None
    revision: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What every `from_pretrained` is told."""
        named = {"gguf_file": self.file, "revision": self.revision}
        return {key: value for key, value in named.items() if value is not None}

    @property
    def unpacked(self) -> dict[str, Any]:
        """What loading weights is told besides: those of a GGUF file become plain ones, of the type computed with."""
        import transformers as hf  # noqa: PLC0415

        plain = getattr(hf, "GgufConfig", None)  # before it came, that is all there was
        return {"quantization_config": plain(dequantize=True)} if self.file and plain else {}

    def names(self, name: str) -> tuple[str, ...]:
        """What a model is called: as the user has it, and as its own configuration does."""
        config = Path(self.where) / "config.json"
        try:
            known = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
        except ValueError:
            known = {}
        own = known.get("_name_or_path") if isinstance(known, dict) else None
        return (name, own) if isinstance(own, str) and own else (name,)

    def fingerprint(self) -> str | None:
        """SHA-256 over the weight files of a folder, in hexadecimal; None for a model on the hub."""
        folder = Path(self.where)
        if not folder.is_dir():
            return None
        found = [folder / self.file] if self.file else [path for form in WEIGHTS for path in folder.glob(form)]
        whole = hashlib.sha256()
        for path in sorted(found):
            whole.update(bytes.fromhex(digest(path)))
        return whole.hexdigest()


def need(*packages: str, extra: str = NEEDED) -> None:
    """Raises `MissingExtra` with `extra` where one of these packages is not installed."""
    if any(importlib.util.find_spec(package) is None for package in packages):
        raise MissingExtra(extra)


def find(kind: str, name: str, revision: str | None = None) -> ModelFiles:
    """Where the model is that is called `name`: packaged, a folder, a .gguf file, or else an id on the hub.

    Raises:
        MissingExtra: The package with the weights is not installed.
        InputError: It reads like a path, and nothing is there.
        SpecError: A revision of a local model.
    """
    found = _here(name)
    if found is not None and revision is not None:
        raise SpecError(f"{kind}:{name} is a local model: 'revision' is for those of the hub")
    if found is not None:
        return found
    path = Path(name)
    if not name or name.endswith(".gguf") or name[0] in "./~" or len(path.parts) > 2:  # noqa: PLR2004
        raise InputError(f"{kind}:{name}: nothing is there; name a local folder, or a model of the hub as owner/name")
    return ModelFiles(name, revision=revision)


def _here(name: str) -> ModelFiles | None:
    """A model that is packaged, or a folder or file; None where there is none of that name."""
    path = gguf.find(name) if name in gguf.PACKAGED else Path(name).expanduser()
    if name.endswith(".gguf") or name in gguf.PACKAGED:
        return ModelFiles(str(path.parent), path.name) if path.is_file() else None
    return ModelFiles(str(path)) if name and path.is_dir() else None


def place(device: str | None) -> Any:
    """The device to compute on; where none is named the GPU, if there is one.

    Raises:
        SpecError: torch knows no such device.
    """
    import torch  # noqa: PLC0415

    if device is None:
        found = [name for name in ("cuda", "mps") if getattr(torch, name).is_available()]
        return torch.device(found[0] if found else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, ValueError) as error:
        raise SpecError(f"device '{device}' cannot be used: {first_line(error)}") from error


def precision(dtype: str | None, device: Any) -> Any:
    """The type to compute with; where none is named float32 on a CPU, and the checkpoint's own elsewhere.

    Raises:
        SpecError: It is none of `DTYPES`.
    """
    import torch  # noqa: PLC0415

    if dtype is None:
        return torch.float32 if device.type == "cpu" else "auto"
    if dtype not in DTYPES:
        raise SpecError(f"dtype should be one of {', '.join(DTYPES)}; found '{dtype}'")
    return getattr(torch, dtype)


def load(source: ModelFiles, kind: str, device: Any, dtype: Any = None) -> tuple[Any, Any]:
    """The language model and its tokenizer.

    Args:
        source: Where it is.
        kind: Of the backend, for messages.
        device: Where it computes.
        dtype: The type to compute with; None, on a CPU, for the faster of float32 and the checkpoint's own.

    Returns:
        The model, on `device` and ready to compute; the tokenizer.

    Raises:
        MissingExtra: A package that this model needs is not installed.
        InputError: There is no such model, or it is none that writes text, or its weights are not all there.
    """
    import transformers as hf  # noqa: PLC0415

    if source.file:
        need("gguf", "accelerate")
    with reported(f"{kind}:{source.where}"), quiet():
        tokenizer, config, base = tokenized(source)
        check_architecture(config, kind, source.where)
        told = {**source.options, **source.unpacked}
        if base is not None:
            auto, told["config"] = passage_vectors.model_class(base), config
        elif ranks_whole_lists(config):
            auto = whole_list.model_class()
        elif config.is_encoder_decoder:
            auto = hf.AutoModelForSeq2SeqLM
            told["key_mapping"] = WRAPPED if _named(config, FUSION_IN_DECODER) else None
        else:
            auto = hf.AutoModelForCausalLM
        if dtype is None:
            plain = auto in {hf.AutoModelForCausalLM, hf.AutoModelForSeq2SeqLM} and not source.file
            dtype = cpu_dtype.measured(auto, config) if plain else precision(None, device)
        model, loaded = auto.from_pretrained(source.where, dtype=dtype, output_loading_info=True, **told)
    if loaded["missing_keys"]:
        raise InputError(f"{kind}:{source.where}: its weights lack {', '.join(sorted(loaded['missing_keys']))[:200]}")
    if base is not None and len(tokenizer) > config.vocab_size:
        model.resize_token_embeddings(len(tokenizer))
    return model.to(device).eval(), tokenizer


def tokenized(source: ModelFiles) -> tuple[Any, Any, str | None]:
    """A model's tokenizer and configuration; and for one that is shown passages as vectors what the rest of it is."""
    import transformers as hf  # noqa: PLC0415

    told = {} if source.file else hf.PreTrainedConfig.get_config_dict(source.where, **source.options)[0]
    base = passage_vectors.base_of(told)
    if base is None:
        config = hf.AutoConfig.from_pretrained(source.where, **source.options)
        return hf.AutoTokenizer.from_pretrained(source.where, **source.options), config, None
    config = passage_vectors.config_of(told, base)
    tokenizer = hf.AutoTokenizer.from_pretrained(source.where, config=config, **source.options)
    tokenizer.add_tokens(list(passage_vectors.MARKERS), special_tokens=True)
    return tokenizer, config, base


def passage_encoder(model: Any, what: str, *, trusted: bool) -> passage_vectors.PassageEncoder:
    """What reads the passages of a model that is shown them as vectors.

    Raises:
        InputError: It is not there, or brings code that is not trusted.
    """
    with reported(f"{what}: its encoder {model.config.encoder_name}"), quiet():
        return passage_vectors.PassageEncoder(model.config, model.device, model.dtype, trusted=trusted)


def add_adapter(model: Any, adapter: str, what: str) -> Any:
    """The model with the weights of a LoRA adapter added to its own.

    Args:
        model: The model.
        adapter: A folder, or an id on the hub.
        what: The model's spec, for messages.

    Raises:
        MissingExtra: peft is not installed.
        InputError: There is no such adapter, or it is not of this model.
    """
    need("peft", extra="pip install 'rerankllm[adapters]'")
    with reported(f"{what}: adapter {adapter}"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what peft asks of transformers is no business of users
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        peft = importlib.import_module("peft")
        return peft.PeftModel.from_pretrained(model, adapter).merge_and_unload().eval()


def adapter_digest(adapter: str) -> str:
    """SHA-256 of an adapter's weights, in hexadecimal.

    Raises:
        InputError: They are not there.
    """
    from transformers.utils.hub import cached_file  # noqa: PLC0415

    with reported(f"adapter {adapter}"):
        path: Any = cached_file(adapter, "adapter_model.safetensors")
    return digest(Path(path))


def check_architecture(config: Any, kind: str, name: str) -> None:
    """Raises `InputError` for models that do not write text, naming the backend that takes them."""
    if not config.architectures or _named(config, LANGUAGE_MODELS) or ranks_whole_lists(config):
        return
    found = config.architectures[0]
    other = next((kind for ending, kind in INSTEAD.items() if found.endswith(ending)), None)
    hint = f"; {other}:{name} may be what it is" if other else ""
    raise InputError(f"{kind}:{name}: {found} is no language model, so it can neither write nor score{hint}")


def ranks_whole_lists(config: Any) -> bool:
    """Whether a model compares the documents of a prompt by vectors, and writes nothing."""
    return _named(config, (whole_list.ARCHITECTURE,))


def _named(config: Any, endings: tuple[str, ...]) -> bool:
    """Whether one of a model's architectures ends so."""
    return any(name.endswith(endings) for name in config.architectures or ())


@contextlib.contextmanager
def reported(what: str) -> Iterator[None]:
    """Makes of what libraries raise while a model loads one line that says what was loaded."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra(f"{what} needs a package that is not installed: {first_line(error)}") from error
    except RerankError:
        raise
    except Exception as error:
        raise InputError(
            f"{what} cannot be loaded: {first_line(error)} A model is a local folder, or owner/name on the hub, "
            "for which a connection or a cached copy is needed"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars about weights already here."""
    from transformers.utils import logging  # noqa: PLC0415

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def take_plain_text(model: Any) -> None:
    """Has a model of sentence-transformers read texts as they are, whatever chat format its tokenizer carries."""
    first = model[0]
    known = getattr(first, "modality_config", {})
    if known.pop("message", None) is not None:
        first.input_formatter.supported_modalities = list(known)


def first_line(error: BaseException) -> str:
    """The first line of what an error says, ended by a full stop."""
    line = next(filter(None, (part.strip() for part in str(error).splitlines())), type(error).__name__)
    return f"{line.rstrip('.:')}."


def set_threads(threads: int | None) -> None:
    """Lets torch compute with so many threads, from now on and in this whole process; None leaves it as it is."""
    import torch  # noqa: PLC0415

    if threads is not None:
        torch.set_num_threads(threads)
