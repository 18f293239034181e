"""What documents are judged by, written by the model before it sees any."""

import re
from collections import Counter
from dataclasses import dataclass

from rerankllm.calls import Generate, Request, Response
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.parsing import answer_part
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Wanted
from rerankllm.judgements import Answer, Criterion, Failure, Judgement, ParseReport, Status, Unanswered, Write

LONGEST = 60
"""Words of a criterion that count."""
UNWEIGHTED = 3.0
"""The weight, of 1 to 5, of a criterion that is given none."""
_TOKENS = 48
"""Room for one criterion."""
_POLITENESS = 24

_ITEM = re.compile(r"^[ \t]*(?:\[?([0-9]{1,2})\]?[.):]|\[([0-9]{1,2})\]|[-•–])[ \t]+(\S.*)$", re.MULTILINE)
_GIVEN = r"(?:weight|importance)? ?[:=]? ?([1-4](?:\.[0-9]+)?|5(?:\.0+)?)(?: ?(?:/|of|out of) ?5)?"
_IN_FRONT = re.compile(rf"^[(\[] ?{_GIVEN} ?[)\]][ :.–-]*", re.IGNORECASE)
_BEHIND = re.compile(
    rf"(?:[(\[] ?{_GIVEN} ?[)\]]|\b(?:weight|importance) ?[:=]? ?([1-4](?:\.[0-9]+)?|5(?:\.0+)?))$", re.IGNORECASE
)
_LONGEST_WEIGHT = 60
"""Characters at the end of a line among which a weight is looked for."""
_MARKUP = re.compile(r"[*`#]|</?[A-Za-z_]+>|\b__|__\b")


def parse_criteria(text: str, count: int) -> tuple[tuple[Criterion, ...], ParseReport]:
    """Reads a list of criteria, a line each, numbered or behind dashes. Total: never raises.

    The weight, 1 to 5, is in parentheses in front of a criterion or behind it, or follows the word "weight" at its
    end. Prose around the list is left aside; a text without any list names no criteria.

    Args:
        text: The model's answer.
        count: How many were asked for.

    Returns:
        At most `count` criteria, in order. The report is `repaired` when there are fewer (`missing`), more (`extra`),
        the same again (`repeated`), some without a weight (`no weight`, they get the middle one) or one that is too
        long (`shortened`); `failed` when there is none, or when reasoning never ended.
    """
    answer = answer_part(text)
    if answer is None:
        return (), ParseReport(Status.FAILED, {"unclosed reasoning": 1})
    items = list(_ITEM.finditer(_MARKUP.sub("", answer)))
    numbered = [item for item in items if item.group(1) or item.group(2)]
    found: dict[str, Criterion] = {}
    repairs: Counter[str] = Counter()
    for item in numbered or items:
        said, weight = _weighed(item.group(3))
        words = said.split()
        if not any(map(str.isalpha, said)):
            continue
        if said.casefold() in found:
            repairs["repeated"] += 1
        elif len(found) == count:
            repairs["extra"] += 1
        else:
            repairs["no weight"] += weight is None
            repairs["shortened"] += len(words) > LONGEST
            shown = " ".join(words[:LONGEST])
            found[said.casefold()] = Criterion(shown, UNWEIGHTED if weight is None else weight)
    if not found:
        return (), ParseReport(Status.FAILED, {"no criterion": 1})
    repairs["missing"] = count - len(found)
    needed = {repair: times for repair, times in repairs.items() if times}
    return tuple(found.values()), ParseReport(Status.REPAIRED if needed else Status.PARSED, needed)


def _weighed(line: str) -> tuple[str, float | None]:
    """A criterion without its weight, and its weight."""
    line = " ".join(line.split())
    stated = line.rstrip(" .")
    match = _BEHIND.search(stated, max(0, len(stated) - _LONGEST_WEIGHT))
    rest = stated[: match.start()].rstrip(" ,;:.–-") if match else ""
    if match is None and (match := _IN_FRONT.match(line)):
        rest = line[match.end() :]
    if match is None:
        return line.rstrip(" .:;,"), None
    return rest.rstrip(" .:;,"), float(next(filter(None, match.groups())))


@dataclass(frozen=True, slots=True)
class Criteria:
    """Elicits `Write` in text.

    Attributes:
        builder: Makes the prompts.
        max_tokens: Bound on the answer; what so many criteria take when none.
        before: Tokens for what comes before the answer.
    """

    builder: PromptBuilder
    max_tokens: int | None
    before: int

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        assert isinstance(judgement, Write)  # noqa: S101
        room = self.before + (self.max_tokens or _TOKENS * judgement.count + _POLITENESS)
        wanted = Wanted(judgement.count)
        return Request(self.builder.build(judgement.query, (), (), reserve=room, wanted=wanted), Generate(room))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The criteria; of an answer that was cut off the last may be half of one, so it is none."""
        assert isinstance(judgement, Write)  # noqa: S101
        criteria, report = parse_criteria(response.text, judgement.count)
        if report.status is Status.FAILED:
            return unusable(response), report
        if response.finish_reason == "length" and "extra" not in report.repairs:
            reason = "the list of criteria was cut off; allow it more tokens: text(max_tokens=…)"
            return Unanswered(reason, Failure.ANSWER), ParseReport(Status.FAILED, {"cut off": 1})
        return criteria, report
