"""Prompt templates as files: what is asked, under which labels, and how the answer is given.

A template is a YAML file in `prompts/<judgement>/`:

```yaml
description: one line
source: paper and section, or "written for this project"
elicitation: text            # the way of answering it is made for
passage_tokens: 300          # the default cut of a passage
labels: numbers              # numbers | numbers from 0 | letters; or a list of {text, value, variants, id}
asks: best                   # optional, to select: best | worst, where the words ask for one of them only
read: logprobs               # optional: logits, for models whose score is the logit of a label itself
messages:                    # or `completion:`, one string
  - user: "… {{ query }} … {% for doc in docs %}{{ doc.label }} {{ doc.text }}{% endfor %} … {{ example }}"
  - each:                    # optional: turns that come once for every document
      - user: "{{ doc.label }} {{ doc.text }}"
      - assistant: "Received."
  - assistant: "["           # optional: the opening of the answer
decoder: "Passage "          # optional: the opening of the answer of a model with an encoder
passages: apart              # optional: the prompt is made for each document; an encoder reads them apart
order: {between: " ", worst_first: true}   # optional: an order is written as bare labels, the best last
markers: {document: "<|a|>", query: "<|b|>"}   # optional: control tokens in the prompt, where vectors are
skipped: "question: {{ query }}"   # optional: the beginning of each passage's prompt whose attention does not count
between_words: "^"           # optional: stands in passages where spaces were (datamarking, arXiv 2403.14720)
demonstrations:              # optional, to compare two passages: worked examples, of which one is shown, in both orders
  - {query: …, better: …, worse: …}
```

What may stand in `{{ }}` is told in `rerankllm.elicitation.template`. The formats of published models are in
`prompts/models/` (see `rerankllm.elicitation.cards`), and are templates by the name of their card.
"""

from functools import lru_cache
from pathlib import Path

from rerankllm.elicitation import cards
from rerankllm.elicitation.template import Template
from rerankllm.elicitation.template_file import CARDS, in_folder, parse, root
from rerankllm.errors import TemplateError


def load(judgement: str, name: str) -> Template:
    """Loads a template by name, or from a file of the user's own.

    Args:
        judgement: `score`, `compare`, `permute`, …
        name: A file in `prompts/<judgement>/`, without `.yaml`; a published model's card that answers this judgement;
            or the path of a template or a card, which ends in `.yaml`.

    Raises:
        TemplateError: There is none, or it is malformed.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise TemplateError(f"no template file {name}")
        text = path.read_text(encoding="utf-8")
        return cards.parse(name, text).template(judgement) if cards.is_card(text) else parse(name, text)
    return _load_named(judgement, name)


def names() -> list[str]:
    """`<judgement>/<name>` of every template that ships, without those of published models."""
    folders = sorted((f for f in root().iterdir() if f.is_dir() and f.name != CARDS), key=lambda f: f.name)
    return [f"{folder.name}/{name}" for folder in folders for name in sorted(in_folder(folder))]


@lru_cache(maxsize=256)
def _load_named(judgement: str, name: str) -> Template:
    folders = {folder.name: folder for folder in root().iterdir() if folder.is_dir() and folder.name != CARDS}
    if judgement not in folders:
        raise TemplateError(f"there are templates for {', '.join(sorted(folders))}; not for '{judgement}'")
    folder = folders[judgement]
    known = sorted(in_folder(folder))
    if name in known:
        return parse(f"{judgement}/{name}", (folder / f"{name}.yaml").read_text(encoding="utf-8"))
    if name in cards.names():
        return cards.load(name).template(judgement)
    have = ", ".join(known) or "none"
    raise TemplateError(
        f"no template '{name}' for {judgement}. There are: {have}; those of published models, as `rerankllm models` "
        "lists them; or give a path to a .yaml"
    )
