"""A prompt template in memory: its turns, its labels, and how it is rendered once for all prompts of a shape.

Templates see `query`, `docs` (each with `label` and `text`), `doc` (the first), `n`, `example` (a filled-in answer),
`instruction` (the user's, or none), `fence` (twelve signs drawn anew for every query and documents, so that no
document can know them), for selections `m` (how many) and `worst` (rather than best), for a passage that is to be
written `grade`, and for criteria `m` and, where documents are judged by them, `criteria` (each with `label` and
`text`). What they are given for query, texts, fence and instruction are place holders: the texts themselves are put in
after rendering, so nothing inside a document can act as template, label or control token, and a template is rendered
once for all prompts with the same number of documents. A worked example is the template's own turns, filled with its
texts and answered.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from rerankllm.calibration.demonstrations import Demonstration
from rerankllm.calls import Message
from rerankllm.elicitation.treatment import Treatment
from rerankllm.errors import TemplateError

if TYPE_CHECKING:
    from jinja2 import Template as JinjaTemplate
    from jinja2.sandbox import SandboxedEnvironment

_MARK = re.compile("\ue000(query|instruction|fence|doc|criterion)(\\d*)\ue001")
_COUNTS = re.compile(r"\{[{%][^{}]*\bm\b")
"""Where a source says how many documents it asks for."""
SEAM = "\ue002"
"""Where a prompt is tokenized apart: what stands on either side has the tokens it has by itself."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a text goes.

    Attributes:
        kind: Which text.
        index: Which criterion, or which document; those of worked examples come behind those asked about. For `query` 0
            is the one asked about, and 1 that of the example.
        lead: The space before it, which is tokenized together with it.
    """

    kind: Literal["query", "instruction", "fence", "doc", "criterion"]
    index: int = 0
    lead: str = ""


class Wanted(NamedTuple):
    """What a prompt asks for.

    Attributes:
        m: How many documents or criteria, or how many criteria it judges by.
        worst: Whether the worst rather than the best.
        grade: What the passage that is to be written should deserve.
    """

    m: int = 1
    worst: bool = False
    grade: int = 0


THE_BEST = Wanted()

Piece = str | Slot
"""Part of a rendered template: its own words, or a place for a text."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label that stands for a value, such as `Yes` for 1.

    Attributes:
        text: What is written.
        value: What it stands for.
        variants: Other ways to write it.
        id: Its token, for a published model whose label is a token rather than a text; None to look the text up.
    """

    text: str
    value: float
    variants: tuple[str, ...] = ()
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """How a published model's prompt is put together, where that is not left to this project.

    Such a prompt is made as one text, as its authors make it, and tokenized whole, apart at seams only.

    Attributes:
        treatment: What happens to the texts.
        whole: Tokens that a prompt may have; its documents are cut to fit. None for what the model takes.
        chat_template: The chat format, as a Jinja template over `messages`; empty for the model's own.
        chat_flags: What the model's own chat template is told besides, such as `enable_thinking`.
        temperature: What answers after a thought are drawn at; 0 is greedy.
        top_p: The likeliest tokens that together have this probability are drawn from.
    """

    treatment: Treatment = field(default_factory=Treatment)
    whole: int | None = None
    chat_template: str = ""
    chat_flags: tuple[tuple[str, Any], ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0

    def chat(self, messages: Sequence[Message]) -> str:
        """The messages in this chat format; a last assistant message is left open to be continued."""
        opening = ""
        if messages[-1].role == "assistant":
            *messages, last = messages
            opening = last.content
        turns = [{"role": message.role, "content": message.content} for message in messages]
        return _compiled(self.chat_template).render(messages=turns) + opening


class Order(NamedTuple):
    """How a model was trained to write an order, where that is not as `[2] > [1]`: bare labels, all of them.

    Attributes:
        between: What stands between two labels.
        worst_first: Whether the best comes last.
    """

    between: str = " "
    worst_first: bool = False


class Markers(NamedTuple):
    """The control tokens where a whole list's vectors are: at which they are taken, or instead of which they stand.

    Attributes:
        document: Behind each document, or in its place.
        query: Behind the query; empty where no vector of it is taken.
        queries: How often that one stands in a prompt; the last counts.
    """

    document: str
    query: str = ""
    queries: int = 1


Turn = tuple[str, "str | tuple[tuple[str, str], ...]"]
"""A role and its source; or `each` and the turns that come once for every document."""


@dataclass(frozen=True, slots=True)
class Template:
    """A loaded template. Its fields are those of the file.

    Attributes:
        name: `<judgement>/<name>`, or the path of a file of the user's own.
        sha256: Of the file's text; part of every journal key.
        asks: Which document a prompt for `Select` asks for; `either` where it says so by `worst`.
        form: How a published model's prompt is put together; None for templates of this project and of users.
        apart: Whether every document has a prompt of its own, which an encoder reads apart from the others.
        decoder: What an encoder-decoder model's answer is opened with.
        order: How an order is written; None for `[2] > [1]`.
        markers: Where vectors are; None where there are none.
        skipped: What each text of an encoder begins with, whose attention is not counted.
        between_words: What stands in passages where spaces were (datamarking).
    """

    name: str
    sha256: str
    description: str
    source: str
    elicitation: str
    passage_tokens: int
    labels: Literal["numbers", "numbers from 0", "letters"] | tuple[Label, ...] = "numbers"
    messages: tuple[Turn, ...] = ()
    completion: str = ""
    continuation: str = ""
    read: Literal["logprobs", "logits"] = "logprobs"
    demonstrations: tuple[Demonstration, ...] = ()
    asks: Literal["best", "worst", "either"] = "either"
    form: Form | None = None
    apart: bool = False
    decoder: str = ""
    order: Order | None = None
    markers: Markers | None = None
    skipped: str = ""
    between_words: str = " "
    _cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """Everything in it that is a template."""
        nested = ((source,) if isinstance(source, str) else (text for _, text in source) for _, source in self.messages)
        chat = self.form.chat_template if self.form else ""
        return (self.completion, self.continuation, self.skipped, *(text for turn in nested for text in turn), chat)

    @property
    def instructed(self) -> bool:
        """Whether it has a place for an instruction."""
        return any("instruction" in source for source in self.sources)

    @property
    def needs_logits(self) -> bool:
        """Whether it reads logits that no log-probabilities tell: those of labels whose values do not add up to 0."""
        return self.read == "logits" and sum(label.value for label in self.choices) != 0

    @property
    def choices(self) -> tuple[Label, ...]:
        """The labels that stand for values.

        Raises:
            TemplateError: Its labels stand for documents.
        """
        if isinstance(self.labels, str):
            raise TemplateError(f"template {self.name} lists no labels with values")
        return self.labels

    def check(self, wanted: Wanted) -> None:
        """Checks that its words ask for what a selection wants: the best or the worst, one or several.

        Raises:
            TemplateError: They ask for something else, whose answer would be read as this.
        """
        end = "worst" if wanted.worst else "best"
        if self.asks not in (end, "either"):
            raise TemplateError(f"template {self.name} asks for the {self.asks} document, and the {end} is wanted")
        *own, _ = self.sources  # the last is the chat format
        if wanted.m > 1 and not any(map(_COUNTS.search, own)):
            raise TemplateError(f"template {self.name} asks for one document, and {wanted.m} are wanted")

    def render(
        self, labels: Sequence[str], *, instruction: bool, wanted: Wanted = THE_BEST, worked: bool = False
    ) -> tuple[Message, ...]:
        """The messages for documents so labelled, with marks (see `pieces`) where texts go; a completion is one.

        Args:
            labels: Labels of the documents asked about.
            instruction: Whether there is one.
            wanted: What a selection asks for.
            worked: Whether a worked example comes first, in both orders.

        Raises:
            TemplateError: The template uses a name that is not there, or does not render.
        """
        key = (tuple(labels), instruction, wanted, worked)
        if key not in self._cache:
            turns = self._turns(tuple(labels), _Shown(instruction, wanted))
            self._cache[key] = self._after_examples(turns, instruction) if worked else turns
        return cast("tuple[Message, ...]", self._cache[key])

    def compile(self) -> None:
        """Reads its sources, once, as templates.

        Raises:
            TemplateError: One of them is none.
        """
        with self._faults():
            for source in self.sources:
                _compiled(source)

    def render_continuation(self) -> str:
        """What follows a completion, with marks."""
        return self._render(self.continuation, (), _Shown())

    def render_skipped(self) -> str:
        """What each text begins with that does not count, with marks."""
        return self._render(self.skipped, (), _Shown())

    def _turns(self, labels: tuple[str, ...], shown: "_Shown") -> tuple[Message, ...]:
        sources: tuple[Turn, ...] = self.messages or (("user", self.completion),)
        rendered: list[tuple[str, str]] = []
        for role, source in sources:
            if isinstance(source, str):
                rendered.append((role, self._render(source, labels, shown)))
            else:
                for doc in range(len(labels)):
                    rendered += [(each, self._render(text, labels, shown, doc)) for each, text in source]
        return tuple(Message(cast("Any", role), text) for role, text in rendered if text)

    def _after_examples(self, turns: tuple[Message, ...], instruction: bool) -> tuple[Message, ...]:  # noqa: FBT001
        """The turns behind those of an example: the better passage first, then the worse, each with its answer."""
        system = sum(message.role == "system" for message in turns)
        by_value = sorted(self.choices, key=lambda label: -label.value)
        found = list(turns[:system])
        for places, right in (((2, 3), by_value[0]), ((3, 2), by_value[-1])):
            *before, last = self._turns(("A", "B"), _Shown(instruction, THE_BEST, 1, places))[system:]
            if self.completion:
                found.append(Message("user", f"{_answered(last.content, right.text)}\n\n"))
            elif last.role == "assistant":
                found += [*before, Message("assistant", _answered(last.content, right.text))]
            else:
                found += [*before, last, Message("assistant", bracketed(right.text))]
        found += turns[system:]
        return (Message("user", "".join(message.content for message in found)),) if self.completion else tuple(found)

    def _render(self, source: str, labels: Sequence[str], shown: "_Shown", doc: int = 0) -> str:
        places = shown.places or range(len(labels))
        docs = [
            {"label": bracketed(text), "name": text, "text": f"\ue000doc{place}\ue001"}
            for text, place in zip(labels, places, strict=True)
        ]
        marks = (f"\ue000criterion{i}\ue001" for i in range(shown.wanted.m))
        criteria = [{"label": bracketed(str(i + 1)), "text": mark} for i, mark in enumerate(marks)]
        with self._faults():
            rendered = _compiled(source).render(
                query=f"\ue000query{shown.query or ''}\ue001",
                docs=docs,
                doc=docs[doc] if docs else None,
                seam=SEAM,
                n=len(docs),
                criteria=criteria,
                example=" > ".join(bracketed(text) for text in (*labels[1:2], *labels[:1], *labels[2:3])),
                instruction="\ue000instruction\ue001" if shown.instruction else None,
                fence="\ue000fence\ue001",
                **shown.wanted._asdict(),
            )
        if "\ue000" in _MARK.sub("", rendered) or "\ue001" in _MARK.sub("", rendered):
            raise TemplateError(f"template {self.name} changes query or texts: show them as they are, without filters")
        return rendered

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Whatever a source may be at fault of, in one line."""
        from jinja2 import TemplateError as JinjaError  # noqa: PLC0415

        try:
            yield
        except (JinjaError, ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise TemplateError(f"template {self.name}: {error}") from error


class _Shown(NamedTuple):
    """What a rendering shows besides labels: the query and the documents of which numbers."""

    instruction: bool = False
    wanted: Wanted = THE_BEST
    query: int = 0
    places: tuple[int, ...] = ()


def _answered(opening: str, label: str) -> str:
    """An answer's opening, gone on with."""
    if opening.endswith("["):
        return opening + bracketed(label)[1:]
    return opening + ("" if opening[-1:].isspace() else " ") + bracketed(label)


def bracketed(label: str) -> str:
    """A label as it appears in the prompt and in the answer, and, after `without_labels`, nowhere else."""
    return f"[{label}]"


def filled(source: str, **values: Any) -> str:
    """A source with these values put in; what is in a value stays text."""
    return _compiled(source).render(**values)


@lru_cache(maxsize=256)
def _compiled(source: str) -> "JinjaTemplate":
    return _environment().from_string(source)


@lru_cache(maxsize=1)
def _environment() -> "SandboxedEnvironment":
    from jinja2 import StrictUndefined  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        keep_trailing_newline=True,
    )


def pieces(rendered: str) -> tuple[Piece, ...]:
    """Splits rendered text at its marks; a single space before one goes into its slot."""
    found: list[Piece] = []
    position = 0
    for mark in _MARK.finditer(rendered):
        words = rendered[position : mark.start()]
        lead = " " if words.endswith(" ") and not words.endswith("  ") else ""
        words = words.removesuffix(lead) if lead else words
        if words:
            found.append(words)
        found.append(Slot(cast("Any", mark.group(1)), int(mark.group(2) or 0), lead))
        position = mark.end()
    if rendered[position:]:
        found.append(rendered[position:])
    return tuple(found)
