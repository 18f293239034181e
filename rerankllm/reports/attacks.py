"""What attacks did to systems, as a section of a report."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from rerankllm.aggregation.certified import Certificate
from rerankllm.analysis.attacks.attack import AttackReport
from rerankllm.analysis.attacks.tables import KINDS, notes
from rerankllm.analysis.certified import certificates
from rerankllm.errors import InputError
from rerankllm.spec.model import without_folders

COLUMNS = ("attack", "kind", "success", "top", "gained", "of", "resisted", "echoed", "failed")


def attacked(given: AttackReport | str | PathLike[str]) -> dict[str, Any]:
    """What `attack` found, or the file that `rerankllm attack --json` wrote, as the page shows it.

    Raises:
        InputError: The file cannot be read, or is no such file.
    """
    if isinstance(given, AttackReport):
        return _section(given.to_dict())
    path = Path(given)
    try:
        return _section(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not what `rerankllm attack --json` writes ({error!r})") from None


def _section(found: Mapping[str, Any]) -> dict[str, Any]:
    known = {q: each if isinstance(each, str) else Certificate(**each) for q, each in found["certified"].items()}
    queries, top = len(found["targets"]), int(found["top_k"])
    return {
        "system": without_folders(str(found["strategy"])),
        "model": without_folders(str(found["model"])),
        "top": top,
        "rows": [*_rows(found["findings"]), *_rows(found["kinds"], KINDS)],
        "flagged": dict(found["flagged"]),
        "notes": [*notes(queries, len(found["echoes"]), found["suspects"]), *certificates(known, top)],
    }


def _rows(findings: Sequence[Mapping[str, Any]], names: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    rows = [{name: each[name] for name in COLUMNS} for each in findings]
    return [{**row, "attack": names[row["attack"]]} for row in rows] if names is not None else rows
