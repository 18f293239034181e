"""From a template, a query and documents to a finished prompt that fits."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

from rerankllm.calibration.demonstrations import Demonstration, example_for
from rerankllm.calls import (
    Capabilities,
    ChatPrompt,
    EncoderPrompt,
    Message,
    Prompt,
    TextPrompt,
    Tokenizer,
    TokenPrompt,
)
from rerankllm.data import Document, Query
from rerankllm.elicitation.harmless import without_control_tokens, without_labels
from rerankllm.elicitation.passages import first_tokens
from rerankllm.elicitation.template import SEAM, THE_BEST, Piece, Slot, Template, Wanted, pieces
from rerankllm.elicitation.whole import FEWEST_TOKENS, WholeText, common_cut
from rerankllm.errors import TemplateError

_CACHED_PASSAGES = 50_000


@dataclass(frozen=True)
class PromptBuilder:
    """Fills one template for one backend.

    Every passage is tokenized once, as far as it is shown, and cut on a token boundary; a template's own words are
    tokenized once for each number of documents. Backends that take token ids get ids, others plain text or messages.

    Attributes:
        template: What to fill.
        tokenizer: The backend's.
        capabilities: The backend's.
        instruction: The user's own, for templates that show one.
        passage_tokens: Cut of every passage, of worked examples too; the template's when None.
        demonstrations: Worked examples, of which one that is not of the query comes first, in both orders.
    """

    template: Template
    tokenizer: Tokenizer
    capabilities: Capabilities
    instruction: str | None = None
    passage_tokens: int | None = None
    demonstrations: tuple[Demonstration, ...] = ()

    def __post_init__(self) -> None:
        self.template.compile()
        if self.instruction is not None and not self.template.instructed:
            raise TemplateError(
                f"template {self.template.name} has no place for an instruction: leave --instruction out, or put "
                "{{ instruction }} into a template of your own"
            )
        if self.template.completion and not (self.capabilities.token_prompts or self.capabilities.text_prompts):
            raise TemplateError(f"template {self.template.name} is a completion; this backend takes chats only")
        encodes = self.capabilities.separate_decoder and self.capabilities.token_prompts
        if (self.template.apart or self.template.decoder) and not encodes:
            raise TemplateError(
                f"template {self.template.name} is for models with an encoder and a decoder, on hf:; this is none"
            )
        formatted = self.template.form is not None and self.template.form.chat_template
        if self.template.messages and self.capabilities.text_prompts and not formatted:
            raise TemplateError(
                f"template {self.template.name} is a chat; this backend takes plain text and knows no chat template: "
                "give it a template with completion:, or use its chat API"
            )

    def build(
        self,
        query: Query,
        docs: Sequence[Document],
        labels: Sequence[str],
        *,
        reserve: int,
        wanted: Wanted = THE_BEST,
        criteria: Sequence[str] = (),
        left: str = "",
    ) -> Prompt:
        """The prompt.

        Args:
            query: The query.
            docs: The documents, in the order shown.
            labels: Their labels.
            reserve: Tokens to leave for the answer.
            wanted: What a selection asks for; how many criteria are asked for, or shown.
            criteria: What the documents are judged by.
            left: The end of `opening` that is left to the answer's first token.

        Raises:
            TemplateError: It cannot fit the model's context even with its passages cut short, or all worked examples
                are of this query.
        """
        reserve = 0 if self.capabilities.separate_decoder else reserve
        if self.template.apart or self.template.decoder:
            each = [([doc], (label,)) for doc, label in zip(docs, labels, strict=True)]
            texts = each if self.template.apart else [(docs, tuple(labels))]
            ids = (self._ids(self._skeleton(named, wanted), query, shown, reserve, criteria) for shown, named in texts)
            return EncoderPrompt(tuple(ids), self._own_words(self.template.decoder.removesuffix(left)))
        skeleton = _ended(self._skeleton(tuple(labels), wanted), left)
        if self.capabilities.token_prompts:
            return TokenPrompt(self._ids(skeleton, query, docs, reserve, criteria))
        if self._whole is not None:
            contents = self._whole.fill(skeleton, self._given(query), docs, reserve)
            return self._sent([content.replace(SEAM, "") for content in contents], labels, wanted)
        filled = self._filled(skeleton, query, docs, reserve, criteria)
        return self._sent(["".join(map(self._text, parts)) for parts in filled], labels, wanted)

    def _ids(
        self,
        skeleton: Sequence[Sequence[Piece]],
        query: Query,
        docs: Sequence[Document],
        reserve: int,
        criteria: Sequence[str],
    ) -> tuple[int, ...]:
        """The tokens of a prompt that is one text."""
        if self._whole is not None:
            return self._whole.ids(self._whole.fill(skeleton, self._given(query), docs, reserve)[0])
        bos = self.tokenizer.bos if self.template.completion else ()
        filled = self._filled(skeleton, query, docs, reserve, criteria)
        return (*bos, *chain.from_iterable(chain.from_iterable(filled)))

    @cached_property
    def _fenced(self) -> bool:
        return any("fence" in source for source in self.template.sources)

    def _given(self, query: Query) -> dict[str, str]:
        return {"query": query.text, "instruction": self.instruction or ""}

    def _filled(
        self,
        skeleton: Sequence[Sequence[Piece]],
        query: Query,
        docs: Sequence[Document],
        reserve: int,
        criteria: Sequence[str],
    ) -> list[list[tuple[int, ...]]]:
        """For each message the tokens of its pieces, passages cut until all fits."""
        shown, asked = list(docs), [query.text]
        if self.demonstrations:
            example = example_for(query, self.demonstrations)
            shown += [Document("", example.better), Document("", example.worse)]
            asked.append(example.query)
        drawn = fence(query, docs) if self._fenced else ""
        texts = {"query": asked, "instruction": [self.instruction or ""], "fence": [drawn]}
        filled: list[list[tuple[int, ...]]] = []
        passages: list[tuple[int, int]] = []
        for message in skeleton:
            parts: list[tuple[int, ...]] = []
            for piece in message:
                if isinstance(piece, Slot) and piece.kind == "doc":
                    passages.append((len(filled), len(parts)))
                    parts.append(self._passage(piece.lead, shown[piece.index]))
                elif isinstance(piece, Slot) and piece.kind == "criterion":
                    parts.append(self._plain(piece.lead + self._harmless(criteria[piece.index])))
                elif isinstance(piece, Slot):
                    parts.append(self._plain(piece.lead + self._harmless(texts[piece.kind][piece.index])))
                else:
                    parts.append(self._own_words(piece))
            filled.append(parts)
        self._fit(filled, passages, reserve, query)
        return filled

    def _sent(self, contents: Sequence[str], labels: Sequence[str], wanted: Wanted) -> TextPrompt | ChatPrompt:
        """A prompt for a backend that tokenizes it itself."""
        if self.capabilities.text_prompts:
            return TextPrompt(contents[0])
        roles = [message.role for message in self._messages(tuple(labels), wanted)]
        return ChatPrompt(tuple(map(Message, roles, contents)))

    def opening(self, labels: Sequence[str]) -> str:
        """The template's last words before the answer: the context in which labels must be single tokens.

        Where answers start in a decoder of their own, what the template opens them with there.
        """
        if self.capabilities.separate_decoder:
            return self.template.decoder
        last = self._skeleton(tuple(labels), THE_BEST)[-1][-1]
        return last.rpartition(SEAM)[2] if isinstance(last, str) else ""

    def continuation(self, query: Query) -> tuple[int, ...]:
        """The tokens of the text whose likelihood is asked for."""
        text = "".join(
            piece if isinstance(piece, str) else piece.lead + self._harmless(query.text)
            for piece in pieces(self.template.render_continuation())
        )
        ids: tuple[int, ...] = self._plain(text)
        return ids

    def skipped(self, query: Query) -> tuple[int, ...]:
        """The tokens of what every text begins with that does not count, as they are in the text."""
        assert self._whole is not None  # noqa: S101 - published models' alone
        (text,) = self._whole.fill([pieces(self.template.render_skipped())], self._given(query), (), 0)
        return self._whole.ids(text)

    def texts(self, docs: Sequence[Document]) -> tuple[str, ...]:
        """The documents as a published model is shown them."""
        assert self._whole is not None  # noqa: S101 - published models' alone
        return tuple(map(self._whole.passage, docs))

    def _messages(self, labels: tuple[str, ...], wanted: Wanted) -> tuple[Message, ...]:
        """The rendered messages; the opening of an answer only where the backend can continue it."""
        messages = self.template.render(
            labels, instruction=self.instruction is not None, wanted=wanted, worked=bool(self.demonstrations)
        )
        can = self.capabilities
        continued = can.token_prompts or can.text_prompts or can.opened_chats
        if messages[-1].role == "assistant" and not continued:
            return messages[:-1]
        return messages

    @cached_property
    def _skeleton(self) -> Any:
        def make(labels: tuple[str, ...], wanted: Wanted) -> tuple[tuple[Piece, ...], ...]:
            messages = self._messages(labels, wanted)
            if not self.capabilities.token_prompts and not self.capabilities.text_prompts:
                return tuple(pieces(message.content) for message in messages)
            return (pieces(self._as_text(messages)),)

        return lru_cache(maxsize=256)(make)

    def _as_text(self, messages: tuple[Message, ...]) -> str:
        """The messages in their chat format; a completion is text already."""
        form = self.template.form
        if self.template.completion:
            return messages[0].content
        if form is not None and form.chat_template:
            return form.chat(messages)
        return self.tokenizer.chat(messages, dict(form.chat_flags)) if form else self.tokenizer.chat(messages)

    @cached_property
    def _whole(self) -> WholeText | None:
        form = self.template.form
        if form is None:
            return None
        capabilities = self.capabilities
        host = not capabilities.token_prompts
        return WholeText(form, self.tokenizer, capabilities.context, self.passage_tokens, host=host)

    def _harmless(self, text: str) -> str:
        """A text of others without labels, and without control tokens where the host would read the text for them."""
        text = without_labels(text)
        return text if self.capabilities.token_prompts else without_control_tokens(text)

    @cached_property
    def _own_words(self) -> Any:
        return lru_cache(maxsize=4096)(lambda text: self.tokenizer.encode(text, special=True))

    @cached_property
    def _plain(self) -> Any:
        return lru_cache(maxsize=4096)(self.tokenizer.encode)

    @cached_property
    def _passage(self) -> Any:
        limit = self.passage_tokens or self.template.passage_tokens

        def make(lead: str, doc: Document) -> tuple[int, ...]:
            text = self._harmless(doc.content).replace(" ", self.template.between_words)
            return first_tokens(self.tokenizer, lead + text, limit)

        return lru_cache(maxsize=_CACHED_PASSAGES)(make)

    @cached_property
    def _text(self) -> Any:
        return lru_cache(maxsize=_CACHED_PASSAGES)(self.tokenizer.decode)

    def _fit(
        self, filled: list[list[tuple[int, ...]]], passages: Sequence[tuple[int, int]], reserve: int, query: Query
    ) -> None:
        """Cuts the longest passages, all to the same length, until prompt and answer fit the context."""
        context = self.capabilities.context
        total = sum(len(part) for parts in filled for part in parts)
        if context is None or total + reserve <= context:
            return
        lengths = [len(filled[m][p]) for m, p in passages]
        room = context - reserve - (total - sum(lengths))
        cut = common_cut(lengths, room)
        if cut < FEWEST_TOKENS:
            asked = len(self._plain(query.text))
            if 2 * asked > context:
                raise TemplateError(f"the query has {asked} tokens, the context {context}: shorten it")
            raise TemplateError(
                f"{len(passages)} passages do not fit a context of {context} tokens ({total} in the prompt, {reserve} "
                f"kept for the answer): that would leave {max(cut, 0)} tokens each; show fewer documents at a time"
            )
        for m, p in passages:
            filled[m][p] = filled[m][p][:cut]


def fence(query: Query, docs: Sequence[Document]) -> str:
    """Twelve signs that no document can know: they come from the query and all documents, itself among them."""
    told = json.dumps([query.text, *(doc.content for doc in docs)])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _ended(skeleton: Sequence[Sequence[Piece]], left: str) -> Sequence[Sequence[Piece]]:
    """Messages in pieces without the end that is left to the answer's first token, which is the template's own."""
    if not left:
        return skeleton
    *before, message = skeleton
    *pieces_before, last = message
    return [*before, [*pieces_before, last.removesuffix(left) if isinstance(last, str) else last]]
