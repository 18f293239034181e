"""Records what a real model answers to the judgements that strategies share: paid once, replayed for ever.

    python eval/judges/record.py --data ../shared/data/noveleval --model llamacpp:smollm2 --name smollm2-135m
    python eval/judges/record.py --data … --model … --name … --minutes 20     # goes on where it stopped

Every set of QUESTIONS is asked about one query after another and kept in a journal below --journals, so that a run
which is stopped, or whose --minutes are over, goes on later and asks nothing again. What the journals hold is written
to eval/judges/recordings/NAME/SET.jsonl.gz after each set, whole queries only: ids and hashes, no texts.
`python eval/judges/report.py` makes the tables.
"""

import argparse
import gzip
import io
import json
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from rerankllm import Limits, Reranker, __version__
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.drivers.events import Failed
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.recordings import Header, write
from rerankllm.formats.trec import read_run
from rerankllm.journal.export import export
from rerankllm.journal.store import Journal
from rerankllm.judgements import Judgement, Permute, Select, Steps, ask
from rerankllm.plan import Plan
from rerankllm.registry import STRATEGIES
from rerankllm.spec.stage import Stage

RECORDINGS = Path(__file__).parent / "recordings"
SEED = 1
DEPTH, PAIRED = 20, 10
"""Passages of a query that are read, and of those the first whose pairs are all compared, in both orders."""
COMPLETIONS = {"grades": "grades-completion"}
"""The prompts that models are asked by which were never taught to chat; `completion` for the other sets."""
CHOICE = 4
"""Passages in one choice of the best."""
STAGES = ("sliding(window=10, stride=5)", "blitzrank(window=10)", "psc(full, shuffles=5)")
"""Strategies that ask for orders other than those of `Lists`: recorded as they go."""
CHOOSING = "setwise(c=4)"
"""The same for choices."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Asks about windows of the list as it is given, reversed and shuffled twice, and returns it as it was given.

    Attributes:
        windows: How many passages are put in order at a time.
        choose: Asks which of four is the best instead.
        orders: In how many of the four orders.
    """

    windows: tuple[int, ...] = (20,)
    choose: bool = False
    orders: int = 2
    asks: ClassVar[tuple[type, ...]] = (Permute, Select)

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Asks everything at once."""
        docs = [candidate.document for candidate in candidates]
        yield from ask(self._asked(query, docs))
        return Ranking.of(query, docs)

    def _asked(self, query: Query, docs: Sequence[Document]) -> Iterator[Judgement]:
        for order in orders_of(query, docs)[: self.orders]:
            for part in self._parts(order):
                yield Select(query, part, 1) if self.choose else Permute(query, part)

    def _parts(self, order: Sequence[Any]) -> list[Any]:
        return [part for size in ((CHOICE,) if self.choose else self.windows) for part in parts(order, size)]

    def plan(self, n: int) -> Plan:
        """At most; a list that fits two windows is asked about once."""
        sizes = [len(part) for part in self._parts(range(n))]
        return Plan.exactly(self.orders * len(sizes), min(1, len(sizes)), self.orders * sum(sizes))

    def settles(self, n: int) -> int:
        """Nothing."""
        del n
        return 0


def orders_of(query: Query, docs: Sequence[Document]) -> list[tuple[Document, ...]]:
    """A list as it is given, reversed, and in two orders that depend on the query's id alone."""
    chance = random.Random(f"{SEED} {query.query_id}")
    return [tuple(docs), tuple(reversed(docs)), *(tuple(chance.sample(docs, len(docs))) for _ in range(2))]


def parts(items: Sequence[Any], size: int) -> list[Any]:
    """Pieces of one size; what is left over with one item alone is left out."""
    return [items[i : i + size] for i in range(0, len(items), size) if len(items[i : i + size]) > 1]


STRATEGIES.register("lists", Lists)
QUESTIONS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "yes-no": (("pointwise / labels",), DEPTH),
    "grades": (("pointwise / labels(prompt=grades)",), DEPTH),
    "likelihood": (("pointwise / likelihood",), DEPTH),
    "choices": (("lists(choose=true) / labels", f"{CHOOSING} / labels"), DEPTH),
    "letters": (("lists / labels", *(f"{stage} / labels" for stage in STAGES)), DEPTH),
    "windows": (("lists(windows=[5, 10], orders=4) / labels",), DEPTH),
    "orders": (("lists / text",), DEPTH),
    "pairs": (("prp(sort=allpair) / labels",), PAIRED),
}
"""What is asked, as stages that share a journal, and of how many passages."""


def queries_of(folder: Path, every: int) -> list[tuple[Query, list[Candidate]]]:
    """Every n-th query in the order of ids, with its first candidates."""
    run, texts = read_run(folder / "run.txt"), read_queries(folder / "queries.tsv")
    corpus = read_corpus(folder / "corpus.jsonl", {doc for ranked in run.values() for doc, _ in ranked[:DEPTH]})
    return [
        (Query(query_id, texts[query_id]), [Candidate(corpus[doc], score) for doc, score in run[query_id][:DEPTH]])
        for query_id in sorted(run)[::every]
    ]


def record(name: str, queries: Sequence[tuple[Query, list[Candidate]]], options: argparse.Namespace) -> bool:
    """Asks what one set still lacks, and writes its recording; whether all of it is there."""
    stages, depth = _stages(name, options), _depth(name, options)
    path = options.journals / f"{options.name}-{options.data.name}-{name}.journal"
    started, before, spent = time.monotonic(), _spent(path), time.process_time()
    limits = Limits() if options.until is None else Limits(seconds=max(0.0, options.until - started))
    with Reranker(
        stages[0], options.model, journal=path, depth=depth, passage_tokens=options.passage_tokens, limits=limits
    ) as reranker:
        asking = [reranker, *(reranker.on(Stage.parse(stage)) for stage in stages[1:])]
        whole = _asked(f"{options.name} {name}", asking, queries)
    path.with_suffix(".cpu").write_text(str(before + time.process_time() - spent))
    if whole:
        ids = {query.query_id for query, _ in queries[:whole]}
        _write(name, path, ids, options)
    return whole == len(queries)


def _stages(name: str, options: argparse.Namespace) -> tuple[str, ...]:
    """What is asked, in the prompts of models that chat or of those that do not."""
    stages = QUESTIONS[name][0]
    if not options.completions:
        return stages
    labels = f"labels(prompt={COMPLETIONS.get(name, 'completion')})"
    return tuple(f"{stage.partition(' / ')[0]} / {labels}" if "/ labels" in stage else stage for stage in stages)


def _depth(name: str, options: argparse.Namespace) -> int:
    return int(options.paired) if name == "pairs" else QUESTIONS[name][1]


def _spent(journal: Path) -> float:
    """CPU seconds that runs which ended by themselves took for it; they are kept beside the journal."""
    kept = journal.with_suffix(".cpu")
    return float(kept.read_text()) if kept.is_file() else 0.0


def _asked(what: str, asking: Sequence[Reranker], queries: Sequence[tuple[Query, list[Candidate]]]) -> int:
    """How many queries every stage has answered before one was not: one after another, so that they are whole."""
    for whole, query in enumerate(queries):
        for reranker in asking:
            (outcome,) = reranker.stream([query])
            if isinstance(outcome, Failed):
                print(f"{what}: {outcome.query.query_id}: {outcome.reason}", flush=True)
                return whole
        print(f"{what}: {whole + 1} of {len(queries)} queries", flush=True)
    return len(queries)


def _write(name: str, path: Path, whole: set[str], options: argparse.Namespace) -> None:
    """The recording of whole queries, and beside it the CPU seconds it took so far."""
    folder = RECORDINGS / options.name
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(path)
    found = export(journal, __version__)
    journal.close()
    records = [line for line in found.records if json.loads(line)["query_id"] in whole]
    target = folder / f"{options.data.name}-{name}.jsonl.gz"
    with target.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
        text = io.StringIO()
        write(text, _placeless(found.header), records)
        packed.write(text.getvalue().encode())
    costs = folder / "costs.json"
    known = json.loads(costs.read_text()) if costs.is_file() else {}
    known[target.name] = {
        "model": placeless(options.model),
        "cpu_seconds": round(_spent(path), 1),
        "queries": len(whole),
        "every": options.every,
        "depth": _depth(name, options),
    }
    costs.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def _over(options: argparse.Namespace) -> bool:
    return options.until is not None and time.monotonic() >= options.until


def _costs(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """What is known of a recording; nothing where there is none."""
    costs = RECORDINGS / options.name / "costs.json"
    found: dict[str, Any] = json.loads(costs.read_text()) if costs.is_file() else {}
    known: dict[str, Any] = found.get(f"{options.data.name}-{name}.jsonl.gz", {})
    return known


def placeless(model: str) -> str:
    """A model without the folder that its file lies in here."""
    kind, _, name = model.partition(":")
    return f"{kind}:{name.rpartition('/')[2]}"


def _placeless(header: Header) -> Header:
    judges = {kind: {**judge, "model": placeless(judge["model"])} for kind, judge in header.judges.items()}
    return replace(header, judges=judges)


def main() -> None:
    """Asks set after set until all is there, or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="a folder with run.txt, queries.tsv and corpus.jsonl")
    parser.add_argument("--model", required=True)
    parser.add_argument("--name", required=True, help="what the recordings are called")
    parser.add_argument("--every", type=int, default=1, help="every n-th query in the order of ids")
    parser.add_argument("--passage-tokens", type=int, default=80)
    parser.add_argument("--paired", type=int, default=PAIRED, help="the first so many whose pairs are compared")
    parser.add_argument("--completions", action="store_true", help="for a model that was never taught to chat")
    parser.add_argument("--only", action="append", choices=QUESTIONS)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--journals", type=Path, default=Path("judges-journals"))
    options = parser.parse_args()
    options.until = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    options.journals.mkdir(parents=True, exist_ok=True)
    queries = queries_of(options.data, options.every)
    left = []
    for name in options.only or QUESTIONS:
        known = _costs(name, options)
        there = (known.get("queries"), known.get("every"), known.get("depth"))
        if there != (len(queries), options.every, _depth(name, options)) and (
            _over(options) or not record(name, queries, options)
        ):
            left.append(name)
    sys.exit(f"not whole yet: {', '.join(left)}; run the same command again" if left else 0)


if __name__ == "__main__":
    main()
