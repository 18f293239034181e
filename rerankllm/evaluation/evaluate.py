"""How good rankings are, in one call."""

from collections.abc import Iterable, Mapping, Sequence

from rerankllm.data import Ranking
from rerankllm.evaluation.measures import DEFAULT_MEASURES, Qrels, at_level, parse_measures, per_query, relevant_from


def evaluate(
    rankings: Iterable[Ranking] | Mapping[str, Sequence[str]],
    qrels: Qrels,
    measures: Iterable[str] = DEFAULT_MEASURES,
) -> dict[str, float]:
    """The mean of every measure over all judged queries; one without a ranking counts as 0.

    Args:
        rankings: Such as `Run.rankings`; or document ids by query id, best first.
        qrels: Grades by query and document id, such as `Collection.qrels`.
        measures: In ir-measures' notation, such as `nDCG@10` or `RR(rel=2)@10`. A binary one that does not say `rel`
            counts grades from 2 on TREC-DL's scale, else from 1, and is named so.

    Returns:
        Means by the measure's name; NaN where nothing is judged.

    Raises:
        InputError: A measure is unknown.

    Example:
        >>> evaluate(run.rankings, collection.qrels)
        {'nDCG@10': 0.7717}
    """
    wanted = at_level(parse_measures(measures), relevant_from(qrels))
    orders = rankings if isinstance(rankings, Mapping) else {each.query.query_id: each.doc_ids for each in rankings}
    values = per_query(qrels, {query_id: orders.get(query_id, ()) for query_id in qrels}, wanted)
    return {
        str(m): sum(one[str(m)] for one in values.values()) / len(values) if values else float("nan") for m in wanted
    }
