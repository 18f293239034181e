"""Labels in the logits of one position."""

import math
from typing import Any

from rerankllm.calls import ReadLabels, log_sum_exp


def read(logits: Any, want: ReadLabels) -> tuple[float, ...]:
    """For each label the log-probability, or logit, of any of the tokens that spell it; NaN for one without tokens.

    Args:
        logits: A float32 tensor of shape (vocabulary,).
        want: The labels.
    """
    known = logits if want.raw else logits - logits.logsumexp(-1)
    values = iter(known[list(sum(want.ids, ()))].tolist())
    grouped = [[next(values) for _ in ids] for ids in want.ids]
    return tuple(log_sum_exp(group) if group else math.nan for group in grouped)
