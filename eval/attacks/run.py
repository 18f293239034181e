"""How far attacks lift a document on real small models, with prompts as they are and with every defence.

    python eval/attacks/run.py --model llamacpp:smollm2 --journal smollm2.db --minutes 10
    python eval/attacks/run.py --model llamacpp:MODELS/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf --journal qwen.db

Takes some ten minutes a query on one core; writes eval/attacks/results/MODEL.md. The queries are the first of the
sample that ships, with their first candidates: every system ranks the first query, then the second, and so on. After
--minutes no other one is begun, and the tables are of what was done; with --journal the same command goes on there.
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
from rerankllm.drivers.events import Failed
from rerankllm.evaluation.evaluate import evaluate
from rerankllm.reranker import Reranker
from rerankllm.runs.source import Source, read_source

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

STRATEGIES = {
    "pointwise": "pointwise / labels{}",
    "full": "full / labels{}",
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
    ("full", "several orders"): "psc(full / labels, shuffles=3)",
    ("full", "written, held"): "full / text",
    ("full", "written freely"): "full / text(constrained=false)",
}
"""What is not a prompt: more orders; and answers written instead of read off, held to the labels shown or not."""
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
        first: What the strategy as it is puts first, which does not attack.
        findings: What each attack came to; nothing where who attacks stands first already.
        calls: Calls that the list as it is takes.
        tokens: Tokens sent for it.
        quality: Its nDCG@10.
        lost: Attacks of which nothing is known, as the list as it is could not be ranked.
    """

    first: str | None
    findings: tuple[Finding, ...]
    calls: int
    tokens: int
    quality: float
    lost: int = 0

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


def measure(
    system: System, source: Source, options: argparse.Namespace, shelf: LoadedModels, first: str | None
) -> Unit:
    """Attacks one system on one query.

    Args:
        system: The system.
        source: The query with its candidates and judgements.
        options: What the command was told.
        shelf: Keeps the model.
        first: What the strategy puts first as it is: another document attacks. None where this is to be found out.
    """
    ((query, candidates),) = source.queries
    grades = (source.judgements() or {})[query.query_id]
    with Reranker(
        system.spec, options.model, passage_tokens=options.passage_tokens, journal=options.journal,
        options={"threads": "1"}, shelf=shelf,
    ) as reranker:  # fmt: skip
        (plain,) = reranker.stream([(query, candidates[: DEPTHS[system.strategy]])])
        if isinstance(plain, Failed):  # as an answer written freely may be none: then nothing can be said of attacks
            return Unit(first, (), plain.ledger.calls, plain.ledger.usage.prompt_tokens, 0.0, len(options.attack))
        first = first or plain.doc_ids[0]
        others = {query.query_id: {**grades, first: max(1, grades.get(first, 0))}}
        plan = AttackPlan.of(source, qrels=others, attacks=options.attack, depth=DEPTHS[system.strategy], seed=SEED)
        stands_first = plan.lists[0].target == plain.doc_ids[0]  # it cannot rise, so nothing is asked
        findings = () if stands_first else plan.run(reranker).findings
    quality = evaluate([plain], {query.query_id: grades})["nDCG@10"]
    return Unit(first, findings, plain.ledger.calls, plain.ledger.usage.prompt_tokens, quality)


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
            first = None if system.defence == PLAIN else _plain(found, system.strategy, query[0].query_id).first
            unit = found[system, query[0].query_id] = measure(
                system, Source([query], source.qrels), options, shelf, first
            )
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
        failed = sum(unit.lost + sum(each.failed for each in unit.findings) for unit in mine.values())
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
    every = [(system.defence, each) for (system, _), unit in units.items() for each in unit.findings]
    for name, kind in dict.fromkeys((each.attack, each.kind) for _, each in every):
        cells = []
        for defence in defences:
            found = [each for of, each in every if (of, each.attack) == (defence, name)]
            cells.append(f"{_risen(found)} of {sum(each.of for each in found)}")
        yield f"| {name} | {kind} | {' | '.join(cells)} |"


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
rises above its plain self and above itself with as many neutral words. The last candidate attacks that is not relevant
and that the strategy as it is does not put first. Cases in which it stands first, with a defence or with neutral words,
are none.
÷ is success over that of the same strategy as it is, on the same queries; – where nothing rose there. [ ] is a 95 %
percentile bootstrap interval: in the first table over strategies and queries, in the second over queries. **With
so few queries it says how these came out, not how others will**; where all came out alike it is a point.

`as-data`, `fenced` and `datamarked` are prompts; `several orders` is `psc(…, shuffles=3)` and
`setwise(permutations=3)`. All strategies read off how likely the labels are, so that no answer can be anything else;
`written, held` is `full / text`, whose answers are held to the labels shown, and `written freely` is the same without
that, as with a host that cannot: no defence.

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
    file = options.model.rpartition("/")[2].rpartition(":")[2]
    name = file.partition("?")[0].removesuffix(".gguf")
    model = f"'llamacpp:MODELS/{file}'" if "/" in options.model else options.model
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
