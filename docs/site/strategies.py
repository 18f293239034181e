"""A page for every strategy: what it does, its parameters, what it takes, and how it did in eval/frontier."""

import sys
from pathlib import Path
from typing import Any

import yaml
from diagrams import diagram
from text import Described, code, parameters, table

from rerankllm.drivers.estimate import planned
from rerankllm.elicitation.templates import load, names
from rerankllm.plan import Bound
from rerankllm.registry import STRATEGIES
from rerankllm.spec.stage import Stage

EVAL = Path(__file__).parents[2] / "eval"
sys.path.insert(0, str(EVAL))
from tables import Table, read_tables  # noqa: E402 - a folder of files, not a package

EXAMPLES = {
    "cascade": "cascade([pointwise / likelihood, sliding], depths=[100, 20])",
    "psc": "psc(full(top_k=10), shuffles=4)",
    "samples": "samples(pointwise / reasoning(temperature=0.7), samples=5)",
    "maxp": "maxp(pointwise, passage_words=100, stride_words=50)",
    "interpolate": "interpolate(sliding, weight=0.8)",
    "rankfusion": "rankfusion([prp(sort=heap), prp(sort=bubble)], aggregate=borda)",
}
"""How to write those that have no defaults for all parameters."""
MODELS = dict.fromkeys(("embed", "e2rank"), "embed:minilm") | {"pointwise": "llamacpp:smollm2"}
"""The model of the example, where not any language model will do, or a small one does."""
N = 100
COLLECTIONS = {"dl19-bm25": "TREC DL 2019, BM25's 100 candidates", "noveleval": "NovelEval, 20 candidates"}
MARKS = {"first stage", "sliding(window=20, stride=10)"}
"""Rows that every table has, to compare with."""
JUDGES = """nDCG@10 with four judges simulated to err: a good one, a poor one, one fitted to RankVicuna's recorded
answers, and a small one, fitted to those of Qwen2.5-Coder-1.5B. Slots and rounds are those with the good one. Models
differ: take it as a hint, and half of a 95 % interval over queries as about .06."""


def pages() -> dict[str, str]:
    """Every page by its address, the index first."""
    stages = {name: Stage.parse(EXAMPLES.get(name, name)) for name in STRATEGIES}
    found = {"strategies/index.md": _index(stages)}
    return found | {f"strategies/{name}.md": _page(name, stage) for name, stage in stages.items()}


def _index(stages: dict[str, Stage]) -> str:
    rows = []
    for name, stage in stages.items():
        plan = planned(stage, N)
        costs = (span(plan.calls), span(plan.rounds), span(plan.slots))
        rows.append((f"[{name}]({name}.md)", Described.of(STRATEGIES[name]).summary, *costs))
    return f"""# Strategies

A strategy decides what the model is asked, and in what order. It knows no prompt and no model: any of these runs with
any [elicitation](../reference/elicitations.md) and any [model](../reference/models.md) that can answer what it asks.
[Which one to take](../choosing.md) depends on what you can spend.

What each takes for {N} candidates as it comes, or as in the example on its page. *Calls* are prompts, *rounds* are
calls that wait for one another, a *slot* is a passage shown once.

Orders, choices, grades of a list and criteria take a model that follows a form. The embedded one, of 135M parameters,
does for single scores (`pointwise`, and what is made of it); asked for an order it mostly fails, and says so.

{table(("strategy", "", "calls:", "rounds:", "slots:"), rows)}
"""


def _page(name: str, stage: Stage) -> str:
    cls = STRATEGIES[name]
    said, spec = Described.of(cls), EXAMPLES.get(name, name)
    kinds = [kind.__name__ for kind in stage.strategy.asks]
    return f"""# {name}

**{said.summary}**

{said.body}

## What it asks

{diagram(name)}

## Parameters

{parameters(cls)}

## What it takes

For {N} candidates, by `rerankllm plan`:

{_costs(name)}

## What it promises

{_promise(stage)} Every candidate comes out exactly once, whatever the model answers.

{"In the example above it" if name in EXAMPLES else "It"} asks for {" and ".join(map(code, kinds))}. {_prompts(kinds)}

## How to run it

```
rerankllm plan --strategy '{spec}' -n {N}
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --output reranked.txt \\
    --strategy '{spec}' --model {MODELS.get(name, "openai:NAME")}
```

## How it did

{_standing(name)}
"""


def _costs(name: str) -> str:
    variants = [spec for spec in _listed() if spec.partition("(")[0] == name]
    written = {str(Stage.parse(spec)): spec for spec in (*variants, EXAMPLES.get(name, name))}
    rows = []
    for spec in written.values():
        plan = planned(Stage.parse(spec), N)
        rows.append((code(spec), span(plan.calls), span(plan.rounds), span(plan.slots)))
    return table(("spec", "calls:", "rounds:", "slots:"), rows)


def _listed() -> list[str]:
    """The specs that eval/frontier runs."""
    settings = yaml.safe_load((EVAL / "frontier" / "strategies.yaml").read_text(encoding="utf-8"))
    return [*settings["run"], *settings["short"]]


def _promise(stage: Stage) -> str:
    places = stage.strategy.settles(N)
    if places is None:
        return "It promises no place: even with answers that are always right its order need not be ideal."
    if places >= N:
        return "Were every answer right, its whole order would be ideal."
    return f"Were every answer right, its first {places} of {N} places would be ideal."


def _prompts(kinds: list[str]) -> str:
    wanted = {kind.lower() for kind in kinds}
    found = [name for name in names() if name.partition("/")[0] in wanted]
    links = (f"[{name}](../reference/prompts.md#{name.replace('/', '')})" for name in found)
    ways = sorted({load(*name.split("/")).elicitation for name in found})
    if set(kinds) == {"Embed"}:
        return "Vectors are given by models of the kind [`embed:`](../reference/models.md#embed)."
    return f"Prompts for that, by the elicitations {', '.join(f'`{way}`' for way in ways)}: {', '.join(links)}."


def _standing(name: str) -> str:
    settings = yaml.safe_load((EVAL / "frontier" / "strategies.yaml").read_text(encoding="utf-8"))
    if name in settings["left_out"]:
        return f"It is not in the frontier's tables: {settings['left_out'][name]}."
    parts = []
    for collection, title in COLLECTIONS.items():
        tables = {t.heading.partition(":")[0]: t for t in read_tables(EVAL / f"frontier/results/{collection}.md")}
        stages = [cells[-1] for cells in tables["mild"].rows]
        own = {stage for stage in stages if stage.partition("(")[0] == name}
        if own:
            rows = [_row(stage, tables) for stage in stages if stage in own | MARKS]
            link = f"[all strategies, with intervals](../eval/frontier/results/{collection}.md)"
            head = ("stage", "slots:", "rounds:", "good:", "poor:", "fitted:", "small:")
            parts.append(f"{title} ({link}):\n\n{table(head, rows)}")
    return "\n\n".join([JUDGES, *parts]) if parts else "It is not in the frontier's tables yet."


def _row(stage: str, tables: dict[str, Table]) -> tuple[Any, ...]:
    cost = [f"{tables['mild'].number(stage, what):g}" for what in ("slots", "rounds")]
    quality = (f"{tables[w].number(stage, 'nDCG@10'):.3f}" for w in ("mild", "harsh", "fitted", "small"))
    return (code(stage), *cost, *quality)


def span(bound: Bound) -> str:
    """A bound of a plan."""
    return f"{bound.low:,}" if bound.low == bound.high else f"{bound.low:,} to {bound.high:,}"
