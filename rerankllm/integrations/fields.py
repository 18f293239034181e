"""The fields of adapters that are pydantic models."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, PrivateAttr, field_serializer, model_validator

from rerankllm.integrations.ranker import OnError, Ranker, RerankerSource
from rerankllm.reranker import Reranker


class RankerFields(BaseModel):
    """A ready `reranker`, or the arguments to make one; what it has is written down and read back by these."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", validate_assignment=True)

    reranker: Reranker | None = Field(None, description="A ready reranker; the next four are then left out.")
    strategy: str | None = Field(None, description="A stage spec; the model's default strategy when left out.")
    model: str | None = Field(None, description="kind:name[?key=value&…]; the default model when left out.")
    instruction: str | None = Field(None, description="What counts as relevant, for prompts that show it.")
    passage_tokens: PositiveInt | None = Field(None, description="Cut of every passage, in the model's tokens.")
    top_n: PositiveInt | None = Field(None, description="How many are returned, and aimed for; all when left out.")
    on_error: OnError = Field(
        "raise",
        description="What follows where they cannot be ranked: the error, or with `keep` the order given, without "
        "scores, and with `reranked: false` in the metadata.",
    )

    _ranker: Ranker | None = PrivateAttr(None)

    def close(self) -> None:
        """Frees the model that was loaded here."""
        if self._ranker is not None:
            self._ranker.close()

    def _ranking(self) -> Ranker:
        """What ranks with the fields as they are now: one that was loaded stays unless they have changed."""
        source = RerankerSource(self.reranker, self.strategy, self.model, self.instruction, self.passage_tokens)
        if self._ranker is None or self._ranker.source != source:
            self._ranker = Ranker(source)
        return self._ranker

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._ranking()
        return self

    @field_serializer("reranker")
    def _write(self, reranker: Reranker | None) -> None:
        RerankerSource(reranker).arguments  # noqa: B018 - raises for a ready one
