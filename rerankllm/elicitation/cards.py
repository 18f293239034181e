"""Published rerankers: which models there are, and the exact format that each was trained to be asked in.

A card is a YAML file in `prompts/models/`:

```yaml
description: one line
models: ["castorini/monot5-*"]   # names on the hub; owners do not count, * is anything, _ and spaces are as -
source: [repository file:lines]  # where the format was read
licence: apache-2.0
strategy: pointwise              # what it is asked by where the user names no strategy
text: {spaces: keep, title: join, brackets: keep, query: keep}   # see `Treatment`; this is the default
cut: {passage: 300 words, query: 32 tokens, whole: 512 tokens}   # optional, each
chat_template: "…"               # optional: the chat format, in Jinja over `messages`; the model's own without
chat_flags: {enable_thinking: false}   # optional: what the model's own chat template is told
sampling: {temperature: 0.5, top_p: 0.9}   # optional: how text is drawn, by reasoning only; greedy without
answers:
  score:                         # score | compare | select | permute | grade: keys of a prompt template;
                                 # for select also `asks: worst`, where that is what the model names
    elicitation: labels          # with parameters, if need be: reasoning(budget=3072)
    completion: "Query: {{ query }} Document: {{ doc.text }} Relevant:"
    labels: [{text: "true", value: 1}, {text: "false", value: 0}]
    # passages, decoder, order, markers and the rest: as in `rerankllm.elicitation.templates`
  pair: {query: "query: {{ query }}", document: "document: {{ doc.text }}"}    # for models with a head; or {one: "…"}
  embed: {completion: "…", query: "…", end: "<|endoftext|>", pooling: lasttoken}  # for models of vectors
  late: {query: "[Q] ", document: "[D] ", expansion: none, skip: punctuation}   # for a vector each token; see `Late`
needs: a line                    # optional: what the model takes besides, such as an adapter's base
cannot: a line                   # optional: why it cannot be asked here; it is refused with that
figures: [a line each]           # optional: what was published
```

A file of this kind that is called `rerankllm.yaml` and lies beside a model's weights is that model's card, whatever the
model is called; `models` may be empty there.

`text`, `cut`, `chat_template`, `chat_flags` and `sampling` may stand in an answer too. `{{ seam }}` in a prompt is
where the authors tokenize apart; everything between seams is tokenized as one text.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from rerankllm.data import Document
from rerankllm.elicitation.template import Form, Template, filled
from rerankllm.elicitation.template_file import CARDS, KEYS, build, in_folder, known, mapping, root
from rerankllm.elicitation.treatment import BRACKETS, Cut, Treatment
from rerankllm.errors import TemplateError

SHARED = {"text", "cut", "chat_template", "chat_flags", "sampling"}
CARD_KEYS = SHARED | {
    "description", "models", "source", "licence", "strategy", "answers", "needs", "cannot", "figures",
}  # fmt: skip
PROMPTED = ("score", "compare", "select", "permute", "grade")
"""The kinds of judgement that a card can answer by a prompt, as their folders are called."""
ANSWER_KEYS = SHARED | KEYS - {"description", "source", "passage_tokens", "demonstrations", "continuation"}
BESIDE = "rerankllm.yaml"
"""What a card is called that lies beside a model's weights."""
UNCUT = 1_000_000
"""Tokens of a passage where a card says nothing: the context cuts it."""
_RERANKS = re.compile(r"(?<![fcd])rank|mono-?t5|duo-?t5")
EXPANSIONS = ("none", "attended", "apart")
SKIPPED = ("none", "punctuation")
KEPT = {"spaces": "keep", "title": "join", "brackets": "keep", "query": "keep"}
CHOICES = {
    "spaces": {"fold", "lines", "strip", "keep"},
    "title": {"join", "before", "named", "none"},
    "brackets": set(BRACKETS),
    "query": set(BRACKETS),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """What a model with a scoring head reads, as Jinja sources over `query` and `doc`.

    Attributes:
        query: The first text of the pair.
        document: The second.
        one: The only text, where it reads one; empty for pairs.
    """

    query: str = "{{ query }}"
    document: str = "{{ doc.text }}"
    one: str = ""


@dataclass(frozen=True, slots=True)
class Vectors:
    """How a model of vectors reads texts.

    Attributes:
        query: What a plain query is shown as.
        end: What documents and plain queries end with.
        pooling: How a text's vector is made, as sentence-transformers names it; empty for what the model's files say.
    """

    query: str = "{{ query }}"
    end: str = ""
    pooling: str = ""


@dataclass(frozen=True, slots=True)
class Late:
    """How a late-interaction model reads texts, where its own files do not say.

    `cut` says how many tokens a query and a passage have, with their markers and what the tokenizer puts around texts.

    Attributes:
        query: What stands before a query: a token of its own, mostly.
        document: What stands before a passage.
        expansion: Whether a short query is filled up to its length: `none`; `attended`, where the filling is a text
            like any other; or `apart`, where it sees the query and is not seen by it.
        skip: The tokens of passages that are not compared: `punctuation`, or `none`.
    """

    query: str
    document: str
    expansion: str = "none"
    skip: str = "punctuation"

    def __post_init__(self) -> None:
        for key, allowed in (("expansion", EXPANSIONS), ("skip", SKIPPED)):
            if getattr(self, key) not in allowed:
                raise TemplateError(f"late: {key} should be {', '.join(allowed)}; found '{getattr(self, key)}'")


@dataclass(frozen=True, slots=True)
class Card:
    """A published reranker. Its fields are those of the file."""

    name: str
    description: str
    models: tuple[str, ...]
    source: tuple[str, ...]
    licence: str
    strategy: str
    prompts: Mapping[str, Template] = field(default_factory=dict)
    pair: Pair | None = None
    vectors: Vectors | None = None
    late: Late | None = None
    treatment: Treatment = field(default_factory=Treatment)
    needs: str = ""
    cannot: str = ""
    figures: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[str, ...]:
        """The kinds of judgement that it answers by a prompt."""
        return tuple(kind for kind in self.prompts if kind != "embed")

    @property
    def is_text(self) -> bool:
        """Whether all that it is shown is known as text, chat format included."""
        asked = [self.prompts[kind] for kind in self.answers]
        return bool(asked) and all(t.completion or (t.form and t.form.chat_template) for t in asked)

    @property
    def reads_logits(self) -> bool:
        """Whether its score is a token's logit, which no log-probability or difference of them tells."""
        return any(template.needs_logits for template in self.prompts.values())

    def template(self, judgement: str) -> Template:
        """Its prompt for a kind of judgement.

        Raises:
            TemplateError: It answers others.
        """
        if judgement not in self.prompts:
            can = ", ".join(self.prompts) or "nothing by a prompt"
            raise TemplateError(f"{self.name} answers {can}, and not {judgement}")
        return self.prompts[judgement]

    def texts(self, query: str, doc: Document, instruction: str | None = None) -> tuple[str, ...]:
        """What a model with a head reads: one text, or two.

        Raises:
            TemplateError: It has no place for an instruction.
        """
        pair = self.pair or Pair()
        sources = (pair.one,) if pair.one else (pair.query, pair.document)
        if instruction is not None and not any("instruction" in source for source in sources):
            raise TemplateError(f"{self.name} has no place for an instruction: leave --instruction out")
        shown = {"query": self.treatment.asked(query), "doc": {"text": self.treatment.document(doc)}}
        return tuple(filled(source, **shown, instruction=instruction) for source in sources)

    def elicitation(self, judgement: str) -> str:
        """The spec of the elicitation that asks it so."""
        name, _, parameters = self.prompts[judgement].elicitation.partition("(")
        return f"{name}(prompt={_said(self.name)}{f', {parameters}' if parameters else ')'}"


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The names of all cards."""
    return tuple(sorted(in_folder(root() / CARDS)))


@lru_cache(maxsize=256)
def load(name: str) -> Card:
    """The card of this name.

    Raises:
        TemplateError: There is none, or it is malformed.
    """
    if name not in names():
        raise TemplateError(f"no published model '{name}'. There are: {', '.join(names())}")
    return parse(name, (root() / CARDS / f"{name}.yaml").read_text(encoding="utf-8"))


def find(model_names: Iterable[str]) -> Card | None:
    """The card for a model; None where none names it.

    Args:
        model_names: What it is called: on the hub, as a folder or a file, or as its own files or a host call it. The
            first that is known counts: by a card beside its weights, else of several cards by the one whose name for it
            is longest.

    Raises:
        TemplateError: The card beside its weights is malformed.
    """
    for model in model_names:
        own = _beside(model)
        if own is not None:
            return read(own)
        called = _plain(model)
        found = [pattern for pattern in _patterns() if fnmatchcase(called, pattern)]
        if found:
            return load(_patterns()[max(found, key=len)])
    return None


def looks_like_a_reranker(model_names: Iterable[str]) -> bool:
    """Whether a model's name says that it was trained to rerank."""
    return any(_RERANKS.search(_plain(model)) for model in model_names)


def parse(name: str, text: str) -> Card:
    """The card that a file's text is.

    Raises:
        TemplateError: It is malformed.
    """
    data = mapping(f"card {name}", text, CARD_KEYS)
    try:
        return _build(name, data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TemplateError(f"card {name}: {type(error).__name__} {error}") from error


def read(path: Path) -> Card:
    """The card in a file.

    Raises:
        TemplateError: It cannot be read, or is malformed.
    """
    try:
        return parse(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def is_card(text: str) -> bool:
    """Whether a file's text is a card rather than a template for one judgement."""
    return re.search(r"^(answers|cannot)\s*:", text, re.MULTILINE) is not None


def _beside(model: str) -> Path | None:
    """The card beside the weights of a model that is a folder or a file here; None where there is none."""
    path = Path(model)
    try:
        card = (path if path.is_dir() else path.parent) / BESIDE
        return card if model and path.exists() and card.is_file() else None
    except OSError:  # such as a name that is too long for a file
        return None


def _said(name: str) -> str:
    """A name as specs have it: in quotes where it is no plain word, such as a file's."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return name if re.fullmatch(r"[A-Za-z_][\w.-]*", name) else f"'{escaped}'"


def _build(name: str, data: dict[str, Any]) -> Card:
    answers = known(f"card {name}, answers", data.get("answers", {}), {*PROMPTED, "pair", "embed", "late"})
    if bool(answers) == ("cannot" in data):
        raise TemplateError(f"card {name} needs either answers, or a line `cannot` that says why it has none")
    vectors = dict(answers.get("embed", {}))
    own = {key: vectors.pop(key) for key in ("query", "end", "pooling") if key in vectors}
    prompted = {kind: answers[kind] for kind in PROMPTED if kind in answers}
    if vectors:
        prompted["embed"] = {"elicitation": "none", **vectors}
    return Card(
        name=name,
        description=str(data["description"]),
        models=tuple(map(str, data["models"])),
        source=tuple(map(str, data["source"])),
        licence=str(data["licence"]),
        strategy=str(data.get("strategy", "pointwise")),
        prompts={kind: _template(f"{kind}/{name}", data, answer) for kind, answer in prompted.items()},
        pair=Pair(**answers["pair"]) if "pair" in answers else None,
        vectors=Vectors(**own) if "embed" in answers else None,
        late=Late(**answers["late"]) if "late" in answers else None,
        treatment=_treatment(f"card {name}", data),
        needs=str(data.get("needs", "")),
        cannot=str(data.get("cannot", "")),
        figures=tuple(map(str, data.get("figures", ()))),
    )


def _template(name: str, card: dict[str, Any], answer: dict[str, Any]) -> Template:
    """The template of one answer. Its SHA-256 is that of what is asked and read, not of what is told about it."""
    known(f"card {name}", answer, ANSWER_KEYS)
    whole = {**{key: card[key] for key in SHARED if key in card}, **answer}
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    treatment, cut = _treatment(f"card {name}", whole), whole.get("cut", {})
    form = Form(
        treatment,
        Cut.parse(cut["whole"]).length if "whole" in cut else None,
        str(whole.get("chat_template", "")),
        tuple(sorted(whole.get("chat_flags", {}).items())),
        **_sampling(f"card {name}", whole),
    )
    told = {key: value for key, value in whole.items() if key not in SHARED}
    told |= {"description": card["description"], "source": "; ".join(card["source"])}
    told["passage_tokens"] = treatment.passage_cut.tokens if treatment.passage_cut else UNCUT
    return build(name, digest, told, form)


def _sampling(what: str, data: Mapping[str, Any]) -> dict[str, float]:
    said = known(f"{what}, sampling", data.get("sampling", {}), ("temperature", "top_p"))
    if said and not str(data["elicitation"]).startswith("reasoning"):
        raise TemplateError(f"{what}: sampling is for answers by reasoning; others are greedy")
    return {key: float(value) for key, value in said.items()}


def _treatment(what: str, data: Mapping[str, Any]) -> Treatment:
    text = {**KEPT, **known(f"{what}, text", data.get("text", {}), KEPT)}
    for key, value in text.items():
        if value not in CHOICES[key]:
            raise TemplateError(f"{what}: {key} should be {', '.join(sorted(CHOICES[key]))}; found '{value}'")
    cut = known(f"{what}, cut", data.get("cut", {}), ("passage", "query", "whole"))
    passage, query = (Cut.parse(cut[key]) if key in cut else None for key in ("passage", "query"))
    return Treatment(**text, passage_cut=passage, query_cut=query)


@lru_cache(maxsize=1)
def _patterns() -> dict[str, str]:
    """Every name that a card is for, and the card's."""
    return {_plain(pattern): name for name in names() for pattern in load(name).models}


def _plain(model: str) -> str:
    """A model's name without owner or folders, in small letters, with hyphens between its words."""
    last = model.rstrip("/").replace("\\", "/").rpartition("/")[2].casefold().removesuffix(".gguf")
    return last.replace("_", "-").replace(" ", "-")
