"""Published figures: which were come to again here, and which wait for weights and a GPU. Writes docs/reproductions.md.

    python eval/reproductions/run.py                       # writes the page
    python eval/reproductions/run.py --check               # says whether the page is as it would be written
    python eval/reproductions/run.py --run recorded        # first runs what needs no weights: about a minute
    python eval/reproductions/run.py --run rankzephyr-dl19 # first runs this one, in results/NAME; resumes what was cut

Every figure is a file beside this one, which `rerankllm experiment FILE` runs too. found.json keeps what was found.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm.elicitation import cards
from rerankllm.experiments.config import Config
from rerankllm.experiments.experiment import Experiment
from rerankllm.experiments.load import read_config
from rerankllm.plan import Plan
from rerankllm.spec.model import ModelSpec

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

HERE = Path(__file__).parent
PAGE, FOUND = HERE.parents[1] / "docs" / "reproductions.md", HERE / "found.json"
WEIGHTLESS = ("recorded", "oracle")
"""Kinds of model that run without weights from elsewhere: answers that were kept, and none at all."""
INTRODUCTION = """# Reproductions

What was published about rerankers, and what came of it here. Each figure is a file in
`eval/reproductions/` that says model, candidates, strategy, figure and tolerance; `rerankllm experiment FILE` runs it
([how](experiments.md)), and says whether the figure was come to again. This page is written by
`python eval/reproductions/run.py`. A figure that nobody ran has no value here.

All are nDCG@10 on TREC DL 2019 passage (43 queries), from BM25's top 100 as the rank_llm project published them."""

RECORDED = """RankVicuna's answers are those that its authors' runs wrote in 2023: windows, the reading of answers and
the evaluation are tried, and not the model. No figure was published for the default model, `embed:minilm`."""
OTHERS = """Figures in the cards whose candidates are not to be had here, or not stated. `rerankllm models show NAME`
prints them with their sources."""


@dataclass(frozen=True)
class Reproduction:
    """A published figure and how it is tried.

    Attributes:
        name: The file's name without its ending.
        config: What the file says.
    """

    name: str
    config: Config

    @property
    def model(self) -> ModelSpec:
        """Its one model."""
        (model,) = self.config.models.values()
        return ModelSpec.parse(model.spec)

    @property
    def called(self) -> str:
        """The published name of its model; that of a recording's is the name the file gives."""
        (key,) = self.config.models
        return key if self.model.kind in WEIGHTLESS else self.model.options.get("adapter", self.model.name)

    @property
    def card(self) -> cards.Card | None:
        """The model's card."""
        return cards.find([self.called])

    @property
    def plan(self) -> Plan:
        """What a query of 100 candidates takes at most; no weights are needed to say so."""
        (strategy,) = self.config.strategies.values()
        return strategy.stage.strategy.plan(100)


def reproductions() -> list[Reproduction]:
    """All of them, by name."""
    return [Reproduction(path.stem, read_config(path)) for path in sorted(HERE.glob("*.yaml"))]


def tried(each: Reproduction) -> dict[str, Any]:
    """Runs one, or goes on with it; what became of its figure."""
    results = Experiment(HERE / "results" / each.name, each.config).run(quiet=True)
    (found,) = results.document["published"]
    shown = {key: found[key] for key in ("here", "figure", "reproduced")}
    return shown | {"made": made_by(f"reproductions/run.py --run {each.name}")}


def page(every: list[Reproduction], found: dict[str, Any]) -> str:
    """The page."""
    return "\n\n".join(["\n".join(part) for part in _parts(every, found)]) + "\n"


def _parts(every: list[Reproduction], found: dict[str, Any]) -> Iterator[list[str]]:
    yield [INTRODUCTION]
    yield ["## Reproduced here"]
    rows = [f"| {_row(each)} | {found[each.name]['here']:.4f} | {_verdict(found[each.name])} |"
            for each in every if each.name in found]  # fmt: skip
    yield ["| file | model | strategy | published | here | |", "|---|---|---|---:|---:|---|", *rows]
    yield [RECORDED]
    yield ["## Waiting for weights and a GPU"]
    rows = [f"| {_row(each)} | {_calls(each)} | {_source(each)} |" for each in every if each.name not in found]
    yield ["| file | model | strategy | published | calls a query | source |", "|---|---|---|---:|---:|---|", *rows]
    yield ["## Published on other candidates"]
    yield [OTHERS]
    here = {each.card.name for each in every if each.card is not None}
    others = [cards.load(name) for name in cards.names() if name not in here]
    yield [f"- {card.name}: {figure}" for card in others for figure in card.figures]


def _row(each: Reproduction) -> str:
    published = each.config.published
    assert published is not None  # noqa: S101 - a test walks all files
    (strategy,) = each.config.strategies.values()
    spec = "none" if published.system == "first stage" else strategy.spec
    called = "BM25" if published.system == "first stage" else each.called
    return f"`{each.name}` | {called} | `{spec}` | {published.figure:.4f} ± {published.tolerance:g}"


def _verdict(found: dict[str, Any]) -> str:
    return "reproduced" if found["reproduced"] else "not reproduced"


def _calls(each: Reproduction) -> str:
    calls = each.plan.calls
    return f"{calls.low:,}" if calls.low == calls.high else f"{calls.low:,} to {calls.high:,}"


def _source(each: Reproduction) -> str:
    assert each.config.published is not None  # noqa: S101
    return each.config.published.source


def main() -> int:
    """Runs what is asked for, and writes the page."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--run", metavar="NAME", help="a file's name without its ending, or `recorded`")
    asked.add_argument("--check", action="store_true", help="write nothing")
    given = asked.parse_args()
    every = reproductions()
    found = json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.exists() else {}
    weightless = [each for each in every if each.model.kind in WEIGHTLESS]
    chosen = weightless if given.run == "recorded" else [each for each in every if each.name == given.run]
    if given.run and not chosen:
        asked.error(f"no file is called {given.run}; there are {', '.join(each.name for each in every)}")
    found |= {each.name: tried(each) for each in chosen}
    text = page(every, found)
    if given.check:
        return int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text)
    if chosen:
        FOUND.write_text(json.dumps(dict(sorted(found.items())), indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
