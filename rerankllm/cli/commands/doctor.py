"""`rerankllm doctor`: what is installed here, what is missing, and the command that installs it."""

import os
import platform
import re
import shutil
from dataclasses import asdict
from typing import Annotated, Any

import typer

from rerankllm.backends import fastest
from rerankllm.cli import completion as completing
from rerankllm.cli.console import say
from rerankllm.cli.extras import GIVES, Extra, look_up
from rerankllm.drivers.recipe import DEFAULT_MODEL
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.spec.model import ModelSpec
from rerankllm.version import __version__

EXAMPLES = """
rerankllm doctor
# every package, and what engines depend on besides
rerankllm doctor --verbose
# exit status 1 unless both are complete
rerankllm doctor embedded server
# also imports every package, each in a process of its own: what is broken shows here
rerankllm doctor --try
rerankllm doctor --json
"""


def command(
    *,
    needed: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXTRA]…",
            autocompletion=completing.extras,
            help="Look at these only, and fail unless complete.",
        ),
    ] = None,
    attempt: Annotated[bool, typer.Option("--try", help="Import every package that is there; takes a while.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also print the machine and every package that is missing.")
    ] = False,
    as_document: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Says which engines and parts are installed, which are missing, and the command that installs them."""
    unknown = [name for name in needed or () if name not in GIVES]
    if unknown:
        raise InputError(f"no extra is called '{unknown[0]}'; there are {', '.join(GIVES)}")
    extras = [look_up(name, attempt=attempt) for name in needed or GIVES]
    if as_document:
        found = [{**asdict(extra), "complete": extra.complete} for extra in extras]
        say(as_json({"machine": _machine(), "extras": found, "measured": fastest.remembered()}, indent=2))
    else:
        (_print_all if verbose or attempt or needed else _print)(extras)
        _print_measured()
        say(f"\nNext: {next_step(extras, named=bool(needed))}")
    if needed and not all(extra.complete for extra in extras):
        raise typer.Exit(1)


def _machine() -> dict[str, Any]:
    """What engines depend on besides packages. Of keys only whether there are any."""
    return {
        "rerankllm": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "gpu driver": shutil.which("nvidia-smi") is not None,
        "C++ compiler": next((name for name in ("c++", "g++", "clang++", "cl") if shutil.which(name)), None),
        "OPENAI_API_KEY": bool(os.environ.get("OPENAI_API_KEY")),
        "OPENAI_BASE_URL": os.environ.get("OPENAI_BASE_URL"),
    }


def _print(extras: list[Extra]) -> None:
    """What is here and what can be added: what fits on a screen."""
    machine = _machine()
    gpu = "a GPU driver" if machine["gpu driver"] else "no GPU driver"
    say(f"rerankllm {machine['rerankllm']} on Python {machine['python']}: {machine['cores']} cores, {gpu}")
    complete = [extra.name for extra in extras if extra.complete]
    missing = [extra for extra in extras if not extra.complete]
    if complete:
        say(f"\nInstalled: {', '.join(complete)}")
    if missing:
        say("\nNot installed; `pip install 'rerankllm[NAME]'` adds one:")
    for extra in missing:
        say(f"  {extra.name:<12} {extra.gives}")
        _print_packages(extra, absent=False)


def _print_all(extras: list[Extra]) -> None:
    """The machine, and every extra with the packages that it lacks."""
    words = {True: "yes", False: "no", None: "none"}
    for name, value in _machine().items():
        say(f"{name:<16} {words.get(value, value) if value is None or isinstance(value, bool) else value}")
    say()
    for extra in extras:
        say(f"{'ok ' if extra.complete else '-- '} {extra.name:<12} {extra.gives}")
        _print_packages(extra, absent=True)


def _print_measured() -> None:
    """What engines found to be the fastest on this machine."""
    measured = fastest.remembered()
    if measured:
        say(f"\nMeasured here for speed, the first of each is taken; delete {fastest.path()} to measure again:")
    for found in measured:
        say(f"  {found}")


def _print_packages(extra: Extra, *, absent: bool) -> None:
    """What is wrong with the packages of an extra, those that are absent included or not."""
    for package in extra.packages:
        if package.found is None and absent:
            say(f"       {package.wanted}: not installed")
        elif package.found is not None and not package.fits:
            say(f"       {package.wanted}: found {package.found}")
        elif package.broken is not None:
            say(f"       {package.wanted}: {package.found} does not load: {package.broken}")
    if extra.tried:
        say(f"       {extra.tried}")


def next_step(extras: list[Extra], *, named: bool) -> str:
    """The one command to run next.

    Args:
        extras: What was looked at.
        named: Whether the caller named them: all are needed then.
    """
    missing = [extra.name for extra in extras if not extra.complete]
    if named:
        return f"pip install 'rerankllm[{','.join(missing)}]'" if missing else "nothing: all of it is there"
    if _engine(DEFAULT_MODEL) not in missing:
        return "rerankllm rerank --sample"
    if os.environ.get("OPENAI_API_KEY") and "openai" not in missing:
        return "rerankllm rerank --sample --model openai:NAME"
    return f"pip install 'rerankllm[{_engine(DEFAULT_MODEL)}]', for the model that is used when none is named"


def _engine(model: str) -> str | None:
    """The extra that a model's engine is in; None where it needs none."""
    kind = ModelSpec.parse(model).kind
    return next((name for name, gives in GIVES.items() if re.search(rf"\b{kind}:", gives)), None)
