"""Thought first, answer after it."""

from dataclasses import dataclass, field, replace
from typing import Self
from zlib import crc32

from rerankllm.calls import Capabilities, Draw, Generate, Request, Response, Tokenizer
from rerankllm.elicitation.asking import Thought
from rerankllm.elicitation.base import Elicitor, PromptSettings
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Form
from rerankllm.elicitation.text import Constrained, Text
from rerankllm.elicitation.weighted_label import Value, Weighed
from rerankllm.errors import SpecError, TemplateError
from rerankllm.judgements import Answer, Failure, Judgement, ParseReport, Status, Unanswered

MORE = "allow it more: reasoning(budget=…), and ?max_tokens=… where a model behind an API has that"
"""What helps against thoughts that are too long."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model thinks first and then answers; the answer is read as `text` reads it.

    Where the engine computes in this process, or the host keeps thoughts apart as OpenAI does, what follows the thought
    is held to labels; the thought is free.

    With `sliding` this is how ReasonRank and Rank-K rank (Liu et al. 2025; Yang et al. 2025), with `setwise` Rank-R1
    (Zhuang et al. 2025, section 3). A thought that does not end within the budget is no answer, whatever it names.

    With `pointwise`, `value=product` and grades from 0 to 10 it is ERank (Cai et al. 2025, "ERank: fusing supervised
    fine-tuning and reinforcement learning for effective and efficient text reranking"): the grade written, times its
    probability there. All documents of grade 0 tie then; `value=expected` keeps them apart. Where a model's tokenizer
    has no single token for 10, `prompt=reasoning-9` asks for one digit.

    Attributes:
        prompt: Template name; `default` is the one called `reasoning`. For a model whose own chat template makes it
            think, `text` does.
        budget: Tokens to think, besides those that a complete answer takes.
        end: What ends the thought, for models that write it into their text; hosts that keep thought and answer apart
            need none.
        value: What a score or a comparison is: the value of the label `written`; that `expected` over all labels, by
            their probabilities where the answer was written; or, for scores, the `product` of the value written and
            its probability. The last two need label log-probabilities.
        constrained: Whether what follows the thought is held to labels, as `text` has it. `auto`: where the engine can
            do so, unless the model is a published one, which answers as it learnt to.
        temperature: What the text is drawn at; 0 is greedy. None is what a published model was trained or is used
            with, else 0.
        seed: Which draw, where text is drawn: the strategy `samples` counts it.
    """

    prompt: str = "default"
    budget: int = 2048
    end: str = "</think>"
    value: Value = "written"
    constrained: Constrained = field(default="auto", metadata={"unsaid": True})
    temperature: float | None = field(default=None, metadata={"unsaid": True})
    seed: int = field(default=0, metadata={"unsaid": True})

    def __post_init__(self) -> None:
        if self.budget < 1 or not self.end.strip():
            raise SpecError(f"reasoning: needs a budget of at least 1 and an end, found {self.budget} and '{self.end}'")
        if self.temperature is not None and self.temperature < 0:
            raise SpecError(f"reasoning: temperature should be at least 0, found {self.temperature}")

    def settled(
        self, judgements: tuple[type, ...], tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
    ) -> Self:
        """With `constrained=true` where it is `auto` and all answers will be held to labels; see `Text.settled`."""
        text = self._text.settled(judgements, tokenizer, capabilities, settings, thought=self._thought)
        return replace(self, constrained=text.constrained)

    def bind(
        self, judgement: type, tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
    ) -> Elicitor:
        """The elicitor for every judgement that `text` elicits."""
        answering = self._text.bind(judgement, tokenizer, capabilities, settings, thought=self._thought)
        template = answering.builder.template
        if template.messages and template.messages[-1][0] == "assistant":
            raise TemplateError(f"template {template.name} opens the answer, before which nothing can be thought")
        if self.value != "written":
            answering = Weighed.around(answering, self.value, judgement, capabilities)
        form = template.form or Form()
        temperature = form.temperature if self.temperature is None else self.temperature
        if self.seed and not temperature:
            raise SpecError("reasoning: a seed, as `samples` counts it, is for text that is drawn: give a temperature")
        return _Thinking(answering, self.end, temperature, form.top_p, self.seed)

    @property
    def _text(self) -> Text:
        return Text("reasoning" if self.prompt == "default" else self.prompt, constrained=self.constrained)

    @property
    def _thought(self) -> Thought:
        return Thought(self.budget, self.end)


@dataclass(frozen=True, slots=True)
class _Thinking:
    """Puts the thought in front of another elicitor's answer."""

    answering: Elicitor
    end: str
    temperature: float
    top_p: float
    seed: int = 0

    @property
    def builder(self) -> PromptBuilder:
        return self.answering.builder

    def prepare(self, judgement: Judgement) -> Request:
        request = self.answering.prepare(judgement)
        return drawn(request, judgement, self.temperature, self.top_p, self.seed) if self.temperature else request

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        answer = response.text
        if response.reasoning is None:
            _, ended, answer = answer.rpartition(self.end)
            if not ended and response.finish_reason == "length":
                return _unclosed(f"the model thought and did not answer: its tokens ran out before {self.end}; {MORE}")
            if not ended:
                return _unclosed(
                    f"the model wrote no {self.end} and stopped by itself: use / text if it does not think, or "
                    "reasoning(end=…) if its thoughts end otherwise"
                )
        if not answer.strip():
            ran_out = response.finish_reason == "length"
            found = f"its tokens ran out; {MORE}" if ran_out else "nothing follows the thought"
            return _unclosed(f"the model thought and did not answer: {found}")
        start = len(response.text) - len(answer)
        readings = tuple(r._replace(at=r.at - start) for r in response.readings if r.at >= start)
        return self.answering.read(judgement, replace(response, text=answer, readings=readings))


def drawn(request: Request, judgement: Judgement, temperature: float, top_p: float, sample: int = 0) -> Request:
    """A request for text, to be drawn: with a seed of its own, the same for the same judgement and sample."""
    want = request.want
    assert isinstance(want, Generate)  # noqa: S101
    again = [str(sample)] if sample else []
    seed = crc32("\n".join([judgement.query.query_id, *(doc.doc_id for doc in judgement.docs), *again]).encode())
    draw = Draw(want.max_tokens, want.stop, want.choices, want.labels, want.form, want.after, seed, temperature, top_p)
    return replace(request, want=draw)


def _unclosed(reason: str) -> tuple[Unanswered, ParseReport]:
    return Unanswered(reason, Failure.ANSWER), ParseReport(Status.FAILED, {"unclosed reasoning": 1})
