"""`rerankllm datasets`: the collections that have a name, and opening one for a command."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import typer

from rerankllm.cli import completion as completing
from rerankllm.cli.console import tell
from rerankllm.collections import bm25, catalogue
from rerankllm.collections.base import Collection, Run, without_excluded
from rerankllm.runs.provenance import Retrieval

Dataset: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completing.datasets,
        help="A judged collection by name, such as dl19 or beir/scifact; see `rerankllm datasets`.",
    ),
]
EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm datasets\n
rerankllm rerank --dataset sample --output reranked.txt
"""


def command() -> None:
    """Lists the collections with a name: whether each is cached here, and where."""
    for name in catalogue.names():
        place = catalogue.place(name)
        typer.echo(f"{name}\t{'cached' if place.cached else 'not cached'}\t{place.path}")


def open_dataset(name: str) -> Collection:
    """The collection, with a line on stderr where it has to be fetched first and one for each of its notes."""
    place = catalogue.place(name)
    if not place.cached:
        tell(f"{name} is not all cached in {place.path}: what is needed of it is fetched")
    collection = catalogue.load(name)
    for note in collection.notes:
        tell(f"{name}: {note}")
    return collection


def allowed(collection: Collection, run: Run, where: str) -> dict[str, list[tuple[str, float]]]:
    """The run without the documents the collection excludes, with a line on stderr where there were any."""
    kept, removed = without_excluded(run, collection.excluded)
    if removed:
        tell(f"{where}: {removed} documents removed ({collection.excluded_because})")
    return kept


def first_stage(
    collection: Collection, settings: bm25.Settings
) -> tuple[Mapping[str, list[tuple[str, float]]], Retrieval]:
    """Candidates for every query and where they come from: those the collection brings, or BM25's.

    Raises:
        InputError: BM25 cannot index the collection.
        MissingExtra: BM25 needs a package that is not installed.
    """
    source = f"{collection.name} ({collection.origin})"
    if collection.first_stage is not None:
        brought = collection.first_stage
        run = {query_id: list(entries) for query_id, entries in brought.run.items()}
        return allowed(collection, run, collection.name), Retrieval(source, brought.retriever)
    found = bm25.retrieve(collection, settings, tell)
    none = [query_id for query_id, entries in found.items() if not entries]
    if none:
        tell(f"BM25 found nothing for {len(none)} queries ({', '.join(none[:3])})")
    facts = settings.facts(collection.language)
    return found, Retrieval(source, "BM25", f"bm25s {bm25.bm25s_version()}", facts, bm25.TIES)
