"""What `rerankllm report` reports on: runs that were named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerankllm.data import Document
from rerankllm.evaluation.as_tables import usual_axis
from rerankllm.evaluation.bootstrap import RESAMPLES
from rerankllm.evaluation.comparison import Design, compare
from rerankllm.evaluation.cost import NOTHING
from rerankllm.evaluation.measures import DEFAULT_MEASURES, parse_measures
from rerankllm.evaluation.systems import Pool
from rerankllm.experiments.folder import DEPTH
from rerankllm.formats import beir
from rerankllm.notes import tell
from rerankllm.reports.subject import Attempt, Entrant, Key, Subject
from rerankllm.runs.notices import tell_levels
from rerankllm.runs.provenance import read
from rerankllm.runs.systems import (
    FIRST,
    MINILM,
    ORACLE,
    Given,
    by_name,
    oracle,
    parse_reference,
    parse_run,
    read_collections,
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
class Files:
    """What was named on the command line, as `rerankllm compare` has it; texts as `[COLLECTION=]PATH`."""

    qrels: Sequence[str]
    runs: Sequence[str]
    first_stage: Sequence[str] = ()
    minilm: Sequence[str] = ()
    queries: Sequence[str] = ()
    corpus: Sequence[str] = ()


def from_files(files: Files, wishes: ComparisonOptions) -> Subject:
    """One comparison of the runs that were named.

    Raises:
        InputError: They cannot be read, or do not fit each other.
    """
    collections = read_collections(files.qrels)
    pool = Pool(collections, parse_measures(wishes.measures or DEFAULT_MEASURES), wishes.relevant_from)
    tell_levels(pool, asked=wishes.relevant_from is not None)
    first = [parse_reference(FIRST, option) for option in files.first_stage]
    minilm = [parse_reference(MINILM, option) for option in files.minilm]
    runs = by_name([parse_run(option) for option in files.runs])
    texts = [parse_reference("--queries", option) for option in files.queries]
    corpora = [parse_reference("--corpus", option) for option in files.corpus]
    return subject_of(", ".join(pool.qrels), pool, first, runs, minilm, texts, corpora, wishes)


def subject_of(  # noqa: PLR0917
    name: str,
    pool: Pool,
    first: Sequence[Given],
    runs: Mapping[str, Sequence[Given]],
    minilm: Sequence[Given],
    queries: Sequence[Given],
    corpora: Sequence[Given],
    wishes: ComparisonOptions,
    *,
    seeds: Mapping[str, Sequence[str]] | None = None,
) -> Subject:
    """One comparison: these runs, the rows that every table has, and the texts."""
    references = {FIRST, MINILM, ORACLE}
    given = {name: parts for name, parts in {FIRST: first, **runs, MINILM: minilm}.items() if parts}
    systems = [
        read_system(pool, parts, cost=NOTHING if name == FIRST else None, reference=name in references)
        for name, parts in given.items()
    ]
    entrants = tuple(_entrant(pool, name, parts, (seeds or {}).get(name)) for name, parts in given.items())
    systems += [oracle(pool, first, wishes.depth or DEPTH)] if first and ORACLE not in given else []
    resamples, seed = wishes.design
    design = Design(wishes.baseline or systems[0].name, resamples=resamples, seed=seed)
    return Subject(
        name,
        compare(pool, systems, design),
        wishes.cost or usual_axis(systems),
        entrants,
        FIRST if first else entrants[0].name,
        _queries(pool, queries),
        _documents(pool, entrants, corpora),
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
