"""The best and the worst of many documents, named in one answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.calls import Request, Response
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.asking import Asking, Expected
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.parsing import answer_part, parse_order
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import bracketed
from rerankllm.judgements import Answer, Ends, Judgement, ParseReport, Status, Unanswered

_POLITENESS = 24
_CALLED = {"best": "(?:most|best|highest)", "worst": "(?:least|worst|lowest)"}
_BETWEEN = r"[^\n\[\],;.>0-9]{0,60}?"
"""What may stand between "most relevant" and the label: no other label, and no other sentence."""


def parse_ends(text: str, labels: Sequence[str]) -> tuple[tuple[int, int] | None, ParseReport]:
    """Reads an answer that should name the best of `labels` and the worst. Total: never raises.

    Each may be called so ("Best: [3], worst: [7]", in JSON too), or both are written as an order of two; of an order of
    all the first and the last count.

    Returns:
        The indices of best and worst; None where the report is `failed`. It is `repaired` when more were named.
    """
    answer = answer_part(text)
    if answer is None:
        return None, ParseReport(Status.FAILED, {"unclosed reasoning": 1})
    called = [_called(answer, labels, end) for end in ("best", "worst")]
    if None not in called and called[0] != called[1]:
        best, worst = called
        return (best, worst), ParseReport(form="named ends")  # type: ignore[return-value]
    parsed = parse_order(answer, labels, 2)
    first, last = (parsed.groups[0], parsed.groups[-1]) if len(parsed.groups) > 1 else ((), ())
    if len(first) != 1 or len(last) != 1 or parsed.report.status is Status.FAILED:
        return None, ParseReport(Status.FAILED, {"not two ends": 1})
    named = sum(map(len, parsed.groups))
    if named == 2:  # noqa: PLR2004
        return (first[0], last[0]), parsed.report
    if named < len(labels):
        return None, ParseReport(Status.FAILED, {"ambiguous": 1})
    return (first[0], last[0]), ParseReport(Status.REPAIRED, {"extra": named - 2}, parsed.report.form)


def _called(answer: str, labels: Sequence[str], end: str) -> int | None:
    """The one label that is called so; None where none is, or several are."""
    either = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    found = re.findall(rf"(?<![A-Za-z])(?i:{_CALLED[end]})(?![A-Za-z]){_BETWEEN}\[?(?<!\w)({either})(?!\w)", answer)
    indices = {labels.index(label) for label in found}
    return indices.pop() if len(indices) == 1 else None


@dataclass(frozen=True, slots=True)
class BothEnds:
    """Elicits `Ends` in text.

    Attributes:
        asking: Asks for the answers.
    """

    asking: Asking

    @property
    def builder(self) -> PromptBuilder:
        """Makes the prompts."""
        return self.asking.builder

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        assert isinstance(judgement, Ends)  # noqa: S101
        labels = self._labels(len(judgement.docs))
        complete = " > ".join(map(bracketed, labels[-2:]))
        room = len(self.builder.tokenizer.encode(complete)) + _POLITENESS
        return self.asking.request(judgement.query, judgement.docs, labels, Expected(labels, min(2, len(labels)), room))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The ids of best and worst."""
        assert isinstance(judgement, Ends)  # noqa: S101
        ends, report = parse_ends(response.text, self._labels(len(judgement.docs)))
        if ends is None:
            return unusable(response), report
        return tuple(judgement.docs[index].doc_id for index in ends), report

    def _labels(self, n: int) -> tuple[str, ...]:
        return label_sets.of_documents(str(self.builder.template.labels), n)
