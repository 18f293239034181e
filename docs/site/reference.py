"""The pages of elicitations, aggregations, kinds of model, and prompts."""

import inspect
import typing

from text import Described, code, kind, parameters, table

from rerankllm.analysis.model_card import show_model
from rerankllm.elicitation import cards
from rerankllm.elicitation.preview import preview
from rerankllm.elicitation.templates import load, names
from rerankllm.registry import AGGREGATIONS, BACKENDS, ELICITATIONS, Registry
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import show_value

ELICITING = """# Elicitations

How a model answers one judgement. Written behind a strategy, as in `sliding / labels` or
`pointwise / likelihood(prompt=likelihood-chat)`; without one, the strategy's default for that model is taken.
The prompts that they use: [Prompts](prompts.md)."""
AGGREGATING = """# Aggregations

Rules that make one order of many. Strategies that aggregate take one as `aggregate=`, and
[`rerankllm fuse`](../commands/fuse.md) makes one run of several by any of them."""
MODELS = """# Models

`kind:name[@revision][?option=value&…]`, as `--model`, behind `@` in a strategy, or in Python. An option that a kind
does not have is an error that names those it has. Which kind to take, and how to set it up:
[Models and where they run](../backends.md)."""
PROMPTS = """# Prompts

Every template that ships, as `rerankllm prompts show NAME` renders it with made-up texts. `prompt=` in an elicitation
takes another, or [a file of your own](../extending.md#a-prompt), or the format of a
[published reranker](published.md)."""
PUBLISHED = """# Published rerankers

Every published reranker that is known by its name, as `rerankllm models show NAME` prints it: what it answers, how it
is asked, and what is read. [Models and where they run](../backends.md#published-rerankers) says when that is done."""


def pages() -> dict[str, str]:
    """Every page by its address."""
    return {
        "reference/elicitations.md": _registered(ELICITATIONS, ELICITING),
        "reference/aggregations.md": _registered(AGGREGATIONS, AGGREGATING),
        "reference/models.md": _models(),
        "reference/prompts.md": _prompts(),
        "reference/published.md": _published(),
    }


def _registered(registry: Registry, head: str) -> str:
    sections = []
    for name in registry:
        said = Described.of(registry[name])
        sections.append(f"## {name}\n\n{said.summary}\n\n{said.body}\n\n{parameters(registry[name])}")
    return "\n\n".join([head, *sections])


def _models() -> str:
    sections = [MODELS]
    for name, cls in ((name, BACKENDS[name]) for name in BACKENDS):
        said, hints = Described.of(cls), typing.get_type_hints(cls.__init__)
        given = {option: each.default for option, each in inspect.signature(cls).parameters.items()}
        rows = [("`name`", kind(hints["name"]), "needed", said.arguments["name"])] + [
            (code(option), kind(hints[option]), code(show_value(given[option])), said.arguments[option])
            for option in ModelSpec(name, "", {}).known_options()
        ]
        body = f"{said.summary}\n\n{said.body}\n\n{table(('option', 'is', 'default', 'meaning'), rows)}"
        sections.append(f"## {name}\n\n{body}")
    return "\n\n".join(sections)


def _published() -> str:
    sections = [f"## {name}\n\n````text\n{show_model(name).rstrip()}\n````" for name in cards.names()]
    return "\n\n".join([PUBLISHED, *sections])


def _prompts() -> str:
    sections = [PROMPTS]
    for name in names():
        template = load(*name.split("/"))
        facts = {
            "elicitation": code(template.elicitation.replace("none", "")),
            "passages cut to": f"{template.passage_tokens} tokens",
            "source": template.source,
        }
        listed = "\n".join(f"- {what}: {fact}" for what, fact in facts.items() if fact)
        said = template.description[:1].upper() + template.description[1:]
        sections.append(f"## {name}\n\n{said}.\n\n{listed}\n\n````text\n{preview(name).rstrip()}\n````")
    return "\n\n".join(sections)
