"""The card of a student: what it learned from, how, what that cost, and how good it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from rerankllm.evaluation.tables import as_markdown
from rerankllm.training.proof import Proof

BEGIN = """---
library_name: {library}
pipeline_tag: {pipeline}
tags: [{library}, rerankllm, {kind}]
---
"""
LOADED = {
    "embed": "sentence-transformers' `SentenceTransformer` loads it; in rerankllm it is `embed:FOLDER`.",
    "cross-encoder": "sentence-transformers' `CrossEncoder` loads it; in rerankllm it is `cross-encoder:FOLDER`.",
    "hf": "transformers' `AutoModelForCausalLM` loads it; in rerankllm it is `hf:FOLDER`, and is asked as "
          "`rerankllm.yaml` beside its weights says.",
}  # fmt: skip


def card(record: Mapping[str, Any], proofs: Sequence[Proof]) -> str:
    """A student's README.md.

    Args:
        record: What `training.json` holds after the training.
        proofs: How good it is.
    """
    identity, teacher, queries = record["identity"], record["teacher"], record["queries"]
    kind = identity["student"].partition(":")[0]
    begin = BEGIN.format(
        library="transformers" if kind == "hf" else "sentence-transformers",
        pipeline="sentence-similarity" if kind == "embed" else "text-ranking",
        kind=kind,
    )
    how, shown = identity["training"], identity["lists"]
    losses = " + ".join(name if weight == 1 else f"{weight:g} {name}" for name, weight in record["loss"].items())
    lora = identity["lora"]
    changed = "all weights" if lora is None else f"an adapter (LoRA) of rank {lora['rank']}"
    scores = [("base", record["validation"][0]),
              *((f"epoch {number}", value) for number, value in enumerate(record["validation"][1:], 1))]  # fmt: skip
    lines = (
        f"# A student reranker\n\n`{identity['student']}`, trained by rerankllm {record['rerankllm']} on the "
        f"judgements of a teacher. {LOADED[kind]}\n\n"
        f"- **Teacher**: {teacher['name']}, {teacher['lists']} lists; {cost(teacher['cost'])}.\n"
        f"- **Queries**: {len(queries['train'])} to train on, {len(queries['validation'])} to stop early by, "
        f"{len(queries['test'])} held out. Also held out: {', '.join(record['held_out']) or 'nothing else'}.\n"
        f"- **Training**: {changed}, loss {losses}, "
        f"{_some(shown['per_query'], 'list')} of {shown['size']} documents a query, "
        f"at most {_some(how['epochs'], 'epoch')}, {_some(how['batch'], 'list')} a step, learning rate "
        f"{how['learning_rate']:g}, seed {how['seed']}; {record['seconds']:.0f} seconds.\n"
        f"- **nDCG@10 on the validation queries**: {', '.join(f'{name} {value:.4f}' for name, value in scores)}. "
        f"The best epoch was kept.\n- {paid(record['pays_back'])}\n\n"
    )
    return f"{begin}\n{lines}{tables(proofs)}"


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def tables(proofs: Sequence[Proof]) -> str:
    """The figures as Markdown."""
    return as_markdown([proof.table() for proof in proofs], [])


def cost(noted: Mapping[str, Any]) -> str:
    """What a teacher's judgements cost, in words."""
    parts = [
        "calls unknown" if noted["calls"] is None else f"{noted['calls']:,} calls",
        "tokens unknown" if noted["tokens"] is None else f"{noted['tokens']:,} tokens",
        "money unknown" if noted["usd"] is None else f"${noted['usd']:.4g}",
    ]
    return ", ".join(parts)


def paid(queries: int | None) -> str:
    """After how many queries the student has saved what it cost, in words."""
    if queries is None:
        return "After how many queries it has saved what it cost is not known: the teacher's money is not, or is none."
    return f"After {queries:,} queries it has saved what the teacher's judgements and the training cost."
