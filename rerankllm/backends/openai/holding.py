"""Holding a host's answers to labels, by its own means: what it is sent, and whether it did so.

What an answer looks like then is what the prompt asks for, but for `json_schema`, where it is JSON: the labels under
`answer`, or, where each of several places takes one, an object with a label under the number of each place. That no
label is named twice is checked where answers are read: such grammars cannot say it.
"""

import json
import re
from typing import Any

from rerankllm.backends.openai.hosts import Hold
from rerankllm.calls import Generate, LabelForm, ReadLabels, Want

PROBE = LabelForm(("K7", "Q4", "Z9"), 2, "[", "] > [", "]", required=True)
PROBE_PROMPT = "Write the word banana, and nothing else."
"""What a host is asked to see whether it holds answers: without it no model answers the labels of `PROBE`."""
PROBE_TOKENS = 48
MEANS: tuple[Hold, ...] = ("json_schema", "structured_outputs", "grammar", "regex")
"""What is tried, in this order, at a host that is not known."""


def form_of(want: Want, means: Hold | None) -> LabelForm | None:
    """The form that an answer has where it is held; None where it is free.

    Labels whose log-probabilities are read can be held by vLLM: it masks all other tokens before it reports any, so
    those of the labels add up to one, and none is left unreported.
    """
    if means == "structured_outputs" and isinstance(want, ReadLabels):
        return LabelForm(want.labels)
    if not isinstance(want, Generate):
        return None
    return LabelForm(want.choices) if want.choices and means == "structured_outputs" else want.form


def fields(means: Hold, form: LabelForm) -> dict[str, Any]:
    """What is sent along for an answer to have this form."""
    single = form.count == 1 and not (form.opening or form.closing)
    match means:
        case "structured_outputs":
            return {means: {"choice": list(form.labels)} if single else {"regex": _regex(form)}}
        case "regex":
            return {"regex": _regex(form)}
        case "grammar":
            return {"grammar": _grammar(form)}
        case "json_schema":
            schema = {"name": "labels", "strict": True, "schema": _schema(form)}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}


def holds(means: Hold, form: LabelForm, text: str) -> bool:
    """Whether an answer has the form it was asked for; for JSON the prompt's own form will do as well."""
    if re.fullmatch(_regex(form), text.strip()):
        return True
    if means != "json_schema":
        return False
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict):
        return False
    if form.numbered:
        named = list(value.values()) if sorted(value) == sorted(_places(form)) else []
    else:
        told = value.get("answer")
        named = told if isinstance(told, list) else [told]
    return len(named) == form.count and {str(label) for label in named} <= set(form.labels)


def _regex(form: LabelForm) -> str:
    label = "(?:" + "|".join(map(_literal, form.labels)) + ")"
    if form.numbered:
        more = "".join(_literal(form.following(place)) + label for place in range(1, form.count))
    else:
        more = f"(?:{_literal(form.between)}{label}){{{form.count - 1}}}" if form.count > 1 else ""
    return f"{_literal(form.opening)}{label}{more}{_literal(form.closing)}"


def _literal(text: str) -> str:
    return re.sub(r"([\\\[\](){}.*+?^$|])", r"\\\1", text).replace("\n", r"\n")


def _places(form: LabelForm) -> list[str]:
    return [str(place + 1) for place in range(form.count)]


def _grammar(form: LabelForm) -> str:
    label = " | ".join(map(json.dumps, form.labels))
    parts = [json.dumps(form.opening), "label"] if form.opening else ["label"]
    for place in range(1, form.count):
        parts += [json.dumps(form.following(place)), "label"]
    parts += [json.dumps(form.closing)] if form.closing else []
    return f"root ::= {' '.join(parts)}\nlabel ::= {label}\n"


def _schema(form: LabelForm) -> dict[str, Any]:
    numbers = all(map(str.isdecimal, form.labels))
    values = [int(label) for label in form.labels] if numbers else list(form.labels)
    label = {"type": "integer" if numbers else "string", "enum": values}
    several = {"type": "array", "items": label, "minItems": form.count, "maxItems": form.count}
    answer = {"answer": label if form.count == 1 else several}
    properties = dict.fromkeys(_places(form), label) if form.numbered else answer
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
