"""How a causal student is asked: a card of its own, which is trained with and lies beside its weights afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rerankllm.elicitation import cards
from rerankllm.elicitation.logprobs import Labels
from rerankllm.elicitation.template_file import CARDS, KEYS, mapping, root
from rerankllm.elicitation.text import Text
from rerankllm.errors import InputError
from rerankllm.judgements import Permute, Score
from rerankllm.spec.stage import Stage, parse_elicitation

USUAL = "pointwise / labels"
BRACKETS = {"numbers": "digits", "numbers from 0": "digits", "letters": "letters"}
"""Which labels in documents are made harmless, by what the documents of a prompt are called."""
LEFT_OUT = ("description", "source", "passage_tokens")
"""Keys of a template that a card says elsewhere."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a causal student is asked.

    Attributes:
        judgement: `score` or `permute`.
        elicitation: `labels` or `text`.
        card: The text of its card.
    """

    judgement: str
    elicitation: str
    card: str


def asked(names: Iterable[str], strategy: str | None, passage_tokens: int | None) -> Asked:
    """How a causal student is asked.

    Args:
        names: What the model to start from is called.
        strategy: A strategy with an elicitation, whose `prompt` may name a template, a published model's card, or a
            file; None for the model's own card, or `pointwise / labels` where it has none.
        passage_tokens: Cut of every passage; None for the prompt's own.

    Raises:
        InputError: It is none that can be trained, or the prompt cannot be read.
    """
    own = cards.find(names) if strategy is None else None
    stage = _stage(own, strategy)
    judgement = "score" if stage.strategy.asks == (Score,) else "permute"
    if stage.strategy.asks not in {(Score,), (Permute,)}:
        raise InputError(f"strategy: {stage} asks for neither scores nor orders: try {USUAL}, or sliding / labels")
    how = stage.elicitation or (Labels() if judgement == "score" else Text())
    if not isinstance(how, Labels | Text) or (judgement == "score" and isinstance(how, Text)):
        raise InputError(f"strategy: {stage}: scores are learnt by / labels, orders by / labels or / text")
    elicitation = "labels" if isinstance(how, Labels) else "text"
    prompt = own.name if own else elicitation if how.prompt == "default" else how.prompt
    card = _card(_read(judgement, prompt), judgement, elicitation)
    unlike = sorted(
        {"decoder", "passages", "order", "markers", "continuation", "demonstrations"} & set(card["answers"][judgement])
    )
    if unlike:
        raise InputError(f"strategy: {prompt} has {', '.join(unlike)}, with which nothing is trained here")
    card |= {
        "description": f"a student, asked as {prompt} says",
        "models": [],
        "licence": "see the model it was made of",
    }
    card["strategy"] = str(Stage(stage.strategy))
    if passage_tokens is not None:
        card["cut"] = {**card.get("cut", {}), "passage": f"{passage_tokens} tokens"}
    return Asked(judgement, elicitation, _written(card))


def _stage(own: cards.Card | None, strategy: str | None) -> Stage:
    if own is None:
        return Stage.parse(strategy or USUAL)
    stage = Stage.parse(own.strategy)
    judgement = stage.strategy.asks[0].__name__.lower()
    if judgement not in own.answers:
        raise InputError(f"strategy: {own.name} answers {', '.join(own.answers) or 'no prompt'}: name one, as {USUAL}")
    return replace(stage, elicitation=parse_elicitation(own.elicitation(judgement)))


def _read(judgement: str, prompt: str) -> dict[str, Any]:
    """The mapping of a template or a card."""
    if prompt.endswith((".yaml", ".yml")):
        path = Path(prompt)
        if not path.is_file():
            raise InputError(f"strategy: there is no file {prompt}")
        text = path.read_text(encoding="utf-8")
    else:
        places = (root() / judgement / f"{prompt}.yaml", root() / CARDS / f"{prompt}.yaml")
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise InputError(f"strategy: there is no template '{prompt}' for {judgement}, nor a card")
        text = found.read_text(encoding="utf-8")
    return mapping(f"card {prompt}", text, cards.CARD_KEYS | KEYS)


def _card(data: Mapping[str, Any], judgement: str, elicitation: str) -> dict[str, Any]:
    """What a card says of one judgement, from another card or from a template."""
    if "answers" in data:
        if judgement not in data["answers"]:
            raise InputError(f"strategy: its card answers {', '.join(data['answers'])}, not {judgement}")
        shared = {key: data[key] for key in ("source", *cards.SHARED) if key in data}
        return {**shared, "answers": {judgement: dict(data["answers"][judgement])}}
    brackets = BRACKETS.get(data.get("labels", "numbers"), "keep") if judgement == "permute" else "keep"
    answer = {key: value for key, value in data.items() if key not in LEFT_OUT}
    return {
        "source": [str(data["source"])],
        "text": {"spaces": "fold", "title": "join", "brackets": brackets, "query": brackets},
        "cut": {"passage": f"{data['passage_tokens']} tokens"},
        "answers": {judgement: {**answer, "elicitation": elicitation}},
    }


def _written(card: Mapping[str, Any]) -> str:
    import yaml  # noqa: PLC0415

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as such."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, represent)
    first = ("description", "models", "source", "licence", "strategy")
    whole = {**{key: card[key] for key in first if key in card}, **card}
    return str(yaml.dump(whole, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120))
