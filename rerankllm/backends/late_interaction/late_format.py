"""How a model of late interaction reads queries and passages: what its own files say, else its card.

Three libraries write such files: Stanford's ColBERT (`artifact.metadata`), PyLate
(`config_sentence_transformers.json`), and sentence-transformers from release 6 on (the same file, and one for each
module).
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rerankllm.backends.late_interaction.model_files import LateFiles
from rerankllm.elicitation.cards import Card, Late
from rerankllm.errors import InputError

STANFORD = "HF_ColBERT"
"""The architecture that Stanford's files name."""
OURS = {"ColBERT", "MultiVectorEncoder"}
"""What PyLate and sentence-transformers call such a model."""
PUNCTUATION = tuple(string.punctuation)
FILLED = 32
"""Tokens to which queries are filled up where nothing says to how many."""


@dataclass(frozen=True, slots=True)
class LateFormat:
    """How texts are read and compared.

    Attributes:
        query: What stands before a query; where it begins with a token of the vocabulary, that is a marker.
        document: What stands before a passage.
        query_length: Tokens of a query, all included; None for as many as the model takes.
        document_length: Tokens of a passage, all included.
        filled: Tokens to which a query is filled up; 0 for none.
        attended: Whether the filling is seen by the query's own tokens.
        filling: The token that fills; None for the mask, or the last token where there is no mask.
        skipped: Tokens of passages that are not compared.
        queries_too: Whether those of queries are left out as well.
        lower: Whether texts are put in small letters.
        mean: Whether the score is a mean over the query's tokens, instead of a sum.
    """

    query: str = ""
    document: str = ""
    query_length: int | None = None
    document_length: int | None = None
    filled: int = 0
    attended: bool = False
    filling: str | None = None
    skipped: tuple[str, ...] = ()
    queries_too: bool = False
    lower: bool = False
    mean: bool = False

    @property
    def apart(self) -> bool:
        """Whether queries are filled up with tokens that see the query and are not seen by it."""
        return bool(self.filled) and not self.attended


def format_of(files: LateFiles, card: Card | None) -> LateFormat | None:
    """How a model reads texts; None where it is none of late interaction.

    Args:
        files: The model's own.
        card: Of the published model, if it is one.

    Raises:
        InputError: A file is malformed, or asks for what is not known here.
    """
    told = files.json("config_sentence_transformers.json")
    if told.get("model_type") in OURS or "query_prefix" in told:
        try:
            return _pylate(told, files) if "query_prefix" in told else _native(told, files)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{files.kind}:{files.source.where}: its files are malformed ({error!r})") from error
    if files.architecture == STANFORD:
        return _stanford(files.json("artifact.metadata"))
    return None if card is None or card.late is None else _card(card.late, card)


def _pylate(told: Mapping[str, Any], files: LateFiles) -> LateFormat:
    length, fills = told.get("query_length"), told.get("do_query_expansion") is not False
    skipped = told.get("skiplist_words")
    return LateFormat(
        query=_before(told, "query"),
        document=_before(told, "document"),
        query_length=(length or FILLED) if fills else length,
        document_length=told.get("document_length"),
        filled=(length or FILLED) if fills else 0,
        attended=bool(told.get("attend_to_expansion_tokens")),
        skipped=PUNCTUATION if skipped is None else tuple(skipped),
        lower=bool(files.reads().get("do_lower_case")),
    )


def _before(told: Mapping[str, Any], role: str) -> str:
    """What PyLate puts before a text: the marker, then the prompt, which may repeat it."""
    marker = told.get(f"{role}_prefix") or ""
    prompt = (told.get("prompts") or {}).get(role) or ""
    return f"{marker}{prompt.removeprefix(marker)}"


def _native(told: Mapping[str, Any], files: LateFiles) -> LateFormat:
    prompts, reads, mask = told.get("prompts") or {}, files.reads(), files.inner("MultiVectorMask")
    if mask.get("keep_only_token_ids"):
        raise InputError(f"{files.kind}:{files.source.where}: it compares pictures; texts only are read here")
    filling = reads.get("query_expansion") or {}
    filled = filling.get("length", 0)
    length = reads.get("query_length")
    if filled:
        length = filled if filling["strategy"] == "fixed" else length and max(length, filled)
    return LateFormat(
        query=prompts.get("query") or "",
        document=next(filter(None, map(prompts.get, ("document", "passage", "corpus"))), ""),
        query_length=length,
        document_length=reads.get("document_length"),
        filled=filled,
        attended=bool(filling.get("attend")),
        filling=filling.get("token"),
        skipped=tuple(mask.get("skiplist_words") or ()),
        queries_too="query" in (mask.get("skiplist_tasks") or ()),
        lower=bool(reads.get("do_lower_case")),
        mean=told.get("similarity_fn_name") == "meanmaxsim",
    )


def _stanford(told: Mapping[str, Any]) -> LateFormat:
    length = told.get("query_maxlen") or FILLED
    return LateFormat(
        query=told.get("query_token_id") or "[unused0]",
        document=told.get("doc_token_id") or "[unused1]",
        query_length=length,
        document_length=told.get("doc_maxlen"),
        filled=length,
        attended=bool(told.get("attend_to_mask_tokens")),
        skipped=PUNCTUATION if told.get("mask_punctuation", True) else (),
    )


def _card(late: Late, card: Card) -> LateFormat:
    query, passage = card.treatment.query_cut, card.treatment.passage_cut
    length = query.length if query else None
    return LateFormat(
        query=late.query,
        document=late.document,
        query_length=length,
        document_length=passage.length if passage else None,
        filled=0 if late.expansion == "none" else length or FILLED,
        attended=late.expansion == "attended",
        skipped=PUNCTUATION if late.skip == "punctuation" else (),
    )
