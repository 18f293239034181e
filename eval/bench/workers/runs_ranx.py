"""ranx: reads a run, measures it by qrels, and writes it again; a small run first, so that what it compiles is there.

The job: run, qrels, output, small (a run and its qrels).
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from ranx import Qrels, Run, evaluate


def main() -> None:
    """Measures, and prints what it took."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    small_run, small_qrels = job["small"]
    small = Run.from_file(small_run, kind="trec")
    evaluate(Qrels.from_file(small_qrels, kind="trec"), small, "ndcg@10", make_comparable=True)
    small.save(job["output"], kind="trec")
    started = time.perf_counter()
    run = Run.from_file(job["run"], kind="trec")
    read = time.perf_counter() - started
    started = time.perf_counter()
    value = evaluate(Qrels.from_file(job["qrels"], kind="trec"), run, "ndcg@10", make_comparable=True)
    measured = read + time.perf_counter() - started
    started = time.perf_counter()
    run.save(job["output"], kind="trec")
    write = time.perf_counter() - started
    rows = sum(len(scores) for scores in run.to_dict().values())
    found = {"rows": rows, "read": read, "write": write, "eval": measured, "ndcg": float(value)}
    print(json.dumps({**found, "versions": f"ranx {version('ranx')}"}))


if __name__ == "__main__":
    main()
