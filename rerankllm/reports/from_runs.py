"""A report's subject from runs that are named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rerankllm.data import Document
from rerankllm.evaluation.as_tables import usual_axis
from rerankllm.evaluation.bootstrap import RESAMPLES
from rerankllm.evaluation.comparison import Design, compare
from rerankllm.evaluation.cost import NOTHING, Cost
from rerankllm.evaluation.measures import DEFAULT_MEASURES, Qrels, parse_measures
from rerankllm.evaluation.systems import Pool
from rerankllm.experiments.folder import DEPTH
from rerankllm.formats import beir
from rerankllm.notes import tell
from rerankllm.reports.so_far import so_far
from rerankllm.reports.subject import Attempt, Entrant, Key, Subject
from rerankllm.runs.notices import tell_levels
from rerankllm.runs.provenance import read
from rerankllm.runs.systems import (
    FIRST,
    MINILM,
    ORACLE,
    Given,
    oracle,
    read_runs,
    read_system,
)


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """How systems are to be measured and compared, as for `rerankllm compare`; None leaves it to the defaults."""

    measures: tuple[str, ...] = ()
    relevant_from: int | None = None
    baseline: str | None = None
    depth: int | None = None
    resamples: int | None = None
    seed: int | None = None
    cost: str | None = None

    @property
    def design(self) -> tuple[int, int]:
        """Resamples, and their seed."""
        return self.resamples or RESAMPLES, self.seed or 0


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of a report on one comparison.

    Attributes:
        runs: The runs of each system, by its name.
        first_stage: The run that all reranked.
        minilm: A run of all-MiniLM-L6-v2.
        queries: Query texts.
        corpus: Document texts.
        seeds: What to call each run of a system, by the system's name; `run 1`, `run 2` and so on where that is not
            said.
        costs: What systems cost, by name, where no summary beside their runs says so.
    """

    runs: Mapping[str, Sequence[Given]]
    first_stage: Sequence[Given] = ()
    minilm: Sequence[Given] = ()
    queries: Sequence[Given] = ()
    corpus: Sequence[Given] = ()
    seeds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)


def from_runs(collections: Mapping[str, Qrels], inputs: Inputs, options: ComparisonOptions) -> Subject:
    """One comparison of the runs that were named.

    Args:
        collections: The judgements of each collection.
        inputs: The files.
        options: How to measure and compare.

    Raises:
        InputError: They cannot be read, or do not fit each other.
    """
    pool = Pool(collections, parse_measures(options.measures or DEFAULT_MEASURES), options.relevant_from)
    tell_levels(pool, asked=options.relevant_from is not None)
    return subject_of(", ".join(pool.qrels), pool, inputs, options)


def subject_of(name: str, pool: Pool, inputs: Inputs, options: ComparisonOptions) -> Subject:
    """One comparison: the runs, the rows that every table has, and the texts."""
    pool, progress = so_far(pool, inputs.runs)
    first, references = inputs.first_stage, {FIRST, MINILM, ORACLE}
    given = {name: parts for name, parts in {FIRST: first, **inputs.runs, MINILM: inputs.minilm}.items() if parts}
    systems = [
        read_system(
            pool, parts, cost=NOTHING if name == FIRST else inputs.costs.get(name), reference=name in references
        )
        for name, parts in given.items()
    ]
    entrants = tuple(_entrant(pool, name, parts, inputs.seeds.get(name)) for name, parts in given.items())
    systems += [oracle(pool, first, options.depth or DEPTH)] if first and ORACLE not in given else []
    resamples, seed = options.design
    design = Design(options.baseline or systems[0].name, resamples=resamples, seed=seed)
    return Subject(
        name,
        compare(pool, systems, design),
        options.cost or usual_axis(systems),
        entrants,
        FIRST if first else entrants[0].name,
        _queries(pool, inputs.queries),
        _documents(pool, entrants, inputs.corpus),
        so_far=tuple(progress),
    )


def _entrant(pool: Pool, name: str, given: Sequence[Given], seeds: Sequence[str] | None) -> Entrant:
    runs = read_runs(pool, given)
    names = seeds or [f"run {i + 1}" for i in range(len(runs))]
    return Entrant(
        name,
        tuple(
            Attempt(label, orders, tuple(_journal(each, each.files[i]) for each in given if _kept(each.files[i])))
            for i, (label, orders) in enumerate(zip(names, runs, strict=True))
        ),
    )


def _beside(run: Path) -> Path:
    return run.with_name(f"{run.name}.journal")


def _kept(run: Path) -> bool:
    return _beside(run).is_file()


def _journal(given: Given, run: Path) -> tuple[str | None, Path, str | None]:
    """The journal beside a run, with the stage that made the run where its record says."""
    record = read(run)
    stage = record.reranked.get("strategy") if record is not None and record.reranked else None
    return given.collection, _beside(run), stage


def _queries(pool: Pool, given: Sequence[Given]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for each in given:
        path = each.files[0]
        texts = beir.read_queries(beir.read_folder(path).queries if path.is_dir() else path)
        for collection, judged in pool.qrels.items():
            if each.collection in (None, collection):
                found.update({(collection, query_id): texts[query_id] for query_id in judged if query_id in texts})
    if not given:
        tell("queries are shown by their ids: give --queries for their texts")
    return found


def _documents(pool: Pool, entrants: Sequence[Entrant], corpora: Sequence[Given]) -> dict[str, Mapping[str, Document]]:
    """The texts of all that some run ranks for a judged query."""
    found: dict[str, Mapping[str, Document]] = {}
    for each in corpora:
        path = each.files[0]
        corpus = beir.read_folder(path).corpus if path.is_dir() else path
        for collection, judged in pool.qrels.items():
            if each.collection in (None, collection):
                orders = [run.orders.get(collection, {}) for entrant in entrants for run in entrant.runs]
                wanted = {doc_id for order in orders for query_id in judged for doc_id in order.get(query_id, ())}
                found[collection] = beir.read_corpus(corpus, wanted)
    if not corpora:
        tell("documents are shown by their ids: give --corpus for their texts")
    return found
