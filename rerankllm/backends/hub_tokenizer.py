"""A tokenizer of the transformers library as prompts need it: in pieces, control tokens only where they are meant."""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rerankllm.calls import NO_FLAGS, Message
from rerankllm.elicitation.passages import composes
from rerankllm.errors import CapabilityError, TemplateError

_GUARD = "\n"
_TWO_WORDS = re.compile(r"[^\s\u0120\u2581\u010a\u0109\u010d][ \u0120\u2581]")
"""A space behind what is no white space, as vocabularies spell them."""


class HubTokenizer:
    """Tokens as the model knows them. May be used from any thread.

    Args:
        tokenizer: One of transformers' own.
        name: The model's printed spec, for messages.
        arguments: What the chat template is told besides the messages.
    """

    def __init__(self, tokenizer: Any, name: str, arguments: Mapping[str, Any] | None = None) -> None:
        self._tokenizer = tokenizer
        self._name = name
        self._arguments = dict(arguments or {})

    @functools.cached_property
    def _around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the tokenizer puts before and after a text."""
        whole = tuple(self._tokenizer.encode("a"))
        bare = tuple(self._tokenizer.encode("a", add_special_tokens=False))
        for start in range(len(whole) - len(bare) + 1):
            if whole[start : start + len(bare)] == bare:
                return whole[:start], whole[start + len(bare) :]
        return (), ()

    @property
    def bos(self) -> tuple[int, ...]:
        """What a raw completion has to start with, for models that want a first token."""
        return self._around[0]

    @property
    def eos(self) -> tuple[int, ...]:
        """What a whole text ends with, for models that want a last token."""
        return self._around[1]

    @functools.cached_property
    def words_apart(self) -> bool:
        """Whether no word of the vocabulary goes on behind a space, and a sentence bears it out."""
        words = self._tokenizer.get_vocab().keys() - self._tokenizer.get_added_vocab().keys()
        return not any(map(_TWO_WORDS.search, words)) and composes(self)

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Token ids, as in the middle of a text. Added tokens spelled out in `text` are plain text unless `special`.

        Tokenizers that put a space before every text would also put one before every piece of a prompt; they are
        shown a line break first, whose tokens are then taken off.
        """
        if not text:
            return ()
        text = text.encode("utf-8", "replace").decode()
        read = self._special if special else self._plain
        if not self._guard:
            return read(text)
        ids = read(_GUARD + text)
        return ids[len(self._guard) :] if ids[: len(self._guard)] == self._guard else read(text)

    def whole(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that stands by itself, control tokens read; without what is put around whole texts."""
        return self._special(text.encode("utf-8", "replace").decode()) if text else ()

    def harmless(self, text: str) -> str:
        """A text in which control tokens are spelled with a space, and so are none."""
        for token in self._control:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids, control tokens spelled out; bytes that are no UTF-8 become U+FFFD.

        Raises:
            IndexError: An id is not in the vocabulary.
        """
        if ids and not (min(ids) >= 0 and max(ids) < len(self._tokenizer)):
            raise IndexError(f"token ids of {self._name} go from 0 to {len(self._tokenizer) - 1}")
        return self._decoded(ids, skip=False)

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer: control tokens, such as the one that ends it, are left out."""
        return self._decoded(ids, skip=True)

    def chat(self, messages: Sequence[Message], flags: Mapping[str, Any] = NO_FLAGS, /) -> str:
        """The model's chat template, applied; a last assistant message is left open to be continued.

        Raises:
            CapabilityError: The tokenizer carries no chat template.
            TemplateError: The template refuses these messages.
        """
        from jinja2.exceptions import TemplateError as JinjaError  # noqa: PLC0415

        if not self.chats:
            raise CapabilityError(
                f"{self._name} carries no chat template: ask it with labels(prompt=completion), or a "
                "prompt of your own that is a completion"
            )
        opening = ""
        if messages and messages[-1].role == "assistant":
            *messages, last = messages
            opening = last.content
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            rendered: str = self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True, **{**flags, **self._arguments}
            )
        except (JinjaError, ValueError, TypeError) as error:
            raise TemplateError(f"{self._name}: its chat template does not take these messages: {error}") from error
        return rendered + opening

    @property
    def chats(self) -> bool:
        """Whether the tokenizer carries a chat template."""
        return bool(self._tokenizer.chat_template)

    def _special(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))

    def _plain(self, text: str) -> tuple[int, ...]:
        """Without the added tokens: what transformers skips on request is only those flagged as special.

        Some vocabularies hold their control tokens as words too, so the model underneath would still find them.
        """
        core = getattr(self._tokenizer, "backend_tokenizer", None)
        if core is None:
            return tuple(self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))
        if core.normalizer is not None:
            text = core.normalizer.normalize_str(text)
        words = [text] if core.pre_tokenizer is None else [w for w, _ in core.pre_tokenizer.pre_tokenize_str(text)]
        return tuple(token for word in words for token in self._word(core.model, word))

    def _word(self, model: Any, word: str) -> Iterator[int]:
        """The tokens of a word; one that would be read as an added token is cut after its first character."""
        tokens = model.tokenize(word)
        for token in tokens:
            if self._added.get(token.id) == token.value and (at := word.find(token.value)) >= 0:
                yield from self._word(model, word[: at + 1])
                yield from self._word(model, word[at + 1 :])
                return
        yield from (token.id for token in tokens)

    @functools.cached_property
    def _added(self) -> dict[int, str]:
        """The added tokens that can be cut, by id; those of white space are text like any other."""
        added = ((number, token.content) for number, token in self._tokenizer.added_tokens_decoder.items())
        return {number: content for number, content in added if len(content) > 1 and content.strip(" ▁\n\t")}

    @functools.cached_property
    def _control(self) -> tuple[str, ...]:
        return tuple(self._added.values())

    @functools.cached_property
    def _guard(self) -> tuple[int, ...]:
        """The tokens of the guard, where texts get a space put before them; none where they do not, or lose spaces."""
        alone, spaced = self._special("a"), self._special(" a")
        adds = self._tokenizer.convert_ids_to_tokens(alone[:1]) == ["▁a"]
        return self._special(_GUARD) if adds and alone != spaced else ()

    def _decoded(self, ids: Sequence[int], *, skip: bool) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=skip, clean_up_tokenization_spaces=False)
        return text
