"""`rerankllm rank`: passages in, ranked lines out."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from rerankllm.cli import options
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.formats.lines import read_lines, storable
from rerankllm.formats.objects import AnyDocument
from rerankllm.reranker import Reranker
from rerankllm.runs.notices import tell_notes
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.writer import result_rows

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm rank "how long do fleas live" passages.txt\n
cat passages.jsonl | rerankllm rank "how long do fleas live" - --json --truncate 5
"""


def command(
    query: Annotated[str, typer.Argument(help="The query.")],
    file: Annotated[
        Path,
        typer.Argument(help="One passage a line, or JSON lines with 'text' (and 'id', 'title', …); - is stdin."),
    ],
    *,
    strategy: options.Strategy = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    instruction: options.Instruction = None,
    demonstrations: options.Demonstrations = None,
    top_k: options.TopK = None,
    truncate: options.Truncate = None,
    max_passage_tokens: options.PassageTokens = None,
    unusable: options.WhenUnusable = "keep",
    concurrency: options.Concurrency = None,
    seed: options.Seed = None,
    quiet: options.Quiet = False,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a result.")] = False,
) -> None:
    """Ranks the passages of a file for one query."""
    documents = _read(file)
    bar = ProgressBar(quiet=quiet)
    recipe = Recipe(
        strategy=strategy, model=model, instruction=instruction, passage_tokens=max_passage_tokens,
        demonstrations=demonstrations, unusable=unusable,
        options=options.model_options(model, base_url=base_url, concurrency=concurrency, seed=seed),
    )  # fmt: skip
    with Reranker.from_recipe(recipe, observer=bar) as reranker:
        tell_notes(reranker, top_k, len(documents))
        with bar.showing(1, reranker.plan(len(documents), top_k=top_k).calls.high):
            ranking = reranker.rerank(query, documents, top_k=top_k)
    if truncate is not None:
        ranking = ranking.top(truncate)
    for result, row in zip(ranking, result_rows(ranking), strict=True):
        if json_lines:
            row |= {"text": result.document.text, **({"title": t} if (t := result.document.title) else {}),
                    **({"metadata": dict(m)} if (m := result.document.metadata) else {})}  # fmt: skip
            del row["query_id"]
            typer.echo(as_json(row))
        else:
            score = "-" if result.score is None else f"{result.score:.4f}"
            typer.echo(f"{result.rank}\t{score}\t{result.doc_id}\t{storable(result.document.content)}")


def _read(path: Path) -> list[AnyDocument]:
    if str(path) == "-":
        lines = [(number, line.rstrip("\r\n")) for number, line in enumerate(sys.stdin, 1) if line.strip()]
    else:
        lines = list(read_lines(path))
    if not lines or not lines[0][1].lstrip().startswith("{"):
        return [line for _, line in lines]
    documents: list[AnyDocument] = []
    for number, line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("text"), str):
            raise InputError(f"{path}:{number}: expected a JSON object with 'text', found {line[:60]}")
        documents.append(document)
    return documents
