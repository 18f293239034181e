"""Data sets of the Hugging Face Hub, through the library datasets, which caches them as Arrow files."""

import os
import re
from collections.abc import Collection as Ids
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rerankllm.collections.base import CacheLocation
from rerankllm.data import Document
from rerankllm.errors import InputError
from rerankllm.formats.lines import storable


def place(repository: str, *configs: str) -> CacheLocation:
    """Where datasets keeps a repository, and whether all of these configurations are there; told without importing it.

    The layout `ORG___name/config/version/hash` is that of datasets 5.2 (`load.py`, CachedDatasetModuleFactory).
    """
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface")
    cache = Path(os.environ.get("HF_DATASETS_CACHE") or Path(home, "datasets")).expanduser()
    organisation, _, name = repository.partition("/")
    snake = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)).lower()
    folder = cache / f"{organisation}___{snake}"
    return CacheLocation(str(folder), all(any(folder.glob(f"{config}/*/*/dataset_info.json")) for config in configs))


def load(repository: str, config: str, split: str, *columns: str, alone: bool = False) -> Any:
    """One split of one configuration, memory-mapped; raises InputError when it lacks one of these columns.

    Args:
        repository: On the hub.
        config: The configuration.
        split: Its split.
        *columns: That it has to have.
        alone: Whether a configuration's only split may have another name.
    """
    import datasets  # noqa: PLC0415

    if alone:
        splits = datasets.load_dataset(repository, config)
        split = split if split in splits or len(splits) > 1 else next(iter(splits))
    table = datasets.load_dataset(repository, config, split=split)
    if not set(columns) <= set(table.column_names):
        there, wanted = ", ".join(table.column_names), ", ".join(columns)
        raise InputError(f"{repository} {config}: expected the columns {wanted}, found {there}; has it been changed?")
    return table


def origin(repository: str, table: Any) -> str:
    """The repository with the commit or fingerprint under which datasets caches it."""
    files = table.cache_files
    return f"huggingface.co/datasets/{repository}" + (f"@{Path(files[0]['filename']).parent.name}" if files else "")


def token(identifier: Any) -> str:
    """An id that a TREC run can hold: white space, as in file names, becomes %20 and the like."""
    return re.sub(r"\s", lambda found: quote(found[0]), storable(str(identifier)))


@dataclass(frozen=True, slots=True)
class HubDocuments:
    """A corpus in one table.

    Attributes:
        table: From `load`.
        id_field: Its column with ids.
        text_field: Its column with texts.
        title_field: Its column with titles; None without.
    """

    table: Any
    id_field: str
    text_field: str
    title_field: str | None = None
    _rows: dict[str, int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Document]:
        yield from map(self._document, self.table)

    def many(self, doc_ids: Ids[str]) -> dict[str, Document]:
        if not self._rows:
            self._rows.update((token(one), row) for row, one in enumerate(self.table[self.id_field]))
            if len(self._rows) < len(self.table):
                raise InputError(f"{len(self.table) - len(self._rows)} documents share their id with another")
        return {doc_id: self._document(self.table[self._rows[doc_id]]) for doc_id in doc_ids if doc_id in self._rows}

    def _document(self, row: Any) -> Document:
        title = row.get(self.title_field) if self.title_field else None
        return Document(token(row[self.id_field]), storable(row[self.text_field]), storable(title or ""))
