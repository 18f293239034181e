"""How fast a model answers: as stated, or measured with a handful of real calls."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from rerankllm.data import Candidate, Document, Query, Usage
from rerankllm.errors import CapabilityError, InputError
from rerankllm.judgements import Score
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage

PROBES = ("full", "pointwise")
"""What is asked, whichever the model can be asked: orders of a few passages, or single scores."""
SHAPES = ((2, 1.0), (8, 1.0), (8, 0.3), (2, 0.3))
"""Passages in a call, and how much of each: what tells a call's own time from that of its tokens."""


class Sample(NamedTuple):
    """One call: the seconds it took, and its tokens."""

    seconds: float
    prompt_tokens: float
    completion_tokens: float


@dataclass(frozen=True, slots=True)
class Speed:
    """How long calls and tokens take.

    Attributes:
        call: Seconds a call takes whatever is in it; likewise `prompt`, a token sent, and `completion`, one generated.
        concurrency: Calls under way at a time.
        samples: The calls it was measured with; none where it was stated.
    """

    call: float
    prompt: float
    completion: float
    concurrency: int = 1
    samples: tuple[Sample, ...] = ()

    def seconds(self, calls: float, rounds: float, usage: Usage) -> float:
        """Seconds for all queries: the work shared out, and after it one query's chain of rounds (Graham's bound)."""
        work = self.call * calls + self.prompt * usage.prompt_tokens + self.completion * usage.completion_tokens
        chain = work / calls * rounds if calls else 0.0
        return work / self.concurrency + chain * (1 - 1 / self.concurrency)

    @classmethod
    def of(cls, samples: Sequence[Sample], concurrency: int) -> Self:
        """The speed that fits some calls best, by least squares without negative times."""
        import numpy as np  # noqa: PLC0415

        terms = np.array([(1, s.prompt_tokens, s.completion_tokens) for s in samples], dtype=float)
        taken = np.array([s.seconds for s in samples])
        used = [i for i in range(3) if terms[:, i].any()]
        fitted = np.zeros(3)
        while used:
            scale = np.linalg.norm(terms[:, used], axis=0)
            found = np.linalg.lstsq(terms[:, used] / scale, taken, rcond=None)[0] / scale
            if found.min() >= 0:
                fitted[used] = found
                break
            used.pop(int(found.argmin()))
        call, prompt, completion = map(float, fitted)
        return cls(call, prompt, completion, concurrency, tuple(samples))


def measure(reranker: Reranker, query: Query, passages: Sequence[str], concurrency: int) -> Speed:
    """Sends five small calls, one after the other, and takes the time of all but the first.

    Raises:
        CapabilityError: The model can be asked neither for orders nor for scores.
        InputError: A call failed.
    """
    stage = _askable(reranker)
    samples = [_timed(stage, query, passages, shape) for shape in (SHAPES[0], *SHAPES)]
    return Speed.of(samples[1:], concurrency)


def _askable(reranker: Reranker) -> Reranker:
    refused: list[str] = []
    for probe in PROBES:
        try:
            return reranker.on(Stage.parse(probe))
        except (CapabilityError, InputError) as error:
            refused.append(str(error))
    raise CapabilityError(f"nothing can be measured: {'; '.join(refused)}")


def _timed(reranker: Reranker, query: Query, passages: Sequence[str], shape: tuple[int, float]) -> Sample:
    """Times one call; for a judgement of single passages, the passages are joined into one."""
    count, part = shape
    texts = [_part(passages[i % len(passages)], part) for i in range(count)]
    if Score in reranker.stage.strategy.asks:
        texts = [" ".join(texts)]
    started = time.perf_counter()
    (outcome,) = reranker.stream([(query, [Candidate(Document(str(i), text)) for i, text in enumerate(texts)])])
    seconds = time.perf_counter() - started
    ledger = outcome.ledger
    if not ledger.calls:
        raise InputError(f"--measure: no call came back ({getattr(outcome, 'reason', 'nothing was asked')})")
    usage, calls = ledger.usage, ledger.calls
    return Sample(seconds / calls, usage.prompt_tokens / calls, usage.completion_tokens / calls)


def _part(text: str, part: float) -> str:
    words = text.split()
    return " ".join(words[: max(1, round(len(words) * part))])
