"""Imports point one way, and importing the package loads nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rerankllm"
HEAVY = [
    "torch",
    "vllm",
    "openai",
    "ray",
    "llama_cpp",
    "transformers",
    "sentence_transformers",
    "numpy",
    "scipy",
    "ir_measures",
    "typer",
    "jinja2",
    "yaml",
    "ir_datasets",
    "datasets",
    "bm25s",
    "pandas",
    "threadpoolctl",
    "pyarrow",
    "fastapi",
    "pydantic",
    "starlette",
    "uvicorn",
    "langchain_core",
    "llama_index",
    "haystack",
    "pyterrier",
    "mcp",
]

# What the modules of a room may import, besides those of the same room.
BASICS = {"data", "errors", "judgements", "plan"}
LAYERS = {
    "errors": set(),
    "display": set(),
    "data": {"display"},
    "plan": set(),
    "judgements": {"data", "errors"},
    "grammar": {"errors"},
    "registry": {"errors"},
    "spec": BASICS | {"aggregation.base", "grammar", "registry"},
    "aggregation": {"data", "errors", "judgements"},
    "calibration": {"data", "errors", "judgements"},
    "elicitation": {"backends.base", "calibration.demonstrations", "data", "errors", "judgements"},
    "strategies": BASICS | {"aggregation", "calibration", "spec"},
    "formats": {"calibration.demonstrations", "data", "errors", "judgements"},
    "inputs": {"data", "errors"},
    "backends": {"data", "elicitation", "errors", "formats", "judgements"},
    "outcomes": {"backends.base", "data", "judgements"},
    "journal": {"backends.base", "data", "errors", "judgements", "outcomes"},
    "trace": {"journal"},
    "export": {"errors", "formats.recordings", "journal", "spec", "trace"},
    "explanations": {"journal", "trace"},
    "frontier": BASICS | {"backends.estimate", "estimate", "evaluation.pareto", "profiles.profile", "reranker", "spec"},
    "budget": {"backends.base", "data", "errors"},
    "merging": {"journal"},
    "locking": set(),
    "distributed": {"", "budget", "calibration", "data", "drivers.events", "errors", "formats.parquet", "journal"}
    | {"locking", "merging", "profiles.profile", "reranker", "spec"},
    "drivers": {"backends.base", "budget", "data", "errors", "formats.recordings", "journal", "judgements"},
    "evaluation": {"data", "errors"},
    "collections": {"data", "errors", "formats", "registry", "sample"},
    "experiments": {"budget", "calibration.cutoff", "data", "errors", "evaluation", "formats", "locking", "registry"}
    | {"spec"},
    "provenance": {"errors"},
    "sample": set(),
    "web": set(),
    "__main__": {"cli"},
    "panel": BASICS
    | {"backends.base", "backends.sharing", "backends.shelf", "drivers.asking", "elicitation", "registry", "spec"},
    "estimate": BASICS | {"budget", "drivers.asking", "elicitation", "panel", "spec"},
    "parity": BASICS | {"backends.base", "elicitation", "panel", "registry"},
    "runs": {"calibration", "data", "drivers.events", "errors"},
    "diagnose": BASICS | {"calibration", "drivers.events", "reranker", "spec"},
    "reports": {"calibration", "data", "errors", "evaluation", "journal", "judgements", "trace", "web"},
    "profiles": BASICS | {"export", "formats", "journal", "registry", "spec", "strategies"},
    "fusion": {"aggregation", "errors", "formats", "spec"},
    "onecall": {"data", "inputs", "reranker"},
    "reranker": BASICS
    | {
        "backends.base",
        "backends.remote",
        "backends.shelf",
        "budget",
        "calibration",
        "distributed",
        "drivers",
        "elicitation",
        "estimate",
        "formats",
        "inputs",
        "journal",
        "panel",
        "profiles.profile",
    }
    | {"runs", "spec"},
    "scores": {"data"},
    "integrations": {"data", "drivers.events", "errors", "inputs", "reranker", "scores", "spec"},
    "server": {"", "calibration.diagnostics", "data", "drivers", "errors", "formats", "judgements", "plan", "reranker"}
    | {"sample", "scores", "spec", "web"},
    "cli": {
        "",
        "backends.shelf",
        "budget",
        "calibration",
        "collections",
        "data",
        "diagnose",
        "distributed",
        "drivers.events",
        "elicitation",
        "errors",
        "estimate",
        "evaluation",
        "experiments",
        "explanations",
        "export",
        "formats",
        "frontier",
        "fusion",
        "inputs",
        "journal",
        "judgements",
        "parity",
        "plan",
        "provenance",
        "registry",
    }
    | {"experiments", "profiles", "reports", "reranker", "sample", "server", "spec", "trace"},
}


def imports(path):
    """Modules of the package that a file imports, as dotted names without the package's own."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "rerankllm":
            yield node.module.partition(".")[2]
        elif isinstance(node, ast.Import):
            yield from (a.name.partition(".")[2] for a in node.names if a.name.split(".")[0] == "rerankllm")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    room = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if room == "__init__":
        return
    allowed = LAYERS[room]
    for module in imports(path):
        own = module.split(".")[0] == room
        assert own or any(module == a or (a and module.startswith(f"{a}.")) for a in allowed), (
            f"{room} imports {module}"
        )


def test_importing_loads_nothing_heavy():
    code = f"import rerankllm, sys; print([m for m in {HEAVY} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_no_print_outside_the_command_line():
    for path in PACKAGE.rglob("*.py"):
        calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], path
