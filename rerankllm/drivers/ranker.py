"""What summaries ask of whoever ranked, in this process or in many."""

from typing import Protocol

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.calibration.relevance import Calibration
from rerankllm.spec.stage import Stage


class Ranker(Protocol):
    """A `Reranker`, or what speaks for several."""

    @property
    def stage(self) -> Stage:
        """The strategy, complete."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """The models that judge."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """What says how likely results are relevant."""
        ...

    @property
    def cutoff(self) -> Cutoff | None:
        """Where rankings stop."""
        ...

    @property
    def profile(self) -> JudgeProfile | None:
        """How the judge errs."""
        ...

    def stop(self, reason: str) -> None:
        """Sends nothing more."""
        ...
