"""The tokenizer and the chat template that come with a model, as the transformers library reads them."""

import functools
import re
from collections.abc import Sequence
from typing import Any

from rerankllm.backends.base import Message
from rerankllm.errors import CapabilityError, TemplateError

_MARKER = re.compile(r"[<\[].+[>\]]", re.DOTALL)
"""What tokens that steer a chat look like where they are not declared special: `<think>`, `[INST]`."""


class HubTokenizer:
    """Tokens as the model knows them.

    May be used from any thread as long as the tokenizer may, which vLLM's own may.

    Args:
        tokenizer: A tokenizer of the transformers library.
        name: The model, for error messages.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        self._tokenizer = tokenizer
        self._name = name

    @functools.cached_property
    def bos(self) -> tuple[int, ...]:
        """What a raw completion has to start with: whatever the tokenizer itself puts in front of a text."""
        with_it, without = self._encode("a", add_special_tokens=True), self._encode("a")
        return with_it[: next((i for i in range(len(with_it)) if with_it[i : i + len(without)] == without), 0)]

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Token ids, without a BOS token. Control tokens spelled out in `text` are plain text unless `special`.

        Every such spelling is cut behind its first character, and the parts are encoded each on its own. That also
        holds for tokens that steer a chat without being declared special, which `split_special_tokens` leaves in.
        """
        text = text.encode("utf-8", "replace").decode()
        if special or self._control is None:
            return self._encode(text)
        ids: tuple[int, ...] = ()
        start = 0
        for found in self._control.finditer(text):
            ids += self._encode(text[start : found.start() + 1])
            start = found.start() + 1
        return ids + self._encode(text[start:])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids, control tokens spelled out; bytes that are no UTF-8 become U+FFFD.

        Raises:
            IndexError: An id is not in the vocabulary.
        """
        if ids and not (min(ids) >= 0 and max(ids) < len(self._tokenizer)):
            raise IndexError(f"token ids of {self._name} go from 0 to {len(self._tokenizer) - 1}")
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def chat(self, messages: Sequence[Message]) -> str:
        """The chat template, applied; a last assistant message is left open to be continued.

        Raises:
            CapabilityError: The model carries no chat template.
            TemplateError: The template refuses these messages.
        """
        if not self.chats:
            raise CapabilityError(
                f"{self._name} carries no chat template: use a prompt template that is a plain completion"
            )
        opening = ""
        if messages and messages[-1].role == "assistant":
            *messages, last = messages
            opening = last.content
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # a template raises whatever it likes
            raise TemplateError(f"{self._name}: its chat template does not take these messages: {error}") from error
        return text + opening

    @property
    def chats(self) -> bool:
        """Whether the model carries a chat template."""
        return bool(getattr(self._tokenizer, "chat_template", None))

    @functools.cached_property
    def _control(self) -> re.Pattern[str] | None:
        """Finds the spelling of any token that steers the model, the longest first."""
        added = self._tokenizer.added_tokens_decoder.values()
        texts = {token.content for token in added if token.special or _MARKER.fullmatch(token.content)}
        longest_first = sorted((text for text in texts if len(text) > 1), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def _encode(self, text: str, *, add_special_tokens: bool = False) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=add_special_tokens)) if text else ()
