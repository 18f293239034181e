"""`rerankllm parity`: whether two backends say the same."""

import math
from typing import Annotated

import typer

from rerankllm.analysis.parity import Row, parity
from rerankllm.cli import completion as completing
from rerankllm.cli.console import say
from rerankllm.files import as_json
from rerankllm.notes import tell

EXAMPLES = """
rerankllm parity llamacpp:smollm2?type=f32 hf:smollm2
rerankllm parity hf:MODEL 'openai:MODEL?base_url=http://localhost:8000/v1' --tolerance 0.01

Exit status: 0 within the tolerance or none given, 3 beyond it or nothing to compare.
"""
APART = 3
"""Exit status of models that are not within the tolerance."""


def command(
    *,
    model_a: Annotated[str, typer.Argument(autocompletion=completing.models, help="A MODEL; see `rerankllm models`.")],
    model_b: Annotated[str, typer.Argument(autocompletion=completing.models, help="The MODEL to compare it with.")],
    queries: Annotated[int, typer.Option(min=1, help="Queries of the shipped sample to ask about.")] = 4,
    depth: Annotated[int, typer.Option(min=2, max=20, help="Passages of each.")] = 5,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, metavar="NATS", help="Largest difference that passes, among the labels of a judgement."),
    ] = None,
    json_document: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Sends the same prompts to two models and reports how much their log-probabilities differ."""
    found = parity(model_a, model_b, queries=queries, depth=depth)
    if json_document:
        say(as_json(found.to_dict(), indent=2))
    else:
        say("elicitation\tjudgement\tcalls\tsame prompt\tsame first\tcompared\tlargest\tmean\tamong labels")
        for row in found:
            say(_line(row))
    if tolerance is None:
        return
    beyond = found.beyond(tolerance)
    if beyond or not found.compared:
        tell(f"beyond {tolerance:g} nats: {', '.join(f'{r.judgement} / {r.elicitation}' for r in beyond) or 'nothing'}")
        raise typer.Exit(APART)


def _line(row: Row) -> str:
    head = f"{row.elicitation}\t{row.judgement}\t"
    if row.refused:
        return f"{head}not asked: {row.refused}"
    failed = f" ({row.failed} failed)" if row.failed else ""
    shown = ("–" if math.isnan(value) else f"{value:.2g}" for value in (row.largest, row.mean, row.among))
    same = f"{row.same_prompt} of {row.calls}\t{row.same_first} of {row.calls - row.failed}"
    return f"{head}{row.calls}{failed}\t{same}\t{row.compared}\t" + "\t".join(shown)
