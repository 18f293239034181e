"""An answer to a listwise prompt: the forms are asked in turn, and one order is the answer, or none is."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rerankllm.elicitation.reading.answer import Cut, cut_answer, cut_inside, names_of
from rerankllm.elicitation.reading.candidate import Candidate
from rerankllm.elicitation.reading.chain import chains
from rerankllm.elicitation.reading.json_form import json_orders
from rerankllm.elicitation.reading.lexer import LABEL, UNKNOWN
from rerankllm.elicitation.reading.lines import label_lines
from rerankllm.elicitation.reading.listing import lists
from rerankllm.elicitation.reading.names import Names
from rerankllm.elicitation.reading.numbered import numbered
from rerankllm.elicitation.reading.scores import scores
from rerankllm.elicitation.reading.single import single
from rerankllm.elicitation.reading.surroundings import (
    MOST,
    Direction,
    announced,
    direction,
    no_answer,
    retracted,
    retracted_between,
)
from rerankllm.elicitation.reading.table import tables
from rerankllm.elicitation.reading.thought import answer_part
from rerankllm.judgements import ParseReport, Status

FORMS: tuple[Callable[[Cut], Iterator[Candidate]], ...] = (chains, tables, numbered, scores, lists, label_lines)
"""The forms of an order besides JSON, which comes first, and a single label, which comes last."""
_WORST = re.compile(r"\W{0,5}(?:the )?(?:least|worst|lowest)\b", re.IGNORECASE)
_BEST = re.compile(r"\W{0,5}(?:the )?(?:most|best|highest)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was read from an answer to a listwise prompt.

    Attributes:
        groups: Indices of the labels named, best first, ties together; each at most once.
        omitted: Indices never named, ascending.
        report: How it read, and in which form. Repairs: `repeated`, `unknown` (a label that was not shown), `missing`,
            `separator` (something else than `>` in a chain).
    """

    groups: tuple[tuple[int, ...], ...]
    omitted: tuple[int, ...]
    report: ParseReport


def parse_order(text: str, labels: Sequence[str], decode: int | None = None) -> Parsed:
    """Reads a ranking such as `[2] > [1] = [3]`. Total: never raises.

    Args:
        text: The model's answer, without the opening the prompt pre-filled.
        labels: The labels shown, best read as `labels[i]` for the i-th document.
        decode: How many labels make a complete answer; all when None.

    Returns:
        A weak order over exactly the labels shown: ranked groups, then the omitted. The report is `failed` when the
        answer has no form of an order, has several that contradict each other, or takes its order back, and when
        reasoning never ended.
    """
    return read_order(text, labels, len(labels) if decode is None else min(decode, len(labels)))


def read_order(text: str, labels: Sequence[str], wanted: int, *, ordered: bool = True) -> Parsed:
    """Reads a ranking of `wanted` labels, or where they are not ordered a set of so many."""
    everything = tuple(range(len(labels)))
    said = answer_part(text)
    if said is None:
        return Parsed((), everything, ParseReport(Status.FAILED, {"unclosed reasoning": 1}))
    answer = cut_answer(said, labels, wanted, ordered=ordered)
    found = _decide(answer, names_of(labels))
    if isinstance(found, str):
        return Parsed((), everything, ParseReport(Status.FAILED, {found: 1}))
    repairs = Counter(found.repairs)
    flat = [index for group in found.groups for index in group]
    repairs["unknown"] = flat.count(UNKNOWN)
    repairs["repeated"] = len(flat) - flat.count(UNKNOWN) - found.named
    repairs["missing"] = max(0, wanted - found.named)
    counts = {kind: count for kind, count in repairs.items() if count}
    groups = found.order
    omitted = tuple(sorted(set(everything) - {index for group in groups for index in group}))
    return Parsed(groups, omitted, ParseReport(Status.REPAIRED if counts else Status.PARSED, counts, found.form))


def read_text(text: str, answer: Cut, names: Names) -> tuple[tuple[int, ...], ...] | None:
    """The order that a text inside an answer holds, such as a string of its JSON."""
    found = _decide(cut_inside(answer, text, names), None)
    return None if isinstance(found, str) else found.groups


def _decide(answer: Cut, names: Names | None) -> Candidate | str:
    """The one order that is the answer, or in a word why none is."""
    if not any(item.kind == LABEL for item in answer.items):
        return "no label"
    candidates = _candidates(answer, names)
    standing = [found for found in candidates if found.named and not no_answer(answer, found)]
    if not standing:
        return "no order"
    complete = [found for found in standing if found.named >= answer.wanted]
    best = _last(answer, complete) if complete else _only(answer, standing)
    if isinstance(best, str):
        return best
    return "taken back" if retracted(answer, best.end) else _directed(answer, best)


def _candidates(answer: Cut, names: Names | None) -> list[Candidate]:
    """What the forms find, each at a place where no form before it found anything, in the order of the text."""
    found: list[Candidate] = list(json_orders(answer, names, read_text)) if names else []
    for form in FORMS:
        fresh = list(form(answer))
        enough = [one for one in fresh if one.named >= answer.wanted][-MOST:]
        for one in enough or fresh[-MOST:]:
            if not any(one.start < other.end and other.start < one.end for other in found):
                found.append(one)
    return sorted([one for one in found or single(answer) if one.groups], key=lambda one: one.start)


def _last(answer: Cut, complete: list[Candidate]) -> Candidate | str:
    """The last of several complete orders, if the others say the same or it is meant to stand in their place."""
    best = complete[-1]
    others = [one for one in complete[:-1] if one.order != best.order]
    if not others:
        return best
    told = announced(answer, best) or retracted_between(answer, others[-1].end, best.start)
    alike = all("chain" in one.form for one in (best, *others)) or all(one.form == best.form for one in others)
    return best if told or (alike and best.alone) else "ambiguous"


def _only(answer: Cut, standing: list[Candidate]) -> Candidate | str:
    """The one incomplete order of an answer: the longest, if the others do not contradict it."""
    best = max(standing, key=lambda found: (found.named, found.start))
    if any(not _within(one, best) for one in standing):
        return "ambiguous"
    inside = [item for item in answer.items if item.kind == LABEL and best.start <= item.start < best.end]
    mark = min((item.mark for item in inside), default=0)
    labels = [item for item in answer.items if item.kind == LABEL and item.mark >= mark]
    return "ambiguous" if "chain" not in best.form and len(labels) > len(inside) else best


def _within(part: Candidate, whole: Candidate) -> bool:
    """Whether one order says nothing that another does not."""
    place = {index: at for at, group in enumerate(whole.order) for index in group}
    places = [place.get(index, -1) for group in part.order for index in group]
    return min(places, default=-1) >= 0 and places == sorted(places)


def _directed(answer: Cut, found: Candidate) -> Candidate | str:
    """The order, best first, where it is written from the worst to the best; a word where that is not clear."""
    if found.form in {"json", "table", "scores"}:
        return found
    said = direction(answer, found)
    signed = found.form == "chain" and "→" not in answer.text[found.start : found.end]
    contradicted = (found.ascending and said is Direction.DOWN) or (signed and said is Direction.UP)
    if said is Direction.UNCLEAR or contradicted or _remarked(answer, found):
        return "direction unclear"
    if said is not Direction.UP or found.ascending:
        return found
    return replace(found, groups=tuple(reversed(found.groups)), ascending=True)


def _remarked(answer: Cut, found: Candidate) -> bool:
    """Whether a remark calls the first label the worst, or the last one the best."""
    labels = [item for item in answer.items if item.kind == LABEL and found.start <= item.start < found.end]
    first, last = (_BEST, _WORST) if found.ascending else (_WORST, _BEST)
    return bool(labels) and any(
        pattern.match(answer.text[label.end : label.end + 30].partition("\n")[0])
        for pattern, label in ((first, labels[0]), (last, labels[-1]))
    )
