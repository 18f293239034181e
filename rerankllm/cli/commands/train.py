"""`rerankllm train`: a small reranker from the judgements of a large one."""

from pathlib import Path
from typing import Annotated

import typer

from rerankllm.cli.console import say
from rerankllm.notes import tell

EXAMPLES = """
# train on what a configuration names (docs/training.md has every key), and measure on queries held out
rerankllm train student.yaml --output student
# killed? the same again goes on from the last epoch that was done
rerankllm train student.yaml --output student
# then rerank with it
rerankllm rerank --run run.txt --queries queries.tsv --corpus corpus.jsonl --model embed:student/model

# its figures, and every query to browse
rerankllm report student -o student.html

A configuration, of files as `rerank` has them:

data: {run: run.txt, queries: queries.tsv, corpus: corpus.jsonl, qrels: qrels.txt}

teacher: {journal: judged.db}

student: embed:minilm

Others: teacher: {model: openai:NAME, max_cost: 2.0} asks; student: hf:smollm2 with lora: {} trains an adapter.
"""


def command(
    *,
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to train, and on what.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder to write; the configuration's `output:` without it."),
    ] = None,
) -> None:
    """Trains a small reranker, the student, on a teacher's judgements, and compares both on queries held out.

    The student learns from a recording, a journal, a run, scores or qrels, or from a model that is asked within
    a budget. If you run it again, a training that was killed continues.
    """
    from rerankllm.training.train import train  # noqa: PLC0415 - loads NumPy

    done = train(config, output)
    say(done.markdown(), nl=False)
    tell(f"the student is {done.model}")
