"""Loading a model with a scoring head through sentence-transformers, with all its weights or not at all."""

from typing import Any

from rerankllm.backends.hf import loading
from rerankllm.errors import InputError

HEAD = "ForSequenceClassification"
CAUSAL = "ForCausalLM"
ACROSS = 2
"""Classes of a head that tells relevant passages from others."""


def load(
    source: loading.ModelFiles, name: str, device: Any, dtype: Any, *, trusted: bool, adapter: str | None = None
) -> Any:
    """The model, on `device` and ready to compute.

    Args:
        source: Where it is.
        name: What the user calls it, for messages.
        device: As torch has it.
        dtype: As torch has it.
        trusted: Whether code that comes with the model may run.
        adapter: A LoRA adapter, which may bring the head.

    Raises:
        MissingExtra: A package is not installed.
        InputError: There is no such model, it gives no single score, or weights are missing.
    """
    import sentence_transformers  # noqa: PLC0415
    from transformers import AutoConfig  # noqa: PLC0415

    what = f"cross-encoder:{name}"
    brought = _brought(adapter) if adapter else {}
    labels = next((shape[0] for key, shape in brought.items() if key.endswith(HEADS)), None)
    options = {} if labels is None else {"num_labels": labels}
    with loading.reported(what), loading.quiet():
        config = AutoConfig.from_pretrained(source.where, trust_remote_code=trusted, **source.options)
        found = (config.architectures or ("of unknown architecture",))[0]
        if found.endswith(HEAD) or labels is not None:
            _check_head(source, what, options or {"num_labels": config.num_labels}, brought, trusted=trusted)
        elif not (found.endswith(CAUSAL) and _is_configured(source)):
            other = "hf" if found.endswith(loading.LANGUAGE_MODELS) else "embed"
            raise InputError(f"{what}: {found} has no classification head; {other}:{name} may be what it is")
        model = sentence_transformers.CrossEncoder(
            source.where,
            revision=source.revision,
            device=str(device),
            model_kwargs={"dtype": dtype},
            trust_remote_code=trusted,
            **options,
        )
    if adapter:
        _pad(model)
        model[0].model = loading.add_adapter(model[0].model, adapter, what)
    return model


HEADS = ("score.weight", "classifier.weight", "classifier.out_proj.weight")
"""What the last weights of heads are called."""


def _brought(adapter: str) -> dict[str, list[int]]:
    """What whole weights an adapter brings, as the model calls them, and their shapes; nothing that is added to others.

    Raises:
        InputError: There is no such adapter.
    """
    from safetensors import safe_open  # noqa: PLC0415
    from transformers.utils.hub import cached_file  # noqa: PLC0415

    with loading.reported(f"adapter {adapter}"):
        path: Any = cached_file(adapter, "adapter_model.safetensors")
        with safe_open(path, "numpy") as weights:
            return {
                key.removeprefix("base_model.model."): weights.get_slice(key).get_shape()
                for key in weights.keys()  # noqa: SIM118 - it is no mapping
                if "lora_" not in key
            }


def _pad(model: Any) -> None:
    """Gives a tokenizer without a padding token one that no text ends with, for models that read the last token."""
    tokenizer = model.tokenizer
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    if model[0].model.config.pad_token_id is None:
        model[0].model.config.pad_token_id = tokenizer.pad_token_id


def _is_configured(source: loading.ModelFiles) -> bool:
    """Whether a model comes with sentence-transformers' own configuration."""
    from sentence_transformers.util import load_file_path  # noqa: PLC0415

    return load_file_path(source.where, "modules.json", revision=source.revision) is not None


def _check_head(
    source: loading.ModelFiles,
    what: str,
    options: dict[str, Any],
    brought: dict[str, list[int]],
    *,
    trusted: bool,
) -> None:
    """Checks that a head gives one score and that all weights are there: what is not would be made up at random.

    Raises:
        InputError: It is not so.
    """
    from transformers import AutoModelForSequenceClassification  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    if options["num_labels"] > ACROSS:
        raise InputError(
            f"{what}: it tells {options['num_labels']} classes apart; a reranker gives one score, or two classes"
        )
    told = logging.get_verbosity()
    logging.set_verbosity_error()  # what is missing is said below
    try:
        _, loaded = AutoModelForSequenceClassification.from_pretrained(
            source.where,
            device_map="meta",
            output_loading_info=True,
            trust_remote_code=trusted,
            **options,
            **source.options,
        )
    finally:
        logging.set_verbosity(told)
    lacking = set(loaded["missing_keys"]) - set(brought)
    if lacking:
        listed = ", ".join(sorted(lacking))[:200]
        raise InputError(f"{what}: its weights lack {listed}: it was not trained to score")
