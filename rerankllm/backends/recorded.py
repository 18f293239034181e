"""`recorded:FILE`: answers that some model once gave, read again."""

import functools
import hashlib
import json
from pathlib import Path

from rerankllm.backends.base import CallFailed, Capabilities, Reply
from rerankllm.backends.direct import DirectBackend
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.text import read_order
from rerankllm.errors import InputError
from rerankllm.formats.lines import expected, read_lines
from rerankllm.judgements import Judgement, Permute


class Recorded(DirectBackend):
    """Answers `Permute` from a JSONL file of `query_id`, `doc_ids` (the window, in order) and `response`.

    The responses go through the same parser as a live model's, with numbers from 1 as labels. A window that was not
    recorded is a failed call, never a guess: so a strategy that asks for any other window shows at once.

    Args:
        name: Path of the file, which may be gzipped.
    """

    def __init__(self, *, name: str) -> None:
        self.model = f"recorded:{name}"
        self._name = name
        self.capabilities = Capabilities(answers=frozenset({Permute}))
        self._responses: dict[tuple[str, tuple[str, ...]], str] = {}
        for number, line in read_lines(name):
            try:
                record = json.loads(line)
                window = (str(record["query_id"]), tuple(map(str, record["doc_ids"])))
                self._responses[window] = str(record["response"])
            except (ValueError, KeyError, TypeError):
                raise expected(name, number, "JSON with query_id, doc_ids and response", line) from None
        if not self._responses:
            raise InputError(f"{name} holds no recorded answers")

    @functools.cached_property
    def revision(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(Path(self._name).read_bytes()).hexdigest()

    def answer(self, judgement: Judgement) -> Reply | CallFailed:
        """The recorded answer to exactly this window."""
        if not isinstance(judgement, Permute):
            return CallFailed(f"a recording answers Permute only, not {type(judgement).__name__}")
        ids = tuple(doc.doc_id for doc in judgement.docs)
        response = self._responses.get((judgement.query.query_id, ids))
        if response is None:
            return CallFailed(
                f"{self.model} holds no answer of query {judgement.query.query_id} for the window of {len(ids)} "
                f"documents that starts with {ids[0]}: it was recorded with another strategy, window or depth"
            )
        return Reply(*read_order(response, judgement, numbers(len(ids))))
