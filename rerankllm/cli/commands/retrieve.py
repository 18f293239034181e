"""`rerankllm retrieve`: a first-stage run of a named collection."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from rerankllm.cli import completion as completing
from rerankllm.cli.console import check_paths
from rerankllm.collections import bm25, published
from rerankllm.collections.base import Collection
from rerankllm.errors import InputError
from rerankllm.files import open_for_writing
from rerankllm.formats import trec
from rerankllm.notes import tell
from rerankllm.runs import provenance
from rerankllm.runs.source import first_stage, open_dataset

EXAMPLES = """
rerankllm retrieve --dataset beir/scifact --output bm25.txt
rerankllm retrieve --dataset bright/biology --depth 1000 --stemmer none --output bm25.txt
rerankllm retrieve --dataset dl19 --retriever splade++ --output splade.txt
"""


def command(
    *,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="NAME", autocompletion=completing.datasets, help="The collection; see `rerankllm datasets`."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The TREC run to write.")],
    retriever: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"A run that is published: {', '.join(published.RETRIEVERS)}."),
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="Documents a query.")] = 100,
    k1: Annotated[float | None, typer.Option(min=0, help="BM25's term frequency saturation; 0.9 by default.")] = None,
    b: Annotated[float | None, typer.Option(min=0, max=1, help="BM25's length normalization; 0.4 by default.")] = None,
    stemmer: Annotated[
        str | None, typer.Option(help="One of PyStemmer's algorithms, or none; for English, porter by default.")
    ] = None,
) -> None:
    """Finds candidates with BM25, or writes those that come with the collection or that others have published."""
    check_paths({}, {"--output": output})
    collection = open_dataset(dataset)
    if retriever is not None:
        collection = replace(collection, first_stage=published.first_stage(collection, retriever, depth))
    run, retrieval = first_stage(collection, _settings(collection, k1=k1, b=b, stemmer=stemmer, depth=depth))
    tag = "first-stage" if collection.first_stage else "bm25"
    for query_id, found in run.items():
        trec.check_ids(query_id, [doc_id for doc_id, _ in found])
    with open_for_writing(output) as file:
        for query_id, found in run.items():
            file.writelines(
                f"{query_id} Q0 {doc_id} {rank} {score!r} {tag}\n"
                for rank, (doc_id, score) in enumerate(bm25.strictly_falling(found[:depth]), 1)
            )
    provenance.write(output, retrieval)
    written = sum(len(found[:depth]) for found in run.values())
    tell(f"{written} documents for {len(run)} queries")


def _settings(collection: Collection, **given: Any) -> bm25.Bm25Settings:
    """BM25's settings; raises InputError for an option that this collection has no use for."""
    useless = ("k1", "b", "stemmer") if collection.first_stage else ("stemmer",) if collection.language == "zh" else ()
    for name in useless:
        if given[name] is not None:
            why = "has its candidates already" if collection.first_stage else "is cut into pairs of characters"
            raise InputError(f"--{name} has no effect: {collection.name} {why}; leave it out")
    return bm25.Bm25Settings(**{name: value for name, value in given.items() if value is not None})
