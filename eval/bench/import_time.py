"""How long `import rerankllm` takes, as the median over fresh processes, beside an empty one.

python eval/bench/import_time.py
"""

import statistics
import subprocess
import sys
import time

RUNS = 15
LIMIT_MS = 200


def median_ms(code: str) -> float:
    """Median milliseconds of `python -c code`, after one run that fills the caches."""
    times: list[float] = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[1:])


def main() -> None:
    """Prints the figures; exits 1 when the import takes longer than the limit."""
    empty, with_import = median_ms("pass"), median_ms("import rerankllm")
    taken = with_import - empty
    print(f"import rerankllm: {taken:.0f} ms (python alone {empty:.0f} ms, median of {RUNS}; limit {LIMIT_MS} ms)")
    sys.exit(taken > LIMIT_MS)


if __name__ == "__main__":
    main()
