"""Frames in memory, row by row: pandas, polars, pyarrow and `datasets`, none of which is imported for it."""

from collections.abc import Iterable, Mapping
from typing import Any


def rows_of(value: Any) -> Iterable[Mapping[str, Any]] | None:
    """The rows of a frame as dicts, in order; None if it is none of these libraries' frames.

    A pandas index that has a name counts as a column; missing values are None.
    """
    library = type(value).__module__.partition(".")[0]
    if library == "pandas" and hasattr(value, "columns"):
        frame = value.reset_index() if any(name is not None for name in value.index.names) else value
        as_objects = frame.astype(object)
        return _named(as_objects.where(as_objects.notna(), None).to_dict("records"))
    if library == "polars" and (hasattr(value, "to_dicts") or hasattr(value, "collect")):
        return _named((value.collect() if hasattr(value, "collect") else value).to_dicts())
    if library == "pyarrow" and hasattr(value, "column_names"):
        return _named(value.to_pylist())
    if library == "datasets" and hasattr(value, "column_names"):
        return _named(value)
    return None


def _named(rows: Iterable[Mapping[Any, Any]]) -> Iterable[Mapping[str, Any]]:
    return ({str(name): cell for name, cell in row.items()} for row in rows)
