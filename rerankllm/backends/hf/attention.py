"""Attention of packed sequences: each token sees those before it in its own sequence, wherever they lie.

Registered with transformers as an attention function of its own, which makes no mask, and told what a chunk looks like
through the arguments of the model's forward.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rerankllm.backends.hf.kv_cache import Places
from rerankllm.backends.hf.packing import Chunk, Piece
from rerankllm.errors import CapabilityError

NAME = "rerankllm-packed"
HARMLESS = frozenset({"dropout", "is_causal", "position_ids", "sliding_window", "use_cache"})
"""What a model may tell its attention without a change in what that computes, for rows no longer than its window."""

BLOCK = 128
"""Queries that attend at a time by products of matrices."""


@dataclass(slots=True)
class Memory:
    """Keys and values of every layer by slot: two tensors of shape (1, heads, slots, size).

    Attributes:
        window: Tokens that the layer with the narrowest attention sees.
    """

    layers: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    window: int = 2**62

    @property
    def bytes_a_slot(self) -> int:
        """Of keys and values, in all layers."""
        return sum(int(tensor.nbytes) // tensor.shape[2] for both in self.layers.values() for tensor in both)


@dataclass(frozen=True, slots=True)
class Group:
    """Pieces that attend together, their sequences padded on the right.

    Attributes:
        rows: For each query the token of the chunk it is, flat; any for those nobody reads.
        slots: Likewise for keys and values.
        shape: Pieces, queries of each, keys of each.
        mask: Of shape (pieces, 1, queries, keys): 0 for keys that a query sees, else minus infinity; None where it sees
            its own place and all before.
    """

    rows: Any
    slots: Any
    shape: tuple[int, int, int]
    mask: Any


@dataclass(frozen=True, slots=True)
class Layout:
    """A chunk as its attention needs it.

    Attributes:
        slots: Where keys and values of the chunk's tokens go, a tensor.
        size: How many slots there are.
        groups: What attends together.
        places: For each token of the chunk its place in the groups' queries, a tensor.
        memory: Read and written.
    """

    slots: Any
    size: int
    groups: Sequence[Group]
    places: Any
    memory: Memory


def layout(chunk: Chunk, memory: Memory, size: int, model: Any) -> Layout:
    """What the attention of every layer of a model needs to know of a chunk; there are so many slots."""
    import torch  # noqa: PLC0415

    device = model.device
    groups, places, offset = [], [0] * chunk.tokens, 0
    for pieces in chunk.groups:
        group = _group(pieces, device, model.dtype)
        _, queries, _ = group.shape
        for number, piece in enumerate(pieces):
            skipped = 0 if piece.masked else piece.start
            first, length = offset + number * queries + skipped, piece.stop - piece.start
            places[piece.place : piece.place + length] = range(first, first + length)
        offset += len(pieces) * queries
        groups.append(group)
    slots = torch.from_numpy(chunk.slots).to(device)
    return Layout(slots, size, groups, torch.tensor(places, device=device), memory)


def _group(pieces: Sequence[Piece], device: Any, dtype: Any) -> Group:
    """Queries and keys of pieces that attend together."""
    import torch  # noqa: PLC0415

    masked, keys = pieces[0].masked, max(piece.stop for piece in pieces)
    queries = max(piece.stop - piece.start for piece in pieces) if masked else keys
    rows, slots = list[int](), list[Places]()
    for piece in pieces:
        own = range(piece.place, piece.place + piece.stop - piece.start)
        row = [*own] if masked else [*[0] * piece.start, *own]
        rows += [*row, *[0] * (queries - len(row))]
        slots += [piece.slots, np.zeros(keys - piece.stop, np.int64)]
    mask = None
    if masked:
        starts = torch.tensor([piece.start for piece in pieces], device=device)[:, None, None, None]
        unseen = torch.arange(keys, device=device) > starts + torch.arange(queries, device=device)[:, None]
        mask = torch.zeros(unseen.shape, dtype=dtype, device=device).masked_fill(unseen, -torch.inf)
    shape = (len(pieces), queries, keys)
    return Group(torch.tensor(rows, device=device), torch.from_numpy(np.concatenate(slots)).to(device), shape, mask)


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
    """Whether a model's attention may be replaced: False only where transformers says that it cannot."""
    return bool(getattr(model, "_can_set_attn_implementation", lambda: True)())


def attend(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **options: Any) -> tuple[Any, None]:
    """Attention of one layer.

    Args:
        module: The layer's.
        query: (1, heads, tokens, size), the tokens of the chunk.
        key: Likewise, with as many heads or fewer.
        value: Likewise.
        attention_mask: None, unless the model has one of its own.
        options: `packed` is the `Layout`; `scaling` and `softcap` as transformers has them.

    Returns:
        (1, tokens, heads, size), and nothing.

    Raises:
        CapabilityError: The model's attention does more than this.
    """
    import torch  # noqa: PLC0415

    packed: Layout | None = options.pop("packed", None)
    if packed is None:
        raise CapabilityError("its attention is not told which tokens are packed")
    if attention_mask is not None:
        raise CapabilityError("its attention takes a mask of its own")
    scaling, cap = options.pop("scaling", None), options.pop("softcap", None)
    told = {name for name, what in options.items() if what is not None and what is not False}
    if told - HARMLESS:
        raise CapabilityError(f"its attention takes {', '.join(sorted(told - HARMLESS))}")
    packed.memory.window = min(packed.memory.window, options.get("sliding_window") or packed.memory.window)
    key, value = _remember(packed, module.layer_idx, key, value)
    found = []
    for group in packed.groups:
        count, queries, keys = group.shape
        picked = _picked(query, group.rows, count, queries)
        seen, held = (_picked(tensor, group.slots, count, keys) for tensor in (key, value))
        if cap is None and _by_products(query):
            together = _products(picked, seen, held, group.mask, scaling)
        elif cap is None and group.mask is not None:
            together = _folded(picked, seen, held, group.mask, scaling)
        elif cap is None:
            grouped = query.shape[1] != key.shape[1]
            together = torch.nn.functional.scaled_dot_product_attention(
                picked, seen, held, is_causal=True, scale=scaling, enable_gqa=grouped
            )
        else:
            together = _capped(picked, seen, held, group.mask, scaling=scaling, cap=cap)
        found.append(together.transpose(1, 2).flatten(0, 1))
    return torch.cat(found).index_select(0, packed.places)[None], None


def _by_products(query: Any) -> bool:
    """Whether plain products of matrices are faster than torch's fused attention: in bfloat16 on a CPU they are."""
    return query.device.type == "cpu" and str(query.dtype) == "torch.bfloat16"


def _products(query: Any, key: Any, value: Any, mask: Any, scaling: float | None) -> Any:
    """Attention by products of matrices, some queries at a time; causal without a mask.

    Heads that see the same keys are as many more queries. What causality hides of a block of queries is left out, but
    for a triangle.
    """
    import torch  # noqa: PLC0415

    count, heads, queries, size = query.shape
    groups = key.shape[1]
    keys, out = key.transpose(2, 3), torch.empty_like(query)
    query = query * (size**-0.5 if scaling is None else scaling)
    for start in range(0, queries, BLOCK):
        stop = min(start + BLOCK, queries)
        seen = stop if mask is None else key.shape[2]
        hidden = _triangle(start, stop, query) if mask is None else mask[:, :, start:stop]
        shape = (count, groups, heads // groups, stop - start)
        asked = query[:, :, start:stop].reshape(count, groups, -1, size)
        scores = (asked @ keys[..., :seen]).view(*shape, seen)
        scores += hidden[:, :, None]
        told = scores.softmax(-1).view(count, groups, -1, seen) @ value[:, :, :seen]
        out[:, :, start:stop] = told.view(count, heads, stop - start, size)
    return out


def _triangle(start: int, stop: int, like: Any) -> Any:
    """A mask of queries from `start` to before `stop`, that see all keys up to their own."""
    import torch  # noqa: PLC0415

    unseen = torch.full((1, 1, stop - start, stop), -torch.inf, dtype=like.dtype, device=like.device)
    return unseen.triu_(start + 1)


def _folded(query: Any, key: Any, value: Any, mask: Any, scaling: float | None) -> Any:
    """Attention by a mask; heads that see the same keys are as many more queries, so that no key is read for each."""
    import torch  # noqa: PLC0415

    times = query.shape[1] // key.shape[1]
    folded = query.reshape(query.shape[0], key.shape[1], times * query.shape[2], query.shape[3])
    together = torch.nn.functional.scaled_dot_product_attention(
        folded, key, value, mask.repeat(1, 1, times, 1), scale=scaling
    )
    return together.reshape(query.shape)


def _capped(query: Any, key: Any, value: Any, mask: Any, *, scaling: float, cap: float) -> Any:
    """Attention with its scores squeezed between minus and plus `cap`, as in Gemma 2; causal without a mask."""
    import torch  # noqa: PLC0415

    key, value = (tensor.repeat_interleave(query.shape[1] // key.shape[1], 1) for tensor in (key, value))
    scores = torch.tanh(query @ key.transpose(2, 3) * (scaling / cap)) * cap
    if mask is None:
        mask = torch.full(scores.shape[-2:], -torch.inf, dtype=scores.dtype, device=scores.device).triu(1)
    return (scores + mask).softmax(-1, dtype=torch.float32).to(value.dtype) @ value


def _remember(packed: Layout, layer: int, key: Any, value: Any) -> tuple[Any, Any]:
    """Keys and values of all slots, these among them."""
    held = packed.memory.layers.get(layer)
    if held is None or held[0].shape[2] < packed.size:
        held = tuple(
            _grown(new, None if held is None else held[at], packed.size) for at, new in enumerate((key, value))
        )
        packed.memory.layers[layer] = held
    for tensor, new in zip(held, (key, value), strict=True):
        tensor.index_copy_(2, packed.slots, new)
    return held


def _grown(like: Any, held: Any, size: int) -> Any:
    """A tensor of so many slots and some to spare, the first of them as they are held."""
    grown = like.new_empty((*like.shape[:2], size + size // 4, like.shape[3]))
    if held is not None:
        grown[:, :, : held.shape[2]] = held
    return grown


def _picked(tensor: Any, index: Any, count: int, length: int) -> Any:
    """Of (1, heads, tokens, size) those of an index: (count, heads, length, size)."""
    picked = tensor[0].index_select(1, index)
    return picked.view(picked.shape[0], count, length, picked.shape[2]).transpose(0, 1)
