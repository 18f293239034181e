"""`rerankllm strategies`, `elicitations`, `models`, `aggregations` and `prompts`: what there is, a line each."""

import dataclasses
import inspect
from typing import Annotated, Any

import typer

from rerankllm.analysis.model_card import show_model
from rerankllm.cli import completion as completing
from rerankllm.elicitation import cards, templates
from rerankllm.elicitation.preview import preview
from rerankllm.registry import AGGREGATIONS, BACKENDS, ELICITATIONS, STRATEGIES, Registry
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import show_value

EXAMPLES = {
    "strategies": """
[bold]Examples[/bold]\n
rerankllm strategies\n
rerankllm plan --strategy 'sliding(window=10, stride=5)' -n 100  # parameters are written as they are listed
""",
    "elicitations": """
[bold]Examples[/bold]\n
rerankllm elicitations\n
rerankllm rerank --sample --strategy 'pointwise / labels'  # behind the strategy and a slash
""",
    "models": """
[bold]Examples[/bold]\n
rerankllm models\n
rerankllm models show qwen3-reranker\n
rerankllm models show hf:castorini/monot5-base-msmarco  # with its tokens\n
rerankllm rerank --sample --model 'llamacpp:smollm2?threads=2'
""",
    "aggregations": """
[bold]Examples[/bold]\n
rerankllm aggregations\n
rerankllm plan --strategy 'jointrank(aggregate=pagerank)'
""",
    "prompts": """
[bold]Examples[/bold]\n
rerankllm prompts\n
rerankllm prompts show permute/text -n 5
""",
}
models = typer.Typer(
    help="The kinds of model, and published rerankers.", epilog=EXAMPLES["models"], invoke_without_command=True
)
prompts = typer.Typer(help="The prompt templates that ship.", epilog=EXAMPLES["prompts"], invoke_without_command=True)


def strategies() -> None:
    """Lists the strategies with their parameters."""
    _list(STRATEGIES)


def elicitations() -> None:
    """Lists the ways of eliciting an answer."""
    _list(ELICITATIONS)


def aggregations() -> None:
    """Lists the rules that make one order of many."""
    _list(AGGREGATIONS)


@models.callback()
def _models(context: typer.Context) -> None:
    """Lists the kinds of model with their options (kind:name?option=value), then the published rerankers known."""
    if context.invoked_subcommand is not None:
        return
    for kind in BACKENDS:
        options = ModelSpec(kind, "", {}).known_options()
        shown = f"?{'&'.join(f'{name}=…' for name in options)}" if options else ""
        typer.echo(f"{kind}:NAME{shown}\t{_first_line(BACKENDS[kind])}")
    for name in cards.names():
        card = cards.load(name)
        typer.echo(f"{name}\t{card.description}{' (cannot be used here)' if card.cannot else ''}")


@models.command("show", epilog=EXAMPLES["models"])
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
    typer.echo(show_model(name))


@prompts.callback()
def _prompts(context: typer.Context) -> None:
    """Lists the prompt templates."""
    if context.invoked_subcommand is None:
        for name in templates.names():
            judgement, short = name.split("/")
            typer.echo(f"{name}\t{templates.load(judgement, short).description}")


@prompts.command("show", epilog=EXAMPLES["prompts"])
def show(
    name: Annotated[str, typer.Argument(autocompletion=completing.prompts, help="As listed, such as permute/text.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many documents or criteria to show.")] = 3,
) -> None:
    """Renders one template with made-up texts."""
    typer.echo(preview(name, n))


def _list(registry: Registry) -> None:
    for name in registry:
        cls: Any = registry[name]
        parameters = ", ".join(map(_shown, dataclasses.fields(cls)))
        typer.echo(f"{name}{f'({parameters})' if parameters else ''}\t{_first_line(cls)}")


def _shown(field: "dataclasses.Field[Any]") -> str:
    """A parameter with its default, as a spec would say it."""
    if field.default_factory is not dataclasses.MISSING:
        return f"{field.name}={show_value(field.default_factory())}"
    return field.name if field.default is dataclasses.MISSING else f"{field.name}={show_value(field.default)}"


def _first_line(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]
