"""`rerankllm datasets`: the collections that have a name, and opening one for a command."""

from typing import Annotated, TypeAlias

import typer

from rerankllm.cli import completion as completing
from rerankllm.collections import catalogue

Dataset: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completing.datasets,
        help="A judged collection by name, such as dl19 or beir/scifact; see `rerankllm datasets`.",
    ),
]
EXAMPLES = """
rerankllm datasets
rerankllm rerank --dataset sample --output reranked.txt
"""


def command() -> None:
    """Lists the collections with a name: whether each is cached here, and where."""
    for name in catalogue.names():
        place = catalogue.place(name)
        typer.echo(f"{name}\t{'cached' if place.cached else 'not cached'}\t{place.path}")
