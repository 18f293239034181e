"""A prompt template as a model would see it, with made-up texts."""

from collections.abc import Iterator, Mapping

from rerankllm.elicitation import templates
from rerankllm.elicitation.labels import letters, of_documents
from rerankllm.elicitation.template import THE_BEST, Piece, Template, Wanted, pieces
from rerankllm.errors import InputError


def preview(template: str, n: int = 3) -> str:
    """Renders a template that ships, with `<query>` and `<doc 1>` in place of texts.

    Args:
        template: Its name as `rerankllm prompts` lists it, such as `permute/text`.
        n: How many documents or criteria to show, where the judgement does not say how many.

    Returns:
        Each message after a line with its role, and the continuation whose likelihood is read, if there is one.

    Raises:
        InputError: No template has this name.
    """
    judgement, _, short = template.partition("/")
    if not short:
        raise InputError(f"'{template}' should read judgement/name. There are: {', '.join(templates.names())}")
    return "\n".join(_lines(templates.load(judgement, short), judgement, n))


def _lines(template: Template, judgement: str, n: int) -> Iterator[str]:
    """The heading and the text of each message."""
    shown = {"write": 0, "score": 1, "assess": 1, "compare": 2}.get(judgement, n)
    labels = of_documents(template.labels, shown) if isinstance(template.labels, str) else letters(shown)
    wanted = Wanted(n) if judgement in {"write", "assess"} else THE_BEST
    example = template.demonstrations[0] if template.demonstrations else None
    texts = {} if example is None else {"query 2": example.query, "doc 3": example.better, "doc 4": example.worse}
    for message in template.render(labels, instruction=True, wanted=wanted, worked=example is not None):
        yield f"--- {'completion' if template.completion else message.role}"
        yield "".join(_filled(piece, texts) for piece in pieces(message.content))
    if template.continuation:
        yield "--- continuation, whose likelihood is taken"
        yield "".join(_filled(piece, {}) for piece in pieces(template.render_continuation()))


def _filled(piece: Piece, texts: Mapping[str, str]) -> str:
    """A piece of a prompt with its text, or with the name of the text in angle brackets."""
    if isinstance(piece, str):
        return piece
    numbered = piece.kind in {"doc", "criterion"} or piece.index
    slot = f"{piece.kind} {piece.index + 1}" if numbered else piece.kind
    return piece.lead + texts.get(slot, f"<{slot}>")
