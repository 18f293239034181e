"""All that makes a `Reranker`, to be made again in another process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.calibration.relevance import Calibration
from rerankllm.drivers.budget import Budget, Limits
from rerankllm.reranker import DriverName, Reranker


@dataclass(frozen=True, slots=True)
class Recipe:
    """The arguments of a `Reranker`, without what belongs to one process. Files it names are read where it is made."""

    strategy: str | None = None
    model: str | None = None
    instruction: str | None = None
    passage_tokens: int | None = None
    demonstrations: str | Path | None = None
    depth: int | None = None
    driver: DriverName | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    per_query: Limits | None = None
    calibration: Calibration | None = None
    cutoff: Cutoff | None = None
    profile: JudgeProfile | None = None

    def make(self, budget: Budget) -> Reranker:
        """The reranker, whose calls are counted in `budget`.

        Raises:
            RerankError: As in making a `Reranker`.
        """
        return Reranker(
            self.strategy,
            self.model,
            instruction=self.instruction,
            passage_tokens=self.passage_tokens,
            demonstrations=self.demonstrations,
            depth=self.depth,
            driver=self.driver,
            options=self.options,
            limits=budget,
            per_query=self.per_query,
            calibration=self.calibration,
            cutoff=self.cutoff,
            profile=self.profile,
        )
