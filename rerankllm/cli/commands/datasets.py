"""`rerankllm datasets`: the collections that have a name, and opening one for a command."""

from typing import Annotated, TypeAlias

import typer

from rerankllm.cli import completion as completing
from rerankllm.cli.console import show_table
from rerankllm.collections import catalogue
from rerankllm.evaluation.tables import Table

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
    places = {name: catalogue.place(name) for name in catalogue.names()}
    rows = tuple((name, "cached" if each.cached else "not cached", str(each.path)) for name, each in places.items())
    show_table(Table("Collections", ("name", "here", "folder"), rows, words=3))
