"""Haystack: a ranker component."""

from dataclasses import replace
from typing import Any, Self, get_args

from rerankllm.errors import InputError, MissingExtra

try:
    from haystack import Document, component, default_from_dict, default_to_dict
except ImportError as error:
    raise MissingExtra("the Haystack adapter needs haystack-ai: pip install 'rerankllm[haystack]'") from error

from rerankllm.integrations.ranker import OnError, Placed, Ranker, RerankerSource
from rerankllm.reranker import Reranker


@component
class RerankllmRanker:
    """Reranks documents and keeps the first `top_k`, each with its new score.

    Pipelines in YAML are read with `Pipeline.loads(text, allowed_modules=["rerankllm.*"])`, as Haystack loads only
    what it is told to.

    Args:
        reranker: A ready reranker, instead of the next four; it cannot be written to YAML.
        strategy: A stage spec; the model's default strategy when None.
        model: `kind:name[?key=value&…]`; the default model when None.
        instruction: What counts as relevant, for prompts that show it.
        passage_tokens: Cut of every passage.
        top_k: How many are returned, and aimed for; all when None.
        on_error: What follows where documents cannot be ranked: the error, or with `keep` the order given, without
            scores, and with `reranked: false` in their `meta`.

    Raises:
        InputError: A spec does not parse.
    """

    def __init__(
        self,
        *,
        strategy: str | None = None,
        model: str | None = None,
        instruction: str | None = None,
        passage_tokens: int | None = None,
        top_k: int | None = None,
        on_error: OnError = "raise",
        reranker: Reranker | None = None,
    ) -> None:
        self._ranker = Ranker(RerankerSource(reranker, strategy, model, instruction, passage_tokens))
        self.top_k = _checked(top_k)
        if on_error not in get_args(OnError):
            raise InputError(f"on_error should be {' or '.join(get_args(OnError))}, found {on_error!r}")
        self.on_error: OnError = on_error

    def warm_up(self) -> None:
        """Loads the model, which is otherwise loaded by the first run."""
        self._ranker.load()

    def close(self) -> None:
        """Frees the model that was loaded here."""
        self._ranker.close()

    def to_dict(self) -> dict[str, Any]:
        """The component, written down.

        Raises:
            InputError: It was given a ready reranker.
        """
        return default_to_dict(self, **self._ranker.source.arguments, top_k=self.top_k, on_error=self.on_error)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The component that `to_dict` wrote down."""
        return default_from_dict(cls, data)

    @component.output_types(documents=list[Document])
    def run(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, list[Document]]:
        """Ranks.

        Args:
            query: The query.
            documents: The documents; each needs `content`.
            top_k: How many are wanted, instead of the component's own.

        Returns:
            `documents`, best first: copies with new scores.

        Raises:
            QueryFailed: They could not be ranked, and `on_error` is not `keep`: it ends the pipeline's run as
                `PipelineRuntimeError`.
        """
        placed = self._ranker.place(query, _texts(documents), _checked(top_k) or self.top_k, self.on_error)
        return {"documents": _scored(documents, placed)}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """`run`, awaited."""
        placed = await self._ranker.aplace(query, _texts(documents), _checked(top_k) or self.top_k, self.on_error)
        return {"documents": _scored(documents, placed)}


def _scored(documents: list[Document], placed: Placed) -> list[Document]:
    return [
        replace(documents[index], score=score, meta={**documents[index].meta, **placed.mark})
        for index, score in placed.places
    ]


def _checked(top_k: int | None) -> int | None:
    if top_k is not None and top_k < 1:
        raise InputError(f"top_k should be at least 1, found {top_k}")
    return top_k


def _texts(documents: list[Document]) -> list[str]:
    for document in documents:
        if document.content is None:
            raise InputError(f"document {document.id} has no content: only texts can be reranked")
    return [document.content or "" for document in documents]
