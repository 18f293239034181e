"""Models that read a query and its documents in one prompt, and compare them by vectors (jina-reranker-v3, v3.5)."""

import functools
from collections.abc import Sequence
from typing import Any

from rerankllm.calls import ReadSimilarities, Request, Response, TokenPrompt
from rerankllm.data import Usage

ARCHITECTURE = "JinaForRanking"
"""What such a model's files say it is."""
DIMENSIONS = 512
"""Of the vectors that are compared."""


@functools.cache
def model_class() -> Any:
    """The architecture in transformers' own parts, so that no code comes with the weights: Qwen3 and a projector."""
    import torch  # noqa: PLC0415
    from transformers import Qwen3Model, Qwen3PreTrainedModel  # noqa: PLC0415

    class WholeList(Qwen3PreTrainedModel):  # type: ignore[misc]
        """Wang et al. 2025, "jina-reranker-v3: last but not late interaction for document reranking", section 3.

        In v3.5 some layers see 1,024 tokens only; the configuration says which.
        """

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.model = Qwen3Model(config)
            half = config.hidden_size // 2
            self.projector = torch.nn.Sequential(
                torch.nn.Linear(config.hidden_size, half, bias=False),
                torch.nn.ReLU(),
                torch.nn.Linear(half, DIMENSIONS, bias=False),
            )
            self.post_init()

        def forward(self, input_ids: Any, places: Sequence[int]) -> Any:
            """The vectors at these places of one prompt: a float tensor of shape (places, dimensions)."""
            states = self.model(input_ids=input_ids, use_cache=False).last_hidden_state
            return self.projector(states[0, list(places)])

    return WholeList


class Similarities:
    """Cosines of the documents' vectors and the query's, a prompt after the other.

    Attributes:
        computed: Tokens computed so far.
        packing: How prompts are computed together, and why.

    Args:
        model: Made by `model_class`.
    """

    packing = "one at a time: each holds a whole list"

    def __init__(self, model: Any) -> None:
        self._model = model
        self.computed = 0

    def read(self, request: Request) -> Response:
        """One cosine a document, in the order of a prompt in which `fault` finds nothing wrong."""
        import torch  # noqa: PLC0415

        ids, want = _asked(request)
        documents, queries = (_places(ids, marker) for marker in want.ids)
        self.computed += len(ids)
        with torch.inference_mode():
            vectors = self._model(torch.tensor([ids], device=self._model.device), [*documents, queries[-1]]).float()
            found: list[float] = torch.cosine_similarity(vectors[:-1], vectors[-1:]).tolist()
        return Response(logprobs=tuple(found), usage=Usage(len(ids)))

    @staticmethod
    def fault(request: Request) -> str | None:
        """Why a prompt cannot be read so, if it cannot: it has other markers than its documents and query."""
        ids, want = _asked(request)
        if len(want.ids) != len(want.markers):
            return "the markers to read come without their token ids"
        found = tuple(len(_places(ids, marker)) for marker in want.ids)
        if found == (want.count, want.queries):
            return None
        marked = " and ".join(f"{many} of {marker}" for many, marker in zip(found, want.markers, strict=True))
        return f"the prompt has {marked}, for {want.count} documents and a query"


def _asked(request: Request) -> tuple[tuple[int, ...], ReadSimilarities]:
    assert isinstance(request.prompt, TokenPrompt)  # noqa: S101
    assert isinstance(request.want, ReadSimilarities)  # noqa: S101
    return request.prompt.ids, request.want


def _places(ids: tuple[int, ...], marker: int) -> list[int]:
    return [place for place, token in enumerate(ids) if token == marker]
