"""MaxP: documents longer than a prompt has room for, by their best passage."""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Steps, within
from rerankllm.plan import Bound, Plan
from rerankllm.spec.stage import Stage

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class MaxP:
    """Cuts documents into overlapping passages, has `stage` rank the passages, and takes each document's best one.

    Dai and Callan 2019, "Deeper text understanding for IR with contextual neural language modeling", section 3.2.
    Lengths are in words, of which scripts written without spaces have one a character: a strategy does not know the
    model, hence no tokens; the model's own cut of a passage applies to each. Every passage has its document's title;
    the first goes by its document's id, the others by ids of their own.

    Cost: that of `stage` for the passages: between n and n·most of them. If `stage` settles the first p passages, then
    with right answers at least the first p / most documents are settled.

    Attributes:
        stage: What ranks the passages, with its own elicitation and model if it names them.
        passage_words: Length of a passage.
        stride_words: From the start of one to the start of the next, at most a passage.
        most: Passages of one document; what lies behind them is not read, and noted.
    """

    stage: Stage
    passage_words: int = 200
    stride_words: int = 100
    most: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.stride_words <= self.passage_words:
            raise SpecError(
                f"maxp: stride_words should be from 1 to passage_words={self.passage_words}, found {self.stride_words}"
            )
        if self.most < 1:
            raise SpecError(f"maxp: most should be at least 1, found {self.most}")

    @property
    def asks(self) -> Any:
        """What the stage inside asks."""
        return self.stage.strategy.asks

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        passages: list[Candidate] = []
        source: dict[str, Document] = {candidate.doc_id: candidate.document for candidate in candidates}
        cut = 0
        for candidate in candidates:
            texts = list(self._passages(candidate.document.text))
            cut += len(texts) > self.most
            for number, text in enumerate(texts[: self.most]):
                passage_id = candidate.doc_id if number == 0 else _unused(f"{candidate.doc_id}#{number + 1}", source)
                source[passage_id] = candidate.document
                passages.append(replace(candidate, document=replace(candidate.document, doc_id=passage_id, text=text)))
        ranking = yield from within(self.stage, self.stage.strategy.rank(query, passages))
        best: dict[str, float | None] = {}
        for result in ranking:
            best.setdefault(source[result.doc_id].doc_id, result.score)
        notes = {**ranking.ledger.notes, **({"documents not read to the end": cut} if cut else {})}
        return Ranking.of(query, [source[doc_id] for doc_id in best], list(best.values()), notes)

    def _passages(self, text: str) -> Iterator[str]:
        """Overlapping passages, at least one, the last of which reaches the end."""
        words = [match.span() for match in _WORD.finditer(text)]
        if len(words) <= self.passage_words:
            yield text
            return
        for start in range(0, len(words) - self.passage_words + self.stride_words, self.stride_words):
            stop = min(start + self.passage_words, len(words))
            yield text[words[start][0] : words[stop - 1][1]]

    def plan(self, n: int) -> Plan:
        """Bounds: from one passage a document to the most it may have."""
        fewest, most = self.stage.strategy.plan(n), self.stage.strategy.plan(n * self.most)
        return Plan(
            Bound(fewest.calls.low, most.calls.high),
            Bound(fewest.rounds.low, most.rounds.high),
            Bound(fewest.slots.low, most.slots.high),
        )

    def settles(self, n: int) -> int | None:
        """All documents where all passages are settled, else those that settled passages hold at least."""
        most = n * self.most
        settled = self.stage.strategy.settles(most)
        return settled if settled is None else n if settled >= most else -(-settled // self.most)


def documents_of(shown: AbstractSet[str], known: AbstractSet[str]) -> dict[str, str]:
    """Of ids that are no document's but a passage's, the document.

    Args:
        shown: Ids that a stage inside `maxp` was given.
        known: Ids of documents.
    """
    found: dict[str, str] = {}
    for passage_id in shown - known:
        doc_id = passage_id
        while doc_id not in known and (cut := re.fullmatch(r"(.+)#[0-9]+'*", doc_id, re.DOTALL)):
            doc_id = cut[1]
        if doc_id != passage_id and doc_id in known | shown:
            found[passage_id] = doc_id
    return found


def _unused(passage_id: str, taken: dict[str, Document]) -> str:
    while passage_id in taken:
        passage_id += "'"
    return passage_id
