"""Effectiveness measures, computed by ir-measures."""

from collections.abc import Iterable, Mapping, Sequence
from subprocess import CalledProcessError
from typing import Any

from rerankllm.data import float32
from rerankllm.errors import InputError

Qrels = Mapping[str, Mapping[str, int]]
DEFAULT_MEASURES = ("nDCG@10",)
TREC_DL_GRADES, TREC_DL_LEVEL = {0, 1, 2, 3}, 2
"""The scale of the TREC Deep Learning tracks, and the lowest grade that counts as relevant there."""
LARGEST = (2 - 2**-23) * 2.0**127
"""In single precision."""


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


def relevant_from(qrels: Qrels) -> int:
    """The lowest grade that binary measures count as relevant: 2 on the scale of TREC-DL, 1 elsewhere.

    Craswell et al. 2020, "Overview of the TREC 2019 deep learning track": grade 1 is "related", and no
    answer. The scale is known by its grades, which are 0 to 3, all of them there.
    """
    found = {grade for grades in qrels.values() for grade in grades.values()}
    return TREC_DL_LEVEL if found == TREC_DL_GRADES else 1


def at_level(measures: Iterable[Any], level: int) -> list[Any]:
    """The measures, those binary at ir-measures' usual grade 1 now at `level`, and named so: RR@10 → RR(rel=2)@10.

    A measure whose name says `rel` already keeps it.
    """
    found: list[Any] = []
    for measure in measures:
        usual = getattr(measure, "SUPPORTED_PARAMS", {}).get("rel")
        binary = usual is not None and usual.default == 1
        found.append(measure(rel=level) if binary and level != 1 and "rel" not in measure.params else measure)
    return found


def trec_order(scored: Iterable[tuple[str, float]]) -> list[str]:
    """Document ids as trec_eval orders them: by score in single precision, ties by id, the last in the alphabet first.

    (trec_eval's form_res_rels.c; the rank column is ignored there, too.)
    """
    by_id = sorted(scored, key=lambda pair: pair[0].encode(errors="surrogatepass"), reverse=True)
    return [doc_id for doc_id, _ in sorted(by_id, key=lambda pair: -float32(max(-LARGEST, min(LARGEST, pair[1]))))]


def per_query(
    qrels: Qrels, rankings: Mapping[str, Sequence[str]], measures: Iterable[Any]
) -> dict[str, dict[str, float]]:
    """The value of every measure for every query that has qrels and a ranking.

    Args:
        qrels: Grades by query and document id.
        rankings: Document ids by query id, best first; an empty one is worth 0.
        measures: From `parse_measures`.

    Returns:
        Values by query id and the measure's name.
    """
    import ir_measures  # noqa: PLC0415

    judged = {query_id: dict(grades) for query_id, grades in qrels.items() if query_id in rankings}
    run = {query_id: {doc_id: float(-place) for place, doc_id in enumerate(rankings[query_id])} for query_id in judged}
    nothing = {str(measure): 0.0 for measure in measures}
    values = {query_id: {} if rankings[query_id] else dict(nothing) for query_id in judged}
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
