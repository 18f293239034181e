"""What there is, a line each."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from rerankllm.cli import completion as completing
from rerankllm.elicitation import templates
from rerankllm.elicitation.labels import letters, numbers
from rerankllm.elicitation.template import THE_BEST, Piece, Wanted, pieces
from rerankllm.errors import InputError
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


def models() -> None:
    """Lists the kinds of model and their options (kind:name?option=value)."""
    for kind in BACKENDS:
        options = ModelSpec(kind, "", {}).known_options()
        shown = f"?{'&'.join(f'{name}=…' for name in options)}" if options else ""
        typer.echo(f"{kind}:NAME{shown}\t{_first_line(BACKENDS[kind])}")


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
    judgement, _, short = name.partition("/")
    if not short:
        raise InputError(f"'{name}' should read judgement/name. There are: {', '.join(templates.names())}")
    template = templates.load(judgement, short)
    shown = {"write": 0, "score": 1, "assess": 1, "compare": 2}.get(judgement, n)
    labels = numbers(shown) if template.labels == "numbers" else letters(shown)
    wanted = Wanted(n) if judgement in {"write", "assess"} else THE_BEST
    example = template.demonstrations[0] if template.demonstrations else None
    texts = {} if example is None else {"query 2": example.query, "doc 3": example.better, "doc 4": example.worse}
    for message in template.render(labels, instruction=True, wanted=wanted, worked=example is not None):
        typer.echo(f"--- {'completion' if template.completion else message.role}")
        typer.echo("".join(_filled(piece, texts) for piece in pieces(message.content)))
    if template.continuation:
        typer.echo("--- continuation, whose likelihood is taken")
        typer.echo("".join(_filled(piece, {}) for piece in pieces(template.render_continuation())))


def _filled(piece: Piece, texts: Mapping[str, str]) -> str:
    """A piece as it reads, with the texts that are known."""
    if isinstance(piece, str):
        return piece
    numbered = piece.kind in {"doc", "criterion"} or piece.index
    slot = f"{piece.kind} {piece.index + 1}" if numbered else piece.kind
    return piece.lead + texts.get(slot, f"<{slot}>")


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
