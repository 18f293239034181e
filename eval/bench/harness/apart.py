"""Rows of a table that are measured in a process of their own: another library, or another processor to compute as."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

Row = tuple[str, ...]


def rows_apart(
    module: str, kind: str, what: str, variables: Mapping[str, str] | None = None, package: str | None = None
) -> list[Row]:
    """What `python -m MODULE --once KIND WHAT` prints last, as JSON: one thread, and the rows of one table.

    Args:
        module: Below eval.bench.
        kind: Of table.
        what: Is measured: a folder, a file, or a packaged model.
        variables: Of the environment, such as those that have libraries compute as on an older processor.
        package: A folder that comes first in Python's path.
    """
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **(variables or {}), "OMP_NUM_THREADS": "1", **({"PYTHONPATH": path} if path else {})}
    command = [sys.executable, "-m", f"eval.bench.{module}", "--once", kind, what]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return [tuple(row) for row in json.loads(done.stdout.splitlines()[-1])]
