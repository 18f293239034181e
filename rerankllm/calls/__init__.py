"""What a backend is asked and what it answers.

A backend answers *work*: a `Request` (a finished prompt and what is wanted of it) or, where it declares so, a
judgement itself (a recording, qrels, a cross-encoder). Outcomes are values in the order of the work; only a backend
that is unusable as a whole raises.
"""

from rerankllm.calls.backend import NO_FLAGS, Backend, Capabilities, SharesRequests, Tokenizer, shares_requests
from rerankllm.calls.wants import (
    AfterThought,
    Draw,
    FillIn,
    Generate,
    LabelForm,
    Paths,
    ReadContinuation,
    ReadLabels,
    ReadSimilarities,
    Sample,
    Want,
    WriteLabels,
)
from rerankllm.calls.work import (
    CallFailed,
    ChatPrompt,
    EncoderPrompt,
    Message,
    Outcome,
    Prompt,
    Reading,
    Reply,
    Request,
    Response,
    TextPrompt,
    TokenPrompt,
    Work,
    log_sum_exp,
)

__all__ = [
    "NO_FLAGS",
    "AfterThought",
    "Backend",
    "CallFailed",
    "Capabilities",
    "ChatPrompt",
    "Draw",
    "EncoderPrompt",
    "FillIn",
    "Generate",
    "LabelForm",
    "Message",
    "Outcome",
    "Paths",
    "Prompt",
    "ReadContinuation",
    "ReadLabels",
    "ReadSimilarities",
    "Reading",
    "Reply",
    "Request",
    "Response",
    "Sample",
    "SharesRequests",
    "TextPrompt",
    "TokenPrompt",
    "Tokenizer",
    "Want",
    "Work",
    "WriteLabels",
    "log_sum_exp",
    "shares_requests",
]
