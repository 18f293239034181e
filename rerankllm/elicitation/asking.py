"""How an answer in text is asked for: free, or held to labels, at once or after a thought."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rerankllm.calls import Generate, Request
from rerankllm.data import Document, Query
from rerankllm.elicitation.constrained import Constraint, Held, Wish
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import THE_BEST, Wanted


class Thought(NamedTuple):
    """What a model writes before its answer.

    Attributes:
        budget: The most tokens of it.
        end: What ends it.
    """

    budget: int
    end: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer has to say.

    Attributes:
        labels: The labels that it may name.
        count: How many of them.
        room: Tokens that a free answer takes, and some.
        chosen: Whether the whole answer is one of the labels, which some backends can be told.
    """

    labels: tuple[str, ...]
    count: int
    room: int
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks for the answers of one elicitor.

    Attributes:
        builder: Makes the prompts.
        max_tokens: Bound on an answer that is free; what a complete answer takes, and some, when none.
        thought: What comes before the answer, if anything does.
        constraint: Holds answers to labels; None where they are free.
        wish: Asks the host to hold them; None where it is not asked.
    """

    builder: PromptBuilder
    max_tokens: int | None = None
    thought: Thought | None = None
    constraint: Constraint | None = None
    wish: Wish | None = None

    @property
    def before(self) -> int:
        """Tokens for what comes before the answer."""
        return self.thought.budget if self.thought else 0

    def request(
        self,
        query: Query,
        docs: Sequence[Document],
        shown: Sequence[str],
        expected: Expected,
        wanted: Wanted = THE_BEST,
    ) -> Request:
        """The request.

        Args:
            query: The query.
            docs: The documents, in the order shown.
            shown: Their labels.
            expected: What the answer has to say.
            wanted: What a selection asks for.

        Raises:
            TemplateError: The prompt cannot fit, or the answer must be held to labels and cannot.
        """
        room = self.before + (self.max_tokens or expected.room)
        held = self.constraint.hold(shown, expected.labels, expected.count) if self.constraint else None
        left = held.left if isinstance(held, Held) else ""
        prompt = self.builder.build(query, docs, shown, reserve=room, wanted=wanted, left=left)
        if isinstance(held, Held):
            return Request(prompt, held.want)
        choices = expected.labels if expected.chosen and not (self.max_tokens or self.thought) else ()
        form = self.wish.form_for(expected.labels, expected.count) if self.wish else None
        return Request(prompt, Generate(room, choices=choices, form=form, after=held))
