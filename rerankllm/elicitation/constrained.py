"""Answers held to labels: the tokens of every label where it stands, for engines that write nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rerankllm.calls import AfterThought, FillIn, LabelForm, Paths, Tokenizer, WriteLabels
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.errors import TemplateError

Ids = tuple[int, ...]
BLANKS = ("", "\n", "\n\n", " ")
"""What a model may write between a thought and its answer, as far as the answer's tokens may depend on it."""


class Form(NamedTuple):
    """What stands before the first label, between two, and after the last.

    Attributes:
        numbered: Whether the places are given: `#` in `between` is the number of the place that follows, and a label
            may stand in any of them. Otherwise each label is written once at most.
    """

    opening: str = ""
    between: str = ""
    closing: str = ""
    numbered: bool = False

    def next(self, place: int) -> str:
        """The text between the label in a place, counted from 1, and the next."""
        return self.between.replace("#", str(place + 1)) if self.numbered else self.between

    def write(self, labels: Sequence[str]) -> str:
        """The text that holds these labels."""
        text = self.opening + "".join(label + self.next(place) for place, label in enumerate(labels[:-1], 1))
        return text + labels[-1] + self.closing


CHAIN = Form("[", "] > [", "]")
LIST = Form("[", "], [", "]")
ONE = Form("[", "", "]")
BARE = Form()
GRADES = Form("[1]: ", "\n[#]: ", numbered=True)


class Wish(NamedTuple):
    """How a host is asked to hold the answers of one elicitor, where the engine is not ours.

    Attributes:
        builder: Makes the prompts.
        form: How an answer is written.
        required: Whether a host that is not known to do so is tried, and refused where it does not.
    """

    builder: PromptBuilder
    form: Form
    required: bool

    def form_for(self, labels: Sequence[str], count: int) -> LabelForm:
        """The form of an answer that names so many of these labels; what the prompt opens is not opened again."""
        opening, between, closing, numbered = self.form
        opened = bool(opening) and self.builder.opening(labels).endswith(opening)
        first = "" if opened else opening
        return LabelForm(tuple(labels), count, first, between, closing, required=self.required, numbered=numbered)


class Held(NamedTuple):
    """An answer held to labels: what is wanted, and the end of the prompt that is left to its first token."""

    want: WriteLabels
    left: str


@dataclass(frozen=True, slots=True)
class Constraint:
    """Holds the answers of one elicitor to labels.

    Attributes:
        builder: Makes the prompts.
        form: How an answer is written.
        required: Whether a tokenizer that does not suit is an error; otherwise the answer is free.
        end: What ends the thought before the answer; None where none comes before it.
    """

    builder: PromptBuilder
    form: Form
    required: bool
    end: str | None = None
    _held: dict[tuple[tuple[str, ...], int], Held | AfterThought | None] = field(default_factory=dict)

    def hold(self, shown: Sequence[str], labels: Sequence[str], count: int) -> Held | AfterThought | None:
        """What is wanted of the engine; None where the answer has to be free.

        Args:
            shown: The labels of the documents in the prompt.
            labels: Those that may be written.
            count: How many of them.

        Raises:
            TemplateError: The answer must be held to labels, and this model's tokens do not allow it.
        """
        key = (tuple(labels), count)
        if key not in self._held:
            self._held[key] = self._after_thought(*key) if self.end else self._at_once(shown, *key)
        held = self._held[key]
        if held is None and self.required:
            raise TemplateError(
                "this model's tokens for a label depend on the labels before it, or are those of another label: its "
                "answers cannot be held to labels; use constrained=false"
            )
        return held

    def _at_once(self, shown: Sequence[str], labels: tuple[str, ...], count: int) -> Held | None:
        return held_to(self.builder.tokenizer, self.builder.opening(shown), labels, count, self.form)

    def _after_thought(self, labels: tuple[str, ...], count: int) -> AfterThought | None:
        """The answer behind the end of a thought, with each of the blanks whose tokens are others."""
        contexts = [f"{self.end}{blank}" for blank in BLANKS]
        found = [held_to(self.builder.tokenizer, context, labels, count, self.form) for context in contexts]
        by_paths = {held.want.paths: held.want for held in reversed(found) if held is not None}
        return AfterThought(str(self.end), tuple(reversed(by_paths.values()))) if by_paths else None


def held_to(tokenizer: Tokenizer, context: str, labels: tuple[str, ...], count: int, form: Form) -> Held | None:
    """The tokens with which a model would write `count` of the labels after `context`.

    Opening, labels and what stands between are tokenized together. A label's tokens end where the next label makes
    a difference: what follows a label is part of its path, what belongs to the next label's first token is not.

    Returns:
        None where a label's tokens depend on the labels before it, or two labels have the same.
    """
    if form.opening and context.endswith(form.opening):
        form = form._replace(opening="")
    for start, left in label_sets.endings(context):
        opened = form._replace(opening=left + form.opening)
        before = tuple(tokenizer.encode(start, special=True))
        paths = _Segments(tokenizer, start, before, labels, opened).paths(count)
        if paths is not None:
            return Held(_want(labels, paths, count, opened), left)
    return None


def _want(labels: tuple[str, ...], paths: tuple[Paths, ...], count: int, form: Form) -> WriteLabels:
    opening, between, closing, numbered = form
    if not numbered:
        return WriteLabels(labels, paths, count, opening, between, closing)
    text = tuple(form.next(place) for place in range(1, count))
    return FillIn(labels, paths, count, opening, closing=closing, text=text)


@dataclass(frozen=True, slots=True)
class _Segments:
    """Chains of labels after a context, which has the tokens `before`, cut into the tokens of each label."""

    tokenizer: Tokenizer
    context: str
    before: Ids
    labels: tuple[str, ...]
    form: Form

    def paths(self, count: int) -> tuple[Paths, ...] | None:
        """The labels' tokens in the first place, those between and the last, or in every place where places are given.

        None where they depend on the labels before.
        """
        found: list[Paths] = []
        written: list[str] = []
        so_far: Ids = ()
        places = count if self.form.numbered else min(count, 3)
        for place in range(places):
            last = place == places - 1
            here = self._last(written, so_far) if last else self._followed(written, so_far)
            if here is None or len(set(here)) < len(here):
                return None
            found.append(here)
            label = place % len(self.labels)
            written.append(self.labels[label])
            so_far += here[label]
        return tuple(found) if self._add_up(found, count) else None

    def _last(self, written: Sequence[str], so_far: Ids) -> Paths | None:
        return self._all(lambda label: self._after(so_far, [*written, label]))

    def _followed(self, written: Sequence[str], so_far: Ids) -> Paths | None:
        """The tokens up to where the label that follows makes a difference."""
        one, *others = (self._after(so_far, [*written, self.labels[0], label]) for label in self.labels)
        if one is None or None in others:
            return None
        alike = [_common(one, other) for other in others if other is not None]
        pair = (self.labels[0], self.labels[1 + alike.index(min(alike))])

        def cut(label: str) -> Ids | None:
            first, second = (self._after(so_far, [*written, label, following]) for following in pair)
            return None if first is None or second is None else first[: _common(first, second)]

        return self._all(cut)

    def _all(self, tokens: Callable[[str], Ids | None]) -> Paths | None:
        found = [tokens(label) for label in self.labels]
        return None if any(not ids for ids in found) else tuple(ids for ids in found if ids)

    def _after(self, so_far: Ids, chain: Sequence[str]) -> Ids | None:
        """The tokens of a chain behind those that are known; None where they are others."""
        ids = self._encode(chain)
        return None if ids is None or ids[: len(so_far)] != so_far else ids[len(so_far) :]

    def _encode(self, chain: Sequence[str]) -> Ids | None:
        """The tokens of a chain, as they come after the context; None where they would change the context's."""
        ids = tuple(self.tokenizer.encode(self.context + self.form.write(chain), special=True))
        return ids[len(self.before) :] if ids[: len(self.before)] == self.before else None

    def _add_up(self, found: Sequence[Paths], count: int) -> bool:
        """Whether whole answers in a few orders have the tokens of their labels, one after the other."""
        want = _want(self.labels, tuple(found), count, self.form)
        shown = list(range(len(self.labels)))
        for whole in (shown, shown[::-1], shown[1:] + shown[:1]):
            order = [whole[place % len(whole)] for place in range(count)]
            expected = sum((want.at(place)[label] for place, label in enumerate(order)), ())
            if self._encode([self.labels[label] for label in order]) != expected:
                return False
        return True


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
