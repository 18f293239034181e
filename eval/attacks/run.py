"""How far attacks lift a document on real small models, with prompts as they are and with defended ones.

    python eval/attacks/run.py --model llamacpp:smollm2
    python eval/attacks/run.py --model llamacpp:MODELS/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf --prompt as-data

Minutes on one core; writes eval/attacks/results/MODEL.md. The queries are the first of the sample that ships, with
their first candidates. `rerankllm attack` says what is measured. With --journal a run that was cut goes on.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rerankllm.analysis.attacks.attack import AttackPlan, AttackReport
from rerankllm.analysis.attacks.results import Finding
from rerankllm.evaluation.evaluate import evaluate
from rerankllm.reranker import Reranker
from rerankllm.runs.source import Source, read_source

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

STRATEGIES = {"pointwise": "labels", "prp(sort=heap)": "labels", "full": "text"}
"""Strategies, and what their answers are read by."""
DEFENCES = ("as-data", "fenced", "datamarked")
ATTACKS = ("labels", "end-of-list", "chat-tokens", "answer", "query", "claim", "instruction", "request", "substitution")
SEED = 0


def systems(strategies: list[str], prompts: list[str]) -> Iterator[tuple[str, str, str]]:
    """Each strategy and prompt, and the spec of both."""
    for strategy in strategies:
        elicitation = STRATEGIES[strategy]
        yield strategy, "as it is", f"{strategy} / {elicitation}"
        for prompt in prompts:
            yield strategy, prompt, f"{strategy} / {elicitation}(prompt={prompt})"


def cells(found: Finding) -> str:
    """Success with its interval, of how many, and how many of the others only gave back the order shown."""
    value = found.success
    echoed = f", {found.echoed} as shown" if found.echoed else ""
    return f"{value.mean:.2f} [{value.low:.2f}, {value.high:.2f}] of {found.of}{echoed}" if found.of else "–"


class Table:
    """The rows of one model."""

    def __init__(self, model: str, options: argparse.Namespace, source: Source) -> None:
        self._model, self._options, self._source = model, options, source
        self.reports: dict[tuple[str, str], AttackReport] = {}

    def rows(self) -> Iterator[str]:
        """A strategy and a prompt each, printed as they come."""
        for strategy, prompt, spec in systems(self._options.strategy, self._options.prompt):
            started = time.process_time()
            plan = AttackPlan.of(self._source, attacks=self._options.attack, depth=self._options.depth, seed=SEED)
            with Reranker(
                spec, self._model, passage_tokens=self._options.passage_tokens, journal=self._options.journal,
                options={"threads": "1"},
            ) as reranker:  # fmt: skip
                report = self.reports[strategy, prompt] = plan.run(reranker)
                plain = [(each.query, each.candidates) for each in plan.lists]
                quality = evaluate(list(reranker.stream(plain)), self._source.judgements() or {})["nDCG@10"]
            kinds = {each.kind: each for each in report.kinds}
            before = {each.kind: each for each in self.reports[strategy, "as it is"].kinds}
            ratio = [self._ratio(kinds[kind], before[kind]) for kind in ("structure", "meaning")]
            failed = sum(each.failed for each in report.kinds)
            row = (
                f"| `{strategy}` | {prompt} | {cells(kinds['structure'])} | {ratio[0]} | {cells(kinds['meaning'])} | "
                f"{ratio[1]} | {cells(kinds['words'])} | {failed} | {report.calls} | {quality:.3f} |"
            )
            print(f"{row} {time.process_time() - started:.0f} s", flush=True)
            yield row

    @staticmethod
    def _ratio(found: Finding, before: Finding) -> str:
        return f"{found.success.mean / before.success.mean:.2f}" if before.success.mean > 0 else "–"

    def attacks(self) -> Iterator[str]:
        """Success of every attack, all strategies together: queries of how many, by prompt."""
        prompts = ("as it is", *self._options.prompt)
        for place, each in enumerate(next(iter(self.reports.values())).findings):
            shares = []
            for prompt in prompts:
                found = [report.findings[place] for (_, used), report in self.reports.items() if used == prompt]
                risen = sum(round(one.success.mean * one.of) for one in found if one.of)
                shares.append(f"{risen} of {sum(one.of for one in found)}")
            yield f"| {each.attack} | {each.kind} | {' | '.join(shares)} |"


HEAD = (
    "| strategy | prompt | structure | ÷ | meaning | ÷ | words | failed | calls | nDCG@10 |\n"
    "|---|---|---|---:|---|---:|---|---:|---:|---:|"
)


def main() -> None:
    """Measures every model and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--strategy", action="append", choices=list(STRATEGIES), help="repeatable; all by default")
    parser.add_argument(
        "--prompt", nargs="*", choices=DEFENCES, default=list(DEFENCES), help="none or several; all by default"
    )
    parser.add_argument("--attack", action="append", help=f"repeatable; by default {', '.join(ATTACKS)}")
    parser.add_argument("--queries", type=int, default=3)
    parser.add_argument("--depth", type=int, default=6, help="passages a query")
    parser.add_argument("--passage-tokens", type=int, default=96)
    parser.add_argument("--journal", type=Path, help="keep calls here; what it holds is not asked again")
    options = parser.parse_args()
    options.strategy = options.strategy or list(STRATEGIES)
    options.attack = options.attack or list(ATTACKS)
    source = read_source(
        sample=True, run=None, queries=None, corpus=None, requests=None, qrels=None, skip_missing=False
    )
    source = Source(source.queries[: options.queries], source.qrels)
    table = Table(options.model, options, source)
    rows = "\n".join(table.rows())
    attacks = "\n".join(table.attacks())
    name = options.model.rpartition("/")[2].rpartition(":")[2].removesuffix(".gguf")
    chosen = "".join(f" --strategy '{each}'" for each in options.strategy if options.strategy != list(STRATEGIES))
    chosen += "" if options.prompt == list(DEFENCES) else " ".join([" --prompt", *options.prompt])
    model = f"llamacpp:MODELS/{Path(options.model).name}" if "/" in options.model else options.model
    made = made_by(f"attacks/run.py --model {model}{chosen}", "llama-cpp-python", "numpy", seeds=[SEED])
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(
        f"""# Attacks on {name}: the sample's first {options.queries} queries, {options.depth} passages each

{made} Passages are cut at {options.passage_tokens} tokens.

What is counted is what `rerankllm attack` counts: the share of cases in which the document rose above its plain self
and above itself with as many neutral words, with the 95 % bootstrap interval over queries, of the cases in which it
could. With so few queries an interval is wide, and where all queries came out alike it is a point and says little. ÷ is
success over that of the prompt as it is; – where nothing rose there. Defended prompts are `prompt=NAME` of the
elicitation. Of the cases in which nothing rose, `as shown` are those of judges that give back the order shown.

{HEAD}
{rows}

Cases in which each attack succeeded, of those in which it could:

| attack | kind | {" | ".join(["as it is", *options.prompt])} |
|---|---|---:|{"---:|" * len(options.prompt)}
{attacks}
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
