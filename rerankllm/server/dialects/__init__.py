"""One file a wire dialect: its requests, its responses, and how it says that something went wrong."""

from collections.abc import Mapping, Sequence

from rerankllm.server.dialects.cohere import COHERE
from rerankllm.server.dialects.cohere_v1 import COHERE_V1
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.dialects.infinity import INFINITY
from rerankllm.server.dialects.jina import JINA
from rerankllm.server.dialects.mixedbread import MIXEDBREAD
from rerankllm.server.dialects.nvidia import NVIDIA
from rerankllm.server.dialects.tei import TEI
from rerankllm.server.dialects.voyage import VOYAGE
from rerankllm.server.dialects.zeroentropy import ZEROENTROPY

DIALECTS = (COHERE, COHERE_V1, VOYAGE, TEI, INFINITY, JINA, NVIDIA, MIXEDBREAD, ZEROENTROPY)
"""All of them. On a path that several share, the last is whoever has no marks."""


def by_path(dialects: Sequence[Dialect] = DIALECTS) -> Mapping[str, tuple[Dialect, ...]]:
    """The dialects of every path; those that share one have a path each besides."""
    shared: dict[str, list[Dialect]] = {}
    for dialect in dialects:
        for path in dialect.paths:
            shared.setdefault(path, []).append(dialect)
    own = {
        f"/{dialect.name}{path}": (dialect,)
        for path, several in shared.items()
        for dialect in several
        if len(several) > 1
    }
    return {path: tuple(several) for path, several in shared.items()} | own


def by_header(dialects: Sequence[Dialect] = DIALECTS) -> Mapping[str, Mapping[tuple[str, str], str]]:
    """The own path of every dialect whose clients send a header, by the path that it shares and that header."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    for dialect in dialects:
        for path in dialect.paths:
            for header in dialect.headers.items():
                found.setdefault(path, {})[header] = f"/{dialect.name}{path}"
    return found
