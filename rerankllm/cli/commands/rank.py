"""`rerankllm rank`: passages in, ranked lines out."""

from pathlib import Path
from typing import Annotated

import typer

from rerankllm.cli import options
from rerankllm.cli.console import say
from rerankllm.data import Query
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import QueryFailed
from rerankllm.files import as_json
from rerankllm.formats.columns import Columns
from rerankllm.formats.documents import read_documents
from rerankllm.formats.lines import storable
from rerankllm.reranker import Reranker
from rerankllm.runs.notices import estimate_line, tell_notes
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.writer import result_rows

EXAMPLES = """
rerankllm rank "how long do fleas live" passages.txt
rerankllm rank "how long do fleas live" passages.csv --text-column abstract --top-k 5
cat passages.jsonl | rerankllm rank "how long do fleas live" - --json
# what an API will cost, before anything is sent
rerankllm rank "how long do fleas live" passages.csv --model openai:NAME --dry-run
"""


def command(
    query: Annotated[str, typer.Argument(help="The query.")],
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, TSV, JSON, JSON lines or Parquet with a column of texts (and ids, titles, …), or one passage a "
            "line; - is stdin."
        ),
    ],
    *,
    text_column: options.TextColumn = None,
    id_column: options.IdColumn = None,
    title_column: options.TitleColumn = None,
    score_column: options.ScoreColumn = None,
    skip_missing: Annotated[bool, typer.Option("--skip-missing", help="Leave out rows without a text.")] = False,
    strategy: options.Strategy = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    instruction: options.Instruction = None,
    demonstrations: options.Demonstrations = None,
    top_k: Annotated[
        int | None,
        typer.Option(min=1, metavar="K", help="Print the best K only; some strategies then spend less on the others."),
    ] = None,
    truncate: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Print the first K of a ranking of all documents.")
    ] = None,
    max_passage_tokens: options.PassageTokens = None,
    unusable: options.WhenUnusable = "keep",
    max_calls: options.MaxCalls = None,
    max_tokens: options.MaxTokens = None,
    max_cost: options.MaxCost = None,
    max_searches: options.MaxSearches = None,
    max_seconds: options.MaxSeconds = None,
    dry_run: options.DryRun = False,
    concurrency: options.Concurrency = None,
    seed: options.Seed = None,
    quiet: options.Quiet = False,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a result.")] = False,
) -> None:
    """Ranks the passages of a file for one query."""
    columns = {"text": text_column, "id": id_column, "title": title_column, "score": score_column}
    documents = read_documents(file, Columns.of(columns), skip_missing=skip_missing)
    bar = ProgressBar(quiet=quiet)
    recipe = Recipe(
        strategy=strategy, model=model, instruction=instruction, passage_tokens=max_passage_tokens,
        demonstrations=demonstrations, unusable=unusable,
        limits=Limits(max_calls, max_tokens, max_cost, max_seconds, max_searches),
        options=options.model_options(model, base_url=base_url, concurrency=concurrency, seed=seed),
    )  # fmt: skip
    with Reranker.from_recipe(recipe, observer=bar) as reranker:
        scored = any(candidate.score is not None for candidate in documents)
        tell_notes(reranker, top_k, len(documents), scored=scored)
        if dry_run:
            say(estimate_line(reranker, [(Query("query", query), documents)], top_k))
            return
        with bar.showing(1, reranker.plan(len(documents), top_k=top_k).calls.high):
            try:
                ranking = reranker.rerank(query, documents, top_k=top_k)
            except QueryFailed as error:
                raise QueryFailed(error.reason) from error  # there is one query, which needs no name
    if truncate is not None:
        ranking = ranking.top(truncate)
    for result, row in zip(ranking, result_rows(ranking), strict=True):
        if json_lines:
            row |= {"text": result.document.text, **({"title": t} if (t := result.document.title) else {}),
                    **({"metadata": dict(m)} if (m := result.document.metadata) else {})}  # fmt: skip
            del row["query_id"]
            say(as_json(row))
        else:
            score = "-" if result.score is None else f"{result.score:.4f}"
            say(f"{result.rank}\t{score}\t{result.doc_id}\t{storable(result.document.content)}")
