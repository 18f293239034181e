"""Query likelihood: how likely the query is, given the document."""

from dataclasses import dataclass

from rerankllm.calls import Capabilities, ReadContinuation, Request, Response, Tokenizer
from rerankllm.elicitation.base import Elicitor, PromptSettings, refuse
from rerankllm.elicitation.labels import letters
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.templates import load
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.judgements import Answer, Failure, Judgement, ParseReport, Score, Status, Unanswered


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Scores a document by the mean log-probability of the query's tokens after it, in nats a token.

    Sachan et al. 2022, "Improving passage retrieval with zero-shot question generation" (UPR), equation 2. Nothing is
    generated. Needs a model that tells the log-probabilities of given tokens, which chat APIs do not.

    Attributes:
        prompt: Template name; `default` is the one called `likelihood`.
    """

    prompt: str = "default"

    def bind(
        self, judgement: type, tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
    ) -> Elicitor:
        """The elicitor for `Score`."""
        if judgement is not Score:
            raise refuse("likelihood", judgement, (Score,))
        if not capabilities.continuation_logprobs or not capabilities.token_prompts:
            raise CapabilityError(
                "'likelihood' needs the log-probabilities of given tokens, which this backend does not give; "
                "use a local model (llamacpp:), or / labels or / text"
            )
        template = load("score", "likelihood" if self.prompt == "default" else self.prompt)
        if not template.continuation:
            raise TemplateError(f"template {template.name} has no continuation to take the likelihood of")
        return _QueryLikelihood(
            PromptBuilder(template, tokenizer, capabilities, settings.instruction, settings.passage_tokens)
        )


@dataclass(frozen=True, slots=True)
class _QueryLikelihood:
    """Elicits `Score`."""

    builder: PromptBuilder

    def prepare(self, judgement: Judgement) -> Request:
        ids = self.builder.continuation(judgement.query)
        prompt = self.builder.build(judgement.query, judgement.docs, letters(1), reserve=len(ids))
        return Request(prompt, ReadContinuation(ids))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        del judgement
        if not response.logprobs:
            return Unanswered("the query is empty", Failure.ANSWER), ParseReport(Status.FAILED, {"empty query": 1})
        return sum(response.logprobs) / len(response.logprobs), ParseReport()
