"""`rerankllm plan`: what a strategy will cost, before it runs."""

from typing import Annotated, Any

import typer

from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.cli import options
from rerankllm.cli.console import say
from rerankllm.drivers.estimate import planned
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.plan import Plan
from rerankllm.reranker import Reranker
from rerankllm.runs.notices import tell_other_judge
from rerankllm.spec.stage import Stage

EXAMPLES = """
rerankllm plan --strategy 'prp(sort=heap)' -n 100 --top-k 10
rerankllm plan --strategy sliding -n 100 --model openai:NAME --base-url http://localhost:8000/v1 --json
"""


def command(
    *,
    strategy: options.NeededStrategy,
    n: Annotated[int, typer.Option("-n", min=0, help="Candidates a query.")] = 100,
    top_k: options.TopK = None,
    model: options.Model = None,
    profile: options.JudgeProfile = None,
    base_url: options.BaseUrl = None,
    max_passage_tokens: options.PassageTokens = None,
    json_document: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Says how many calls, rounds and passages one query takes; with --model also tokens and money. Nothing is sent."""
    if base_url is not None and model is None:
        raise InputError("--base-url needs --model")
    stage = Stage.parse(strategy)
    judge = None if profile is None else JudgeProfile.load(profile)
    if judge is not None:
        stage = judge.apply(stage)
    if top_k is not None:
        stage = stage.aiming(top_k)
    plan = planned(stage, n)
    report: dict[str, Any] = {"strategy": str(stage), "n": n, **_bounds(plan)}
    if model is not None:
        given = options.model_options(model, base_url=base_url)
        recipe = Recipe(strategy=stage, model=model, passage_tokens=max_passage_tokens, options=given, profile=judge)
        with Reranker.from_recipe(recipe) as reranker:
            tell_other_judge(reranker)
            report |= {
                "strategy": str(reranker.stage),
                "model": ", ".join(reranker.models),
                **reranker.estimate_any(n).as_dict(),
            }
    if json_document:
        say(as_json(report, indent=2))
        return
    for name, value in report.items():
        say(f"{name}\t{_shown(value)}")


def _bounds(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name)._asdict() for name in ("calls", "rounds", "slots")}


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        low, high = value["low"], value["high"]
        return f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return "unknown" if value is None else str(value)
