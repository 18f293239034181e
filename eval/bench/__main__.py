"""`python -m eval.bench [ROW …]`: how fast everything is, beside what a user would pick instead.

Run from the root of a checkout, in the environment of `python tests`. The peers are installed into environments of
their own,
below --cache. Each row leaves a file in results/, and RESULTS.md is written from all that are there.
"""

from eval.bench.harness.cli import main
from eval.bench.rows import ROWS

if __name__ == "__main__":
    main(ROWS)
