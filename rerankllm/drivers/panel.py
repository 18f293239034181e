"""Finds the backend and the elicitation that answer a judgement."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

from rerankllm.backends.dedup import Deduplicated
from rerankllm.backends.loaded import LoadedModels
from rerankllm.backends.remote import RemoteBackend
from rerankllm.calibration.scale import Scale
from rerankllm.calls import Backend, Reply, Response, Work
from rerankllm.drivers.judges import Judge
from rerankllm.drivers.published import card_of, check, elicited, refuse_unusable
from rerankllm.elicitation.base import Elicitation, Elicitor, PromptSettings
from rerankllm.elicitation.prior import Contextual
from rerankllm.elicitation.reasoning import Reasoning
from rerankllm.elicitation.text import Text
from rerankllm.errors import CapabilityError
from rerankllm.judgements import IN_WORDS, Answer, Ask, Judgement, ParseReport, Prior, Score, Unanswered
from rerankllm.registry import ELICITATIONS
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage, inner_stages, map_stages, parse_elicitation, said, show

INSTEAD = ", or name a language model: --model openai:NAME, hf:NAME, vllm:NAME or llamacpp:FILE.gguf"
"""What to do where a model is to be shown a prompt, and takes none."""


@dataclass(frozen=True, slots=True)
class Prompted:
    """A judge that is shown prompts, which an elicitor makes.

    Attributes:
        backend: Answers the prompts.
        elicitor: Makes prompts and reads answers.
        elicitation: The elicitation's spec.
    """

    backend: Backend
    elicitor: Elicitor
    elicitation: str

    @property
    def described(self) -> Mapping[str, Any]:
        """Model, elicitation and settings."""
        builder = self.elicitor.builder
        return {
            "model": self.backend.model,
            "revision": self.backend.revision,
            "elicitation": self.elicitation,
            "template": builder.template.sha256,
            "instruction": builder.instruction,
            "passage_tokens": builder.passage_tokens,
        }

    def prepare(self, judgement: Judgement) -> Work:
        """The prompt."""
        return self.elicitor.prepare(judgement)

    def read(self, judgement: Judgement, outcome: Response | Reply) -> tuple[Answer | Unanswered, ParseReport]:
        """The answer in the response."""
        assert isinstance(outcome, Response)  # noqa: S101
        return self.elicitor.read(judgement, outcome)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A judge that is shown a content-free prompt first; what it answers there is subtracted from its other answers.

    Attributes:
        backend: Answers the prompts.
        elicitor: Makes prompts and reads answers.
        asked_first: Is shown the content-free prompts; one judge for all queries, so that each is answered once.
    """

    backend: Backend
    elicitor: Contextual
    asked_first: Prompted

    @property
    def described(self) -> Mapping[str, Any]:
        """Model, elicitation and settings."""
        return self.asked_first.described

    def prior(self, judgement: Judgement) -> Prior:
        """The content-free prompt for judgements like this one."""
        return self.elicitor.prior(judgement)

    def given(self, prior: Answer) -> Prompted:
        """The judge that subtracts this answer."""
        return replace(self.asked_first, backend=self.backend, elicitor=self.elicitor.given(prior))

    def prepare(self, judgement: Judgement) -> Work:
        """The prompt."""
        return self.elicitor.prepare(judgement)

    def read(self, judgement: Judgement, outcome: Response | Reply) -> tuple[Answer | Unanswered, ParseReport]:
        """The answer in the response, with nothing subtracted."""
        assert isinstance(outcome, Response)  # noqa: S101
        return self.elicitor.read(judgement, outcome)


@dataclass(frozen=True, slots=True)
class Direct:
    """A judge whose backend answers judgements without a prompt."""

    backend: Backend

    @property
    def described(self) -> Mapping[str, Any]:
        """The model."""
        return {"model": self.backend.model, "revision": self.backend.revision}

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
        settings: PromptSettings of prompts.
        options: Options of that model; they win over those in its spec.
        shelf: Keeps engines loaded for others; None to load them for this panel alone.
        loaded: Another panel's backends by model, to share; None to load the model.
    """

    def __init__(
        self,
        model: str,
        settings: PromptSettings,
        options: Mapping[str, str],
        shelf: LoadedModels | None = None,
        *,
        loaded: dict[str, Backend] | None = None,
    ) -> None:
        self._model = model
        self._settings = settings
        self._shelf = shelf
        self._backends = {model: self._load(model, options)} if loaded is None else loaded
        self._judges: dict[tuple[str, str, type], Judge] = {}
        self._context: list[Any] | None = None
        self._sharing: dict[str, Backend] = {}

    def beside(self, *, instruction: str | None = None, passage_tokens: int | None = None) -> "Panel":
        """A panel with the same backends, which asks with other settings; what is None stays as it is."""
        own = self._settings
        settings = replace(
            own,
            instruction=own.instruction if instruction is None else instruction,
            passage_tokens=own.passage_tokens if passage_tokens is None else passage_tokens,
        )
        return Panel(self._model, settings, {}, self._shelf, loaded=self._backends)

    @property
    def settings(self) -> PromptSettings:
        """The settings of prompts."""
        return self._settings

    @property
    def backend(self) -> Backend:
        """The model that judges where a stage names none."""
        return self._backends[self._model]

    @property
    def models(self) -> tuple[str, ...]:
        """The models that judge, printed."""
        return tuple(dict.fromkeys(judge.backend.model for judge in self._judges.values()))

    @property
    def judges(self) -> tuple[tuple[type, Judge], ...]:
        """The judges that are bound by now, each with the kind of judgement it answers."""
        return tuple((kind, judge) for (_, _, kind), judge in self._judges.items())

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Every backend loaded."""
        return tuple(self._backends.values())

    @property
    def own(self) -> tuple[Backend, ...]:
        """The backends that no shelf keeps, which have to be freed with this panel."""
        return tuple(each for each in self.backends if self._shelf is None or not self._shelf.keeps(each))

    def check(self) -> None:
        """Checks, before anything is sent, what a plan or an estimate does not need.

        Raises:
            InputError: A model needs a key and there is none.
            MissingExtra: A package that sends is not installed.
        """
        for backend in self.backends:
            if isinstance(backend, RemoteBackend):
                backend.check()

    def complete(self, stage: Stage) -> Stage:
        """The stage with every elicitation named that it leaves to the backend.

        Loads every model and binds every elicitation, so that what cannot work raises before the first call.

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
        if stage.elicitation is None and not self.load(stage.model).capabilities.answers:
            specs = {elicited(self.load(stage.model), judgement) for judgement in stage.strategy.asks}
            if len(specs) == 1:
                stage = replace(stage, elicitation=parse_elicitation(specs.pop()))
        backend = self.load(stage.model)
        if isinstance(stage.elicitation, Text | Reasoning) and backend.capabilities.constrained:
            kinds, how = tuple(stage.strategy.asks), (backend.tokenizer, backend.capabilities, self._settings)
            stage = replace(stage, elicitation=stage.elicitation.settled(kinds, *how))
        for judgement in stage.strategy.asks:
            self.resolve(Ask((), stage.elicitation, stage.model), judgement)
        return stage

    def resolve(self, ask: Ask, judgement: type) -> Judge:
        """The judge for one kind of judgement of one batch."""
        key = (ask.model or self._model, _named(ask.elicitation), judgement)
        if key not in self._judges:
            self._judges[key] = self._bind(key[0], ask.elicitation, judgement)
        return self._judges[key]

    def scale(self, stage: Stage) -> Scale:
        """What a stage's scores are: expected values of labels worth 0 to 1, such as P(yes), cosines, or anything."""
        if stage.strategy.asks != (Score,) or inner_stages(stage.strategy):
            return Scale.LOGISTIC
        judge = self.resolve(Ask((), stage.elicitation, stage.model), Score)
        if judge.backend.capabilities.bounded:
            return Scale.OWN
        template = judge.elicitor.builder.template if isinstance(judge, Prompted | Calibrated) else None
        if template is None or isinstance(template.labels, str) or template.read == "logits":
            return Scale.LOGISTIC
        return Scale.PROBABILITY if all(0 <= label.value <= 1 for label in template.labels) else Scale.LOGISTIC

    def default_strategy(self, model: str | None = None) -> Stage:
        """The strategy that a model is asked by where none is named: a published reranker's own, else its backend's."""
        backend = self.load(model)
        card = card_of(backend)
        return Stage.parse(card.strategy if card and card.answers else backend.default_strategy)

    def context(self) -> list[Any]:
        """What a journal's keys say of models, templates and settings; fixed when it is first asked for."""
        return self.fix_context() if self._context is None else self._context

    def fix_context(self) -> list[Any]:
        """Fixes what `context` says at the judges that are bound by now: keys stay the same when others are bound."""
        judges = [
            (
                kind.__name__,
                elicitation,
                judge.elicitor.builder.template.sha256 if isinstance(judge, Prompted | Calibrated) else "",
                judge.backend.model,
                judge.backend.revision or "",
            )
            for (_, elicitation, kind), judge in self._judges.items()
        ]
        examples = (
            [[astuple(example) for example in self._settings.demonstrations]] if self._settings.demonstrations else []
        )
        self._context = [self._settings.instruction, self._settings.passage_tokens, *examples, *sorted(judges)]
        return self._context

    def load(self, model: str | None) -> Backend:
        """The backend of a model, loaded if it is not loaded yet; None for the model that judges by default."""
        name = model or self._model
        if name not in self._backends:
            self._backends[name] = self._load(name, {})
        return self._backends[name]

    def _load(self, model: str, options: Mapping[str, str]) -> Backend:
        spec = ModelSpec.parse(model)
        refuse_unusable(spec.kind, spec.name)
        loaded: Backend = (
            spec.load(options) if self._shelf is None else self._shelf.take(model, options, lambda: spec.load(options))
        )
        check(loaded)
        return loaded

    def _shared(self, backend: Backend) -> Backend:
        return self._sharing.setdefault(backend.model, Deduplicated(backend))

    def _bind(self, model: str, elicitation: Elicitation | None, judgement: type) -> Judge:
        backend = self.load(model)
        capabilities = backend.capabilities
        if capabilities.answers:
            if judgement not in capabilities.answers:
                can = " and ".join(sorted(IN_WORDS[kind] for kind in capabilities.answers))
                raise CapabilityError(
                    f"{backend.model} can {can}, and this strategy asks it to {IN_WORDS[judgement]}: leave the "
                    f"strategy out{INSTEAD}"
                )
            if elicitation is not None:
                raise CapabilityError(
                    f"{backend.model} answers without a prompt: leave the '/ elicitation' out{INSTEAD}"
                )
            if self._settings != PromptSettings():
                raise CapabilityError(
                    f"{backend.model} answers without a prompt: leave instruction, passage cut and demonstrations "
                    f"out{INSTEAD}"
                )
            return Direct(backend)
        if elicitation is None:
            elicitation = parse_elicitation(elicited(backend, judgement))
        spec = show(elicitation, ELICITATIONS)
        elicitor = elicitation.bind(judgement, backend.tokenizer, capabilities, self._settings)
        if isinstance(elicitor, Contextual):
            first = self._shared(backend) if elicitor.kind == "empty" else backend
            return Calibrated(backend, elicitor, Prompted(first, elicitor, spec))
        return Prompted(backend, elicitor, spec)


def _named(elicitation: Elicitation | None) -> str:
    """An elicitation as journals' keys name it: as its `repr`, without what its spec leaves out."""
    if elicitation is None:
        return repr(None)
    parameters = ", ".join(f"{name}={value!r}" for name, value in said(elicitation).items())
    return f"{type(elicitation).__qualname__}({parameters})"


def model_named_by(stage: Stage) -> str | None:
    """The first model that the stage, or a stage inside it, names."""
    inside = (model_named_by(inner) for inner in inner_stages(stage.strategy))
    return stage.model or next(filter(None, inside), None)
