"""Answers held to labels: the tokens of every label where it stands, for engines that write nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rerankllm.calls import LabelForm, Paths, Tokenizer, WriteLabels
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.errors import TemplateError

Ids = tuple[int, ...]


_USUAL = 20


class Form(NamedTuple):
    """What stands before the first label, between two, and after the last."""

    opening: str = ""
    between: str = ""
    closing: str = ""


CHAIN = Form("[", "] > [", "]")
LIST = Form("[", "], [", "]")
ONE = Form("[", "", "]")
BARE = Form()


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
        opened = bool(self.form.opening) and self.builder.opening(labels).endswith(self.form.opening)
        form = self.form._replace(opening="") if opened else self.form
        return LabelForm(tuple(labels), count, *form, required=self.required)


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
    """

    builder: PromptBuilder
    form: Form
    required: bool
    _held: dict[tuple[tuple[str, ...], int], Held | None] = field(default_factory=dict)

    def suits(self) -> bool:
        """Whether this model's tokens allow it: tried with as many labels as an answer usually has."""
        template, n = self.builder.template, _USUAL
        if not isinstance(template.labels, str):
            return self.hold(label_sets.letters(2), [label.text for label in template.labels], 1) is not None
        labels = label_sets.of_documents(template.labels, n)
        return all(self.hold(labels, labels, count) is not None for count in (1, n))

    def hold(self, shown: Sequence[str], labels: Sequence[str], count: int) -> Held | None:
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
            opening = self.builder.opening(shown)
            self._held[key] = held_to(self.builder.tokenizer, opening, tuple(labels), count, self.form)
        held = self._held[key]
        if held is None and self.required:
            raise TemplateError(
                "this model's tokens for a label depend on the labels before it, or are those of another label: its "
                "answers cannot be held to labels; use text(constrained=false)"
            )
        return held


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
            return Held(WriteLabels(labels, paths, count, *opened), left)
    return None


@dataclass(frozen=True, slots=True)
class _Segments:
    """Chains of labels after a context, which has the tokens `before`, cut into the tokens of each label."""

    tokenizer: Tokenizer
    context: str
    before: Ids
    labels: tuple[str, ...]
    form: Form

    def paths(self, count: int) -> tuple[Paths, ...] | None:
        """The labels' tokens in the first place, those between and the last; None where they depend on the others."""
        found: list[Paths] = []
        written: list[str] = []
        so_far: Ids = ()
        for place in range(min(count, 3)):
            last = place == min(count, 3) - 1
            here = self._last(written, so_far) if last else self._followed(written, so_far)
            if here is None or len(set(here)) < len(here):
                return None
            found.append(here)
            written.append(self.labels[place])
            so_far += here[place]
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
        text = self.form.opening + self.form.between.join(chain) + self.form.closing
        ids = tuple(self.tokenizer.encode(self.context + text, special=True))
        return ids[len(self.before) :] if ids[: len(self.before)] == self.before else None

    def _add_up(self, found: Sequence[Paths], count: int) -> bool:
        """Whether whole answers in a few orders have the tokens of their labels, one after the other."""
        shown = list(range(len(self.labels)))
        for whole in (shown, shown[::-1], shown[1:] + shown[:1]):
            order = whole[:count]
            places = [found[-1] if at == count - 1 else found[min(at, 1)] for at in range(count)]
            expected = sum((paths[label] for paths, label in zip(places, order, strict=True)), ())
            if self._encode([self.labels[label] for label in order]) != expected:
                return False
        return True


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
