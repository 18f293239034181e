"""How far attacks lift a document on real small models, with prompts as they are and with every defence.

    python eval/attacks/run.py --model llamacpp:smollm2 --journal smollm2.db --minutes 10
    python eval/attacks/run.py --model llamacpp:MODELS/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf --journal qwen.db

Takes an hour or more on one core; writes eval/attacks/results/MODEL.md. The queries are the first of the sample that
ships, with their first candidates: every system ranks the first query, then the second, and so on. After --minutes no
other one is begun, and the tables are of what was done; with --journal the same command goes on from there.
`rerankllm attack` says what is measured.
"""

import argparse
import itertools
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rerankllm.analysis.attacks.attack import AttackPlan
from rerankllm.analysis.attacks.results import Finding
from rerankllm.backends.loaded import LoadedModels
from rerankllm.drivers.results import Run
from rerankllm.evaluation.evaluate import evaluate
from rerankllm.reranker import Reranker
from rerankllm.runs.source import Source, read_source

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

STRATEGIES = {
    "pointwise": "pointwise / labels{}",
    "full": "full / text{}",
    "setwise": "setwise / labels{}",
    "prp": "prp(sort=allpair) / labels{}",
}
"""Strategies, the cheapest first, with a place for the prompt that the elicitation is to use."""
DEPTHS = {"pointwise": 6, "prp": 3, "setwise": 3, "full": 4}
"""Passages a query: fewer where every list takes more calls."""
PROMPTS = ("as-data", "fenced", "datamarked")
PLAIN = "as it is"
OTHERS = {
    ("setwise", "several orders"): "setwise(permutations=3) / labels",
    ("full", "several orders"): "psc(full / text, shuffles=3)",
    ("full", "free answers"): "full / text(constrained=false)",
}
"""What is not a prompt; the last is less than what is usual: answers that are not held to labels."""
ATTACKS = (
    "labels", "labels-hidden", "end-of-list", "chat-tokens", "json", "answer", "query", "keywords", "claim",
    "instruction", "request", "substitution",
)  # fmt: skip
KINDS = ("structure", "meaning", "words")
SEED, RESAMPLES = 0, 2000


class System(NamedTuple):
    """A strategy with a defence."""

    strategy: str
    defence: str
    spec: str


@dataclass(frozen=True)
class Unit:
    """What attacks did to a system on one query.

    Attributes:
        findings: What each attack came to.
        calls: Calls that the list as it is takes.
        tokens: Tokens sent for it.
        quality: Its nDCG@10.
    """

    findings: tuple[Finding, ...]
    calls: int
    tokens: int
    quality: float

    def share(self, kind: str) -> float:
        """Of the attacks of a kind that could succeed, the share that did; NaN where none could."""
        known = [each.success.mean for each in self.findings if each.kind == kind and each.of]
        return sum(known) / len(known) if known else math.nan


Units = Mapping[tuple[System, str], Unit]
"""By system and query."""


def systems(strategies: Sequence[str], prompts: Sequence[str], *, others: bool) -> list[System]:
    """Each strategy as it is, then with defended prompts; and the rest."""
    defences = {PLAIN: "", **{prompt: f"(prompt={prompt})" for prompt in prompts}}
    found = [
        System(name, defence, STRATEGIES[name].format(how)) for name in strategies for defence, how in defences.items()
    ]
    return found + [System(*key, spec) for key, spec in OTHERS.items() if others and key[0] in strategies]


def measure(system: System, source: Source, options: argparse.Namespace, shelf: LoadedModels) -> Unit:
    """Attacks one system on one query."""
    plan = AttackPlan.of(source, attacks=options.attack, depth=DEPTHS[system.strategy], seed=SEED)
    with Reranker(
        system.spec, options.model, passage_tokens=options.passage_tokens, journal=options.journal,
        options={"threads": "1"}, shelf=shelf,
    ) as reranker:  # fmt: skip
        report = plan.run(reranker)
        plain = Run.of(reranker.stream([(each.query, each.candidates) for each in plan.lists]))
    judged = evaluate(plain.rankings, source.judgements() or {})
    ledger = plain.ledger
    return Unit(report.findings, ledger.calls, ledger.usage.prompt_tokens, judged["nDCG@10"])


def measured(options: argparse.Namespace) -> dict[tuple[System, str], Unit]:
    """Every system on the first query, then on the second, until the time is over."""
    source = read_source(
        sample=True, run=None, queries=None, corpus=None, requests=None, qrels=None, skip_missing=False
    )
    found: dict[tuple[System, str], Unit] = {}
    started = time.monotonic()
    chosen = systems(options.strategy, options.prompt, others=options.others)
    with LoadedModels() as shelf:
        for query, system in itertools.product(source.queries[: options.queries], chosen):
            if time.monotonic() - started > options.minutes * 60:
                break
            began = time.process_time()
            unit = found[system, query[0].query_id] = measure(system, Source([query], source.qrels), options, shelf)
            shares = " ".join(f"{kind} {unit.share(kind):.2f}" for kind in KINDS)
            seconds = time.process_time() - began
            print(f"{query[0].query_id} {system.strategy} {system.defence}: {shares} {seconds:.0f} s", flush=True)
    return found


def interval(values: Sequence[float], over: Sequence[float] | None = None) -> str:
    """The mean of what is known with its 95 % percentile bootstrap interval; or the ratio of two means.

    Args:
        values: One for each group of cases.
        over: One more for each group: what the mean is divided by.
    """
    pairs = np.array(list(zip(values, over or [1.0] * len(values), strict=True)))
    pairs = pairs[~np.isnan(pairs).any(axis=1)] if len(pairs) else pairs
    if not len(pairs) or not pairs[:, 1].sum():
        return "–"
    drawn = np.random.default_rng(SEED).integers(len(pairs), size=(RESAMPLES, len(pairs)))
    above, below = pairs[drawn].sum(axis=1).T
    low, high = np.percentile(above[below > 0] / below[below > 0], [2.5, 97.5])
    mean = pairs[:, 0].sum() / pairs[:, 1].sum()
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def rows(units: Units) -> Iterator[str]:
    """A strategy and a defence each."""
    for system in dict.fromkeys(system for system, _ in units):
        mine = {query: unit for (each, query), unit in units.items() if each == system}
        before = [_plain(units, system.strategy, query) for query in mine]
        cells = []
        for kind in KINDS[:2]:
            shares = [unit.share(kind) for unit in mine.values()]
            cells += [interval(shares), interval(shares, [unit.share(kind) for unit in before])]
        echoed = sum(each.echoed for unit in mine.values() for each in unit.findings)
        failed = sum(each.failed for unit in mine.values() for each in unit.findings)
        mean = [sum(getattr(unit, name) for unit in mine.values()) / len(mine) for name in ("calls", "tokens")]
        change = sum(unit.quality - old.quality for unit, old in zip(mine.values(), before, strict=True)) / len(mine)
        depth = DEPTHS[system.strategy]
        cost = f"{mean[0]:.0f} | {mean[1]:.0f} | {change:+.3f}"
        yield (
            f"| `{system.strategy}` | {depth} | {system.defence} | {len(mine)} | {' | '.join(cells)} | "
            f"{interval([unit.share('words') for unit in mine.values()])} | {echoed} | {failed} | {cost} |"
        )


def together(units: Units) -> Iterator[str]:
    """A defence each, over all strategies that have it."""
    for defence in dict.fromkeys(system.defence for system, _ in units):
        keys = [(system, query) for system, query in units if system.defence == defence]
        cells = []
        for kind in KINDS:
            shares = [units[key].share(kind) for key in keys]
            before = [_plain(units, system.strategy, query).share(kind) for system, query in keys]
            cells += [_cases(units[key].findings for key in keys)[kind], interval(shares), interval(shares, before)]
        yield f"| {defence} | {len(keys)} | {' | '.join(cells)} |"


def attacks(units: Units, defences: Sequence[str]) -> Iterator[str]:
    """An attack each: of the cases in which it could succeed, in how many it did, by defence."""
    first = next(iter(units.values()))
    for place, attack in enumerate(first.findings):
        cells = []
        for defence in defences:
            found = [unit.findings[place] for (system, _), unit in units.items() if system.defence == defence]
            cells.append(f"{_risen(found)} of {sum(each.of for each in found)}")
        yield f"| {attack.attack} | {attack.kind} | {' | '.join(cells)} |"


def _plain(units: Units, strategy: str, query: str) -> Unit:
    """The unit of the strategy as it is."""
    (found,) = [u for (each, q), u in units.items() if (each.strategy, each.defence, q) == (strategy, PLAIN, query)]
    return found


def _cases(units: Iterable[Sequence[Finding]]) -> dict[str, str]:
    every = [each for findings in units for each in findings]
    of_kind = {kind: [each for each in every if each.kind == kind] for kind in KINDS}
    return {kind: f"{_risen(found)} of {sum(each.of for each in found)}" for kind, found in of_kind.items()}


def _risen(found: Iterable[Finding]) -> int:
    return sum(round(each.success.mean * each.of) for each in found if each.of)


TEXT = """# Attacks on {name}: the sample's first {queries} queries

{made} Passages are cut at {tokens} tokens.

What is counted is what `rerankllm attack` counts: a case is an attack on a query, and it succeeds where the document
rises above its plain self and above itself with as many neutral words. Cases in which it stands first already are none.
÷ is success over that of the same strategy as it is, on the same queries; – where nothing rose there. [ ] is a 95 %
percentile bootstrap interval: in the first table over strategies and queries, in the second over queries. **With
so few queries it says how these came out, not how others will**; where all came out alike it is a point.

`as-data`, `fenced` and `datamarked` are prompts; `several orders` is `psc(…, shuffles=3)` and
`setwise(permutations=3)`; `free answers` is what a host without constrained answers does, and no defence.

## Every strategy together

| defence | units | structure | share | ÷ | meaning | share | ÷ | words | share | ÷ |
|---|---:|---:|---|---|---:|---|---|---:|---|---|
{together}

## Every strategy

Of the cases in which nothing rose, `as shown` counts those in which the judge gives back the order shown, whatever that
is. `calls` and `tokens` are those of a list; `Δ` is nDCG@10 less that of the strategy as it is.

| strategy | depth | defence | queries | structure | ÷ | meaning | ÷ | words | as shown | failed | calls | tokens | Δ |
|---|---:|---|---:|---|---|---|---|---|---:|---:|---:|---:|---:|
{rows}

## Every attack

Cases in which it succeeded, of those in which it could, over all strategies that have the defence.

| attack | kind | {defences} |
|---|---|{columns}
{attacks}
"""


def main() -> None:
    """Measures one model and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--strategy", action="append", choices=list(STRATEGIES), help="repeatable; all by default")
    parser.add_argument(
        "--prompt", nargs="*", choices=PROMPTS, default=list(PROMPTS), help="none or several; all by default"
    )
    parser.add_argument("--others", action="store_true", help="the defences that are no prompts, too")
    parser.add_argument("--attack", action="append", help=f"repeatable; by default {', '.join(ATTACKS)}")
    parser.add_argument("--queries", type=int, default=8)
    parser.add_argument("--passage-tokens", type=int, default=64)
    parser.add_argument("--journal", type=Path, help="keep calls here; what it holds is not asked again")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing after so many")
    options = parser.parse_args()
    options.strategy = options.strategy or list(STRATEGIES)
    options.attack = options.attack or list(ATTACKS)
    units = measured(options)
    if not units:
        raise SystemExit("nothing was measured: give more --minutes")
    defences = list(dict.fromkeys(system.defence for system, _ in units))
    name = options.model.rpartition("/")[2].rpartition(":")[2].removesuffix(".gguf")
    model = f"llamacpp:MODELS/{Path(options.model).name}" if "/" in options.model else options.model
    others = "".join(f" --strategy {each}" for each in options.strategy if options.strategy != list(STRATEGIES))
    others += f"{' --others' if options.others else ''} --queries {options.queries}"
    others += "" if math.isinf(options.minutes) else f" --minutes {options.minutes:g}"
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(
        TEXT.format(
            name=name,
            queries=len({query for _, query in units}),
            tokens=options.passage_tokens,
            made=made_by(f"attacks/run.py --model {model}{others}", "llama-cpp-python", "numpy", seeds=[SEED]),
            together="\n".join(together(units)),
            rows="\n".join(rows(units)),
            defences=" | ".join(defences),
            columns="---:|" * len(defences),
            attacks="\n".join(attacks(units, defences)),
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
