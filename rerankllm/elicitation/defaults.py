"""Which template a model was published with: what it is asked by where the user names nothing."""

from fnmatch import fnmatchcase

from rerankllm.elicitation.templates import load, names

STRATEGIES = {"score": "pointwise", "compare": "prp", "permute": "sliding"}
"""The strategy that asks each kind of judgement."""


def stage_for(model: str) -> str | None:
    """The stage of the first template that names a model as its own; None where there is none.

    Args:
        model: A name on the hub, or the path of a folder or file; only its last part counts, in any case.
    """
    last = model.rstrip("/").rpartition("/")[2].casefold()
    for name in names():
        judgement, _, short = name.partition("/")
        template = load(judgement, short)
        if any(fnmatchcase(last, pattern.casefold()) for pattern in template.models):
            return f"{STRATEGIES[judgement]} / {template.elicitation}(prompt={short})"
    return None
