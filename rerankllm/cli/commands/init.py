"""`rerankllm init`: a folder with data, a configuration and commands that run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rerankllm.cli.console import say
from rerankllm.errors import InputError
from rerankllm.sample import path as sample

EXAMPLES = """
rerankllm init trial
rerankllm init trial --model openai:NAME --strategy 'sliding(window=20, stride=10)'
"""
DATA = {"bm25.txt": "run.txt", "queries.tsv": "queries.tsv", "corpus.jsonl": "corpus.jsonl", "qrels.txt": "qrels.txt"}
"""The files of the sample, by what they are called in the folder."""
CONFIG = """\
# What `rerankllm rerank` takes from here when it is run in this folder. The command line wins over it.
# `rerankllm config rerank` shows every option and where its value comes from.

[rerank]
run = "data/bm25.txt"           # the first stage: a TREC run
queries = "data/queries.tsv"    # query texts: TSV, CSV, JSON lines or Parquet
corpus = "data/corpus.jsonl"    # documents: likewise
qrels = "data/qrels.txt"        # judgements; leave them out if there are none
output = "reranked.txt"
{own}"""
TRIAL = """\
# `rerankllm experiment trial.yaml` ranks every dataset with every strategy and model, and makes one table of it.
datasets:
  sample: {{run: data/bm25.txt, queries: data/queries.tsv, corpus: data/corpus.jsonl, qrels: data/qrels.txt}}
strategies:
  own: {strategy}
  fused: {fused}      # the same, mixed with the first stage
models:
  own: {model}
"""
README = """\
# A trial of rerankllm

    rerankllm rerank                      # reads rerankllm.toml; writes reranked.txt; says nDCG@10 before and after
    rerankllm compare --qrels data/qrels.txt --first-stage data/bm25.txt --run mine=reranked.txt
    rerankllm experiment trial.yaml       # several strategies, as one table

`data/` holds the sample that ships: 8 queries with 20 candidates each, and judgements. Put your own files there.
"""


def command(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    *,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model to write down; the default one if left out.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="SPEC", help="The strategy to write down; the model's own if left out.")
    ] = None,
) -> None:
    """Writes a folder with sample data, a configuration and an experiment, and says which command to run first."""
    from rerankllm.drivers.recipe import DEFAULT_MODEL  # noqa: PLC0415
    from rerankllm.spec.model import ModelSpec  # noqa: PLC0415
    from rerankllm.spec.stage import Stage  # noqa: PLC0415

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already; name a new folder, or an empty one")
    if model:
        ModelSpec.parse(model)
    own = {"model": model, "strategy": strategy and str(Stage.parse(strategy))}
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in own.items() if value)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name, shipped in DATA.items():
        (folder / "data" / name).write_bytes(Path(sample(shipped)).read_bytes())
    chosen = own["strategy"] or "pointwise"  # which every kind of model can be asked
    written = {"strategy": chosen, "fused": f"interpolate({chosen})", "model": model or DEFAULT_MODEL}
    trial = TRIAL.format(**{name: json.dumps(value) for name, value in written.items()})
    for name, text in {
        "rerankllm.toml": CONFIG.format(own=lines), "trial.yaml": trial, "README.md": README
    }.items():  # fmt: skip
        (folder / name).write_text(text, encoding="utf-8")
    say(f"Wrote {folder}/: data/, rerankllm.toml, trial.yaml, README.md. Next:")
    say(f"  cd {folder} && rerankllm rerank")
