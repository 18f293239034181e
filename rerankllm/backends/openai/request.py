"""What is posted to a host for a request: what every host takes, and beyond it what this one is known to take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rerankllm.backends.openai import holding
from rerankllm.backends.openai.adaptation import HOLDS, Adaptation
from rerankllm.backends.openai.holding import form_of
from rerankllm.backends.openai.hosts import OPENAI, UNKNOWN, Hold, Manners
from rerankllm.calls import (
    ChatPrompt,
    Draw,
    Generate,
    LabelForm,
    OrderVectors,
    ReadAttention,
    ReadContinuation,
    ReadLabels,
    ReadSimilarities,
    Request,
    Sample,
    TextPrompt,
    Want,
    WriteLabels,
)
from rerankllm.formats.lines import storable

Api: TypeAlias = Literal["chat", "completions"]

MAX_TOP_LOGPROBS = 20
MAX_OF_OPENAIS_COMPLETIONS = 5
VARIANTS = 4  # alternatives asked for per label: "A", " A", "[A", "a"
LABEL_TOKENS = 5  # generated when labels are read: an opening bracket or a line break may come first
THOUGHT_TOKENS = 8192
"""Room to think on top of what an answer needs, for models that think first and hosts that count that in."""
UNANSWERED: dict[type, str] = {
    ReadContinuation: "such servers do not tell log-probabilities of given tokens; use another elicitation: / text",
    ReadAttention: "such servers tell no attention; use another elicitation: / text",
    ReadSimilarities: "such servers compare no vectors inside a prompt; use another elicitation: / text",
    OrderVectors: "such servers take no vectors; use another elicitation: / text",
    WriteLabels: "answers of such servers are not held to labels here; use text(constrained=false)",
}
"""Why some of what may be wanted cannot be put to such servers."""


@dataclass(slots=True)
class Poster:
    """How requests to one model are worded for its host.

    Attributes:
        model: The model, as the host calls it.
        manners: What its host is known to take.
        api: Which of the two APIs: messages, or plain text.
        new_limit: Whether the limit is called `max_completion_tokens`.
        thinks: Whether the model thinks before it answers.
        thought: How many tokens it may think.
        max_tokens: Replaces what a request allows its answer.
        context: Tokens that prompt and answer may have together; None when unknown.
        sampling: Sent along; what is None is not.
        adaptation: What the host has refused.
        means: How it holds answers to a form; None where it does not, or is not known to.
    """

    model: str
    manners: Manners = UNKNOWN
    api: Api = "chat"
    new_limit: bool = False
    thinks: bool = False
    thought: int = THOUGHT_TOKENS
    max_tokens: int | None = None
    context: int | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    adaptation: Adaptation = field(default_factory=Adaptation)
    means: Hold | None = None

    @property
    def path(self) -> str:
        """The route, below the base URL."""
        return "/chat/completions" if self.api == "chat" else "/completions"

    @property
    def alternatives(self) -> int:
        """How many alternatives to a token the host tells at most."""
        own = self.manners is OPENAI and self.api == "completions"
        return MAX_OF_OPENAIS_COMPLETIONS if own else MAX_TOP_LOGPROBS

    def unfit(self, request: Request) -> str | None:
        """Why this request cannot be put to this API, or None."""
        if type(request.want) in UNANSWERED:
            return UNANSWERED[type(request.want)]
        if self.api == "completions":
            return None if isinstance(request.prompt, TextPrompt) else "the completions API takes plain text"
        if not isinstance(request.prompt, ChatPrompt):
            return "chat APIs take messages, not token ids or plain text"
        if not request.prompt.messages or (self._is_opened(request) and not self.manners.opens):
            return "chat APIs cannot continue an answer already opened; end the prompt with a user message"
        return None

    def most_tokens(self, want: Want) -> int:
        """How many tokens the model may generate."""
        if not isinstance(want, Generate):
            return LABEL_TOKENS
        return self.max_tokens or want.max_tokens + self._thoughts

    @property
    def room(self) -> int | None:
        """Tokens of the context that a prompt and what a request allows its answer may have together."""
        return None if self.context is None else self.context - (self.max_tokens or self._thoughts)

    @property
    def _thoughts(self) -> int:
        """Room to think: half the context at most."""
        most = self.thought if self.context is None else min(self.thought, self.context // 2)
        return most if self.thinks else 0

    def form(self, request: Request) -> LabelForm | None:
        """The form that the host is asked to hold the answer to; None where it cannot, or would hold thoughts too."""
        if self.means is None or (self.thinks and not self.manners.apart) or self.adaptation.gave_up(HOLDS):
            return None
        return form_of(request.want, self.means)

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON to post."""
        body: dict[str, Any] = {"model": self.model, **self._prompt(request)}
        labels = request.want.labels if isinstance(request.want, Generate) else request.want
        if isinstance(request.want, Generate) and request.want.stop:
            body["stop"] = list(request.want.stop)
        if isinstance(labels, ReadLabels):
            wanted = min(self.alternatives, VARIANTS * len(labels.labels))
            body |= {"logprobs": True, "top_logprobs": wanted} if self.api == "chat" else {"logprobs": wanted}
        form = self.form(request)
        if form is not None and self.means is not None:
            body |= holding.fields(self.means, form)
        limit = "max_completion_tokens" if self.new_limit and self.api == "chat" else "max_tokens"
        body[limit] = self.most_tokens(request.want)
        told = {key: value for key, value in self.sampling.items() if value is not None}
        return self.adaptation.apply(body | told | _drawn(request.want, told))

    def texts(self, request: Request) -> list[str]:
        """The texts of the prompt, to count their tokens."""
        prompt = self._prompt(request)
        return [prompt["prompt"]] if "prompt" in prompt else [turn["content"] for turn in prompt["messages"]]

    def _prompt(self, request: Request) -> dict[str, Any]:
        if isinstance(request.prompt, TextPrompt):
            return {"prompt": storable(request.prompt.text)}
        turns = request.prompt.messages if isinstance(request.prompt, ChatPrompt) else ()
        messages = [{"role": turn.role, "content": storable(turn.content)} for turn in turns]
        go_on = {"add_generation_prompt": False, "continue_final_message": True} if self._is_opened(request) else {}
        return {"messages": messages, **go_on}

    @staticmethod
    def _is_opened(request: Request) -> bool:
        prompt = request.prompt
        return isinstance(prompt, ChatPrompt) and bool(prompt.messages) and prompt.messages[-1].role == "assistant"


def _drawn(want: Want, told: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer that is drawn is asked with instead; a temperature that the user gave wins over a model's own."""
    if not isinstance(want, Sample) or "temperature" not in told:
        return {}
    if not isinstance(want, Draw):
        return {"temperature": 1.0}
    if told["temperature"]:
        return {}
    return {"temperature": want.temperature} | ({"top_p": want.top_p} if want.top_p < 1 else {})
