"""The command line: `rerankllm COMMAND`. Results go to stdout, everything else to stderr."""

import errno
import io
import os
import sys

_USAGE_OF_CLICK = 2
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
"""What the disk is at fault of, and no program."""


def main() -> None:
    """Runs the command line; errors, of usage too, end with exit status 1."""
    if os.environ.get("NO_COLOR"):  # else bold and dim would remain, and a bar that redraws itself
        os.environ["TERM"] = "dumb"
        os.environ.pop("FORCE_COLOR", None)
    from rerankllm.cli.app import app  # noqa: PLC0415
    from rerankllm.cli.console import INTERRUPTED, notes_on_stderr  # noqa: PLC0415
    from rerankllm.display import visible  # noqa: PLC0415
    from rerankllm.errors import Interrupted, RerankError  # noqa: PLC0415

    if sys.platform == "win32":  # where pipes and files would get the code page of the machine
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(encoding="utf-8")
    try:
        with notes_on_stderr():
            app(prog_name="rerankllm")
    except Interrupted as error:
        sys.stderr.write(visible(f"rerankllm: {error}\n"))
        sys.exit(INTERRUPTED)
    except (RerankError, OSError) as error:
        sys.exit(visible(f"rerankllm: {_told(error)}"))
    except SystemExit as stop:
        sys.exit(1 if stop.code == _USAGE_OF_CLICK else stop.code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _told(error: Exception) -> str:
    """An error in one line; one of the operating system is raised again unless the disk is at fault."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno not in FULL:
        raise error
    return f"cannot write {error.filename or 'the output'}: {error.strerror}"
