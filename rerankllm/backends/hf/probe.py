"""How a model's prompts can be computed together: found out by computing some, whatever its architecture is called."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rerankllm.backends.hf.batches import Row

EVERYTHING = 2**62
"""Tokens that no prompt has."""
EFFORT = {"cpu": 5e10}
"""Floating point operations that the long prompts of a probe may take: about a second."""
ELSEWHERE = 1e14
"""Likewise on a GPU."""
LONG = range(64, 1200)
"""Tokens of a long prompt. Attention takes keys a block at a time, and the longest ones are several blocks."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How a model computes prompts together, and why not otherwise.

    Attributes:
        reach: Tokens of the longest prompt that is packed; 0 where none is.
        reason: Why no prompt is packed, or none that is longer. Empty where all are packed.
        alone: Why prompts cannot be padded either, so that each is computed alone. Empty where they can.
    """

    reach: int = EVERYTHING
    reason: str = ""
    alone: str = ""

    def __str__(self) -> str:
        """One line, such as `padded: its attention takes s_aux`."""
        otherwise = "one at a time" if self.alone else "padded"
        reason = "; ".join(filter(None, (self.reason, self.alone)))
        if not self.reach:
            return f"{otherwise}: {reason}"
        if self.reach == EVERYTHING:
            return "packed"
        return f"packed up to {self.reach} tokens, longer ones {otherwise}: {reason}"


def stated_reach(config: Any) -> tuple[int, str]:
    """Tokens up to which attention is over all that came before, as a model's settings have it, and what ends there."""
    windows = [getattr(config, key, None) for key in ("sliding_window", "attention_chunk_size")]
    window = min((size for size in windows if size), default=EVERYTHING)
    ends = list[int]()
    ropes = getattr(config, "rope_parameters", None) or {}
    for rope in (ropes, *(one for one in ropes.values() if isinstance(one, dict))):
        if rope.get("rope_type") in ("dynamic", "longrope"):
            stated = rope.get("original_max_position_embeddings") or config.max_position_embeddings
            ends += filter(None, [stated, getattr(config, "original_max_position_embeddings", None)])
    positions = min(ends, default=EVERYTHING)
    if positions < window:
        return positions, f"positions are others from {positions} tokens on"
    return window, "" if window == EVERYTHING else f"its attention sees {window} tokens"


def short_rows(vocabulary: int) -> list[Row]:
    """Three prompts of 12 to 23 tokens, of which all begin alike."""
    first, other = (_ids(vocabulary, step, 16) for step in (7, 11))
    return [Row(first[:12], 2), Row(first[:7] + other, 2), Row(first[:12] + other[:1])]


def long_rows(vocabulary: int, reach: int, model: Any) -> list[Row]:
    """Two prompts that begin alike, as long as can be packed and is affordable; none where that is not long.

    The second one goes on after a third of the first one.
    """
    operations = 2 * sum(weights.numel() for weights in model.parameters())
    affordable = EFFORT.get(model.device.type, ELSEWHERE) / operations / 4  # each alone, and both packed
    places = getattr(model.config.get_text_config(), "max_position_embeddings", None) or LONG.stop
    length = min(LONG.stop, reach, places, int(affordable))
    if length < LONG.start:
        return []
    first, other = (_ids(vocabulary, step, length) for step in (7, 11))
    return [Row(first, 4), Row(first[: length // 3] + other[: length - length // 3], 4)]


def distance(found: Sequence[Any], alone: Sequence[Any], dtype: Any) -> float:
    """How far logits are from those of each row alone; up to 1 that is rounding. NaN where any of them is none."""
    import torch  # noqa: PLC0415

    off = torch.stack([(one.float() - other.float()).abs().max() for one, other in zip(found, alone, strict=True)])
    scale = torch.stack([logits.float().std() for logits in alone]).max()
    return float(off.max() / (3 * math.sqrt(torch.finfo(dtype).eps) * scale))


def trouble(compute: Callable[[], Sequence[Any]], alone: Sequence[Any], dtype: Any) -> str:
    """Why rows cannot be computed in some way; empty where they come out as each does alone."""
    try:
        off = distance(compute(), alone, dtype)
    except Exception as error:  # noqa: BLE001 - whatever it is, there are other ways
        return str(error).partition("\n")[0] or type(error).__name__
    return "" if off <= 1 else f"off by {off:.0f} times what rounding explains"


def _ids(vocabulary: int, step: int, length: int) -> tuple[int, ...]:
    return tuple((place * step + place // vocabulary) % vocabulary for place in range(5, 5 + length))
