"""What `rerankllm report` reports on: runs that were named, or an experiment's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rerankllm.cli.compare import tell_levels
from rerankllm.cli.contestants import (
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
from rerankllm.cli.output import tell
from rerankllm.cli.robust import read_robust
from rerankllm.cli.source import read_judgements
from rerankllm.data import Document
from rerankllm.errors import InputError
from rerankllm.evaluation.comparison import Design, compare
from rerankllm.evaluation.cost import NOTHING
from rerankllm.evaluation.measures import parse_measures
from rerankllm.evaluation.report import usual_axis
from rerankllm.evaluation.systems import Pool
from rerankllm.experiments.folder import Cell, Manifest, read_manifest, safe
from rerankllm.formats import beir, trec
from rerankllm.provenance import read
from rerankllm.reports.subject import Attempt, Entrant, Key, Subject


@dataclass(frozen=True, slots=True)
class Wishes:
    """How systems are to be measured and compared, as for `rerankllm compare`."""

    measures: tuple[str, ...]
    relevant_from: int | None = None
    baseline: str | None = None
    depth: int = 100
    resamples: int = 20_000
    seed: int = 0
    cost: str | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """What was named on the command line, as `rerankllm compare` has it; texts as `[COLLECTION=]PATH`."""

    qrels: Sequence[str]
    runs: Sequence[str]
    first_stage: Sequence[str] = ()
    minilm: Sequence[str] = ()
    queries: Sequence[str] = ()
    corpus: Sequence[str] = ()


def from_files(files: Files, wishes: Wishes) -> Subject:
    """One comparison of the runs that were named.

    Raises:
        InputError: They cannot be read, or do not fit each other.
    """
    collections = read_collections(files.qrels)
    pool = Pool(collections, parse_measures(wishes.measures), wishes.relevant_from)
    tell_levels(pool, asked=wishes.relevant_from is not None)
    first = [parse_reference(FIRST, option) for option in files.first_stage]
    minilm = [parse_reference(MINILM, option) for option in files.minilm]
    runs = by_name([parse_run(option) for option in files.runs])
    texts = [parse_reference("--queries", option) for option in files.queries]
    corpora = [parse_reference("--corpus", option) for option in files.corpus]
    return _subject(", ".join(pool.qrels), pool, first, runs, minilm, texts, corpora, wishes)


def from_folder(folder: Path, wishes: Wishes) -> list[Subject]:
    """A comparison for each dataset and first stage of an experiment; orders of a first stage are none of their own.

    Raises:
        InputError: It is no experiment's folder, or no cell has a run.
    """
    manifest = read_manifest(folder)
    found = [
        _of_stage(folder, manifest, dataset, stage, wishes)
        for dataset, has in manifest.datasets.items()
        for stage in has.first_stages
        if stage not in has.orders and _cells(folder, manifest, dataset, stage)
    ]
    if not found:
        raise InputError(f"{folder} holds no run yet: `rerankllm experiment {folder}/experiment.yaml` makes them")
    return found


def with_robust(subjects: Sequence[Subject], path: Path) -> list[Subject]:
    """The subjects, each with what was measured of its dataset; what names no dataset goes to the first.

    Raises:
        InputError: The file cannot be read, or is of datasets that the report has not.
    """
    measured = read_robust(path)
    names = [list(subject.comparison.pool.qrels) for subject in subjects]
    known = [name for pooled in names for name in pooled]
    unknown = [dataset for dataset, _ in measured if dataset not in (None, *known)]
    if unknown:
        raise InputError(f"{path} is of the dataset {unknown[0]}, which is not among {', '.join(known)}")
    return [
        replace(
            subject,
            robust=tuple(each for dataset, each in measured if dataset in pooled or (dataset is None and not i)),
        )
        for i, (subject, pooled) in enumerate(zip(subjects, names, strict=True))
    ]


def _cells(folder: Path, manifest: Manifest, dataset: str, stage: str) -> list[Cell]:
    """Those with a run."""
    return [
        cell
        for cell in manifest.cells
        if (cell.dataset, cell.first_stage) == (dataset, stage) and (folder / cell.run).is_file()
        and (folder / cell.run).stat().st_size
    ]  # fmt: skip


def _of_stage(folder: Path, manifest: Manifest, dataset: str, stage: str, wishes: Wishes) -> Subject:
    has = manifest.datasets[dataset]
    cells = _cells(folder, manifest, dataset, stage)
    named = {name: [cell for cell in cells if cell.system == name] for name in manifest.systems}
    runs = {
        name: [Given(name, dataset, tuple(folder / cell.run for cell in mine))] for name, mine in named.items() if mine
    }
    seeds = {name: [f"seed {cell.seed}" for cell in mine] for name, mine in named.items()}
    notes = tuple(
        f"{cell.system}, seed {cell.seed}: {cell.status}{f' ({cell.reason})' if cell.reason else ''}."
        for cell in manifest.cells
        if (cell.dataset, cell.first_stage) == (dataset, stage) and cell.status != "done"
    )
    pool = Pool({dataset: read_judgements(folder / has.qrels)}, parse_measures(wishes.measures), wishes.relevant_from)
    tell_levels(pool, asked=wishes.relevant_from is not None)
    minilm = [
        Given(MINILM, dataset, (path,)) for path in _minilm(folder, dataset, stage, folder / has.first_stages[stage])
    ]
    first, queries, corpus = (
        [Given(name, dataset, (folder / path,))]
        for name, path in ((FIRST, has.first_stages[stage]), ("queries", has.queries), ("corpus", has.corpus))
    )
    return _subject(
        f"{dataset}, {stage}", pool, first, runs, minilm, queries, corpus, wishes, seeds=seeds, notes=notes
    )  # fmt: skip


def _minilm(folder: Path, dataset: str, stage: str, first: Path) -> list[Path]:
    """MiniLM's run of these candidates, the deepest, where the experiment made one for its table and finished it."""
    wanted = trec.read_run(first).keys()
    found = (folder / "references" / safe(dataset)).glob(f"{safe(stage)}.minilm.*.txt")
    whole = [path for path in found if trec.read_run(path).keys() >= wanted]
    return sorted(whole, key=lambda path: int(path.stem.rpartition(".")[2]))[-1:]


def _subject(  # noqa: PLR0917
    name: str,
    pool: Pool,
    first: Sequence[Given],
    runs: Mapping[str, Sequence[Given]],
    minilm: Sequence[Given],
    queries: Sequence[Given],
    corpora: Sequence[Given],
    wishes: Wishes,
    *,
    seeds: Mapping[str, Sequence[str]] | None = None,
    notes: tuple[str, ...] = (),
) -> Subject:
    references = {FIRST, MINILM, ORACLE}
    given = {name: parts for name, parts in {FIRST: first, **runs, MINILM: minilm}.items() if parts}
    systems = [
        read_system(pool, parts, cost=NOTHING if name == FIRST else None, reference=name in references)
        for name, parts in given.items()
    ]
    entrants = tuple(_entrant(pool, name, parts, (seeds or {}).get(name)) for name, parts in given.items())
    systems += [oracle(pool, first, wishes.depth)] if first and ORACLE not in given else []
    design = Design(wishes.baseline or systems[0].name, resamples=wishes.resamples, seed=wishes.seed)
    return Subject(
        name,
        compare(pool, systems, design),
        wishes.cost or usual_axis(systems),
        entrants,
        FIRST if first else entrants[0].name,
        _queries(pool, queries),
        _documents(pool, entrants, corpora),
        notes=notes,
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
