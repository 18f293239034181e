"""Hosts of models: what each is asked beyond the plain, refuses, what is learnt from that, and whether it ranks.

    python eval/hosts/run.py

The hosts are scripted after their documentation and public reports (tests/host_shapes.py). Each is asked in five ways:
for text (with a seed, which some refuse), for the log-probabilities of labels, for answers held to labels, for the
likeliest first label of a list, whose answer the prompt opens where that works, and for text of a model that is told
not to think. What is refused is refused before the run or by its first request, with what works instead. Prints the
table and writes results.md.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "tests")]

from host_shapes import BEST_FIRST, PLAIN, SHAPES, WAYS, Shape, Tried  # noqa: E402
from made import made_by  # noqa: E402

ALSO = {"max_completion_tokens", "logprobs", "top_logprobs", "seed"}
"""What is asked for by the user, or is another name."""


def table() -> Iterator[str]:
    """A row a host."""
    yield (
        f"| host | asked beyond the plain | refused | learnt | {' | '.join(WAYS)} |\n|---|---|---|---|"
        + "---|" * len(WAYS)
    )
    for shape in SHAPES:
        tried = {way: Tried(shape, way) for way in WAYS}
        asked = {name for found in tried.values() for body in found.bodies for name in body}
        refused = {_named(said) for found in tried.values() for said in found.refused}
        learnt = dict.fromkeys(each for found in tried.values() for each in found.learnt)
        cells = [_listed(sorted(asked - PLAIN - ALSO)), _listed(sorted(refused)), "; ".join(learnt) or "-"]
        yield f"| {shape.name} | {' | '.join(cells)} | {' | '.join(_became(shape, tried[way]) for way in WAYS)} |"


def _became(shape: Shape, found: Tried) -> str:
    """Whether it ranked."""
    if found.ranking is None:
        return "refused"
    right = found.ranking.doc_ids == BEST_FIRST
    if any("told not to" in each for each in found.warnings):
        return "ranked, still thinks: said"
    if found.ranking.ledger.failed or not right:
        return "**wrong**"
    opened = "continue_final_message" in found.bodies[-1]
    means = shape.holds if shape.holds and shape.holds in found.bodies[-1] else "opened" if opened else ""
    return f"ranked, {means}" if means else "ranked"


def _named(said: str) -> str:
    """The fields that a refusal names."""
    known = r"max_tokens|temperature|seed|top_logprobs|logprobs|reasoning_effort|structured_outputs|grammar|regex"
    return ", ".join(dict.fromkeys(re.findall(known, said))) or said


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


def main() -> None:
    """Asks, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=HERE / "results.md")
    options = parser.parse_args()
    rows = []
    for row in table():
        print(row, flush=True)
        rows.append(row)
    head = ["# Hosts", made_by("hosts/run.py", "openai"), (__doc__ or "").split("\n\n")[2].strip()]
    options.output.write_text("\n\n".join([*head, "\n".join(rows)]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
