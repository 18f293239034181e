"""Attacks a judge: a document that is not relevant says what might lift it, and is ranked with and without that."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rerankllm.analysis.attacks.lists import PLAIN, Lists, by_list
from rerankllm.analysis.attacks.results import Finding, finding, trials
from rerankllm.analysis.attacks.suspects import reasons, suspects
from rerankllm.analysis.attacks.table import ATTACKS, NAMES, Attack
from rerankllm.analysis.attacks.tables import notes, table
from rerankllm.analysis.certified import Certified, certificates, certified_by_journal
from rerankllm.analysis.queries import Queries, as_source
from rerankllm.drivers.events import Failed
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import Qrels
from rerankllm.evaluation.tables import as_markdown, as_text
from rerankllm.files import plain
from rerankllm.reranker import Reranker
from rerankllm.runs.forecast import Forecast
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_judgements


@dataclass(frozen=True, slots=True)
class AttackReport:
    """What attacks did to a system.

    Attributes:
        strategy: The strategy, complete.
        model: The models that judge.
        top_k: How many first places an attack wants to come into.
        targets: Which document attacked, by query.
        echoes: Queries in which the judge gives back the order shown, whatever it is.
        findings: What each attack came to.
        kinds: The same for all attacks of a kind.
        flagged: In how many queries the document under this attack looks like one (see `suspects`), by attack.
        suspects: Which documents look like attacks as they are, and why, by query and document.
        certified: How many answers could have been others before the top k of the plain list changed, by query; or why
            that is not known.
        failures: Why a list of a query could not be ranked, by list and query.
        calls: How many calls were made.
        replayed: How many of them the journal answered.
    """

    strategy: str
    model: str
    top_k: int
    targets: Mapping[str, str]
    echoes: tuple[str, ...]
    findings: tuple[Finding, ...]
    kinds: tuple[Finding, ...]
    flagged: Mapping[str, int]
    suspects: Mapping[str, Mapping[str, tuple[str, ...]]]
    certified: Mapping[str, Certified]
    failures: Mapping[str, Mapping[str, str]]
    calls: int
    replayed: int

    def to_dict(self) -> dict[str, Any]:
        """All of it, as `rerankllm attack --json` writes it."""
        found: dict[str, Any] = plain(self)
        return found

    def text(self, *, markdown: bool = False, width: int | None = None) -> str:
        """The table and how to read it.

        Args:
            markdown: As Markdown rather than for a terminal.
            width: Columns of the terminal; None for as wide as the table is.
        """
        shown = [table(self.findings, self.kinds, self.flagged, self.top_k)]
        said = list(notes(len(self.targets), len(self.echoes), self.suspects))
        said += certificates(self.certified, self.top_k)
        return as_markdown(shown, said) if markdown else as_text(shown, said, width)

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """What is to be ranked.

    Attributes:
        lists: The lists of every query.
        attacks: The attacks.
        top_k: How many first places an attack wants to come into.
        seed: Of attacks and intervals.
    """

    lists: tuple[Lists, ...]
    attacks: tuple[Attack, ...] = ATTACKS
    top_k: int = 3
    seed: int = 0

    @classmethod
    def of(
        cls,
        queries: Queries,
        *,
        qrels: str | PathLike[str] | Qrels | None = None,
        attacks: Sequence[str | Attack] | None = None,
        depth: int = 10,
        top_k: int = 3,
        seed: int = 0,
    ) -> "AttackPlan":
        """Makes the lists; the arguments are those of `attack`.

        Raises:
            InputError: As `attack`.
        """
        source = as_source(queries)
        if qrels is None:
            qrels = source.judgements()
        elif not isinstance(qrels, Mapping):
            qrels = read_judgements(Path(qrels))
        chosen = ATTACKS if attacks is None else tuple(map(_attack, attacks))
        if not chosen or len({each.name for each in chosen}) < len(chosen):
            raise InputError(f"name one attack or more, each once; there are {', '.join(NAMES)}")
        lists = tuple(Lists.of(query, found[:depth], chosen, qrels, seed) for query, found in source.queries)
        return cls(lists, chosen, top_k, seed)

    def within(self, reranker: Reranker, calls: int) -> "AttackPlan":
        """The plan for the first queries, as many as so many calls suffice for.

        Raises:
            InputError: They do not suffice for one.
        """
        chosen: list[Lists] = []
        left = calls
        for each in self.lists:
            needed = len(each.by_name) * reranker.plan(len(each.candidates)).calls.high
            if needed > left and not chosen:
                raise InputError(f"one query takes up to {needed} calls, and --max-calls is {calls}: raise it, lower "
                                 "--depth, or name fewer --attacks")  # fmt: skip
            if needed > left:
                break
            left -= needed
            chosen.append(each)
        return AttackPlan(tuple(chosen), self.attacks, self.top_k, self.seed)

    def forecast(self, reranker: Reranker) -> str:
        """What all lists will take, in a line; nothing is sent."""
        found = Forecast.of(reranker, [each for _, queries in by_list(self.lists) for each in queries], None)
        lists = sum(len(each.by_name) for each in self.lists)
        attacks = "1 attack and its" if len(self.attacks) == 1 else f"{len(self.attacks)} attacks and their"
        return (
            f"{len(self.lists)} queries with {attacks} controls: {lists} lists, each ranked as a query; {found}; what "
            "was asked in the same words before is not asked again"
        )

    def run(self, reranker: Reranker, *, progress: ProgressBar | None = None) -> AttackReport:
        """Ranks every list, and measures.

        Args:
            reranker: What ranks. Without a journal of its own it keeps one as long as this takes.
            progress: Shows progress; it should observe the reranker.
        """
        if reranker.journal is not None:
            return self._run(reranker, progress)
        with TemporaryDirectory() as scratch:
            reranker.keep(Path(scratch) / "journal.db")
            return self._run(reranker, progress)

    def _run(self, reranker: Reranker, progress: ProgressBar | None) -> AttackReport:
        ranked: dict[str, dict[str, tuple[str, ...]]] = {}
        failures: dict[str, dict[str, str]] = {}
        calls, replayed = 0, 0
        size = sum(len(each.by_name) for each in self.lists)
        high = sum(len(each.by_name) * reranker.plan(len(each.candidates)).calls.high for each in self.lists)
        with nullcontext() if progress is None else progress.showing(size, high):
            plain, *others = by_list(self.lists)
            for some in ([plain], others):  # the plain lists first: much of them the others ask in the same words
                asked = [(name, *each) for name, queries in some for each in queries]
                done = reranker.stream([(query, candidates) for _, query, candidates in asked])
                for (name, query, _), outcome in zip(asked, done, strict=True):
                    if isinstance(outcome, Failed):
                        failures.setdefault(name, {})[query.query_id] = outcome.reason
                    else:
                        ranked.setdefault(name, {})[query.query_id] = outcome.doc_ids
                    calls, replayed = calls + outcome.ledger.calls, replayed + outcome.ledger.replayed
        found = trials(self.attacks, self.lists, ranked)
        kinds = dict.fromkeys(each.kind for each in self.attacks)
        of_kind = {kind: [t for each in self.attacks if each.kind == kind for t in found[each.name]] for kind in kinds}
        return AttackReport(
            str(reranker.stage),
            ", ".join(reranker.models),
            self.top_k,
            {each.query.query_id: each.target for each in self.lists},
            tuple(dict.fromkeys(t.query_id for some in found.values() for t in some if t.echo)),
            tuple(finding(each.name, each.kind, found[each.name], self.top_k, self.seed) for each in self.attacks),
            tuple(finding(kind, kind, some, self.top_k, self.seed) for kind, some in of_kind.items()),
            {each.name: sum(self._looks(lists, each.name) for lists in self.lists) for each in self.attacks},
            suspects([(each.query, each.candidates) for each in self.lists]),
            {
                q: certified_by_journal(reranker, each.query, each.candidates, ranked[PLAIN][q], self.top_k)
                for each in self.lists
                if (q := each.query.query_id) in ranked.get(PLAIN, {})
            },
            failures,
            calls,
            replayed,
        )

    @staticmethod
    def _looks(lists: Lists, name: str) -> bool:
        """Whether the document that attacks looks like it."""
        return bool(reasons(lists.query.text, lists.by_name[name][lists.place].document.content))


def attack(
    reranker: Reranker,
    queries: Queries,
    *,
    qrels: str | PathLike[str] | Qrels | None = None,
    attacks: Sequence[str | Attack] | None = None,
    depth: int = 10,
    top_k: int = 3,
    seed: int = 0,
) -> AttackReport:
    """Lets a document that is not relevant say what might lift it, and measures how far that lifts it.

    In each query one document attacks: the last that is not relevant by the judgements, or the last of all. Its list is
    ranked as it is, reversed, under every attack, and with as many neutral words in place of the attack.

    Args:
        reranker: What ranks. Without a journal of its own it keeps one as long as this takes: what was asked in the
            same words before is not asked again.
        queries: Queries with their candidates, best first.
        qrels: Judgements, a file or a mapping; those of the queries' source when None.
        attacks: Names, or attacks of your own; all that ship when None.
        depth: Candidates of each query.
        top_k: How many first places an attack wants to come into.
        seed: Of attacks that draw, and of intervals.

    Raises:
        InputError: There is no query, a query has fewer than two candidates, or an attack is unknown.
    """
    plan = AttackPlan.of(queries, qrels=qrels, attacks=attacks, depth=depth, top_k=top_k, seed=seed)
    return plan.run(reranker)


def _attack(name: str | Attack) -> Attack:
    if isinstance(name, Attack):
        return name
    for each in ATTACKS:
        if each.name == name:
            return each
    raise InputError(f"there is no attack '{name}'; there are {', '.join(NAMES)}")
