"""What the shell offers where an option takes a name: read off the registries, without loading what is named."""

from collections.abc import Iterable

from rerankllm.registry import AGGREGATIONS, BACKENDS, ELICITATIONS, STRATEGIES


def strategies(incomplete: str) -> list[str]:
    """Names of strategies."""
    return beginning(incomplete, STRATEGIES)


def elicitations(incomplete: str) -> list[str]:
    """Names of elicitations."""
    return beginning(incomplete, ELICITATIONS)


def aggregations(incomplete: str) -> list[str]:
    """Names of aggregations."""
    return beginning(incomplete, AGGREGATIONS)


def models(incomplete: str) -> list[str]:
    """Kinds of models, up to the colon."""
    return beginning(incomplete, (f"{kind}:" for kind in BACKENDS))


def datasets(incomplete: str) -> list[str]:
    """Names of collections."""
    from rerankllm.collections import catalogue  # noqa: PLC0415

    return beginning(incomplete, catalogue.names())


def prompts(incomplete: str) -> list[str]:
    """Names of prompt templates."""
    from rerankllm.elicitation import templates  # noqa: PLC0415

    return beginning(incomplete, templates.names())


def cards(incomplete: str) -> list[str]:
    """Names of published rerankers."""
    from rerankllm.elicitation import cards as published  # noqa: PLC0415

    return beginning(incomplete, published.names())


def extras(incomplete: str) -> list[str]:
    """Names of extras."""
    from rerankllm.cli.extras import GIVES  # noqa: PLC0415

    return beginning(incomplete, GIVES)


def beginning(text: str, names: Iterable[str]) -> list[str]:
    """Those names that begin with what was typed."""
    return [name for name in names if name.startswith(text)]
