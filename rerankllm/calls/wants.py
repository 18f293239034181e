"""What is wanted of a model: text, log-probabilities, or labels and nothing else."""

from dataclasses import dataclass, field
from typing import TypeAlias

HINT = {"hint": True}
"""Metadata of a field that says how an answer may be had, not what is asked: it is no part of a call's content."""
UNSAID = {"unsaid": True}
"""Metadata of a field that is no part of a call's content while it has its default: calls from before it stay alike."""


@dataclass(frozen=True, slots=True)
class LabelForm:
    """How an answer that names labels is written.

    Attributes:
        labels: Those that may be named.
        count: How many of them.
        opening: The text before the first label.
        between: The text between two labels.
        closing: The text after the last label.
        required: Whether a backend that does not know how to hold answers to it should find out.
        numbered: Whether the places are given, as the lines of a list of grades are: `#` in `between` is the number of
            the place that follows, and a label may stand in any of them. Otherwise each is named once at most.
    """

    labels: tuple[str, ...]
    count: int = 1
    opening: str = ""
    between: str = ""
    closing: str = ""
    required: bool = False
    numbered: bool = False

    def following(self, place: int) -> str:
        """The text between the label in a place, counted from 1, and the next."""
        return self.between.replace("#", str(place + 1)) if self.numbered else self.between


@dataclass(frozen=True, slots=True)
class Generate:
    """Asks for text, greedily decoded unless the model's spec says otherwise.

    Attributes:
        max_tokens: The most tokens to generate.
        stop: The text ends before any of these.
        choices: The text should be one of these; a backend that can constrain the model may do so.
        form: The text should have this form; a backend that can constrain the model may do so.
        labels: Asks also for the log-probabilities of these labels wherever the model writes one of them. Backends that
            give label log-probabilities give these too.
        after: The text begins with a thought, which is free; behind its end these labels are written, and nothing else.
            For backends that write labels.
    """

    max_tokens: int
    stop: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    labels: "ReadLabels | None" = None
    form: LabelForm | None = field(default=None, metadata=HINT)
    after: "AfterThought | None" = field(default=None, metadata=UNSAID)


@dataclass(frozen=True, slots=True)
class Sample(Generate):
    """Asks for text drawn at temperature 1 instead of the likeliest, as after an answer that could not be used.

    Attributes:
        seed: Of the drawing, where the engine computes in this process; hosts draw as they do.
    """

    seed: int = 0


@dataclass(frozen=True, slots=True)
class Draw(Sample):
    """Asks for text drawn as a model was trained to be used, or as the user says.

    Attributes:
        temperature: What logits are divided by; above 0.
        top_p: Only the likeliest tokens that together have this probability may be drawn.
    """

    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class ReadLabels:
    """Asks for the log-probability of each label as the answer.

    Attributes:
        labels: Label texts.
        ids: For each label the ids of the single tokens that spell it (surface variants count together); empty
            for a chat prompt, where the backend matches the returned tokens against the texts.
        raw: Asks for the model's logits, not normalized over the vocabulary.
    """

    labels: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...] = ()
    raw: bool = False


@dataclass(frozen=True, slots=True)
class ReadContinuation:
    """Asks for the log-probability of each of these tokens, following the prompt."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadSimilarities:
    """Asks how near each document of a prompt is to its query: the cosine of their vectors, from one pass.

    Attributes:
        count: How many documents the prompt holds.
        markers: The token behind each document, and the one behind the query, at which their vectors are taken.
        ids: The ids of these two tokens; empty for a prompt that is text.
        queries: How often the query's token stands in the prompt; its vector is taken at the last.
    """

    count: int
    markers: tuple[str, str]
    ids: tuple[int, ...] = ()
    queries: int = field(default=1, metadata=UNSAID)


@dataclass(frozen=True, slots=True)
class ReadAttention:
    """Asks how much a decoder attends to each text of its encoder while it writes an answer, greedily.

    That is the sum, over the decoder's layers, the answer's tokens and the text's, of what a token gets of the
    attention, times the length of its value vector, a mean over heads.

    Attributes:
        max_tokens: The most tokens of the answer.
        skip: Tokens at the beginning of every text that do not count, such as a question's.
    """

    max_tokens: int
    skip: int = 0


@dataclass(frozen=True, slots=True)
class OrderVectors:
    """Asks for the passages of a `VectorPrompt` in order: the likeliest next vector among those left, again and again.

    Attributes:
        count: How many of them.
    """

    count: int


Paths: TypeAlias = tuple[tuple[int, ...], ...]
"""For each label of a set the tokens that write it."""


@dataclass(frozen=True, slots=True)
class WriteLabels:
    """Wanted: labels, written one after the other, each at most once, and nothing else.

    At each place the labels not yet written are compared, and the likeliest is taken: token by token, as greedy
    decoding would, among the tokens that go on with one of them. What stands between the labels is put in, not
    generated. A label ends where the next token cannot belong to it, so a path holds what follows the label too, up to
    where every next label goes on in its own way.

    Attributes:
        labels: Label texts.
        paths: For the first place, those between, and the last, as far as `count` has them: the tokens that write each
            label there, after what is written before.
        count: How many labels to write.
        opening: The text before the first label.
        between: The text between two labels.
        closing: The text after the last label.

    Raises:
        ValueError: There are not so many labels, or not a path for each in every place.
    """

    labels: tuple[str, ...]
    paths: tuple[Paths, ...]
    count: int = 1
    opening: str = ""
    between: str = ""
    closing: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= len(self.labels):
            raise ValueError(f"cannot write {self.count} of {len(self.labels)} labels, each at most once")
        if [len(paths) for paths in self.paths] != [len(self.labels)] * min(self.count, 3):
            raise ValueError("every label needs its tokens for the first place, those between and the last")

    @property
    def once(self) -> bool:
        """Whether a label that is written is not written again."""
        return True

    def at(self, place: int) -> Paths:
        """The tokens that write each label in a place, counted from 0."""
        return self.paths[-1] if place == self.count - 1 else self.paths[min(place, 1)]

    def following(self, place: int) -> str:
        """The text after the label in a place."""
        return self.closing if place == self.count - 1 else self.between

    @property
    def most_tokens(self) -> int:
        """How many tokens the answer may have."""
        return sum(max(map(len, self.at(place))) for place in range(self.count))


@dataclass(frozen=True, slots=True)
class FillIn(WriteLabels):
    """Wanted: a label in every place of a text that is given, any label in any of them, and nothing else.

    Attributes:
        paths: For each place the tokens that write each label there.
        text: What stands between two labels, place by place; `between` does not count.

    Raises:
        ValueError: A place has no path for each label, or no text before the next.
    """

    text: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 1 or len(self.text) != self.count - 1:
            raise ValueError(f"{self.count} labels have {self.count - 1} texts between them, found {len(self.text)}")
        if [len(paths) for paths in self.paths] != [len(self.labels)] * self.count:
            raise ValueError("every label needs its tokens for each place")

    @property
    def once(self) -> bool:
        """Any label may be written again."""
        return False

    def at(self, place: int) -> Paths:
        """The tokens that write each label in a place, counted from 0."""
        return self.paths[place]

    def following(self, place: int) -> str:
        """The text after the label in a place."""
        return (*self.text, self.closing)[place]


BLANKS = 8
"""Tokens of nothing but spaces and line breaks that a model may write between a thought and the answer."""


@dataclass(frozen=True, slots=True)
class AfterThought:
    """Labels to be written after a thought.

    Spaces and line breaks between the two are the model's own. Where the next token would be another, the answer begins
    by the likeliest token that one of `answers` begins with.

    Attributes:
        end: What ends the thought.
        answers: The same labels in every way that their tokens may come after it, such as with a space in front.
    """

    end: str
    answers: tuple[WriteLabels, ...]

    @property
    def most_tokens(self) -> int:
        """How many tokens may come after the end. Where fewer are left of those allowed, the answer is free."""
        return BLANKS + max(answer.most_tokens for answer in self.answers)


WholeList: TypeAlias = ReadSimilarities | ReadAttention | OrderVectors
"""What is read of whole lists by architectures of their own, in transformers."""
Want: TypeAlias = Generate | ReadLabels | ReadContinuation | WholeList | WriteLabels
"""What is read off a model."""
