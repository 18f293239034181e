"""What a strategy's scores mean: how likely a result is relevant, fitted on judged queries and kept in a file."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Self

from rerankllm.calibration.fitting import Curve, Isotonic, Logistic, Method, fit
from rerankllm.data import Provenance, Ranking
from rerankllm.errors import InputError
from rerankllm.files import plain
from rerankllm.version import __version__

FORMAT, VERSION = "rerankllm-calibration", 1
Scored = Mapping[str, Sequence[tuple[str, float]]]
"""Documents with the scores a strategy gave them, by query."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted curve, and all that has to be known to use it.

    Attributes:
        curve: From a score to how likely it is relevant.
        level: The lowest grade that counts as relevant.
        queries: Ids of the queries it was fitted on; quality measured on these is not held out.
        results: How many results it was fitted on.
        relevant: The scores of the relevant ones, by query: what a conformal cut-off goes by.
        strategy: Whose scores they are, as the stage prints; empty where unknown.
        model: The model that judged; empty where unknown.
        source: Where scores and grades came from, for people.
    """

    curve: Curve
    level: int
    queries: tuple[str, ...]
    results: int
    relevant: Mapping[str, tuple[float, ...]]
    strategy: str = ""
    model: str = ""
    source: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        scored: Scored,
        qrels: Mapping[str, Mapping[str, int]],
        *,
        level: int = 1,
        method: Method = "logistic",
        strategy: str = "",
        model: str = "",
        source: Mapping[str, str] | None = None,
    ) -> Self:
        """Fits a curve on the queries that have qrels; a result without a grade counts as not relevant.

        Raises:
            InputError: No query has both, or there is nothing to fit.
            MissingExtra: The method needs a package that is not installed.
        """
        queries = tuple(query_id for query_id in scored if query_id in qrels)
        if not queries:
            raise InputError("no query has both scores and qrels: look at the ids of the two files")
        rows = {
            query_id: [(score, qrels[query_id].get(doc_id, 0) >= level) for doc_id, score in scored[query_id]]
            for query_id in queries
        }
        everything = [row for found in rows.values() for row in found]
        curve = fit([score for score, _ in everything], [good for _, good in everything], method)
        relevant = {query_id: tuple(score for score, good in found if good) for query_id, found in rows.items()}
        return cls(curve, level, queries, len(everything), relevant, strategy, model, source or {})

    def apply(self, ranking: Ranking) -> Ranking:
        """The ranking with `relevance` on every result that a model read and the strategy scored."""
        results = tuple(
            replace(result, relevance=self.curve(result.score))
            if result.score is not None and result.provenance is Provenance.JUDGED
            else result
            for result in ranking
        )
        return replace(ranking, results=results)

    def to_dict(self, version: str = __version__) -> dict[str, Any]:
        """The calibration as its file has it.

        Args:
            version: Of the package that made it.
        """
        found: dict[str, Any] = plain(self)
        found["curve"] = {"method": self.curve.method, **found["curve"]}
        return {"format": FORMAT, "version": VERSION, "made_by": version, **found}

    def save(self, path: str | PathLike[str], version: str = __version__) -> None:
        """Writes it as JSON."""
        text = json.dumps(self.to_dict(version), indent=1, ensure_ascii=False)
        Path(path).write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Reads what `save` wrote.

        Raises:
            InputError: It is no calibration.
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(
                _curve({(FORMAT, VERSION): found["curve"]}[found["format"], found["version"]]),
                int(found["level"]),
                tuple(map(str, _list(found["queries"]))),
                int(found["results"]),
                {query_id: _numbers(scores) for query_id, scores in found["relevant"].items()},
                str(found["strategy"]),
                str(found["model"]),
                dict(found["source"]),
            )
        except OSError as error:
            raise InputError(f"cannot read the calibration {path}: {error.strerror}") from None
        except (ArithmeticError, ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{path} is no calibration of this version: `rerankllm calibrate` writes one") from None


def _curve(found: Mapping[str, Any]) -> Curve:
    """The curve, if it rises from 0 at the least to 1 at the most."""
    if found["method"] == "logistic":
        slope, intercept = _numbers([found["slope"], found["intercept"]])
        if slope <= 0:
            raise ValueError
        return Logistic(slope, intercept)
    scores, chances = _numbers(found["scores"]), _numbers(found["probabilities"])
    rising = list(scores) == sorted(set(scores)) and list(chances) == sorted(chances)
    if found["method"] != "isotonic" or not scores or len(scores) != len(chances) or not rising:
        raise ValueError
    if chances[0] < 0 or chances[-1] > 1:
        raise ValueError
    return Isotonic(scores, chances)


def _numbers(found: Any) -> tuple[float, ...]:
    values = tuple(map(float, _list(found)))
    if not all(map(math.isfinite, values)):
        raise ValueError
    return values


def _list(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise TypeError
    return found
