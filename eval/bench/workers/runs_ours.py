"""Ours: reads a run query by query, as it is reranked and measured, and writes each again.

The job: run, output.
"""

import json
import sys
import time
from pathlib import Path

from rerankllm.formats.runfile import RunFile
from rerankllm.formats.trec import write_run


def main() -> None:
    """Measures, and prints what it took."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows, started = 0, time.perf_counter()
    with RunFile(job["run"]) as run:
        for query_id in run.query_ids:
            rows += len(run.read(query_id).doc_ids)
    read = time.perf_counter() - started
    with RunFile(job["run"]) as run, Path(job["output"]).open("w", encoding="utf-8") as file:
        started, spent = time.perf_counter(), 0.0
        for query_id in run.query_ids:
            doc_ids = run.read(query_id).doc_ids
            before = time.perf_counter()
            write_run(file, query_id, doc_ids, "again")
            spent += time.perf_counter() - before
    print(json.dumps({"rows": rows, "read": read, "write": spent}))


if __name__ == "__main__":
    main()
