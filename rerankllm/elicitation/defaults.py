"""Which template a model was published with: what it is asked by where the user names nothing."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from rerankllm.elicitation.template import Template
from rerankllm.elicitation.templates import load, names

STRATEGIES = {"score": "pointwise", "compare": "prp", "permute": "sliding"}
"""The strategy that asks each kind of judgement for which an elicitation takes a template."""


def named_by(model: str, judgements: Iterable[str] = STRATEGIES) -> Template | None:
    """The first template for any of these kinds of judgement that names a model as its own; None without one.

    Args:
        model: A name on the hub, or the path of a folder or file; only its last part counts, in any case.
        judgements: Folders of `prompts/`.
    """
    last = model.rstrip("/").rpartition("/")[2].casefold()
    for name in names():
        judgement, _, short = name.partition("/")
        if judgement in judgements:
            template = load(judgement, short)
            if any(fnmatchcase(last, pattern.casefold()) for pattern in template.models):
                return template
    return None


def stage_for(model: str) -> str | None:
    """The stage of the template that names a model as its own, as `named_by` finds it; None where there is none."""
    template = named_by(model)
    if template is None:
        return None
    judgement, _, short = template.name.partition("/")
    return f"{STRATEGIES[judgement]} / {template.elicitation}(prompt={short})"
