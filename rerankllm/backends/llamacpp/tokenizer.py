"""The tokenizer and the chat template that a GGUF file carries."""

import datetime as dt
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from jinja2 import Template
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rerankllm.backends.llamacpp.model import Model, told
from rerankllm.calls import NO_FLAGS, Message
from rerankllm.elicitation.passages import composes
from rerankllm.errors import CapabilityError, TemplateError

_TWO_WORDS = re.compile(rb"\S ")


class LlamaTokenizer:
    """Tokens as the model knows them. May be used from any thread, until the engine is closed.

    Args:
        engine: The model.
        name: The model's printed spec, for messages.
        arguments: What the chat template is told besides the messages.
    """

    def __init__(self, engine: Model, name: str, arguments: Mapping[str, Any] | None = None) -> None:
        self._engine = engine
        self.name = name
        self._arguments = dict(arguments or {})

    @functools.cached_property
    def bos(self) -> tuple[int, ...]:
        """What a raw completion has to start with, for models that want a first token."""
        lib, vocab = self._engine.lib, self._engine.vocab
        return (lib.llama_vocab_bos(vocab),) if lib.llama_vocab_get_add_bos(vocab) else ()

    @functools.cached_property
    def around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What is put before and after a text that is read whole."""
        found = self._tokens("", whole=True)
        first = len(self.bos)
        return found[:first], found[first:]

    @functools.cached_property
    def between(self) -> tuple[int, ...]:
        """What is put between two texts that are read as a pair; nothing where the file says of no pairs.

        Files of XLM-RoBERTa's tokenizer that were converted before llama.cpp asked for it say nothing: it puts two.
        """
        lib, vocab = self._engine.lib, self._engine.vocab
        _, after = self.around
        kind = lib.llama_vocab_type(vocab)
        silent = not told(lib, self._engine.model, "tokenizer.ggml.add_sep_token")
        twice = lib.llama_vocab_get_add_sep(vocab) or (kind == lib.LLAMA_VOCAB_TYPE_UGM and silent)
        if not twice or (after and kind == lib.LLAMA_VOCAB_TYPE_WPM):
            return after
        separator = lib.llama_vocab_sep(vocab)
        return (*after, separator) if separator >= 0 else after + after

    @functools.cached_property
    def words_apart(self) -> bool:
        """Whether no word of the vocabulary goes on behind a space, and a sentence bears it out."""
        spelled = (self._engine.spell(token, special=False) for token in range(self._engine.vocabulary))
        return not any(map(_TWO_WORDS.search, spelled)) and composes(self)

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Token ids, without a BOS token. Control tokens spelled out in `text` are plain text unless `special`."""
        return self._tokens(text, special=special) if text else ()

    def _tokens(self, text: str, *, special: bool = False, whole: bool = False) -> tuple[int, ...]:
        raw = text.encode("utf-8", "replace")
        lib, vocab = self._engine.lib, self._engine.vocab
        size = len(raw) + 8
        while True:
            buffer = (lib.llama_token * size)()
            found = lib.llama_tokenize(vocab, raw, len(raw), buffer, size, whole, special)
            if found >= 0:
                return tuple(buffer[:found])
            size = -found

    def whole(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that stands by itself, control tokens read."""
        return self.encode(text, special=True)

    def harmless(self, text: str) -> str:
        """A text in which control tokens are spelled with a space, and so are none."""
        for token in self._control:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    @functools.cached_property
    def _control(self) -> tuple[str, ...]:
        """The control tokens of the vocabulary that are more than one character."""
        lib, vocab = self._engine.lib, self._engine.vocab
        marked = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED
        tokens = (t for t in range(self._engine.vocabulary) if lib.llama_vocab_get_attr(vocab, t) & marked)
        spelled = (self._engine.spell(token, special=True).decode("utf-8", "replace") for token in tokens)
        return tuple(text for text in spelled if len(text) > 1 and text.strip(" ▁\n\t"))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids, control tokens spelled out; bytes that are no UTF-8 become U+FFFD.

        Raises:
            IndexError: An id is not in the vocabulary.
        """
        if ids and not (min(ids) >= 0 and max(ids) < self._engine.vocabulary):
            raise IndexError(f"token ids of {self.name} go from 0 to {self._engine.vocabulary - 1}")
        return b"".join(self._engine.spell(token, special=True) for token in ids).decode("utf-8", "replace")

    def chat(self, messages: Sequence[Message], flags: Mapping[str, Any] = NO_FLAGS, /) -> str:
        """The chat template, applied; a last assistant message is left open to be continued.

        Raises:
            CapabilityError: The file carries no chat template.
            TemplateError: The template refuses these messages.
        """
        opening = ""
        if messages and messages[-1].role == "assistant":
            *messages, last = messages
            opening = last.content
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            told = {**self._variables, **flags, **self._arguments}
            return self._template.render(messages=turns, add_generation_prompt=True, **told) + opening
        except JinjaError as error:
            raise TemplateError(f"{self.name}: its chat template does not take these messages: {error}") from error

    @property
    def chats(self) -> bool:
        """Whether the file carries a chat template."""
        return bool(self._source)

    @functools.cached_property
    def _source(self) -> bytes | None:
        found: bytes | None = self._engine.lib.llama_model_chat_template(self._engine.model, None)
        return found

    @functools.cached_property
    def _template(self) -> Template:
        source = self._source
        if not source:
            raise CapabilityError(
                f"{self.name} carries no chat template: ask it with labels(prompt=completion), or a "
                "prompt of your own that is a completion"
            )
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = _now
        return environment.from_string(source.decode("utf-8", "replace"))

    @functools.cached_property
    def _variables(self) -> dict[str, Any]:
        """What templates may ask for besides the messages."""
        lib, vocab = self._engine.lib, self._engine.vocab
        return {
            "bos_token": self._text(lib.llama_vocab_bos, vocab),
            "eos_token": self._text(lib.llama_vocab_eos, vocab),
            "tools": None,
            "documents": None,
        }

    def _text(self, which: Callable[[Any], int], vocab: Any) -> str:
        token = which(vocab)
        return self._engine.spell(token, special=True).decode("utf-8", "replace") if token >= 0 else ""


def _refuse(message: str) -> NoReturn:
    raise JinjaError(message)


def _now(form: str) -> str:
    return dt.datetime.now().astimezone().strftime(form)
