"""What a configuration names that goes beyond its folder: whoever wrote it decides who is sent texts and keys."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from rerankllm.experiments.config import Config
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage, inner_stages

CODE = "trust_remote_code"


def named_outside(config: Config) -> tuple[str, ...]:
    """Hosts on other machines, variables that hold keys, code that a model brings, and an output elsewhere, in words.

    The same words mean the same: what a user agreed to once can be known again.
    """
    found = [line for text, options in _models(config) for line in _of_model(text, options)]
    if config.output is not None and not _within(config):
        found.append(f"writes into {config.output}")
    return tuple(dict.fromkeys(found))


def _models(config: Config) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Every model's spec, with the options that stand beside it."""
    for model in config.models.values():
        yield from ((spec, model.options) for spec in (model.spec, *(spec for _, spec in model.where)))
    for strategy in config.strategies.values():
        yield from ((spec, {}) for spec in _inside(strategy.stage))


def _inside(stage: Stage) -> Iterator[str]:
    """The models of a stage and of those inside it."""
    if stage.model is not None:
        yield stage.model
    for each in inner_stages(stage.strategy):
        yield from _inside(each)


def _of_model(text: str, beside: Mapping[str, str]) -> Iterator[str]:
    spec = ModelSpec.parse(text)
    options = {**spec.options, **beside}
    url, key = options.get("base_url"), options.get("api_key_env")
    if url is not None and _on_this_machine(url):
        return
    where = f"{spec.kind}'s own host" if url is None else url
    if url is not None or key is not None:
        yield f"sends queries and texts to {where}, with the key in {key or 'its usual variable'}"
    if options.get(CODE, "false").lower() not in {"false", "0", ""}:
        yield f"runs code that {spec.name} brings ({CODE})"


def _on_this_machine(url: str) -> bool:
    """Whether a URL names this machine's loopback interface."""
    host = urlsplit(url).hostname or ""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _within(config: Config) -> bool:
    return config.output is not None and config.output.resolve().is_relative_to(config.file.parent.resolve())
