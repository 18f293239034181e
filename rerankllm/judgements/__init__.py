"""What a strategy may ask, what comes back, and how it asks.

A strategy is a generator. It says `answers = yield from ask([...])`, nothing else: the judgements of one `ask` may
be answered in parallel, and the number of asks is the length of the critical path. It never sees a prompt, a token,
a clock or a random global.
"""

from rerankllm.judgements.answers import (
    TELLING,
    Answer,
    Assessment,
    Failure,
    ParseReport,
    Status,
    Unanswered,
    WeakOrder,
    gives_back,
)
from rerankllm.judgements.asked import (
    Assess,
    Compare,
    Criterion,
    Embed,
    Grade,
    Judgement,
    Permute,
    Prior,
    Score,
    Select,
    Write,
    slots_of,
)
from rerankllm.judgements.steps import (
    Ask,
    StageLike,
    Steps,
    T,
    ask,
    ask_while_allowed,
    in_parallel,
    try_ask,
    within,
)

__all__ = [
    "TELLING",
    "Answer",
    "Ask",
    "Assess",
    "Assessment",
    "Compare",
    "Criterion",
    "Embed",
    "Failure",
    "Grade",
    "Judgement",
    "ParseReport",
    "Permute",
    "Prior",
    "Score",
    "Select",
    "StageLike",
    "Status",
    "Steps",
    "T",
    "Unanswered",
    "WeakOrder",
    "Write",
    "ask",
    "ask_while_allowed",
    "gives_back",
    "in_parallel",
    "slots_of",
    "try_ask",
    "within",
]
