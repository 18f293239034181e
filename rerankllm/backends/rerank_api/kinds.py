"""The kinds of model that are a reranking API of their own; `rerank:` is any server that speaks a dialect."""

from rerankllm.backends.rerank_api.backend import RerankApi


class _OneApi(RerankApi):
    """An API that is known by name: its dialect is no question."""

    settled = frozenset({"dialect"})


class Cohere(_OneApi):
    """A model of Cohere's reranking API."""

    kind = "cohere"


class Jina(_OneApi):
    """A model of Jina's reranking API."""

    kind = "jina"


class Voyage(_OneApi):
    """A model of Voyage's reranking API."""

    kind = "voyage"


class Mixedbread(_OneApi):
    """A model of Mixedbread's reranking API."""

    kind = "mixedbread"


class ZeroEntropy(_OneApi):
    """A model of ZeroEntropy's reranking API."""

    kind = "zeroentropy"


class Nvidia(_OneApi):
    """A model of NVIDIA's reranking API."""

    kind = "nvidia"


class Tei(_OneApi):
    """A server of text-embeddings-inference, named by its URL."""

    kind = "tei"
