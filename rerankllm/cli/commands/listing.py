"""`rerankllm strategies`, `elicitations`, `models`, `aggregations` and `prompts`: what there is, a line each."""

import dataclasses
import inspect
from typing import Annotated, Any

import typer

from rerankllm.analysis.model_card import show_model
from rerankllm.cli import completion as completing
from rerankllm.cli.console import say, show_table
from rerankllm.cli.help import Command, Group
from rerankllm.elicitation import cards, templates
from rerankllm.elicitation.preview import preview
from rerankllm.evaluation.tables import Table
from rerankllm.registry import AGGREGATIONS, BACKENDS, ELICITATIONS, STRATEGIES, Registry
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import show_value

EXAMPLES = {
    "strategies": """
rerankllm strategies
# parameters are written as they are listed
rerankllm plan --strategy 'sliding(window=10, stride=5)' -n 100
""",
    "elicitations": """
rerankllm elicitations
# behind the strategy and a slash
rerankllm rerank --sample --model llamacpp:smollm2 --strategy 'pointwise / labels'
""",
    "models": """
rerankllm models
rerankllm models show qwen3-reranker
# with its tokens
rerankllm models show hf:castorini/monot5-base-msmarco
rerankllm rerank --sample --model 'embed:minilm?threads=2'
""",
    "aggregations": """
rerankllm aggregations
rerankllm plan --strategy 'jointrank(aggregate=pagerank)'
""",
    "prompts": """
rerankllm prompts
rerankllm prompts show permute/text -n 5
""",
}
models = typer.Typer(
    cls=Group,
    help="The kinds of model, and published rerankers.",
    epilog=EXAMPLES["models"],
    invoke_without_command=True,
)
prompts = typer.Typer(
    cls=Group, help="The prompt templates that ship.", epilog=EXAMPLES["prompts"], invoke_without_command=True
)


def strategies() -> None:
    """Lists the strategies with their parameters."""
    _list("Strategies", STRATEGIES)


def elicitations() -> None:
    """Lists the ways of eliciting an answer."""
    _list("Ways of eliciting an answer", ELICITATIONS)


def aggregations() -> None:
    """Lists the rules that make one order of many."""
    _list("Rules that make one order of many", AGGREGATIONS)


@models.callback()
def _models(context: typer.Context) -> None:
    """Lists the kinds of model with their options (kind:name?option=value), then the published rerankers known."""
    if context.invoked_subcommand is not None:
        return
    rows = []
    for kind in BACKENDS:
        options = ModelSpec(kind, "", {}).known_options()
        shown = f"?{'&'.join(f'{name}=…' for name in options)}" if options else ""
        rows.append((f"{kind}:NAME{shown}", _first_line(BACKENDS[kind])))
    _show("Kinds of model", rows)
    known = [cards.load(name) for name in cards.names()]
    _show(
        "Published rerankers",
        [(c.name, f"{c.description}{' (cannot be used here)' if c.cannot else ''}") for c in known],
    )


@models.command("show", cls=Command, epilog=EXAMPLES["models"])
def show_card(
    name: Annotated[
        str,
        typer.Argument(
            autocompletion=completing.cards,
            help="As listed, or a model: its name, folder, or MODEL.",
        ),
    ],
) -> None:
    """Prints what is known of a published reranker, with a prompt as text and as tokens, and what is read."""
    say(show_model(name))


@prompts.callback()
def _prompts(context: typer.Context) -> None:
    """Lists the prompt templates."""
    if context.invoked_subcommand is None:
        names = [name.split("/") for name in templates.names()]
        _show("Prompts", [("/".join(each), templates.load(*each).description) for each in names])


@prompts.command("show", cls=Command, epilog=EXAMPLES["prompts"])
def show(
    name: Annotated[str, typer.Argument(autocompletion=completing.prompts, help="As listed, such as permute/text.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many documents or criteria to show.")] = 3,
) -> None:
    """Renders one template with made-up texts."""
    say(preview(name, n))


def _list(title: str, registry: Registry) -> None:
    rows = []
    for name in registry:
        cls: Any = registry[name]
        parameters = ", ".join(map(_shown, dataclasses.fields(cls)))
        rows.append((f"{name}{f'({parameters})' if parameters else ''}", _first_line(cls)))
    _show(title, rows)


def _show(title: str, rows: list[tuple[str, str]]) -> None:
    show_table(Table(title, ("name", "what it is"), tuple(rows), words=2, prose=True))


def _shown(field: "dataclasses.Field[Any]") -> str:
    """A parameter with its default, as a spec would say it."""
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}={show_value(field.default_factory())}"
    return field.name if field.default is dataclasses.MISSING else f"{field.name}={show_value(field.default)}"


def _first_line(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]
