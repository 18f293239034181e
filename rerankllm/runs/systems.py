"""The systems of a comparison: runs by name, and the reference rows (first stage, MiniLM, oracle)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rerankllm.errors import InputError, MissingExtra, QueryFailed
from rerankllm.evaluation.cost import Cost
from rerankllm.evaluation.measures import Qrels, trec_order
from rerankllm.evaluation.systems import Pool, System, ideal
from rerankllm.formats import beir, trec
from rerankllm.formats.join import join
from rerankllm.notes import tell
from rerankllm.runs.cost import cost_beside
from rerankllm.runs.minilm import run_minilm
from rerankllm.runs.source import Source, read_judgements
from rerankllm.runs.writer import tell_if_cut, unfinished

FIRST, MINILM, ORACLE = "first stage", "MiniLM", "oracle"


@dataclass(frozen=True, slots=True)
class Given:
    """The run files of one system, one for each seed; of one collection, or of whichever judges their queries."""

    name: str
    collection: str | None
    files: tuple[Path, ...]


def read_collections(options: Sequence[str]) -> dict[str, Qrels]:
    """The qrels of every `[NAME=]PATH`, by name; the file's own where none is given.

    Raises:
        InputError: They cannot be read, or two have one name.
    """
    found: dict[str, Qrels] = {}
    for option in options:
        name, path = _named(option)
        name = name or Path(path).stem
        if name in found:
            raise InputError(f"two --qrels are called {name}: name them, as in --qrels dl19={path}")
        found[name] = read_judgements(Path(path))
    return found


def parse_run(option: str) -> Given:
    """`[NAME[@COLLECTION]=]FILE[,FILE…]`, the file's own name where none is given."""
    name, text = _named(option)
    files = (Path(text),) if Path(text).is_file() else tuple(Path(part) for part in text.split(",") if part)
    if not files:
        raise InputError(f"--run {option} names no file; it should read NAME=FILE or NAME=FILE,FILE,…")
    return Given(*parse_run_name(name), files) if name else Given(files[0].stem, None, files)


def parse_run_name(name: str) -> tuple[str, str | None]:
    """`NAME[@COLLECTION]`, the collection None where it is not said; ` @ ` as in a stage is part of the name."""
    shown, at, collection = name.rpartition("@")
    if not at or shown.endswith(" ") or collection.startswith(" "):
        return name, None
    return shown, collection or None


def parse_reference(name: str, option: str) -> Given:
    """`[COLLECTION=]FILE`, for a row whose name is fixed."""
    collection, path = _named(option)
    return Given(name, collection, (Path(path),))


def read_system(pool: Pool, given: Sequence[Given], *, cost: Cost | None = None, reference: bool = False) -> System:
    """The system that these runs are of, measured.

    Raises:
        InputError: A file cannot be read, a collection is unknown, or a query could be of several collections.
    """
    files = [path for each in given for path in each.files]
    return pool.system(given[0].name, read_runs(pool, given), cost=cost or cost_beside(files), reference=reference)


def read_runs(pool: Pool, given: Sequence[Given]) -> list[dict[str, dict[str, list[str]]]]:
    """The rankings of one system by seed, collection and query.

    Raises:
        InputError: As `read_system`.
    """
    name = given[0].name
    counts = {len(each.files) for each in given}
    if len(counts) > 1:
        raise InputError(f"{name} has as many files as seeds, the same number for each collection; found {counts}")
    runs: list[dict[str, dict[str, list[str]]]] = [{} for _ in range(counts.pop())]
    for each in given:
        for run, path in zip(runs, each.files, strict=True):
            for collection, orders in _read_orders(pool, each, path).items():
                if run.setdefault(collection, {}).keys() & orders.keys():
                    raise InputError(f"{name} has several rankings of the same queries of {collection}; {path} is one")
                run[collection].update(orders)
    return runs


def ranked_so_far(pool: Pool, given: Given, path: Path) -> dict[str, set[str]] | None:
    """The queries that a run in progress has ranked, by collection, without the last one, which may be half written.

    None for a run that is whole.

    Raises:
        InputError: As `read_system`.
    """
    if not unfinished(path).exists():
        return None
    whole = list(trec.read_run(path, unfinished=True))[:-1]
    return {name: judged.keys() & whole for name, judged in pool.qrels.items() if given.collection in {None, name}}


def by_name(given: Sequence[Given]) -> dict[str, list[Given]]:
    """The runs grouped by name, in the order given."""
    found: dict[str, list[Given]] = {}
    for each in given:
        found.setdefault(each.name, []).append(each)
    return found


def oracle(pool: Pool, first: Sequence[Given], depth: int) -> System:
    """The ideal order of the first stage's candidates: what no reranker of them can pass."""
    orders: dict[str, dict[str, list[str]]] = {}
    for each in first:
        for collection, found in _read_orders(pool, each, each.files[0]).items():
            orders.setdefault(collection, {}).update(found)
    return pool.system(ORACLE, [ideal(orders, pool.qrels, depth)], reference=True)


def minilm_system(pool: Pool, first: Given, queries: Path, corpus: Path, depth: int) -> System | None:
    """all-MiniLM-L6-v2 on the first stage's candidates; None, with a note, where the extra `embedded` is not installed.

    Raises:
        InputError: There are several collections, or a query could not be ranked.
        Interrupted: Ctrl-C.
    """
    if len(pool.qrels) > 1:
        raise InputError("the MiniLM row is computed for one collection; for several give --minilm COLLECTION=RUN each")
    ((collection, qrels),) = pool.qrels.items()
    run = {query_id: ranked for query_id, ranked in trec.read_run(first.files[0]).items() if query_id in qrels}
    wanted = {doc_id for ranked in run.values() for doc_id, _ in ranked}
    joined = join(run, beir.read_queries(queries), beir.read_corpus(corpus, wanted), skip_missing=False)
    with TemporaryDirectory() as folder:
        output = Path(folder, "minilm.txt")
        try:
            run_minilm(Source(joined.queries, None), output, depth, quiet=True)
        except MissingExtra as error:
            tell(f"no {MINILM} row: {error}")
            return None
        except QueryFailed as error:
            raise InputError(f"no {MINILM} row: {error}") from None
        return read_system(pool, [Given(MINILM, collection, (output,))], reference=True)


def _read_orders(pool: Pool, given: Given, path: Path) -> dict[str, dict[str, list[str]]]:
    """The rankings of a run file, by the collection that its queries are of."""
    tell_if_cut(path)
    cut = unfinished(path).exists()
    run = {query_id: trec_order(scored) for query_id, scored in trec.read_run(path, unfinished=cut).items()}
    if given.collection is not None:
        if given.collection not in pool.qrels:
            raise InputError(f"--qrels names no collection {given.collection}; there are {', '.join(pool.qrels)}")
        return {given.collection: run}
    found = {name: {q: order for q, order in run.items() if q in judged} for name, judged in pool.qrels.items()}
    shared = [query_id for query_id in run if sum(query_id in orders for orders in found.values()) > 1]
    if shared:
        raise InputError(
            f"{path}: query {shared[0]} is judged in several collections; say which, as in "
            f"{given.name}@{next(iter(found))}={path}"
        )
    return found


def _named(option: str) -> tuple[str | None, str]:
    """Splits `NAME=REST` where files follow, since a name may be a stage; what is an existing file has no name."""
    if "=" not in option or Path(option).exists():
        return None, option
    parts = option.split("=")
    splits = [("=".join(parts[:i]), "=".join(parts[i:])) for i in range(1, len(parts))]
    named = (each for each in splits if Path(each[1].split(",")[0]).is_file())
    return next(named, splits[0])
