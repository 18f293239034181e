"""The kinds of model that are reranking APIs: one for each API, and one for any server that speaks a dialect."""

from rerankllm.backends.rerank_api.backend import RerankApi
from rerankllm.backends.rerank_api.dialects import DIALECTS, Dialect
from rerankllm.errors import InputError


class Cohere(RerankApi):
    """Models of Cohere's reranking API."""

    kind = "cohere"


class Jina(RerankApi):
    """Models of Jina's reranking API."""

    kind = "jina"


class Voyage(RerankApi):
    """Models of Voyage's reranking API."""

    kind = "voyage"


class Mixedbread(RerankApi):
    """Models of Mixedbread's reranking API."""

    kind = "mixedbread"


class ZeroEntropy(RerankApi):
    """Models of ZeroEntropy's reranking API."""

    kind = "zeroentropy"


class Nvidia(RerankApi):
    """Models of NVIDIA's reranking API."""

    kind = "nvidia"


class Tei(RerankApi):
    """A server of text-embeddings-inference, named by its URL."""

    kind = "tei"


class AnyRerankApi(RerankApi):
    """A server that speaks the dialect of a reranking API.

    Args:
        dialect: `cohere`, `jina`, `voyage`, `mixedbread`, `zeroentropy`, `nvidia`, `tei` or `vllm`.
    """

    def __init__(
        self,
        *,
        name: str,
        dialect: str = "jina",
        base_url: str | None = None,
        api_key_env: str | None = None,
        instruction: str | None = None,
        max_tokens_per_doc: int | None = None,
        batch: int | None = None,
        concurrency: int = 4,
        rate: float | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        price_searches: float | None = None,
        price_tokens: float | None = None,
    ) -> None:
        if dialect not in DIALECTS:
            raise InputError(f"rerank: knows no dialect {dialect}; there are: {', '.join(DIALECTS)}")
        self._spoken = DIALECTS[dialect]
        super().__init__(
            name=name,
            base_url=base_url,
            api_key_env=api_key_env,
            instruction=instruction,
            max_tokens_per_doc=max_tokens_per_doc,
            batch=batch,
            concurrency=concurrency,
            rate=rate,
            timeout=timeout,
            retries=retries,
            price_searches=price_searches,
            price_tokens=price_tokens,
        )

    def spoken(self) -> Dialect:
        """The dialect that was asked for."""
        return self._spoken
