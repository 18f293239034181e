"""What the library tells whoever runs it, a line at a time: a note on a run, never a result.

The notes go to the logger `rerankllm.notes`. The command line prints them on stderr; a program sees them as it sees any
other log.
"""

import logging

log = logging.getLogger(__name__)


def tell(line: str) -> None:
    """A line that the user should see."""
    log.warning(line)
