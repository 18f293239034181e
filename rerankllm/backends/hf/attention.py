"""Attention of packed sequences: each token sees those before it in its own sequence, wherever they lie.

Registered with transformers as an attention function of its own, which makes no mask, and told what a chunk looks like
through the arguments of the model's forward.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rerankllm.backends.hf.packing import Chunk, Piece

NAME = "rerankllm-packed"
HARMLESS = frozenset({"dropout", "is_causal", "position_ids", "sliding_window", "use_cache"})
"""What a model may tell its attention without a change in what that computes, for rows no longer than its window."""


@dataclass(slots=True)
class Memory:
    """Keys and values of every layer: of the last chunk, and of what was kept for it."""

    layers: dict[int, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Pieces that attend together, their sequences padded on the right.

    Attributes:
        rows: For each query the token of the chunk it is, flat; any for those nobody reads.
        slots: Likewise for keys and values.
        shape: Pieces, queries of each, keys of each.
        mask: Which keys each query sees, (pieces, 1, queries, keys); None where its own place and all before.
    """

    rows: Any
    slots: Any
    shape: tuple[int, int, int]
    mask: Any


@dataclass(frozen=True, slots=True)
class Layout:
    """A chunk as its attention needs it.

    Attributes:
        keep: Slots of the last chunk that are remembered, a tensor.
        groups: What attends together.
        places: For each token of the chunk its place in the groups' queries, a tensor.
        memory: Read and replaced.
    """

    keep: Any
    groups: Sequence[Group]
    places: Any
    memory: Memory


def layout(chunk: Chunk, memory: Memory, device: Any) -> Layout:
    """What the attention of every layer needs to know of a chunk."""
    import torch  # noqa: PLC0415

    groups, places, offset = [], [0] * chunk.tokens, 0
    for pieces in chunk.groups:
        group = _group(pieces, device)
        _, queries, _ = group.shape
        for number, piece in enumerate(pieces):
            skipped = 0 if piece.masked else piece.start
            first, length = offset + number * queries + skipped, piece.stop - piece.start
            places[piece.place : piece.place + length] = range(first, first + length)
        offset += len(pieces) * queries
        groups.append(group)
    keep = torch.tensor(list(chunk.keep), dtype=torch.long, device=device)
    return Layout(keep, groups, torch.tensor(places, device=device), memory)


def _group(pieces: Sequence[Piece], device: Any) -> Group:
    """Queries and keys of pieces that attend together."""
    import torch  # noqa: PLC0415

    masked, keys = pieces[0].masked, max(piece.stop for piece in pieces)
    queries = max(piece.stop - piece.start for piece in pieces) if masked else keys
    rows, slots = [], []
    for piece in pieces:
        own = range(piece.place, piece.place + piece.stop - piece.start)
        row = [*own] if masked else [*[0] * piece.start, *own]
        rows += [*row, *[0] * (queries - len(row))]
        slots += [*piece.slots, *[0] * (keys - piece.stop)]
    mask = None
    if masked:
        starts = torch.tensor([piece.start for piece in pieces], device=device)[:, None, None, None]
        mask = torch.arange(keys, device=device) <= starts + torch.arange(queries, device=device)[:, None]
    shape = (len(pieces), queries, keys)
    return Group(torch.tensor(rows, device=device), torch.tensor(slots, device=device), shape, mask)


@contextlib.contextmanager
def packed(model: Any) -> Iterator[None]:
    """Lets a model attend this way for as long as it lasts; it has to be given a `Layout` as `packed`."""
    from transformers import AttentionInterface  # noqa: PLC0415

    AttentionInterface.register(NAME, attend)
    own = model.config._attn_implementation  # noqa: SLF001 - there is no other way to ask
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(own)


def takes(model: Any) -> bool:
    """Whether a model's attention can be another."""
    return bool(getattr(model, "_can_set_attn_implementation", bool)())


def attend(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> tuple[Any, None]:
    """Attention of one layer.

    Args:
        module: The layer's.
        query: (1, heads, tokens, size), the tokens of the chunk.
        key: Likewise, with as many heads or fewer.
        value: Likewise.
        mask: None.
        options: `packed` is the `Layout`; `scaling` and `softcap` as transformers has them.

    Returns:
        (1, tokens, heads, size), and nothing.

    Raises:
        NotImplementedError: The model's attention does more than this.
    """
    import torch  # noqa: PLC0415

    del mask
    packed: Layout = options.pop("packed")
    scaling, cap = options.pop("scaling", None), options.pop("softcap", None)
    told = {name for name, what in options.items() if what is not None and what is not False}
    if told - HARMLESS:
        raise NotImplementedError(f"attention with {', '.join(sorted(told - HARMLESS))}")
    key, value = _remember(packed, module.layer_idx, key, value)
    found = []
    for group in packed.groups:
        count, queries, keys = group.shape
        picked = _picked(query, group.rows, count, queries)
        seen, held = (_picked(tensor, group.slots, count, keys) for tensor in (key, value))
        if cap is None:
            grouped = query.shape[1] != key.shape[1]
            together = torch.nn.functional.scaled_dot_product_attention(
                picked, seen, held, group.mask, is_causal=group.mask is None, scale=scaling, enable_gqa=grouped
            )
        else:
            together = _capped(picked, seen, held, group.mask, scaling=scaling, cap=cap)
        found.append(together.transpose(1, 2).flatten(0, 1))
    return torch.cat(found).index_select(0, packed.places)[None], None


def _capped(query: Any, key: Any, value: Any, mask: Any, *, scaling: float, cap: float) -> Any:
    """Attention with its scores squeezed between minus and plus `cap`, as in Gemma 2; causal without a mask."""
    import torch  # noqa: PLC0415

    key, value = (tensor.repeat_interleave(query.shape[1] // key.shape[1], 1) for tensor in (key, value))
    scores = torch.tanh(query @ key.transpose(2, 3) * (scaling / cap)) * cap
    if mask is None:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    return scores.masked_fill(~mask, -torch.inf).softmax(-1, dtype=torch.float32).to(value.dtype) @ value


def _remember(packed: Layout, layer: int, key: Any, value: Any) -> tuple[Any, Any]:
    """Keys and values of all slots: those kept, then these."""
    import torch  # noqa: PLC0415

    if len(packed.keep):
        kept = (tensor.index_select(2, packed.keep) for tensor in packed.memory.layers[layer])
        key, value = (torch.cat(both, 2) for both in zip(kept, (key, value), strict=True))
    packed.memory.layers[layer] = (key, value)
    return key, value


def _picked(tensor: Any, index: Any, count: int, length: int) -> Any:
    """Of (1, heads, tokens, size) those of an index: (count, heads, length, size)."""
    picked = tensor[0].index_select(1, index)
    return picked.view(picked.shape[0], count, length, picked.shape[2]).transpose(0, 1)
