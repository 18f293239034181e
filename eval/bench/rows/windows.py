"""Listwise answers: free, held to labels, and by the first label alone, on the same engine."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from eval.bench.harness import models
from eval.bench.harness.measure import Worker, column, in_turn
from eval.bench.harness.row import Limit, Line, Outcome, Row, Setting
from eval.bench.rows.local import dtype

QUERIES, PASSAGES, CUT = 4, 20, 40
WAYS = ("free", "held", "first", "prompt")
FIRST = Limit("≥", 5.0)


def hf(setting: Setting) -> str:
    """The packaged model, by transformers."""
    return f"hf:{models.smollm2(setting)}?dtype={dtype(setting)}&device={setting.device}"


def llamacpp(setting: Setting) -> str:
    """The packaged model, by llama.cpp."""
    del setting
    return "llamacpp:smollm2"


MODELS = {"hf": hf, "llamacpp": llamacpp}
LIMITS = {"hf": Limit("≥", 3.0), "llamacpp": Limit("≥", 2.0)}


def measure(engine: str, setting: Setting) -> Outcome:
    """All ways in turn: windows a second of CPU, and the same of the answers alone, without their prompts."""
    job = {"model": MODELS[engine](setting), "data": str(setting.data), "passages": PASSAGES, "cut": CUT,
           "queries": 2 if setting.quick else QUERIES}  # fmt: skip
    found = in_turn({way: Worker("windows.py", {**job, "way": way}) for way in WAYS}, setting.rounds)
    speeds = {way: column(found[way], "windows", "seconds") for way in WAYS}
    lines = [
        Line("held to labels", "windows/s of CPU", speeds["held"], "free", speeds["free"], LIMITS[engine]),
        Line("the first label alone", "windows/s of CPU", speeds["first"], "free", speeds["free"], FIRST),
        Line("the prompts of both, and no answer", "windows/s of CPU", speeds["prompt"], "free", speeds["free"]),
        Line("held to labels, the answers alone", "windows/s of CPU", *after_prompt(found), LIMITS[engine]),
    ]
    return Outcome(lines, notes(found), ("llama-cpp-python", "torch", "transformers"))


def after_prompt(found: dict[str, list[dict[str, Any]]]) -> tuple[tuple[float, ...], str, tuple[float, ...]]:
    """Windows a second of the answer alone: held, and free."""
    rounds = zip(found["held"], found["free"], found["prompt"], strict=True)
    pairs = [
        tuple(way["windows"] / max(way["seconds"] - prompt["seconds"], 1e-3) for way in (held, free))
        for held, free, prompt in rounds
    ]
    return tuple(held for held, _ in pairs), "free, the answers alone", tuple(free for _, free in pairs)


def notes(found: dict[str, list[dict[str, Any]]]) -> Sequence[str]:
    """What was written, and whether both orders are the same where the free one is well formed."""
    free, held = found["free"][0], found["held"][0]
    pairs = list(zip(free["formed"], free["orders"], held["orders"], strict=True))
    alike = sum(formed and one == other for formed, one, other in pairs)
    said = (
        f"{free['windows']} windows of {PASSAGES} passages, cut to {CUT} tokens each: {free['tokens']:,} tokens; "
        f"{free['generated']:,} were generated freely, {held['generated']:,} compared. Of {sum(free['formed'])} "
        f"well-formed free answers {alike} had the order of those held to labels."
    )
    return (said,)


ROWS = tuple(
    Row(f"windows-{engine}", 4, f"SmolLM2-135M by {engine}, a window of {PASSAGES} of each of {QUERIES} queries", 6,
        partial(measure, engine))
    for engine in MODELS
)  # fmt: skip
"""Beside the rows of item 4."""
