"""What a request is about, in tokens."""

from rerankllm.calls import (
    EncoderPrompt,
    OrderVectors,
    ReadAttention,
    ReadContinuation,
    ReadLabels,
    ReadSimilarities,
    Request,
    TokenPrompt,
    VectorPrompt,
    Want,
    WriteLabels,
)


def prompt(request: Request) -> tuple[int, ...]:
    """The token ids of a prompt; none of one that has others."""
    return request.prompt.ids if isinstance(request.prompt, TokenPrompt | EncoderPrompt | VectorPrompt) else ()


def named(want: Want) -> tuple[int, ...]:
    """The token ids that a request asks about."""
    if isinstance(want, ReadContinuation | ReadSimilarities):
        return want.ids
    if isinstance(want, ReadAttention | OrderVectors):
        return ()
    if isinstance(want, WriteLabels):
        return tuple(token for paths in want.paths for path in paths for token in path)
    if isinstance(want, ReadLabels):
        return sum(want.ids, ())
    held = want.after.answers if want.after else ()
    return sum(map(named, (*((want.labels,) if want.labels else ()), *held)), ())


def positions(want: Want) -> int:
    """How many tokens an answer takes."""
    if isinstance(want, OrderVectors):
        return want.count
    if isinstance(want, ReadSimilarities):
        return 0
    return len(want.ids) if isinstance(want, ReadContinuation) else 1
