"""Yes or no, and a sentence behind it that says the other."""

import re

_JUDGED = re.compile(
    r"(?:(?:the|this) (?:passage|document|text)|it) (?:(?:is|seems|was)(?P<no> not| ?n't)? (?:\w+ly )?"
    r"(?P<un>ir|un)?(?:relevant|related|useful)"
    r"|(?:does(?P<does> not| ?n't) (?:\w+ly )?(?:answer|address)|answers|addresses)(?: \w+){0,3})"
)
"""A sentence that judges a passage."""


def contradicted(label: str, said: str) -> bool:
    """Whether yes or no is followed by nothing but a sentence that says the other: `No, it is relevant`.

    Args:
        label: The label that opens the sentence.
        said: The words behind it, in lower case.
    """
    judged = _JUDGED.fullmatch(said)
    return (
        judged is not None
        and label.casefold() in {"yes", "no"}
        and (label.casefold() == "yes") == any(judged.group("no", "un", "does"))
    )
