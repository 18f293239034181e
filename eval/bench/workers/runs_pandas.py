"""pandas: reads a run into a frame, puts it in order, query by query, and writes it again.

The job: run, output.
"""

import json
import sys
import time
from pathlib import Path

import pandas as pd

COLUMNS = ["qid", "q0", "docno", "rank", "score", "tag"]


def main() -> None:
    """Measures, and prints what it took."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    types = {"qid": "str", "q0": "str", "docno": "str", "rank": "int64", "score": "float64", "tag": "str"}
    started = time.perf_counter()
    run = pd.read_csv(job["run"], sep=" ", names=COLUMNS, header=None, dtype=types)
    run = run.sort_values(["qid", "score"], ascending=[True, False], kind="stable")
    lists = {query_id: (group["docno"].tolist(), group["score"].tolist()) for query_id, group in run.groupby("qid")}
    read = time.perf_counter() - started
    started = time.perf_counter()
    run["rank"] = run.groupby("qid").cumcount() + 1
    run.to_csv(job["output"], sep=" ", header=False, index=False)
    write = time.perf_counter() - started
    rows = sum(len(documents) for documents, _ in lists.values())
    print(json.dumps({"rows": rows, "read": read, "write": write, "versions": f"pandas {pd.__version__}"}))


if __name__ == "__main__":
    main()
