"""The type that a model is computed in on a CPU: its own, or float32, whichever is faster there."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from rerankllm.backends.fastest import fastest, seconds

EFFORT = 2e10
"""Floating point operations of one measurement."""
TOKENS = range(32, 257)
"""Tokens that one is made with."""
Shapes = Mapping[tuple[int, int], int]
"""Inputs and outputs of matrices, and how often a token passes one."""


def measured(auto: Any, config: Any) -> Any:
    """bfloat16 where the weights are kept in it and this CPU multiplies them faster so; else float32.

    What is kept in float32 stays in it, for less would be lost than rounding. Matrix products are nearly all of the
    time, so they are what is measured, without a weight being read.

    Args:
        auto: What loads the model, of transformers.
        config: The model's.
    """
    import torch  # noqa: PLC0415

    if getattr(config, "dtype", None) not in {torch.bfloat16, "bfloat16"}:
        return torch.float32
    shapes = matrices(auto, config)
    if not shapes:
        return torch.float32
    size = sum(rows * columns * times for (rows, columns), times in shapes.items())
    subject = f"{config.architectures[0]} with {size / 1e6:,.0f}M weights in matrices"
    ways = {name: partial(of_type, shapes, getattr(torch, name)) for name in ("float32", "bfloat16")}
    return getattr(torch, fastest("hf: dtype", subject, "torch", ways))


def matrices(auto: Any, config: Any) -> Shapes:
    """The matrices of a model's layers, without the head, which reads few positions; none where that cannot be told."""
    import torch  # noqa: PLC0415

    try:
        with torch.device("meta"):
            model = auto.from_config(config)
    except Exception:  # noqa: BLE001 - loading it says what is wrong
        return {}
    every = (module for module in model.modules() if isinstance(module, torch.nn.Linear))
    vocabulary = config.get_text_config().vocab_size
    return Counter((each.in_features, each.out_features) for each in every if each.out_features != vocabulary)


def of_type(shapes: Shapes, dtype: Any) -> float:
    """Seconds that some tokens take through all these matrices."""
    import torch  # noqa: PLC0415

    once = 2 * sum(rows * columns for rows, columns in shapes)
    tokens = min(max(int(EFFORT / once), TOKENS.start), TOKENS.stop - 1)
    total = 0.0
    with torch.inference_mode():
        for (rows, columns), times in shapes.items():
            matrix, given = torch.ones(columns, rows, dtype=dtype), torch.ones(tokens, rows, dtype=dtype)
            total += times * seconds(partial(torch.nn.functional.linear, given, matrix))
    return total
