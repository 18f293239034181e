"""What robustness measured of systems, as a section of a report."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rerankllm.analysis.robustness.report import VERSION
from rerankllm.errors import InputError
from rerankllm.evaluation.comparison import Estimate
from rerankllm.reports.subject import OrderPair, Robust, Subject


@dataclass(frozen=True, slots=True)
class Measured:
    """One system, measured under several orders.

    Attributes:
        robust: What was found.
        dataset: The dataset that it is of; None where nobody says.
        first_stage: The first stage that orders are of; None where nobody says.
    """

    robust: Robust
    dataset: str | None = None
    first_stage: str | None = None

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> "Measured":
        """One of the results of `robustness.json`."""
        return cls(_robust(result), result.get("dataset"), result.get("first_stage"))

    def fits(self, subject: Subject) -> bool:
        """Whether it belongs to a comparison: neither dataset nor first stage differs."""
        of_stage = None in (self.first_stage, subject.first_stage) or self.first_stage == subject.first_stage
        return of_stage and (self.dataset is None or self.dataset in subject.comparison.pool.qrels)

    def __str__(self) -> str:
        stage = "" if self.first_stage is None else f", first stage {self.first_stage}"
        return f"the dataset {self.dataset}{stage}"


def read_robust(path: Path) -> list[Measured]:
    """Every system of a `robustness.json`.

    Raises:
        InputError: It cannot be read, is of another version, or is no such file.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["version"] != VERSION:
            raise InputError(f"{path} is of version {record['version']}, and this rerankllm reads version {VERSION}")
        return [Measured.of(each) for each in record["results"]]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not what `rerankllm robustness --output` writes ({error!r})") from None


def with_robust(subjects: Sequence[Subject], measured: Sequence[Measured], where: str) -> list[Subject]:
    """The subjects, each with what was measured of its systems; what names no dataset goes to the first.

    Args:
        subjects: The comparisons.
        measured: Systems under several orders.
        where: Where that was read, for messages.

    Raises:
        InputError: A system is of a dataset or first stage that the report has not.
    """
    for each in measured:
        if not any(map(each.fits, subjects)):
            known = ", ".join(subject.name for subject in subjects)
            raise InputError(f"{where} is of {each}, which is not among {known}")
    return [
        replace(
            subject,
            robust=tuple(each.robust for each in measured if each.fits(subject) and (each.dataset or not i)),
        )
        for i, subject in enumerate(subjects)
    ]


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
