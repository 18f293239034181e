"""The `rank` of sentence-transformers' `CrossEncoder`, by any strategy and model. It needs no further package."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from rerankllm.errors import InputError
from rerankllm.integrations.ranker import Ranker, RerankerSource
from rerankllm.reranker import Reranker


class Hit(TypedDict):
    """One result.

    Attributes:
        corpus_id: Position among the documents.
        score: From 0 to 1, strictly decreasing.
        text: The document, where it was asked for.
    """

    corpus_id: int
    score: float
    text: NotRequired[str]


NO_EFFECT = frozenset({
    "batch_size", "show_progress_bar", "num_workers", "convert_to_numpy", "convert_to_tensor", "device", "pool",
    "chunk_size",
})  # fmt: skip
"""Arguments of `CrossEncoder.rank` that say how to compute, and change no score."""


class RerankllmCrossEncoder:
    """Stands where a `CrossEncoder` is asked to `rank`.

    Args:
        model: `kind:name[?key=value&…]`; the default model when None.
        strategy: A stage spec; the model's default strategy when None.
        instruction: What counts as relevant, for prompts that show it.
        passage_tokens: Cut of every passage.
        reranker: A ready reranker, instead of the four before.

    Raises:
        InputError: A spec does not parse.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        strategy: str | None = None,
        instruction: str | None = None,
        passage_tokens: int | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self._ranker = Ranker(RerankerSource(reranker, strategy, model, instruction, passage_tokens))

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,  # noqa: FBT001, FBT002 - the signature of CrossEncoder.rank
        **others: object,
    ) -> list[Hit]:
        """The documents' positions and scores, best first.

        Args:
            query: The query.
            documents: The documents.
            top_k: How many are wanted; the strategy aims for them. All when None.
            return_documents: Whether results carry their text.
            **others: What else `CrossEncoder.rank` takes. What only says how to compute, such as `batch_size`, has no
                effect: the model's engine makes its own batches.

        Raises:
            QueryFailed: They could not be ranked.
            InputError: An argument that would change the scores, such as `prompt`.
        """
        for name in (name for name, value in others.items() if value is not None and name not in NO_EFFECT):
            raise InputError(f"rank: {name} is not taken here; instruction=… of RerankllmCrossEncoder says what counts")
        hits: list[Hit] = []
        for index, score in self._ranker.rank(query, documents, top_k):
            hits.append({"corpus_id": index, "score": score})
            if return_documents:
                hits[-1]["text"] = documents[index]
        return hits

    def close(self) -> None:
        """Frees the model that was loaded here."""
        self._ranker.close()
