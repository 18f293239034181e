"""What `rerank --jsonl` wrote, read again: results with the strategy's own scores."""

from rerankllm.data import Provenance
from rerankllm.errors import InputError
from rerankllm.formats.lines import FilePath, excerpt_of, expected, identifier, read_objects


def read_scores(path: FilePath) -> dict[str, list[tuple[str, float]]]:
    """The scores of the results that a model read, by query; rows about whole queries are passed over.

    Raises:
        InputError: The file cannot be read, a row has another shape, or there is no score at all.
    """
    scored: dict[str, list[tuple[str, float]]] = {}
    unscored = False
    for number, row in read_objects(path):
        if "doc_id" not in row or row.get("provenance") == Provenance.UNREAD.value:
            continue
        query_id, doc_id = (identifier(path, number, name, row) for name in ("query_id", "doc_id"))
        score = row.get("score")
        if score is None:
            unscored = True
            continue
        if not isinstance(score, (int, float)) or isinstance(score, bool):
            raise expected(path, number, "score to be a number", excerpt_of(score))
        scored.setdefault(query_id, []).append((doc_id, float(score)))
    if not scored:
        no_scores = "its strategy gives none: use one that does, such as pointwise"
        why = no_scores if unscored else "it should be what rerank --jsonl wrote"
        raise InputError(f"{path} holds no scores; {why}")
    return scored
