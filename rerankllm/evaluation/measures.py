"""Effectiveness measures, computed by ir-measures."""

from collections.abc import Iterable, Mapping, Sequence
from subprocess import CalledProcessError
from typing import Any

from rerankllm.errors import InputError

Qrels = Mapping[str, Mapping[str, int]]
DEFAULT_MEASURES = ("nDCG@10",)


def parse_measures(names: Iterable[str]) -> list[Any]:
    """ir-measures objects for names such as `nDCG@10` or `RR(rel=2)@10`.

    Raises:
        InputError: A name ir-measures does not know.
    """
    import ir_measures  # noqa: PLC0415

    found: list[Any] = []
    for name in names:
        try:
            found.append(ir_measures.parse_measure(name))
        except (NameError, ValueError, TypeError, AssertionError, SyntaxError, KeyError) as error:
            raise InputError(
                f"measure '{name}' is not one of ir-measures'; try nDCG@10, RR(rel=2)@10, AP(rel=2)@100, R(rel=2)@100"
            ) from error
        if found[-1].params.get("cutoff", 1) < 1:
            raise InputError(f"measure '{name}' should cut off at 1 or deeper")
    return found


def per_query(
    qrels: Qrels, rankings: Mapping[str, Sequence[str]], measures: Sequence[Any]
) -> dict[str, dict[str, float]]:
    """The value of every measure for every query that has qrels and a ranking.

    Args:
        qrels: Grades by query and document id.
        rankings: Document ids by query id, best first.
        measures: From `parse_measures`.

    Returns:
        Values by query id and the measure's name.
    """
    import ir_measures  # noqa: PLC0415

    judged = {query_id: dict(grades) for query_id, grades in qrels.items() if query_id in rankings}
    run = {query_id: {doc_id: float(-place) for place, doc_id in enumerate(rankings[query_id])} for query_id in judged}
    values: dict[str, dict[str, float]] = {query_id: {} for query_id in judged}
    if not judged:
        return values
    try:
        for metric in ir_measures.iter_calc(list(measures), judged, run):
            values[metric.query_id][str(metric.measure)] = float(metric.value)
    except (ValueError, AssertionError, RuntimeError, LookupError, OSError, CalledProcessError) as error:
        names = ", ".join(map(str, measures))
        raise InputError(f"ir-measures cannot compute {names} here: {' '.join(str(error).split())[:200]}") from error
    return values


def mean(values: Mapping[str, Mapping[str, float]], measure: Any, parts: Mapping[str, str] | None = None) -> float:
    """The mean over the queries measured; NaN for none.

    Args:
        values: From `per_query`.
        measure: One of its measures.
        parts: The part each query belongs to, for collections whose value is the mean of their parts' means.
    """
    if parts:
        by_part: dict[str, dict[str, Mapping[str, float]]] = {}
        for query_id, by_measure in values.items():
            by_part.setdefault(parts[query_id], {})[query_id] = by_measure
        means = [mean(of_part, measure) for of_part in by_part.values()]
        return sum(means) / len(means) if means else float("nan")
    found = [by_measure[str(measure)] for by_measure in values.values()]
    return sum(found) / len(found) if found else float("nan")


def binary_notes(measures: Iterable[Any], relevant_from: int) -> list[str]:
    """A line for each binary measure that counts lower grades as relevant than the judgements mean by it."""
    return [
        f"{measure} counts grade {measure['rel']} as relevant, where these judgements are binary from {relevant_from}: "
        f"{measure.NAME}(rel={relevant_from}) is what others report"
        for measure in measures
        if "rel" in getattr(measure, "SUPPORTED_PARAMS", ()) and measure["rel"] < relevant_from
    ]
