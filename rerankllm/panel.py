"""Which backend and which elicitation answer a judgement: the place where the axes meet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rerankllm.backends.base import Backend, Reply, Response, TextPrompt, TokenPrompt, Work
from rerankllm.data import Document, Query, Usage
from rerankllm.drivers.task import Judge
from rerankllm.elicitation.base import Elicitation, Elicitor, Settings, default_elicitation
from rerankllm.errors import CapabilityError
from rerankllm.judgements import Answer, Ask, Compare, Judgement, ParseReport, Permute, Score, Unanswered
from rerankllm.plan import Bound, Plan
from rerankllm.registry import ELICITATIONS
from rerankllm.spec import ModelSpec, Stage, inner_stages, map_stages

LONGEST_PASSAGE = 4096
"""Tokens of the passages an estimate is made with; templates cut theirs well below."""


@dataclass(frozen=True, slots=True)
class Prompted:
    """A backend that is shown prompts, behind an elicitor."""

    backend: Backend
    elicitor: Elicitor

    def prepare(self, judgement: Judgement) -> Work:
        """The prompt."""
        return self.elicitor.prepare(judgement)

    def read(self, judgement: Judgement, outcome: Response | Reply) -> tuple[Answer | Unanswered, ParseReport]:
        """The answer in the response."""
        assert isinstance(outcome, Response)  # noqa: S101
        return self.elicitor.read(judgement, outcome)


@dataclass(frozen=True, slots=True)
class Direct:
    """A backend that answers the judgement itself."""

    backend: Backend

    def prepare(self, judgement: Judgement) -> Work:
        """The judgement as it is."""
        return judgement

    def read(self, judgement: Judgement, outcome: Response | Reply) -> tuple[Answer | Unanswered, ParseReport]:
        """The reply as it is."""
        del judgement
        assert isinstance(outcome, Reply)  # noqa: S101
        return outcome.answer, outcome.report


class Panel:
    """Loads backends, binds elicitations to them, and finds the judge for every judgement.

    Args:
        model: The model that judges where a stage names none.
        settings: Of prompts.
        options: Options of that model; they win over those in its spec.
    """

    def __init__(self, model: str, settings: Settings, options: Mapping[str, str]) -> None:
        self._model = model
        self._settings = settings
        self._backends: dict[str, Backend] = {model: ModelSpec.parse(model).load(options)}
        self._judges: dict[tuple[str, str, type], Judge] = {}

    @property
    def backend(self) -> Backend:
        """The model that judges where a stage names none."""
        return self._backends[self._model]

    @property
    def models(self) -> tuple[str, ...]:
        """The models that judge, printed."""
        return tuple(dict.fromkeys(judge.backend.model for judge in self._judges.values()))

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Every backend loaded."""
        return tuple(self._backends.values())

    def complete(self, stage: Stage) -> Stage:
        """The stage with every elicitation named that it left to the backend, checked to work.

        Loads every model and binds every elicitation, so that what cannot work says so before the first call.

        Raises:
            CapabilityError: A backend lacks what is asked of it.
            InputError: A model or template that does not load.
        """
        if inner_stages(stage.strategy):
            strategy = map_stages(
                stage.strategy,
                lambda s: self.complete(Stage(s.strategy, s.elicitation or stage.elicitation, s.model or stage.model)),
            )
            return replace(stage, strategy=strategy)
        if stage.elicitation is None and not self._backend(stage.model).capabilities.answers:
            capabilities = self._backend(stage.model).capabilities
            names = {default_elicitation(judgement, capabilities) for judgement in stage.strategy.asks}
            if len(names) == 1:
                stage = replace(stage, elicitation=ELICITATIONS[names.pop()]())
        for judgement in stage.strategy.asks:
            self.resolve(Ask((), stage.elicitation, stage.model), judgement)
        return stage

    def resolve(self, ask: Ask, judgement: type) -> Judge:
        """The judge for one kind of judgement of one batch."""
        key = (ask.model or self._model, repr(ask.elicitation), judgement)
        if key not in self._judges:
            self._judges[key] = self._bind(key[0], ask.elicitation, judgement)
        return self._judges[key]

    def _backend(self, model: str | None) -> Backend:
        name = model or self._model
        if name not in self._backends:
            self._backends[name] = ModelSpec.parse(name).load()
        return self._backends[name]

    def _bind(self, model: str, elicitation: Elicitation | None, judgement: type) -> Judge:
        backend = self._backend(model)
        capabilities = backend.capabilities
        if capabilities.answers:
            if judgement not in capabilities.answers:
                can = ", ".join(sorted(kind.__name__ for kind in capabilities.answers))
                raise CapabilityError(f"{backend.model} answers {can}, and this strategy asks {judgement.__name__}")
            if elicitation is not None:
                raise CapabilityError(f"{backend.model} answers without a prompt: leave the '/ elicitation' out")
            if self._settings != Settings():
                raise CapabilityError(
                    f"{backend.model} answers without a prompt: leave instruction and passage cut out"
                )
            return Direct(backend)
        if elicitation is None:
            elicitation = ELICITATIONS[default_elicitation(judgement, capabilities)]()
        return Prompted(backend, elicitation.bind(judgement, backend.tokenizer, capabilities, self._settings))

    def estimate(self, stage: Stage, plan: Plan) -> tuple[Bound, Bound]:
        """Prompt and completion tokens of one query, from the empty passage to the longest that the cut allows."""
        for inner in inner_stages(stage.strategy):
            return self.estimate(inner, plan)
        judgement = stage.strategy.asks[0]
        judge = self.resolve(Ask((), stage.elicitation, stage.model), judgement)
        if isinstance(judge, Direct):
            return Bound(0, 0), Bound(0, 0)
        shown = max(1, round(plan.slots.high / max(1, plan.calls.high)))
        cut = self._settings.passage_tokens or LONGEST_PASSAGE
        short = _tokens(judge, _example(judgement, shown, words=0))
        long = _tokens(judge, _example(judgement, shown, words=cut))
        calls = plan.calls
        prompt = Bound(calls.low * short.prompt_tokens, calls.high * long.prompt_tokens)
        return prompt, Bound(0, calls.high * long.completion_tokens)


def model_named_by(stage: Stage) -> str | None:
    """The first model that the stage, or a stage inside it, names."""
    inside = (model_named_by(inner) for inner in inner_stages(stage.strategy))
    return stage.model or next(filter(None, inside), None)


def _example(judgement: type, shown: int, *, words: int) -> Judgement:
    query = Query("q", "a query of some eight words to count")
    docs = tuple(Document(str(i), "passage " * words) for i in range(shown))
    if judgement is Score:
        return Score(query, docs[0])
    if judgement is Compare:
        return Compare(query, docs[0], docs[-1])
    if judgement is Permute:
        return Permute(query, docs)
    raise CapabilityError(f"tokens of {judgement.__name__} are not estimated")


def _tokens(judge: Judge, judgement: Judgement) -> Usage:
    request: Any = judge.prepare(judgement)
    tokenizer = judge.backend.tokenizer
    prompt = request.prompt
    if isinstance(prompt, TokenPrompt):
        count = len(prompt.ids)
    else:
        texts = [prompt.text] if isinstance(prompt, TextPrompt) else [message.content for message in prompt.messages]
        count = sum(len(tokenizer.encode(text)) for text in texts)
    return Usage(count, judge.backend.most_tokens(request.want))
