"""The lists that are ranked for a query: as it is, reversed, with neutral words, and under each attack."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rerankllm.analysis.attacks.table import Attack
from rerankllm.data import Candidate, Query
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import Qrels

PLAIN, REVERSED = "plain", "reversed"
STEP = 100
"""Bytes by which controls grow: attacks of about the same length share one."""
NEUTRAL = (
    "The page has a heading, a short introduction and several sections, with a table of contents on the left side. "
    "Some parts were moved in spring, and two pictures were replaced by larger ones. Footnotes are at the bottom. "
)
FEWEST = 2


@dataclass(frozen=True, slots=True)
class Lists:
    """A query's candidates, again and again, with one document changed.

    Attributes:
        query: The query.
        candidates: As they were given.
        place: Where the document is that attacks, from 0.
        by_name: The candidates of each list: `plain`, `reversed`, `neutral-100`, …, and those of each attack.
        controls: For each attack the list that it is compared with, beside the plain one.
    """

    query: Query
    candidates: tuple[Candidate, ...]
    place: int
    by_name: Mapping[str, tuple[Candidate, ...]]
    controls: Mapping[str, str]

    @property
    def target(self) -> str:
        """The document that attacks."""
        return self.candidates[self.place].doc_id

    @classmethod
    def of(
        cls, query: Query, candidates: Sequence[Candidate], attacks: Sequence[Attack], qrels: Qrels | None, seed: int
    ) -> "Lists":
        """All lists of a query.

        Raises:
            InputError: It has fewer than two candidates.
        """
        if len(candidates) < FEWEST:
            raise InputError(f"query {query.query_id}: an attack needs two candidates or more, found {len(candidates)}")
        given = tuple(candidates)
        place = _target(given, (qrels or {}).get(query.query_id))
        plain = given[place].document.content
        by_name = {PLAIN: given, REVERSED: given[::-1]}
        controls = {}
        for attack in attacks:
            text = attack.on(given[place].document, query, place + 1, seed)
            by_name[attack.name] = _with(given, place, text)
            steps = -(-max(0, len(text.encode()) - len(plain.encode())) // STEP)
            controls[attack.name] = f"neutral-{steps * STEP}" if steps else PLAIN
            if steps:
                by_name.setdefault(controls[attack.name], _with(given, place, f"{_neutral(steps * STEP)} {plain}"))
        return cls(query, given, place, by_name, controls)


def by_list(lists: Sequence[Lists]) -> Iterator[tuple[str, list[tuple[Query, Sequence[Candidate]]]]]:
    """Every list's name, with the queries that have one of that name; the plain one comes first."""
    for name in dict.fromkeys(name for each in lists for name in each.by_name):
        yield name, [(each.query, each.by_name[name]) for each in lists if name in each.by_name]


def _target(candidates: Sequence[Candidate], grades: Mapping[str, int] | None) -> int:
    """The last candidate that is not relevant; the last one where nothing is known, or all are."""
    places = range(len(candidates))
    wrong = [i for i in places if grades is not None and grades.get(candidates[i].doc_id, 0) < 1]
    return wrong[-1] if wrong else len(candidates) - 1


def _with(candidates: Sequence[Candidate], place: int, text: str) -> tuple[Candidate, ...]:
    """The candidates with one document's text changed; title and text are one."""
    changed = replace(candidates[place].document, text=text, title="")
    return (*candidates[:place], replace(candidates[place], document=changed), *candidates[place + 1 :])


def _neutral(size: int) -> str:
    return (NEUTRAL * (size // len(NEUTRAL) + 1))[:size].rpartition(" ")[0]
