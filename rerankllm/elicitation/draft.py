"""A passage of a given relevance, written by the model."""

import re
from dataclasses import dataclass

from rerankllm.calls import Generate, Request, Response
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.parsing import answer_part
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Wanted
from rerankllm.judgements import Answer, Draft, Judgement, ParseReport, Status, Unanswered

_TOKENS = 300
"""Room for a passage."""
_FEWEST = 5
"""Words that a passage has at least."""
_HEADING = re.compile(r"^\W*(?:passage|document|text|answer|grade \d)\b[^\n:]{0,20}:\W*", re.IGNORECASE)
_MARKUP = re.compile(r"[*`#_]{1,3}(?=\S)|(?<=\S)[*`#_]{1,3}")


def parse_draft(text: str) -> tuple[str | None, ParseReport]:
    """Reads a passage: the answer on one line, without a heading, markup and quotes around it. Total: never raises.

    Returns:
        The passage; None where the report is `failed`, as an answer of fewer than five words is no passage.
    """
    answer = answer_part(text)
    if answer is None:
        return None, ParseReport(Status.FAILED, {"unclosed reasoning": 1})
    passage = " ".join(_MARKUP.sub("", _HEADING.sub("", answer.strip())).split()).strip("\"'“”« »")
    if len(passage.split()) < _FEWEST:
        return None, ParseReport(Status.FAILED, {"no passage": 1})
    return passage, ParseReport()


@dataclass(frozen=True, slots=True)
class Drafts:
    """Elicits `Draft` in text.

    Attributes:
        builder: Makes the prompts.
        max_tokens: Bound on the passage; 300 when none.
        before: Tokens for what comes before it.
    """

    builder: PromptBuilder
    max_tokens: int | None
    before: int

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        assert isinstance(judgement, Draft)  # noqa: S101
        room = self.before + (self.max_tokens or _TOKENS)
        wanted = Wanted(grade=judgement.grade)
        return Request(self.builder.build(judgement.query, (), (), reserve=room, wanted=wanted), Generate(room))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The passage; one that was cut off is a passage all the same."""
        assert isinstance(judgement, Draft)  # noqa: S101
        passage, report = parse_draft(response.text)
        if passage is None:
            return unusable(response), report
        cut_off = {"cut off": 1} if response.finish_reason == "length" else {}
        return passage, ParseReport(Status.REPAIRED, cut_off) if cut_off else report
