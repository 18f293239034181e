"""Asks a published reranker as it was trained: which card is a model's, and how each judgement is elicited by it."""

from rerankllm.calls import Backend
from rerankllm.elicitation import cards
from rerankllm.elicitation.base import default_elicitation
from rerankllm.errors import CapabilityError
from rerankllm.judgements import IN_WORDS, Compare, Grade, Permute, Score, Select
from rerankllm.notes import tell

ASKED_BY = {
    Score: "pointwise",
    Compare: "prp",
    Select: "setwise",
    Permute: "sliding",
    Grade: "group",
}
"""A strategy that asks each kind of judgement that a card may answer."""
ANSWERED = {kind.__name__.lower(): f"{IN_WORDS[kind]} ({strategy})" for kind, strategy in ASKED_BY.items()}
"""What a card may answer, in words, with a strategy that asks it."""


KINDS = ("hf", "vllm", "llamacpp", "openai", "cross-encoder", "embed")
"""The kinds of model whose names are those of weights."""


def card_of(backend: Backend) -> cards.Card | None:
    """The card of a model; None where there is none."""
    return cards.find(backend.capabilities.names)


def refuse_unusable(kind: str, name: str) -> None:
    """Looks at a model's name before it is loaded.

    Raises:
        CapabilityError: It is a published reranker that cannot be asked here.
    """
    card = cards.find([name]) if kind in KINDS else None
    if card is not None and card.cannot:
        raise CapabilityError(f"{kind}:{name} is {card.name}, which cannot be used so: {card.cannot}")


def check(backend: Backend) -> None:
    """Looks at a model's name once it is loaded.

    A name that says it reranks and that no card knows is told in one line: how it was trained to be asked is not known.

    Raises:
        CapabilityError: It is a published reranker that cannot be asked by prompts.
    """
    capabilities = backend.capabilities
    card = card_of(backend)
    if card is None and not capabilities.answers and cards.looks_like_a_reranker(capabilities.names):
        tell(
            f"{backend.model}: its name says that it reranks, and how it was trained to be asked is not known here: it "
            "is asked as any model is. `rerankllm models` lists the published rerankers that are known"
        )
    if card is not None and card.cannot:
        raise CapabilityError(f"{backend.model} is {card.name}, which cannot be used so: {card.cannot}")
    if card is not None and card.late is not None and not capabilities.answers:
        raise CapabilityError(
            f"{backend.model} is {card.name}, which is shown no prompt; it compares the vectors of a query's and a "
            "passage's tokens, which embed: and vllm: compute from its weights as they were published"
        )


def elicited(backend: Backend, judgement: type) -> str:
    """The spec of the elicitation for a kind of judgement where the user names none.

    Raises:
        CapabilityError: The model is a published reranker that was trained to answer something else.
    """
    card = card_of(backend)
    if card is None:
        return default_elicitation(judgement, backend.capabilities)
    kind = judgement.__name__.lower()
    if kind in card.prompts:
        return card.elicitation(kind)
    if not card.answers:
        kinds = "embed: or vllm:" if card.late else "embed:" if card.vectors else "cross-encoder:"
        raise CapabilityError(f"{backend.model} is {card.name}, which is shown no prompt: use {kinds} with it")
    answered = " and ".join(ANSWERED[each] for each in card.answers)
    raise CapabilityError(
        f"{backend.model} is {card.name}, which was trained to {answered}, and this strategy asks it to "
        f"{IN_WORDS[judgement]}; to ask it all the same, name a way: STRATEGY / text"
    )
