"""Answers written to stop whoever reads them."""

import importlib
import pkgutil
import re
import time
from functools import cache
from re import _constants, _parser

import pytest

import rerankllm
from rerankllm.calls import Response
from rerankllm.elicitation.criteria import parse_criteria
from rerankllm.elicitation.grades import parse_grades
from rerankllm.elicitation.labels import letters, numbers
from rerankllm.elicitation.parsing import parse_choice, parse_order
from rerankllm.elicitation.reading.answer import LONGEST
from rerankllm.elicitation.selection import parse_selection
from rerankllm.judgements import Status

SECONDS = 1.0
"""Of processor time, for what takes some milliseconds if its time is linear and many minutes if it is not."""
STARTS_ONLY = {"_NUMBERED", "_START", "_CLAUSES"}
"""Patterns that are only tried where a text starts."""


def quick(read, *arguments):
    before = time.process_time()
    result = read(*arguments)
    assert time.process_time() - before < SECONDS
    return result


@pytest.mark.parametrize("labels", [22, 24, 30, 100])
def test_a_list_with_a_word_behind_it(labels):
    text = f"Ranking: {', '.join(map(str, range(1, labels + 1)))} because"
    assert len(quick(parse_order, text, numbers(labels)).groups) in {0, labels}


@pytest.mark.parametrize("text", [f"e.g. {'9' * 30_000}a > 3", f"{'a' * 30_000} [1]", f"Best: {'9' * 30_000} A"])
def test_a_word_without_end_before_a_label(text):
    for labels in (letters(2), numbers(4)):
        quick(parse_choice, text, labels)
        quick(parse_selection, text, labels, 1)
        quick(parse_order, text, labels)


def test_brackets_without_end():
    assert quick(parse_choice, "(" * 20_000, letters(2))[0] is None


@pytest.mark.parametrize("line", ["-" * 20_000 + "x", "- " * 20_000 + "x", "fleas" + " ." * 20_000 + "(", ". " * 9000])
def test_a_criterion_of_signs(line):
    quick(parse_criteria, f"1. {line}", 3)


def test_a_criterion_keeps_its_weight_behind_many_signs():
    (found,), _ = quick(parse_criteria, f"1. Says how long {'-' * 20_000} (5){'.' * 20_000}", 1)
    assert (found.text, found.weight) == ("Says how long", 5.0)


@pytest.mark.parametrize(
    "number", ["&#" + "9" * 5000, "&#x" + "f" * 5000 + ";", "9" * 5000, "٣" * 5000, "[" + "1" * 5000]
)
def test_numbers_of_thousands_of_digits(number):
    text = f"[1] > [2] {number}"
    parse_order(text, numbers(2))
    parse_choice(text, letters(2))
    parse_selection(text, numbers(2), 1)
    parse_grades(text, numbers(2), 10)
    parse_criteria(f"1. long ({number})", 2)


@pytest.mark.parametrize("text", ["İ", "İ" * 50, "ﬃ", "ß: A", "ŉ"])
def test_letters_that_grow_when_they_are_folded(text):
    assert parse_choice(text, letters(9))[1].status in {Status.FAILED, Status.PARSED, Status.REPAIRED}


@pytest.mark.parametrize("start", [*range(0, 0x3400, 0x400), 0xD800, 0xFC00, 0x1F300])
def test_every_character_is_read(start):
    said = f"[1] > [2] {''.join(map(chr, range(start, start + 0x400)))}"
    parse_order(said, numbers(3))
    parse_choice(said, letters(3))
    parse_criteria(f"1. {said}", 2)


READS = tuple(
    f"rerankllm.{room}"
    for room in (
        *("elicitation", "formats", "strategies", "spec", "files", "display", "data", "server", "backends.openai"),
        *("backends.remote", "backends.rerank_api", "backends.token_estimate", "analysis", "experiments"),
    )
)
"""Where texts of others are read; rooms that would load an engine are not among them."""


@cache
def patterns():
    """Every compiled pattern of the package, once."""
    found = {}
    for module in pkgutil.walk_packages(rerankllm.__path__, "rerankllm."):
        if not module.name.startswith(READS):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            for pattern in value.values() if isinstance(value, dict) else [value]:
                if isinstance(pattern, re.Pattern):
                    found.setdefault(pattern, f"{module.name}.{name}")
    return {where: pattern for pattern, where in found.items()}


def nested(parsed, *, inside=False):
    """Whether a repetition that can be undone stands inside another one that can."""
    found = False
    for kind, value in parsed:
        if kind in {_constants.MAX_REPEAT, _constants.MIN_REPEAT}:
            least, most, inner = value
            many = most > least and most > 20
            found |= (many and inside) or nested(inner, inside=inside or many)
        elif kind is _constants.POSSESSIVE_REPEAT:
            found |= nested(value[2], inside=inside)
        elif kind is _constants.ATOMIC_GROUP:
            found |= nested(value)
        elif kind is _constants.BRANCH:
            found |= any(nested(branch, inside=inside) for branch in value[1])
        elif kind in {_constants.SUBPATTERN, _constants.ASSERT, _constants.ASSERT_NOT}:
            found |= nested(value[-1], inside=inside)
    return found


def test_the_search_for_nested_repetitions_finds_them():
    for pattern in (r"(a+)+", r"(?:a|b*)*c", r"(?:\d+,? ?)+$", r"((a{1,50})b?){30,}"):
        assert nested(_parser.parse(pattern)), pattern
    for pattern in (r"a+b+", r"(?:a++)+", r"(?:ab?){1,3}", r"(?>a+)+"):
        assert not nested(_parser.parse(pattern)), pattern


@pytest.mark.slow
def test_no_pattern_repeats_a_repetition():
    known = {"rerankllm.formats.runfile._STRETCH"}  # whole lines, each of which can be read in one way only
    odd = [where for where, pattern in patterns().items() if nested(_parser.parse(pattern.pattern, pattern.flags))]
    assert set(odd) <= known


PIECES = [*"([1-A<:|*é", " ", "\n", "1. ", "a'", "5 (", " .", "[1", "is the ", "not ", "best "]


@pytest.mark.slow
def test_no_pattern_takes_more_than_linear_time():
    slow = []
    for where, pattern in patterns().items():
        if not where.startswith("rerankllm.elicitation") or where.rpartition(".")[2] in STARTS_ONLY:
            continue
        for piece in PIECES:
            before = time.process_time()
            pattern.sub("", piece * (LONGEST // len(piece)) + "x!")
            if time.process_time() - before > SECONDS / 2:
                slow.append((where, piece))
    assert not slow


@pytest.mark.slow
def test_the_patterns_that_are_only_tried_at_the_start_are_quick_there():
    for where, pattern in patterns().items():
        if where.rpartition(".")[2] in STARTS_ONLY:
            for piece in PIECES:
                quick(pattern.match, piece * (20_000 // len(piece)) + "x!")


def test_a_thought_without_end():
    for text in ("<think>" * 5000, " " * 20_000, "<think>" + "</think" * 5000):
        quick(parse_order, text, numbers(3))
        quick(parse_criteria, text, 3)
    assert Response("<think>" * 5000).text
