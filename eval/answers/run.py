"""How answers are read: recorded ones, ones made in many styles, random ones, and how long the slowest takes.

python eval/answers/run.py --data ../shared/data                       # writes results.md
python eval/answers/run.py --data DATA --against CHECKOUT --changed changed.jsonl
                       # this also writes each recorded answer that another checkout of the package reads otherwise
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "tests")]

from answer_styles import CHOICES, PIECES, STYLES, chosen, made, mixed  # noqa: E402
from made import made_by  # noqa: E402

from rerankllm.elicitation.criteria import parse_criteria  # noqa: E402
from rerankllm.elicitation.grades import parse_grades  # noqa: E402
from rerankllm.elicitation.labels import letters, numbers  # noqa: E402
from rerankllm.elicitation.parsing import parse_choice, parse_order  # noqa: E402
from rerankllm.elicitation.selection import parse_selection  # noqa: E402
from rerankllm.judgements import ParseReport, Status  # noqa: E402

SEED = 20261130
FILES = ("transcripts.jsonl", "rankvicuna-dl19-bm25.jsonl", "vicuna-ft-dl19-bm25.jsonl")
BYTES = 200_000
BOUND = 1.0
"""Seconds of the processor that no random reply may take."""
OLD = """
import json, sys
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.parsing import parse_order
for line in sys.stdin:
    record = json.loads(line)
    parsed = parse_order(record["response"], numbers(record.get("passages") or len(record["doc_ids"])))
    print(json.dumps([parsed.groups, parsed.report.status, dict(parsed.report.repairs)]))
"""


def records(path: Path) -> list[dict[str, Any]]:
    """The answers of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def shown(record: dict[str, Any]) -> int:
    """How many passages a recorded answer was shown."""
    return int(record.get("passages") or len(record["doc_ids"]))


def table(reports: list[ParseReport]) -> Iterator[str]:
    """Forms and how their answers read."""
    counts = Counter((report.form or "none", report.status) for report in reports)
    yield "| form | parsed | repaired | failed |\n|---|---:|---:|---:|"
    for form in sorted({form for form, _ in counts}, key=lambda form: -sum(counts[form, s] for s in Status)):
        yield f"| {form} | " + " | ".join(str(counts[form, status]) for status in Status) + " |"


def changed(path: Path, against: Path) -> Iterator[dict[str, Any]]:
    """The recorded answers that another checkout reads otherwise, with both readings."""
    found = subprocess.run(
        [sys.executable, "-c", OLD],
        input=path.read_text("utf-8"),
        env={"PYTHONPATH": str(against), "PATH": ""},
        cwd=against,
        capture_output=True,
        text=True,
        check=True,
    )
    for record, line in zip(records(path), found.stdout.splitlines(), strict=True):
        parsed = parse_order(record["response"], numbers(shown(record)))
        now = [[list(group) for group in parsed.groups], parsed.report.status.value, dict(parsed.report.repairs)]
        before = json.loads(line)
        if now[:2] != before[:2]:
            yield {"answer": record["response"], "before": before, "now": now, "form": parsed.report.form}


def styles(each: int) -> Iterator[str]:
    """What became of answers made in every style; a misread one stops it."""
    outcomes: Counter[str] = Counter()
    for style, text, n, meaning in made(each, SEED):
        parsed = parse_order(text, numbers(n))
        groups = [[i + 1 for i in group] for group in parsed.groups]
        outcomes[outcome(groups or None, meaning, parsed.report, (style, text))] += 1
    yield f"{outcomes.total()} orders in {len(STYLES)} styles: " + counted(outcomes)
    outcomes = Counter()
    for text, labels, meant in chosen(each, SEED):
        index, report = parse_choice(text, labels)
        found = None if index is None else labels[index]
        outcomes[outcome(found, meant, report, text)] += 1
    yield f"{outcomes.total()} single labels in {len(CHOICES)} forms: " + counted(outcomes)


def outcome(found: object, meant: object, report: ParseReport, answer: object) -> str:
    """Whether an answer was read as it is meant."""
    if found is None:
        return "meant something and failed" if meant else "meant nothing and failed"
    if found == meant:
        return "read as meant"
    print("misread:", answer, found)
    return f"misread and called {report.status.value}"


def counted(outcomes: Counter[str]) -> str:
    """Each outcome with its count."""
    return ", ".join(f"{count} {name}" for name, count in outcomes.most_common()) + "."


def replies(count: int) -> str:
    """That no random reply raises or takes long, and all that is read are weak orders over the labels shown."""
    rng = random.Random(SEED)
    statuses: Counter[Status] = Counter()
    longest = 0.0
    for number in range(count):
        text, n, decode = mixed(rng), rng.choice((0, 1, 2, 3, 5, 12, 20)), rng.choice((None, None, 1, 3))
        began = time.process_time()
        parsed = parse_order(text, numbers(n) if rng.random() < 0.7 else letters(n), decode)  # noqa: PLR2004
        if number % 4 == 0:
            parse_choice(text, rng.choice((("A", "B"), ("Yes", "No"), ("0", "1", "2", "3"))))
            parse_selection(text, numbers(5), rng.choice((1, 2)), worst=rng.random() < 0.3)  # noqa: PLR2004
            parse_grades(text, numbers(4), 10)
            parse_criteria(text, 3)
        longest = max(longest, time.process_time() - began)
        named = [i for group in parsed.groups for i in group]
        if sorted([*named, *parsed.omitted]) != list(range(n)) or not all(parsed.groups) or longest > BOUND:
            raise AssertionError(f"{longest:.2f} s: {text}")
        statuses[parsed.report.status] += 1
    return (
        f"{count} random replies read as orders, every fourth as a label, a selection, grades and criteria too: none "
        f"raises, and none may take more than {BOUND:g} s of the processor; the slowest took {1000 * longest:.1f} ms; "
        + ", ".join(f"{statuses[status]} orders {status.value}" for status in Status)
    )


def slowest() -> str:
    """The text of 200 kB, of one piece over and over, that takes the longest to read."""
    readers = {
        "an order": lambda text: parse_order(text, numbers(20)),
        "a label": lambda text: parse_choice(text, ("A", "B")),
        "a selection": lambda text: parse_selection(text, numbers(20)),
        "grades": lambda text: parse_grades(text, numbers(20), 10),
        "criteria": lambda text: parse_criteria(text, 5),
    }
    made_of = (
        *PIECES[::6],
        "[1] > [2].\n",
        "1, 2, ",
        "1. [2]\n",
        "[1]: 3\n",
        "Ranking: 1, 2 because\n",
        "①",
        "[",
        "(",
        "&#9",
        "1. -",
        "İ",
        "<a ",
        "{",
    )
    units = sorted(set(made_of))
    found = (0.0, "", "")
    for unit in units:
        for before in ("", "[2] > [1] "):
            text = (before + unit * (BYTES // len(unit)))[:BYTES]
            for name, reader in readers.items():
                start = time.process_time()
                reader(text)
                found = max(found, (time.process_time() - start, name, unit[:20]))
    seconds, name, unit = found
    return f"The slowest text of {BYTES // 1000} kB, {unit!r} over and over, is read as {name} in {seconds:.2f} s."


def main() -> None:
    """Prints what it finds, and writes it to results.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the recorded answers")
    parser.add_argument("--against", type=Path, help="another checkout of the package")
    parser.add_argument("--changed", type=Path, default=HERE / "changed.jsonl", help="where its other readings go")
    parser.add_argument("--each", type=int, default=140, help="answers of each style")
    parser.add_argument("--replies", type=int, default=BYTES, help="random replies")
    options = parser.parse_args()
    lines = [
        "# How answers are read",
        "",
        made_by(f"answers/run.py --each {options.each} --replies {options.replies}", seeds=[SEED]),
    ]
    for name in FILES:
        found = records(options.data / name)
        reports = [parse_order(record["response"], numbers(shown(record))).report for record in found]
        lines += ["", f"## {name}: {len(found)} answers", "", *table(reports)]
        repairs = Counter(kind for report in reports if report.status is Status.REPAIRED for kind in report.repairs)
        lines += ["", "Repairs: " + (", ".join(f"{kind} {count}" for kind, count in repairs.most_common()) or "none")]
    lines += ["", "## Answers that were made", ""]
    lines += [f"- {line}" for line in styles(options.each)]
    lines += [f"- {replies(options.replies)}.", f"- {slowest()}", ""]
    text = "\n".join(lines)
    (HERE / "results.md").write_text(text, encoding="utf-8")
    print(text)
    if options.against:
        others = [one for name in FILES for one in changed(options.data / name, options.against)]
        options.changed.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in others), "utf-8")
        print(f"{len(others)} recorded answers are read otherwise: {options.changed}")


if __name__ == "__main__":
    main()
