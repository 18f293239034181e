"""What a sentence says on both sides of a label: its reasons before, its reservations behind. All in lower case."""

import re

from rerankllm.elicitation.reading import words

SO = re.compile(
    r"\A.*\b(?:(?<!not )(?<!n't )so|therefore|thus|hence|but|however|also|daher|aber|donc|mais|entonces|pero|quindi|ma"
    r"|поэтому|но)\b ",
    re.DOTALL,
)
"""What is said up to the word with which a conclusion, or the other side, begins."""
ARTICLES = words.among("the el il lo o le la der die das")
WORSE_THAN = re.compile(
    r"(?:(?:is|seems|appears|ist|est|es|è|é|jest) )?(?:(?:much |far |clearly |slightly |deutlich )?"
    r"(?:(?:less|weniger|moins|menos|meno|mniej|менее) \w+|worse|weaker|inferior|schlechter|unwichtiger)"
    r" (?:than|to|als|que|di|del|dello|do|niż|чем)|(?:not|n't) (?:as|so) \w+ as)"
    r"(?: (?:the|le|la|el|il|lo|o|a|der|die|das))?"
)
"""What stands between two documents of which the second is better."""
_HEDGED = re.compile(r"\b(?:could|might|may) be\b")
_WOULD = re.compile(r"\b(?:would (?:have been|be)|wäre|serait|sería|sarebbe|seria)\b")
_RESERVATION = re.compile(r"\b(?:but|if|however|unless|except|though|yet|aber|wenn|mais|si|pero|ma|se|но|если)\b")

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


def conditional(said: str, after: str) -> bool:
    """Whether a label is given in case of something only: `the grade would be 3, but …`; `it could be 2`.

    Args:
        said: The words before the label.
        after: The words behind it.
    """
    if _HEDGED.search(said):
        return True
    return _WOULD.search(said) is not None and _RESERVATION.search(f"{said} {after}") is not None
