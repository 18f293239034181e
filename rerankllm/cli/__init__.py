"""The command line: `rerankllm COMMAND`. Results go to stdout, everything else to stderr."""

import sys


def main() -> None:
    """Runs the command line; errors end in one line and exit status 1."""
    from rerankllm.cli.app import app  # noqa: PLC0415
    from rerankllm.errors import RerankError  # noqa: PLC0415

    try:
        app()
    except RerankError as error:
        sys.exit(f"rerankllm: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
