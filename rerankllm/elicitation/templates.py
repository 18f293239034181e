"""Prompt templates as files: what is asked, under which labels, and how the answer is given.

A template is a YAML file in `prompts/<judgement>/`:

```yaml
description: one line
source: paper and section, or "written for this project"
elicitation: text            # the way of answering it is made for
passage_tokens: 300          # the default cut of a passage
labels: numbers              # numbers | letters, in square brackets; or a list of {text, value, variants}
read: logprobs               # optional: logits, for models whose score is the logit of a label itself
models: ["rank_zephyr*"]     # optional: names of the models it was published for, without owner; * is anything
messages:                    # or `completion:`, one string
  - user: "… {{ query }} … {% for doc in docs %}{{ doc.label }} {{ doc.text }}{% endfor %} … {{ example }}"
  - assistant: "["           # optional: the opening of the answer
demonstrations:              # optional, to compare two passages: worked examples, of which one is shown, in both orders
  - {query: …, better: …, worse: …}
```

What may stand in `{{ }}` is told in `rerankllm.elicitation.template`.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rerankllm.calibration.demonstrations import Demonstration
from rerankllm.elicitation.template import Label, Template
from rerankllm.errors import TemplateError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

KEYS = {
    "description", "source", "elicitation", "passage_tokens", "labels", "read", "models", "messages",
    "completion", "continuation", "demonstrations",
}  # fmt: skip


def load(judgement: str, name: str) -> Template:
    """Loads a template by name, or from a file of the user's own.

    Args:
        judgement: `score`, `compare`, `permute`, …
        name: A file in `prompts/<judgement>/`, without `.yaml`; or a path that ends in it.

    Raises:
        TemplateError: There is none, or it is malformed.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise TemplateError(f"no template file {name}")
        return _parse(name, path.read_text(encoding="utf-8"))
    return _load_named(judgement, name)


def names() -> list[str]:
    """`<judgement>/<name>` of every template that ships."""
    folders = sorted((f for f in _root().iterdir() if f.is_dir()), key=lambda f: f.name)
    return [f"{folder.name}/{name}" for folder in folders for name in sorted(_in_folder(folder))]


@lru_cache(maxsize=256)
def _load_named(judgement: str, name: str) -> Template:
    folders = {folder.name: folder for folder in _root().iterdir() if folder.is_dir()}
    if judgement not in folders:
        raise TemplateError(f"there are templates for {', '.join(sorted(folders))}; not for '{judgement}'")
    folder = folders[judgement]
    known = sorted(_in_folder(folder))
    if name not in known:
        have = ", ".join(known) or "none"
        raise TemplateError(f"no template '{name}' for {judgement}. There are: {have}; or give a path to a .yaml")
    return _parse(f"{judgement}/{name}", (folder / f"{name}.yaml").read_text(encoding="utf-8"))


def _in_folder(folder: "Traversable") -> Iterator[str]:
    return (f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def _root() -> "Traversable":
    """`prompts/` in the wheel; beside the package in a checkout."""
    packaged = resources.files("rerankllm") / "prompts"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "prompts"


def _parse(name: str, text: str) -> Template:
    import yaml  # noqa: PLC0415

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TemplateError(f"template {name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict) or not data.keys() <= KEYS:
        unknown = sorted(set(data) - KEYS) if isinstance(data, dict) else ["no keys at all"]
        raise TemplateError(f"template {name}: unknown {unknown}; a template has {', '.join(sorted(KEYS))}")
    if ("messages" in data) == ("completion" in data):
        raise TemplateError(f"template {name} needs either messages or completion")
    try:
        return _build(name, text, data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TemplateError(f"template {name}: {type(error).__name__} {error}") from error


def _build(name: str, text: str, data: dict[str, Any]) -> Template:
    labels = data.get("labels", "numbers")
    if not isinstance(labels, str):
        labels = tuple(
            Label(str(item["text"]), float(item["value"]), tuple(map(str, item.get("variants", ())))) for item in labels
        )
    elif labels not in ("numbers", "letters"):
        raise ValueError(f"labels should be numbers, letters or a list, found {labels!r}")
    messages = tuple((role, str(source)) for turn in data.get("messages", ()) for role, source in turn.items())
    if any(role not in ("system", "user", "assistant") for role, _ in messages):
        raise ValueError("a message is from system, user or assistant")
    read = data.get("read", "logprobs")
    if read not in ("logprobs", "logits"):
        raise ValueError(f"read should be logprobs or logits, found {read!r}")
    return Template(
        name=name,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        description=str(data["description"]),
        source=str(data["source"]),
        elicitation=str(data["elicitation"]),
        passage_tokens=int(data["passage_tokens"]),
        labels=cast("Any", labels),
        messages=messages,
        completion=str(data.get("completion", "")),
        continuation=str(data.get("continuation", "")),
        read=cast("Any", read),
        models=tuple(map(str, data.get("models", ()))),
        demonstrations=tuple(
            Demonstration(str(item["query"]), str(item["better"]), str(item["worse"]), str(item.get("query_id", "")))
            for item in data.get("demonstrations", ())
        ),
    )
