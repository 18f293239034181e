"""Puts candidates into several orders, and ranks one order after the other."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from rerankllm.analysis.robustness.results import OrderedRun
from rerankllm.errors import InputError
from rerankllm.files import replacing
from rerankllm.formats import trec
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.job import Job, perform
from rerankllm.runs.notices import tell_summary
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.reorder import Order, reordered
from rerankllm.runs.source import Source

GIVEN, SHUFFLED = "given", "shuffled"
ORDERS = (GIVEN, *get_args(Order))
CANDIDATES, JOURNAL, RESULT = "candidates", "journal", "robustness.json"


@dataclass(frozen=True, slots=True)
class Ordered:
    """One order of the candidates.

    Attributes:
        name: As it is shown, and the name of its files.
        family: Orders of a family differ in their seed alone.
        source: Queries with candidates in this order.
        same: Whether it is of the given candidates, and not of another first stage.
        seed: Of a shuffle.
    """

    name: str
    family: str
    source: Source
    same: bool = True
    seed: int | None = None

    @property
    def candidates(self) -> dict[str, list[str]]:
        """The ids of the candidates, by query."""
        return {query.query_id: [each.doc_id for each in found] for query, found in self.source.queries}


def ordered(
    source: Source, names: Sequence[str], *, shuffles: int, seed: int, others: Mapping[str, Source], depth: int
) -> list[Ordered]:
    """Every order that was asked for, of the first `depth` candidates.

    Args:
        source: The candidates as they were given.
        names: Of `ORDERS`.
        shuffles: How many shuffles, with seeds from `seed` on.
        seed: Of the first.
        others: Other first stages, by name.
        depth: Candidates a query; those beyond are in no order.

    Raises:
        InputError: A name is unknown, or comes twice, or is no name for a file; or there are fewer than two orders.
    """
    unknown = [name for name in names if name not in ORDERS]
    if unknown or len(set(names)) < len(names):
        raise InputError(f"--orders {','.join(names)} should be some of {', '.join(ORDERS)}, each once")
    found: list[Ordered] = []
    for name in names:
        seeds: Sequence[int | None] = range(seed, seed + shuffles) if name == SHUFFLED else [None]
        for each in seeds:
            shown = name if each is None else f"{name}-{each}"
            found.append(Ordered(shown, name, _in_order(source, name, each, depth), seed=each))
    asked = {query.query_id for query, _ in source.queries}
    for name, other in others.items():
        known = replace(other, queries=[(query, docs) for query, docs in other.queries if query.query_id in asked])
        if not known.queries:
            raise InputError(f"--first-stage {name} holds none of the {len(asked)} queries")
        found.append(Ordered(name, name, _in_order(known, GIVEN, None, depth), same=False))
    taken = [*ORDERS, *(each.name for each in found)]
    odd = [name for name in others if not re.fullmatch(r"\w[\w.-]*", name) or taken.count(name) > 1]
    if odd:
        raise InputError(f"--first-stage {odd[0]}=… should have a name of its own, of letters, digits, dots and dashes")
    if len(found) < 2:  # noqa: PLR2004
        raise InputError("one order shows nothing: ask for two, as in --orders given,reversed")
    return found


def _in_order(source: Source, name: str, seed: int | None, depth: int) -> Source:
    cut = [(query, candidates[:depth]) for query, candidates in source.queries]
    if name == GIVEN:
        return replace(source, queries=cut)
    order: Order = "reversed" if name == "reversed" else "shuffled"
    turned = [(query, reordered(found, order, query.query_id, seed or 0)) for query, found in cut]
    facts = {"order": name, **({} if seed is None else {"order_seed": seed})}
    retrieval = replace(source.retrieval, parameters={**source.retrieval.parameters, **facts})
    return replace(source, queries=turned, retrieval=retrieval)


class Runs:
    """Ranks one order after the other, and writes the runs into a folder.

    Args:
        reranker: What ranks.
        folder: Where runs are written, as ORDER.txt with their summaries, and what went in, under `candidates`.
        depth: Candidates a query, for the record of provenance.
        top_k: How many first places matter.
        bar: Shows progress.
        origins: Which files or environment variables set the options that nobody typed.

    Raises:
        InputError: The folder cannot be made or written.
    """

    def __init__(
        self,
        reranker: Reranker,
        folder: Path,
        *,
        depth: int,
        top_k: int | None,
        bar: ProgressBar,
        origins: Mapping[str, str],
    ) -> None:
        self._reranker, self._folder, self._bar = reranker, folder, bar
        self._depth, self._top_k, self._origins = depth, top_k, origins
        self.failures: dict[str, Mapping[str, str]] = {}
        try:
            (folder / CANDIDATES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {folder / CANDIDATES}: {error.strerror}") from error
        (folder / RESULT).unlink(missing_ok=True)  # of runs that are about to be others

    def all(self, orders: Sequence[Ordered], qrels: Mapping[str, Mapping[str, int]] | None) -> list[OrderedRun] | None:
        """The run on every order; None where Ctrl-C ended it."""
        found: list[OrderedRun] = []
        for order in orders:
            rankings = self._one(order, qrels)
            if rankings is None:
                return None
            found.append(OrderedRun(order.name, order.family, rankings, order.candidates, order.same))
        return found

    def path(self, order: str) -> Path:
        """The run file of an order."""
        return self._folder / f"{order}.txt"

    def _one(self, order: Ordered, qrels: Mapping[str, Mapping[str, int]] | None) -> dict[str, list[str]] | None:
        output = self.path(order.name)
        with replacing(self._folder / CANDIDATES / output.name) as file:
            for query_id, doc_ids in order.candidates.items():
                trec.write_run(file, query_id, doc_ids, order.name)
        tell(f"order {order.name}:")
        job = Job(order.source, qrels, output, depth=self._depth, top_k=self._top_k, origins=self._origins)
        done = perform(self._reranker, job, self._bar)
        tell_summary(done.report)
        if done.failures:
            self.failures[order.name] = done.failures
        if done.interrupted:
            return None
        return {query_id: [doc_id for doc_id, _ in pairs] for query_id, pairs in trec.read_run(output).items()}
