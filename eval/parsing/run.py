"""How recorded listwise answers read: parsed, repaired and failed, each kind of repair with an example.

python eval/parsing/run.py FILE.jsonl        # lines of `response` and `passages` (how many were shown) or `doc_ids`
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.parsing import parse_order
from rerankllm.judgements import Status


def main() -> None:
    """Prints the counts and the examples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    records = [json.loads(line) for line in parser.parse_args().file.read_text("utf-8").split("\n") if line]
    status: Counter[Status] = Counter()
    kinds: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for record in records:
        shown = record.get("passages") or len(record["doc_ids"])
        report = parse_order(record["response"], numbers(shown)).report
        status[report.status] += 1
        kind = " + ".join(sorted(report.repairs)) if report.status is Status.REPAIRED else report.status.value
        kinds[kind] += 1
        # The shortest answer of a kind shows it best.
        if len(record["response"]) < len(examples.get(kind, record["response"] + " ")):
            examples[kind] = record["response"]
    print(f"{len(records)} answers: " + ", ".join(f"{status[s]} {s.value}" for s in Status))
    for kind, count in kinds.most_common():
        print(f"\n{count} × {kind}\n    {examples[kind][:160]!r}")


if __name__ == "__main__":
    main()
