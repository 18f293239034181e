"""Which column of a table holds what: found by the names that collections and frameworks use, or as the caller says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rerankllm.errors import InputError

NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("_id", "doc_id", "id", "docid", "docno", "pid", "passage_id", "document_id"),
    "text": ("text", "contents", "segment", "passage", "body", "content", "page_content", "chunk", "document"),
    "title": ("title",),
    "score": ("score",),
    "query_id": ("query_id", "qid", "_id", "id"),
    "query": ("query", "text", "question"),
}
"""What each field is called in files, frames and dicts; of several the first counts."""

_OPTIONS = {name: f"--{name.replace('_', '-')}-column" for name in NAMES}
_MEANS = {"id": "ids", "text": "texts", "query_id": "query ids", "query": "query texts"}
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a table has its fields.

    Attributes:
        given: Column names by field (`id`, `text`, `title`, `score`, `query_id`, `query`); the others are found by the
            names in `NAMES`, capitals and spaces around them aside.

    Raises:
        InputError: There is no such field.
    """

    given: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.given:
            if name not in NAMES:
                raise InputError(f"columns: there is no field '{name}'; there are {', '.join(NAMES)}")

    @classmethod
    def of(cls, given: "Mapping[str, str | None] | Columns | None") -> "Columns":
        """The columns that are given; None, for one or for all, leaves them to be found."""
        if isinstance(given, Columns):
            return given
        return cls({name: value for name, value in (given or {}).items() if value is not None})

    def find(self, wanted: str, there: Iterable[str]) -> str | None:
        """The column that holds a field; None if there is none.

        Args:
            wanted: The field.
            there: The columns that the table, or this record of it, has.
        """
        names = there if isinstance(there, Mapping) else list(there)
        if wanted in self.given:
            return self.given[wanted] if self.given[wanted] in names else None
        for name in NAMES[wanted]:
            if name in names:
                return name
        alike = {_plain(name): name for name in reversed(list(names)) if isinstance(name, str)}
        return next((alike[name] for name in NAMES[wanted] if name in alike), None)

    def need(self, wanted: str, there: Iterable[str], where: str) -> str:
        """The column that holds a field.

        Args:
            wanted: The field.
            there: The columns that there are.
            where: Which table that is, for the error.

        Raises:
            InputError: There is none; the message says which columns there are, and how to name one.
        """
        found = self.find(wanted, there)
        if found is not None:
            return found
        if wanted in self.given:
            raise InputError(f"{where}: expected a column '{self.given[wanted]}', yours has {shown(there)}")
        what = f"a column of {_MEANS.get(wanted, wanted)} ({', '.join(NAMES[wanted][:4])}, …)"
        how = f"{_OPTIONS[wanted]} NAME, in Python columns={{'{wanted}': NAME}}"
        raise InputError(f"{where}: expected {what}, yours has {shown(there)}; name it: {how}")


def shown(names: Iterable[str]) -> str:
    """Names of columns for an error: the first eight, each between backquotes."""
    listed = [f"`{name}`" for name in names]
    return ", ".join(listed[:_SHOWN]) + (", …" if len(listed) > _SHOWN else "") or "none"


def _plain(name: str) -> str:
    return name.strip().lower()
