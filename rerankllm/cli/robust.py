"""What `rerankllm robustness` measured, as a section of a report: its `robustness.json`."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rerankllm.errors import InputError
from rerankllm.evaluation.comparison import Estimate
from rerankllm.reports.subject import OrderPair, Robust

VERSION = 1


def read_robust(path: Path) -> list[tuple[str | None, Robust]]:
    """Every system of the file, with the dataset it is of where the file names one.

    Raises:
        InputError: It cannot be read, is of another version, or is no such file.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["version"] != VERSION:
            raise InputError(f"{path} is of version {record['version']}, and this rerankllm reads version {VERSION}")
        return [(each.get("dataset"), _robust(each)) for each in record["results"]]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not what `rerankllm robustness --output` writes ({error!r})") from None


def _robust(result: Mapping[str, Any]) -> Robust:
    name = result.get("system") or result.get("strategy") or "the runs given"
    seed = result.get("seed")
    same = result["same"]
    return Robust(
        name if seed is None else f"{name}, seed {seed}",
        str(result["settings"]["measure"]),
        {order["name"]: Estimate(**order["quality"]) for order in result["orders"] if order["quality"] is not None},
        tuple(
            OrderPair(pair["first"], pair["second"], _number((pair["tau"] or {}).get("mean")), _number(pair["overlap"]))
            for pair in result["pairs"]
        ),
        math.nan if same is None or same["mean_range"] is None else _number(same["mean_range"]["mean"]),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
